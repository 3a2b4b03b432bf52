"""What an exported file says of itself: what it was made of, with what, when, and what to know of it."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any

import geopandas as gpd

from db.models import Plan
from engine.measurement_version import with_measurement_version
from engine.vocabulary import PositionSource
from jobs.export.places import PHOTO_POINT

CRS = "EPSG:4326"


def describe(
    shown: Any,
    plan: Plan | None,
    photos: gpd.GeoDataFrame,
    distresses: gpd.GeoDataFrame | None,
    sources: Mapping[str, int],
    made_at: datetime,
) -> dict[str, str]:
    """The provenance of `jobs.export.data.ExportData`.

    Args:
        shown: of `db.export_queries.shown_analysis`.
        plan: None where there is none.
        photos: as exported; distresses likewise, None where they were not read.
        sources: number of photos by the source of their position.
        made_at: when reading began, UTC.
    """
    settings = with_measurement_version(shown.settings, shown.shown_settings_hash)
    measured_by = settings["measurement_version"]
    notes = [*_notes(shown, plan, photos, sources)]
    if distresses is not None:
        notes.extend(_distress_notes(distresses))
    return {
        "agency": shown.agency,
        "network": shown.network or "",
        "survey": shown.survey,
        "surveyed_on": shown.surveyed_on.isoformat() if shown.surveyed_on else "",
        "checkpoint": shown.checkpoint,
        "checkpoint_sha256": shown.content_hash,
        "settings": json.dumps(settings, sort_keys=True, ensure_ascii=False),
        "settings_hash": shown.shown_settings_hash,
        "measurement_version": "" if measured_by is None else str(measured_by),
        "severity_standard": (settings.get("severity_standard") or {}).get("name", ""),
        "camera_profile": _camera(shown, settings),
        "plan": "" if plan is None else plan.name,
        "made_at": made_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "software": f"Pavescope {version('pavescope')}",
        "crs": CRS,
        "notes": "\n".join(notes),
    }


def _camera(shown: Any, settings: Mapping[str, Any]) -> str:
    if shown.camera is not None:
        return f"{shown.camera}, version {shown.camera_version}"
    gsd = ((settings.get("camera") or {}).get("parameters") or {}).get("gsd_mm_per_px")
    return f"looking straight down, {gsd:g} mm per pixel" if gsd else "none: results are in pixels"


def _notes(
    shown: Any, plan: Plan | None, photos: gpd.GeoDataFrame, sources: Mapping[str, int]
) -> Iterator[str]:
    if shown.network is None:
        yield "The survey runs over no network, so there are no sections and no plan."
    elif (away := int(photos["section_key"].isna().sum())) > 0:
        yield f"{away:,} of {len(photos):,} photos lie on no section of the network."
    if photos["gsd_mm_per_px"].isna().all():
        yield "The camera is not known: lengths and widths are in pixels, and there is no condition index."
    failed = int(photos["error"].notna().sum())
    if failed:
        yield f"{failed:,} of {len(photos):,} photos could not be analysed; their error says why."
    unseen = int((photos["crack_area_percent"].isna() & photos["error"].isna()).sum())
    if unseen:
        yield f"{unseen:,} of {len(photos):,} photos have no measurement in this analysis."
    yield _positions(sources)
    yield (
        "The condition index counts cracking alone (ASTM D6433 deduct values): an upper bound of a Pavement "
        "Condition Index, not one. Intervals are of 90 %."
    )
    yield (
        "Lengths and areas by type are what was found on the surveyed area, not extrapolated to the section."
    )
    if plan is not None:
        yield from _plan_notes(shown, plan)


def _positions(sources: Mapping[str, int]) -> str:
    known = Counter(sources)
    lost = known.pop(PositionSource.NONE.value, 0)
    said = ", ".join(
        f"{count:,} from {'their EXIF' if source == PositionSource.EXIF else 'a track'}"
        for source, count in sorted(known.items())
    )
    text = f"Positions of photos: {said or 'none'}{f', {lost:,} unknown' if lost else ''}."
    return f"{text} GPS is usually right to 3 to 10 m." if said else text


def _distress_notes(distresses: gpd.GeoDataFrame) -> Iterator[str]:
    if not len(distresses):
        return
    yield (
        "Distresses are placed from their photo's position and heading, metres right and ahead of it: "
        "as exact as that position, and turned by the heading's error (1 degree is 2 cm for each metre)."
    )
    at_point = int((distresses["placed_by"] == PHOTO_POINT).sum())
    if at_point:
        yield (
            f"{at_point:,} of {len(distresses):,} distresses lie at their photo's point: its heading, or "
            "metres on the road, are not known."
        )
    nowhere = int(distresses["placed_by"].isna().sum())
    if nowhere:
        yield f"{nowhere:,} of {len(distresses):,} distresses have no place: their photo has no position."


def _plan_notes(shown: Any, plan: Plan) -> Iterator[str]:
    if (plan.checkpoint_id, plan.settings_hash) != (shown.shown_checkpoint_id, shown.shown_settings_hash):
        yield (
            f"The plan {plan.name!r} was made from another analysis of this survey than the one shown: its "
            "numbers do not follow from the sections here."
        )
    yield "Projects are ranked in the plan's order: by year, then by benefit for the money."
    assumed = [curve.get("source") == "assumed" for curve in plan.result.get("curves", ())]
    if any(assumed):
        yield f"How fast {'the' if all(assumed) else 'some of the'} roads lose condition is assumed."
    for note in plan.result.get("notes", ()):
        yield str(note)
