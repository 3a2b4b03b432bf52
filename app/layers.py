"""What the map's layers and the photo viewer read; no Streamlit here, so that the routes stay light."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import shapely
from sqlalchemy import Integer, and_, cast, func, null, select
from sqlalchemy.orm import Session

from db.index_ends import ENDS_OF_INDEX as ENDS_OF_INDEX
from db.index_ends import ends_of_index as ends_of_index
from db.models import AnalysisResult, AuditEvent, Job, Network, Section, SectionResult, Survey, SurveyImage
from db.session import reading
from engine.vocabulary import ImageFlag, JobState

MAX_PHOTOS = 5_000
MAX_INTERVALS = 5_000
"""Of more sections at once the index's intervals are not worked out: half a millisecond each."""
CELLS_ACROSS = 48
# What a photo's point says at preflight, gravest first; the rest of the flags are remarks.
STATUS_ORDER = (ImageFlag.OFF_NETWORK, ImageFlag.DARK, ImageFlag.BLURRED, ImageFlag.OUTSIDE_TRACK)
NO_RESULT: dict[str, float | None] = {"value": None, "low": None, "high": None, "images": 0}
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class PhotoFiles:
    """Hashes of what is stored of a photo; None where there is nothing yet."""

    content_hash: str
    mask_hash: str | None
    probability_hash: str | None


def parse_box(given: str) -> Box | None:
    """`w,s,e,n` in degrees; None unless it is a box on the globe."""
    parts = given.split(",")
    if len(parts) != 4 or len(given) > 200:
        return None
    try:
        west, south, east, north = (float(part) for part in parts)
    except ValueError:
        return None
    if not all(math.isfinite(edge) for edge in (west, south, east, north)):
        return None
    # A map that was dragged round the world asks for more than 180 degrees.
    west, east = max(west, -180.0), min(east, 180.0)
    south, north = max(south, -90.0), min(north, 90.0)
    return (west, south, east, north) if west < east and south < north else None


def shown_result(survey: type[Survey] = Survey) -> Any:
    """Join condition: the result of a photo that its survey shows."""
    return and_(
        AnalysisResult.image_id == SurveyImage.id,
        AnalysisResult.checkpoint_id == survey.shown_checkpoint_id,
        AnalysisResult.settings_hash == survey.shown_settings_hash,
    )


def shown_section_result() -> Any:
    """Join condition: a section's roll-up of the results that its survey shows."""
    return and_(
        SectionResult.survey_id == Survey.id,
        SectionResult.checkpoint_id == Survey.shown_checkpoint_id,
        SectionResult.settings_hash == Survey.shown_settings_hash,
    )


def survey_version(agency_id: int, survey_id: int) -> str | None:
    """Changes whenever the survey's photos or results do; None where the agency has no such survey.

    Only jobs change them, each batch with the job's progress in the same transaction.
    """
    with reading() as session:
        survey = session.get(Survey, survey_id)
        if survey is None or survey.agency_id != agency_id:
            return None
        work = session.execute(
            select(
                func.count(),
                func.sum(Job.attempt),
                func.sum(Job.progress_done),
                func.count().filter(Job.state == JobState.SUCCEEDED),
            ).where(Job.survey_id == survey_id)
        ).one()
        # A roll-up inserts its lines anew, so the newest line tells of all; to read the time of each is slow.
        rolled = session.execute(
            select(func.count(), func.max(SectionResult.id)).where(SectionResult.survey_id == survey_id)
        ).one()
        rolled_at = session.scalar(select(SectionResult.updated_at).where(SectionResult.id == rolled[1]))
        shown = (survey.network_id, survey.shown_checkpoint_id, survey.shown_settings_hash)
        # An engineer's corrections of the network change what the pages say of its sections.
        edited = session.scalar(
            select(func.max(AuditEvent.id)).where(
                AuditEvent.agency_id == agency_id, AuditEvent.action.startswith("network.")
            )
        )
        stamp = (*shown, *work, *rolled, rolled_at, edited)
        return "-".join(str(part) for part in stamp)


def has_network(agency_id: int, network_id: int) -> bool:
    with reading() as session:
        network = session.get(Network, network_id)
        return network is not None and network.agency_id == agency_id


def photo_files(agency_id: int, image_id: int) -> PhotoFiles | None:
    """What is stored of an agency's photo; None where it has no such photo."""
    with reading() as session:
        row = session.execute(
            select(
                SurveyImage.content_hash,
                AnalysisResult.mask_hash,
                AnalysisResult.probability_hash,
            )
            .join(Survey, Survey.id == SurveyImage.survey_id)
            .outerjoin(AnalysisResult, shown_result())
            .where(SurveyImage.id == image_id, Survey.agency_id == agency_id)
        ).one_or_none()
    return None if row is None else PhotoFiles(row.content_hash, row.mask_hash, row.probability_hash)


