"""Photos chained over the ends of their sections: no metre of the next section counts twice."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from shapely import LineString
from sqlalchemy import insert, select

from app import actions
from db import queries
from db.models import Network, Section, Survey, SurveyImage
from db.photo_places import PhotoPlace, photo_places
from db.session import transaction
from engine.geometry import DownwardProfile, visible_range_m
from engine.networks import SectionRecord
from engine.severity import D6433
from jobs.measuring import Camera, chain_photos, photo_directions

pytestmark = pytest.mark.usefixtures("database")

PROFILE = DownwardProfile(100, 4000, gsd_mm_per_px=1.0)
CAMERA = Camera(1, PROFILE, PROFILE.as_dict(), D6433)
"""Sees 2 m before and 2 m after its own place."""

Place = tuple[str, float, float, str | None]


def survey_of(
    sections: dict[str, Place],
    photos: list[tuple[str | None, float | None]],
    drawn: float = 1.0,
    headings: Sequence[float | None] | None = None,
) -> list[PhotoPlace]:
    """Photos a second apart, of (section, chainage), on sections of (road, from, to, direction).

    `drawn`: length of the sections' lines over what their chainage says.
    """
    with transaction() as session:
        agency_id = actions.local_actor().agency_id
        network = Network(agency_id=agency_id, name="County")
        session.add(network)
        session.flush()
        survey = Survey(agency_id=agency_id, network_id=network.id, name="May")
        session.add(survey)
        line = LineString([(8.0, 50.0), (8.001, 50.0)])
        queries.add_sections(session, network.id, [
            SectionRecord(
                key, road, start, end, None, None, 1, 3.6, None, line, drawn * (end - start), direction
            )
            for key, (road, start, end, direction) in sections.items()
        ])  # fmt: skip
        session.flush()
        ids = {row.section_key: row.id for row in session.scalars(select(Section))}
        begin = datetime(2026, 5, 1, 9)
        session.execute(insert(SurveyImage), [
            {
                "survey_id": survey.id, "content_hash": f"{number:064d}", "original_name": f"{number}.jpg",
                "size_bytes": 1, "position_source": "track",
                "width_px": 100, "height_px": 4000, "flags": [], "notes": [],
                "captured_at": begin + timedelta(seconds=number), "chainage_m": at,
                "heading_deg": headings[number] if headings else None,
                "section_id": ids[key] if key else None,
            }
            for number, (key, at) in enumerate(photos)
        ])  # fmt: skip
        return photo_places(session, survey.id)


def counted(places: list[PhotoPlace]) -> list[float]:
    """Metres that each photo counts."""
    extents = chain_photos(CAMERA, places)
    return [round(part[1] - part[0], 6) if (part := extents[place.id]) else 0.0 for place in places]


@pytest.mark.parametrize("there", [1, -1])
def test_the_end_of_a_section_hands_over_to_the_next(there: int) -> None:
    sections: dict[str, Place] = {"A": ("B 1", 0, 100, None), "B": ("B 1", 100, 200, None)}
    photos: list[tuple[str | None, float | None]] = [("A", 96.0), ("A", 99.0), ("B", 102.0), ("B", 105.0)]
    assert counted(survey_of(sections, photos[::there])) == [3.5, 3.0, 3.0, 3.5]


def test_photos_of_other_roads_directions_and_of_chainage_that_begins_anew_hide_none() -> None:
    sections: dict[str, Place] = {
        "up": ("B 1", 0, 100, "ascending"),
        "down": ("B 1", 100, 200, "descending"),
        "other": ("B 2", 100, 200, "ascending"),
        "first": ("B 3", 0, 100, None),
        "anew": ("B 3", 0, 120, None),
    }
    photos: list[tuple[str | None, float | None]] = [
        ("up", 99.0), ("down", 100.5), ("other", 100.5), ("first", 50.0), ("anew", 51.0), (None, None),
    ]  # fmt: skip
    near, far = visible_range_m(PROFILE)
    assert counted(survey_of(sections, photos)) == [far - near] * len(photos)


def test_ends_that_overlap_by_rounding_are_one_road() -> None:
    sections: dict[str, Place] = {"A": ("B 1", 0, 100, None), "B": ("B 1", 99.6, 200, None)}
    assert counted(survey_of(sections, [("A", 99.0), ("B", 100.0)])) == [2.5, 2.5]


@pytest.mark.parametrize(("drawn", "counted_m"), [(0.5, [3.25, 2.5, 3.25]), (1.04, [4.0, 4.0, 4.0])])
def test_where_chainage_is_wrong_photos_are_as_far_apart_as_they_were_taken(
    drawn: float, counted_m: list[float]
) -> None:
    """5 m of chainage apart; half as far driven, they overlap."""
    sections: dict[str, Place] = {"A": ("B 1", 0, 100, None), "B": ("B 1", 100, 200, None)}
    photos: list[tuple[str | None, float | None]] = [("A", 93.0), ("A", 98.0), ("B", 103.0)]
    assert counted(survey_of(sections, photos, drawn)) == counted_m


def test_photos_look_along_or_against_the_line_of_their_section() -> None:
    """Lines run east."""
    sections: dict[str, Place] = {"A": ("B 1", 0, 100, None), "B": ("B 1", 100, 200, None)}
    photos: list[tuple[str | None, float | None]] = [("A", 50.0), ("B", 150.0), ("A", 80.0), (None, None)]
    places = survey_of(sections, photos, headings=[85.0, 275.0, 95.0, 90.0])
    assert [place.line_heading_deg for place in places] == [*[pytest.approx(90.0, abs=0.01)] * 3, None]
    assert list(photo_directions(places).values()) == [1, -1, 1]
