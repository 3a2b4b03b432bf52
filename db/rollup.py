"""Rolls photos up: to sample units and sections, which are stored, and to roads and the network, on read.

Everything is weighted by surveyed area. Sums are made by the database, one line for each sample unit; what a
section is worth is then worked out of its lines.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, and_, case, delete, func, insert, select
from sqlalchemy.orm import Session

from db.base import utc_now
from db.models import Network, Section, SectionResult, Survey, SurveyImage
from db.section_sums import of_sections, quantity_sums, unit_sums
from engine.condition import (
    ConditionIndex,
    condition_index,
    hpms_cracking_percent,
    unified_crack_index,
)
from engine.linear_reference import sample_units
from engine.sampling_error import PhotoSums, section_interval
from engine.vocabulary import DistressType, Severity

SECTIONS_AT_ONCE = 10_000
"""Few enough for memory and for one statement; many, for a database may read all results for each of them."""
SPREAD_FLAG = 25.0
"""Sample units whose indices differ by more than this do not make one section (StreetSaver's check)."""


KINDS = {kind.value: kind for kind in DistressType}
SEVERITIES = {severity.value: severity for severity in Severity}
Tally = dict[tuple[str, str, str | None], list[Any]]
"""(kind, severity, zone) -> count, length in m, area in m2, length of known width, that times the width."""


class Place(NamedTuple):
    """A section's length, and the chainages (from, to) of its sample units, rising."""

    length_m: float
    units: list[tuple[float, float]]

    def unit_at(self, number: int | None) -> int | None:
        """The sample unit of a line of the sums: the last may be longer than the others."""
        return None if number is None else min(max(number, 0), len(self.units) - 1)


class DistressSum(NamedTuple):
    """What the condition index is made of."""

    kind: DistressType
    severity: Severity
    length_m: float
    area_m2: float


def refresh_sections(
    session: Session,
    survey_id: int,
    checkpoint_id: int,
    settings_hash: str,
    image_ids: Sequence[int] | None = None,
) -> None:
    """Roll photos up to their sections and sample units.

    Args:
        session: the transaction that wrote the results.
        survey_id: the survey.
        checkpoint_id: with `settings_hash`, which of its results.
        settings_hash: see `AnalysisResult`.
        image_ids: only the sections that these lie on; None for all of the survey.
    """
    touched = select(SurveyImage.section_id).where(
        SurveyImage.survey_id == survey_id, SurveyImage.section_id.is_not(None)
    )
    if image_ids is not None:
        touched = touched.where(SurveyImage.id.in_(image_ids))
    found = [section_id for section_id in session.scalars(touched.distinct()) if section_id is not None]
    roll_up(session, survey_id, checkpoint_id, settings_hash, found)


def roll_up(
    session: Session, survey_id: int, checkpoint_id: int, settings_hash: str, section_ids: Iterable[int]
) -> None:
    """Replace what an analysis gave sections by the sums over their photos.

    Nobody changes the length of the sample units, or rolls these sections up as well, until the transaction
    ends.
    """
    own_network = select(Survey.network_id).where(Survey.id == survey_id).scalar_subquery()
    session.execute(select(Network.id).where(Network.id == own_network).with_for_update(read=True))
    run = {"survey_id": survey_id, "checkpoint_id": checkpoint_id, "settings_hash": settings_hash}
    ordered = sorted(section_ids)
    for start in range(0, len(ordered), SECTIONS_AT_ONCE):
        some = ordered[start : start + SECTIONS_AT_ONCE]
        # In one order, so that two never wait for each other.
        session.execute(
            select(Section.id)
            .where(Section.id.in_(some))
            .order_by(Section.id)
            .with_for_update(key_share=True)
        )
        rows = _section_rows(session, run, some)
        session.execute(
            delete(SectionResult)
            .filter_by(**run)
            .where(SectionResult.section_id.in_(some))
            .execution_options(synchronize_session=False)
        )
        if rows:
            session.execute(insert(SectionResult), rows)


def _section_rows(session: Session, run: dict[str, Any], section_ids: list[int]) -> list[dict[str, Any]]:
    lines = session.execute(of_sections(unit_sums(), **run, section_ids=section_ids)).all()
    quantities: dict[int, list[Row[Any]]] = {}
    for row in session.execute(of_sections(quantity_sums(), **run, section_ids=section_ids)):
        quantities.setdefault(row.section_id, []).append(row)
    places = _places(session, section_ids)
    rows = []
    for section_id, units in groupby(lines, lambda row: row.section_id):
        values = _section_values(places[section_id], list(units), quantities.get(section_id, []))
        if values is not None:
            rows.append({"section_id": section_id, **run, **values, "updated_at": utc_now()})
    return rows


def _places(session: Session, section_ids: list[int]) -> dict[int, Place]:
    rows = session.execute(
        select(Section.id, Section.from_m, Section.to_m, Section.length_m, Network.sample_unit_m)
        .join(Network, Network.id == Section.network_id)
        .where(Section.id.in_(section_ids))
    )
    return {
        row.id: Place(row.length_m, sample_units(row.from_m, row.to_m, row.sample_unit_m)) for row in rows
    }


def _added(rows: Sequence[Row[Any]]) -> dict[str, Any]:
    """Lines of `unit_sums` in one: what is unknown of all of them stays unknown."""
    if len(rows) == 1:
        return rows[0]._asdict()
    sums = {}
    for name, *values in zip(rows[0]._fields, *rows, strict=True):
        known = [value for value in values if value is not None]
        sums[name] = sum(known) if known else None
    return sums


def _section_values(place: Place, lines: list[Row[Any]], quantities: list[Row[Any]]) -> dict[str, Any] | None:
    """The columns of a section's result; None where nothing of it was surveyed. `lines` is not empty."""
    sums = _added(lines)
    if not sums["surveyed_px"]:
        return None
    share = _share(sums, place.length_m)
    typed = bool(sums["typed_m2"])
    found, of_unit = _tallied(place, quantities)
    index = _index(found, sums["typed_m2"]) if typed else None
    units = _units(place, lines, of_unit) if typed else None
    indices = [unit["condition_index"] for unit in units or () if unit["condition_index"] is not None]
    return {
        "images": sums["images"],
        "crack_area_ratio": _ratio(sums["crack_px"], sums["surveyed_px"]),
        "crack_density_per_px": _ratio(sums["length_px"], sums["surveyed_px"]),
        "surveyed_area_m2": sums["surveyed_m2"],
        **_measures(sums),
        **_intervals(sums, share),
        "surveyed_share": share,
        "condition_index": index.value if index else None,
        "condition": index.as_dict() if index else None,
        "quantities": _quantity_values(found) if typed else None,
        "units": units,
        "unit_spread": max(indices) - min(indices) if len(indices) > 1 else None,
    }


def _tallied(place: Place, rows: Iterable[Row[Any]]) -> tuple[Tally, dict[int | None, Tally]]:
    """Lines of `quantity_sums` added up for the section, and for each sample unit."""
    section: Tally = {}
    of_unit: dict[int | None, Tally] = {}
    for row in rows:
        _, number, kind, severity, zone, *amounts = tuple(row)
        key, unit = (kind, severity, zone), place.unit_at(number)
        for tally in (section, of_unit.setdefault(unit, {})):
            before = tally.get(key)
            tally[key] = amounts if before is None else [
                a + b for a, b in zip(before, amounts, strict=True)
            ]  # fmt: skip
    return section, of_unit


def _units(
    place: Place, lines: Iterable[Row[Any]], quantities: dict[int | None, Tally]
) -> list[dict[str, Any]]:
    """The sample units that were surveyed, as pages and exports have them, along the chainage."""
    found: dict[int, list[Row[Any]]] = {}
    for row in lines:
        if row.images and (unit := place.unit_at(row.unit)) is not None:
            found.setdefault(unit, []).append(row)
    units = []
    for unit, own in sorted(found.items()):
        (from_m, to_m), sums = place.units[unit], _added(own)
        index = _index(quantities.get(unit, {}), sums["typed_m2"]) if sums["typed_m2"] else None
        units.append({
            "from_m": from_m,
            "to_m": to_m,
            "images": sums["images"],
            "surveyed_area_m2": sums["surveyed_m2"],
            "surveyed_share": _share(sums, to_m - from_m),
            "crack_area_ratio": _ratio(sums["crack_px"], sums["surveyed_px"]),
            **_measures(sums),
            "condition_index": index.value if index else None,
        })  # fmt: skip
    return units


def _measures(sums: dict[str, Any]) -> dict[str, float | None]:
    """What sections and sample units have alike."""
    typed_m2, tiles = sums["typed_m2"], sums["tiles"]
    return {
        "crack_density_m_per_m2": _ratio(sums["length_m"], sums["surveyed_m2"]),
        "hpms_cracking_percent": hpms_cracking_percent(sums["cracked_m2"], typed_m2) if typed_m2 else None,
        "unified_crack_index": unified_crack_index(int(sums["cracked_tiles"]), int(tiles)) if tiles else None,
    }


def _ratio(part: float | None, whole: float | None) -> float | None:
    return float(part or 0) / float(whole) if whole else None


def _share(sums: dict[str, Any], length_m: float) -> float | None:
    """Of the length, in each of the directions that were driven: both may be photographed."""
    if sums["along_m"] is None or not length_m:
        return None
    driven = [along_m for along_m in (sums["rising_m"], sums["falling_m"]) if along_m]
    ways = driven if len(driven) > 1 else [sums["along_m"]]
    return sum(min(1.0, float(along_m) / length_m) for along_m in ways) / len(ways)


def _index(tally: Tally, surveyed_m2: float) -> ConditionIndex:
    found = [
        DistressSum(KINDS[kind], SEVERITIES[severity], length_m, area_m2)
        for (kind, severity, _), (_, length_m, area_m2, _, _) in tally.items()
    ]
    return condition_index(found, surveyed_m2)


def _quantity_values(tally: Tally) -> list[dict[str, Any]]:
    """By type, severity and zone."""
    return [
        {"kind": kind, "severity": severity, "zone": zone, "count": int(count), "length_m": length_m,
         "area_m2": area_m2, "mean_width_mm": _ratio(wide_m_mm, wide_m)}
        for (kind, severity, zone), (count, length_m, area_m2, wide_m, wide_m_mm) in sorted(
            tally.items(), key=lambda item: (item[0][0], item[0][1], item[0][2] or "")
        )
    ]  # fmt: skip


def _intervals(sums: dict[str, Any], share: float | None) -> dict[str, float | None]:
    """The interval columns; empty where a photo has no interval."""
    area: tuple[float | None, float | None] = (None, None)
    density = area
    if sums["images"] == sums["area_known"] and sums["surveyed_px"]:
        low, high = section_interval(_photo_sums(sums, "area", "images", "surveyed_px", "crack_px"), share)
        area = low, min(1.0, high)
    if sums["surveyed_m2"] and sums["measured"] == sums["length_known"]:
        density = section_interval(_photo_sums(sums, "length", "measured", "surveyed_m2", "length_m"), share)
    return {
        "crack_area_ratio_low": area[0],
        "crack_area_ratio_high": area[1],
        "crack_density_m_per_m2_low": density[0],
        "crack_density_m_per_m2_high": density[1],
    }


def _photo_sums(sums: dict[str, Any], name: str, photos: str, x: str, y: str) -> PhotoSums:
    products = (sums[f"{name}_{key}"] for key in ("xx", "xy", "yy", "low", "high"))
    return PhotoSums(sums[photos], sums[x], sums[y], *products)


def road_totals(
    session: Session, survey_id: int, checkpoint_id: int, settings_hash: str
) -> list[dict[str, Any]]:
    """One line for each road of the survey's network, in the order of their names.

    Returns:
        road; sections and length_m of the network; surveyed_sections, images; surveyed_area_m2;
        surveyed_share of the length; crack_area_ratio, crack_density_m_per_m2 with `_low` and `_high`,
        condition_index, hpms_cracking_percent, unified_crack_index, all weighted by surveyed area (by photos
        where no area is known); spread_sections: how many have sample units more than `SPREAD_FLAG` apart.
        Sections that are not surveyed count in none of the measures. The ends of the intervals are weighted
        like their values: as wide as if all sections erred alike.
    """
    query = _totals(survey_id, checkpoint_id, settings_hash, Section.road).order_by(Section.road)
    return [dict(row) for row in session.execute(query).mappings()]


def network_totals(
    session: Session, survey_id: int, checkpoint_id: int, settings_hash: str
) -> dict[str, Any]:
    """The whole network in one line, as in `road_totals`, without `road`."""
    return dict(session.execute(_totals(survey_id, checkpoint_id, settings_hash)).mappings().one())


def _totals(survey_id: int, checkpoint_id: int, settings_hash: str, *by: Any) -> Select[*tuple[Any, ...]]:
    rolled = SectionResult
    weight = func.coalesce(rolled.surveyed_area_m2, rolled.images)

    def mean(name: str, *, all_known: bool = False) -> Any:
        column = getattr(rolled, name)
        known = case((column.is_not(None), weight))
        value = func.sum(column * weight) / func.nullif(func.sum(known), 0)
        # An interval of some of the sections would be taken for one of all.
        whole = func.count(column) == func.count(
            getattr(rolled, name.removesuffix("_low").removesuffix("_high"))
        )
        return (case((whole, value)) if all_known else value).label(name)

    measures = ("crack_area_ratio", "crack_density_m_per_m2")
    return (
        select(
            *by,
            func.count(Section.id).label("sections"),
            func.sum(Section.length_m).label("length_m"),
            func.count(rolled.id).label("surveyed_sections"),
            func.coalesce(func.sum(rolled.images), 0).label("images"),
            func.sum(rolled.surveyed_area_m2).label("surveyed_area_m2"),
            (func.sum(rolled.surveyed_share * Section.length_m) / func.sum(Section.length_m)).label(
                "surveyed_share"
            ),
            *(mean(name) for name in measures),
            *(mean(f"{name}_{end}", all_known=True) for name in measures for end in ("low", "high")),
            *(mean(name) for name in ("condition_index", "hpms_cracking_percent", "unified_crack_index")),
            func.count(case((rolled.unit_spread > SPREAD_FLAG, 1))).label("spread_sections"),
        )
        .select_from(Section)
        .join(Survey, Survey.network_id == Section.network_id)
        .outerjoin(
            rolled,
            and_(
                rolled.section_id == Section.id,
                rolled.survey_id == Survey.id,
                rolled.checkpoint_id == checkpoint_id,
                rolled.settings_hash == settings_hash,
            ),
        )
        .where(Survey.id == survey_id)
        .group_by(*by)
    )