MEASURES = tuple(
    f"{measure}{end}"
    for measure in ("crack_area_pct", "crack_density_m_per_m2")
    for end in ("", "_low", "_high")
)


def _columns(of: type[AnalysisResult] | type[SectionResult]) -> tuple[Any, ...]:
    return (
        of.crack_area_ratio * 100,
        of.crack_area_ratio_low * 100,
        of.crack_area_ratio_high * 100,
        of.crack_density_m_per_m2,
        of.crack_density_m_per_m2_low,
        of.crack_density_m_per_m2_high,
    )


def measures(of: type[AnalysisResult] | type[SectionResult]) -> list[Any]:
    """Columns `MEASURES`: cracked area in % and crack density in m/m², each with the ends of its interval."""
    return [column.label(name) for name, column in zip(MEASURES, _columns(of), strict=True)]


DENSITY, AREA_SHARE, INDEX = "crack_density_m_per_m2", "crack_area_pct", "condition_index"
# What sections can be coloured by: columns of the value and of the ends of its interval, where it has one.
# Those of the index are worked out of its quantities, see `index_ends`.
SECTION_MEASURES: dict[str, tuple[Any, Any, Any]] = {
    DENSITY: _columns(SectionResult)[3:],
    AREA_SHARE: _columns(SectionResult)[:3],
    INDEX: (SectionResult.condition_index, null(), null()),
    "hpms_cracking_percent": (SectionResult.hpms_cracking_percent, null(), null()),
    "unified_crack_index": (SectionResult.unified_crack_index, null(), null()),
}


def _shown_measure(density: bool) -> list[Any]:
    """`value`, `low` and `high` of the measure that photos are coloured by."""
    shown = _columns(AnalysisResult)[3:] if density else _columns(AnalysisResult)[:3]
    return [column.label(name) for name, column in zip(("value", "low", "high"), shown, strict=True)]


def uses_density(session: Session, survey_id: int) -> bool:
    """Whether every section of the survey has a density in m/m²; else all are shown in pixels alike."""
    sections, measured = session.execute(
        select(func.count(), func.count(SectionResult.crack_density_m_per_m2))
        .join(Survey, shown_section_result())
        .where(Survey.id == survey_id)
    ).one()
    return bool(sections) and sections == measured


def photo_status(flags: Sequence[str]) -> str:
    """The gravest flag, or `ok`."""
    return next((flag.value for flag in STATUS_ORDER if flag in flags), "ok")


def _point(longitude: float, latitude: float, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [round(longitude, 6), round(latitude, 6)]},
        "properties": properties,
    }


