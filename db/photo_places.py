"""Where a survey's photos lie along their roads, for the chaining of photos that overlap."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Section, SurveyImage
from engine.linear_reference import headings_along

CHAINAGE_TOLERANCE_M = 1.0
"""Sections that overlap by less lie one behind the other: agencies round chainage to whole metres."""
SECTIONS_AT_ONCE = 10_000
LARGEST_LENGTH_DIFFERENCE = 0.05
"""Lines are drawn less exactly than chainage is measured; where they differ by more, chainage is wrong."""


class PhotoPlace(NamedTuple):
    """Where a photo lies along its road, and where it looks.

    Attributes:
        stretch: shared by the sections of one lane along which chainage runs on; None off the network.
        along_m: its chainage, in metres that were driven.
        heading_deg: clockwise from north.
        line_heading_deg: of rising chainage there, likewise.
    """

    id: int
    stretch: int | None
    along_m: float | None
    heading_deg: float | None
    line_heading_deg: float | None = None


def photo_places(session: Session, survey_id: int) -> list[PhotoPlace]:
    """All photos of a survey in the order in which they were taken, as far as that is known."""
    rows = session.execute(
        select(SurveyImage.id, SurveyImage.section_id, SurveyImage.chainage_m, SurveyImage.heading_deg)
        .where(SurveyImage.survey_id == survey_id)
        .order_by(SurveyImage.captured_at, SurveyImage.original_name, SurveyImage.id)
    ).all()
    stretches, lines = _stretches(session, survey_id), _line_headings(session, rows)
    return [
        PhotoPlace(
            row.id, *_along(stretches.get(row.section_id), row.chainage_m), row.heading_deg, lines.get(row.id)
        )
        for row in rows
    ]


def _line_headings(session: Session, photos: Sequence[Any]) -> dict[int, float]:
    """By photo, where its chainage and heading are known."""
    of_section: dict[int, dict[int, float]] = defaultdict(dict)
    for photo in photos:
        if None not in (photo.section_id, photo.chainage_m, photo.heading_deg):
            of_section[photo.section_id][photo.id] = photo.chainage_m
    headings: dict[int, float] = {}
    ids = sorted(of_section)
    for start in range(0, len(ids), SECTIONS_AT_ONCE):
        some = ids[start : start + SECTIONS_AT_ONCE]
        place = select(Section.id, Section.geometry, Section.from_m, Section.to_m)
        for row in session.execute(place.where(Section.id.in_(some))):
            own = of_section[row.id]
            line = shapely.from_wkb(row.geometry)
            found = headings_along(line, row.from_m, row.to_m, list(own.values()))
            headings.update(zip(own, found.tolist(), strict=True))
    return headings


class _Stretch(NamedTuple):
    """A section in its stretch (named after its first section): where it begins, in metres driven."""

    id: int
    from_m: float
    along_m: float
    metres_per_chainage: float


def _along(section: _Stretch | None, chainage_m: float | None) -> tuple[int | None, float | None]:
    if section is None or chainage_m is None:
        return None, None
    return section.id, section.along_m + (chainage_m - section.from_m) * section.metres_per_chainage


def _stretches(session: Session, survey_id: int) -> dict[int | None, _Stretch]:
    """Where each section with photos of the survey lies in its stretch."""
    rows = session.execute(
        select(Section.id, Section.road, Section.direction, Section.lane, Section.from_m, Section.to_m,
               Section.length_m)
        .where(Section.id.in_(select(SurveyImage.section_id).where(SurveyImage.survey_id == survey_id)))
        .order_by(Section.road, Section.direction, Section.lane, Section.from_m, Section.to_m, Section.id)
    )  # fmt: skip
    stretches: dict[int | None, _Stretch] = {}
    first, lane, end_m, shift = 0, None, 0.0, 0.0
    for row in rows:
        # Chainage that begins anew in each section says nothing of how far its photos are from another's.
        if lane != row[1:4] or row.from_m < end_m - CHAINAGE_TOLERANCE_M:
            first, lane, shift = row.id, row[1:4], 0.0
        end_m = row.to_m
        span_m = row.to_m - row.from_m
        ratio = row.length_m / span_m if span_m > 0 else 1.0
        if abs(ratio - 1) <= LARGEST_LENGTH_DIFFERENCE:
            ratio = 1.0
        stretches[row.id] = _Stretch(first, row.from_m, row.from_m + shift, ratio)
        shift += span_m * (ratio - 1)
    return stretches