def _collection(features: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


@lru_cache(maxsize=64)
def photo_layer(survey_id: int, version: str, box: Box) -> dict[str, Any]:
    """The photos in a box as GeoJSON points, or cells where there are too many.

    `value` is the crack density in m/m², or the cracked share of the image in % without a GSD; `low` and
    `high` are the ends of its interval. A cell has its photos' count and mean, without an interval.
    """
    west, south, east, north = box
    inside = (
        SurveyImage.survey_id == survey_id,
        SurveyImage.latitude.between(south, north),
        SurveyImage.longitude.between(west, east),
    )
    with reading() as session:
        shown = _shown_measure(uses_density(session, survey_id))
        found = (
            select(SurveyImage.id, SurveyImage.latitude, SurveyImage.longitude)
            .where(*inside)
            .limit(MAX_PHOTOS + 1)
        )
        if len(session.execute(found).all()) > MAX_PHOTOS:
            return _cells(session, inside, shown[0], box)
        rows = session.execute(
            select(
                SurveyImage.id,
                SurveyImage.latitude,
                SurveyImage.longitude,
                SurveyImage.flags,
                SurveyImage.chainage_m,
                *shown,
            )
            .join(Survey, Survey.id == SurveyImage.survey_id)
            .outerjoin(AnalysisResult, shown_result())
            .where(*inside)
        ).all()
    return _collection(
        _point(
            row.longitude,
            row.latitude,
            {
                "id": row.id,
                "value": _rounded(row.value),
                "low": _rounded(row.low),
                "high": _rounded(row.high),
                "status": photo_status(row.flags),
                "chainage_m": _rounded(row.chainage_m, 1),
            },
        )
        for row in rows
    )


def _cells(session: Session, inside: tuple[Any, ...], value: Any, box: Box) -> dict[str, Any]:
    west, south, east, north = box
    # SQLite cuts off and PostgreSQL rounds; either makes a grid.
    column = cast((SurveyImage.longitude - west) / (east - west) * CELLS_ACROSS, Integer)
    row_of = cast((SurveyImage.latitude - south) / (north - south) * CELLS_ACROSS, Integer)
    rows = session.execute(
        select(
            func.count().label("count"),
            func.avg(SurveyImage.latitude).label("latitude"),
            func.avg(SurveyImage.longitude).label("longitude"),
            func.avg(value).label("value"),
        )
        .select_from(SurveyImage)
        .join(Survey, Survey.id == SurveyImage.survey_id)
        .outerjoin(AnalysisResult, shown_result())
        .where(*inside)
        .group_by(column, row_of)
    ).all()
    return _collection(
        _point(row.longitude, row.latitude, {"count": row.count, "value": _rounded(row.value)})
        for row in rows
    )


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(float(value), digits)


@lru_cache(maxsize=4)  # one of 1e5 sections takes tens of megabytes
def section_layer(
    network_id: int, survey_id: int | None, version: str, measure: str | None = None
) -> dict[str, Any]:
    """A network's sections as simplified GeoJSON lines, with a survey's measure where one is given.

    Args:
        network_id: the network.
        survey_id: whose results; None for the bare lines.
        version: of the survey's data.
        measure: of `SECTION_MEASURES`; None for the density where the survey has metres, else the area share.
    """
    results: dict[int, dict[str, float | None]] = {}
    if survey_id is not None:
        with reading() as session:
            results = _section_values(session, survey_id, measure)
    return _collection(
        {
            "type": "Feature",
            "geometry": geometry,
            "properties": {**named, **results.get(named["id"], NO_RESULT)},
        }
        for geometry, named in _section_lines(network_id, version)
    )


@lru_cache(maxsize=4)
def _section_lines(network_id: int, version: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Simplified geometry, and id, key, road, from_m and to_m of a network's sections."""
    columns = (Section.id, Section.section_key.label("key"), Section.road, Section.from_m, Section.to_m)
    box = (Section.west, Section.east)
    with reading() as session:
        rows = session.execute(
            select(*columns, *box, Section.geometry).where(Section.network_id == network_id)
        ).all()
    if not rows:
        return []
    lines = shapely.from_wkb([row.geometry for row in rows])
    extent = max(max(row.east for row in rows) - min(row.west for row in rows), 0.001)
    # Less than a pixel where the whole network is in view, and never more than about 5 m.
    simple = shapely.simplify(lines, min(extent / 20_000, 0.00005))
    return [
        (
            {"type": "LineString", "coordinates": [[round(x, 6), round(y, 6)] for x, y in line.coords]},
            {name: getattr(row, name) for name in ("id", "key", "road", "from_m", "to_m")},
        )
        for row, line in zip(rows, simple, strict=True)
    ]


def _section_values(
    session: Session, survey_id: int, measure: str | None
) -> dict[int, dict[str, float | None]]:
    """value, low, high and images of each section with results, by the section's id."""
    name = measure or (DENSITY if uses_density(session, survey_id) else AREA_SHARE)
    value, low, high = SECTION_MEASURES[name]
    rolled = session.execute(
        select(
            SectionResult.section_id,
            SectionResult.images,
            value.label("value"),
            low.label("low"),
            high.label("high"),
        )
        .join(Survey, shown_section_result())
        .where(Survey.id == survey_id)
    )
    found: dict[int, dict[str, float | None]] = {
        row.section_id: {
            "value": _rounded(row.value),
            "low": _rounded(row.low),
            "high": _rounded(row.high),
            "images": row.images,
        }
        for row in rolled
    }
    if name == INDEX and len(found) <= MAX_INTERVALS:
        for section_id, (low, high) in index_ends(session, survey_id).items():
            found[section_id] |= {"low": round(low, 1), "high": round(high, 1)}
    return found


def index_ends(
    session: Session, survey_id: int, section_ids: Sequence[int] | None = None
) -> dict[int, tuple[float, float]]:
    """Interval of the condition index by section, of those where it is known.

    Args:
        session: to read with.
        survey_id: whose shown results.
        section_ids: only these; None for all. Half a millisecond each.
    """
    query = (
        select(SectionResult.section_id, *ENDS_OF_INDEX)
        .join(Survey, shown_section_result())
        .where(Survey.id == survey_id, SectionResult.condition_index.is_not(None))
    )
    if section_ids is not None:
        query = query.where(SectionResult.section_id.in_(section_ids))
    return {row.section_id: ends for row in session.execute(query) if (ends := ends_of_index(row))}
