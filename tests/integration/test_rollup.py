"""Photos rolled up to sample units, sections, roads and the network, on both databases."""

from typing import Any

import pytest
from shapely.geometry import LineString
from sqlalchemy import insert, select

from app import actions
from db import queries, rollup
from db.models import Checkpoint, Network, SectionResult, Survey, SurveyImage
from db.session import reading, transaction
from engine.condition import condition_index
from engine.networks import SectionRecord
from engine.vocabulary import DistressType, Severity

pytestmark = pytest.mark.usefixtures("database")
HASH = "7" * 64
# Of three sections: two of one road, one of another whose chainage falls along its line.
ENDS = [("A", 0.0, 250.0), ("A", 250.0, 350.0), ("B", 500.0, 200.0)]


def section(key: str, road: str, from_m: float, to_m: float) -> SectionRecord:
    line = LineString([(8.0, 50.0), (8.01, 50.0)])
    return SectionRecord(key, road, from_m, to_m, None, None, 2, 3.5, 900, line, abs(to_m - from_m))


class Rolled:
    """A survey of the sections of `ENDS`, to be filled with photos."""

    def __init__(self) -> None:
        agency_id = actions.local_actor().agency_id
        with transaction() as session:
            network = Network(agency_id=agency_id, name="Town", sample_unit_m=100.0)
            checkpoint = Checkpoint(name="base", content_hash="a" * 64, model="m", origin="shipped", card={})
            session.add_all([network, checkpoint])
            session.flush()
            records = [section(f"S{number}", *ends) for number, ends in enumerate(ENDS)]
            queries.add_sections(session, network.id, records)
            survey = Survey(agency_id=agency_id, network_id=network.id, name="May")
            session.add(survey)
            session.flush()
            self.sections = queries.load_sections(session, network.id).ids
            self.run = (survey.id, checkpoint.id, HASH)
        self.photos = 0

    def add(self, section: int, chainage_m: float | None, found: Any = (), **values: Any) -> int:
        """One photo with its result and quantities (kind, severity, length_m, area_m2); returns its id."""
        self.photos += 1
        survey_id, checkpoint_id, _ = self.run
        row = {
            "checkpoint_id": checkpoint_id, "settings_hash": HASH, "settings": {}, "attempt": 1,
            "threshold": 0.5, "crack_pixels": 100, "surveyed_pixels": 10_000, "crack_area_ratio": 0.01,
            "crack_length_px": 50.0, "crack_area_ratio_low": 0.008, "crack_area_ratio_high": 0.013,
        }  # fmt: skip
        if values.pop("metres", True):
            row |= {
                "gsd_mm_per_px": 2.0, "surveyed_area_m2": 10.0, "crack_length_m": 1.0,
                "crack_density_m_per_m2": 0.1, "crack_density_m_per_m2_low": 0.08,
                "crack_density_m_per_m2_high": 0.12, "cracked_area_m2": 0.5, "cracked_tiles": 3, "tiles": 30,
                "ground": {"height_px": 5000, "gsd_mm_per_px": 2.0},
            }  # fmt: skip
        with transaction() as session:
            image_id = session.scalars(
                insert(SurveyImage).returning(SurveyImage.id),
                [{
                    "survey_id": survey_id, "content_hash": f"{self.photos:064d}", "original_name": "p.jpg",
                    "size_bytes": 1, "width_px": 100, "height_px": 100, "position_source": "exif",
                    "section_id": self.sections[section], "chainage_m": chainage_m, "flags": [], "notes": [],
                }],
            ).one()  # fmt: skip
            quantities = [
                {"kind": kind, "severity": severity, "zone": None, "count": 1, "length_m": length_m,
                 "area_m2": area_m2, "mean_width_mm": 4.0}
                for kind, severity, length_m, area_m2 in found
            ]  # fmt: skip
            queries.add_results(session, [{**row, **values, "image_id": image_id}], [[]], [quantities])
        return image_id

    def refresh(self, image_ids: list[int] | None = None) -> dict[int, SectionResult]:
        """By the number of the section."""
        with transaction() as session:
            rollup.refresh_sections(session, *self.run, image_ids=image_ids)
        with reading() as session:
            rows = session.scalars(select(SectionResult)).all()
        return {self.sections.index(row.section_id): row for row in rows}


def test_section_is_weighted_by_surveyed_area() -> None:
    rolled = Rolled()
    rolled.add(0, 10.0, surveyed_area_m2=30.0, crack_length_m=6.0, cracked_area_m2=6.0, tiles=90)
    rolled.add(0, 120.0, surveyed_area_m2=10.0, crack_length_m=0.0, cracked_area_m2=0.0, cracked_tiles=0)
    result = rolled.refresh()[0]
    assert result.crack_density_m_per_m2 == pytest.approx(6 / 40)
    assert result.hpms_cracking_percent == 15
    assert result.unified_crack_index == pytest.approx(100 * 3 / 120)
    assert result.surveyed_share == pytest.approx(20 / 250)
    assert result.surveyed_area_m2 == 40.0


def test_sample_units_hold_their_photos_and_their_own_index() -> None:
    rolled = Rolled()
    bad = (DistressType.ALLIGATOR, Severity.HIGH, 8.0, 4.0)
    rolled.add(0, 10.0)
    rolled.add(0, 99.9)
    rolled.add(0, 100.0, [bad])
    rolled.add(0, 249.0)
    rolled.add(0, 251.0)  # snapped a little beyond the end
    rolled.add(0, None)
    result = rolled.refresh()[0]
    assert [(unit["from_m"], unit["to_m"], unit["images"]) for unit in result.units or []] == [
        (0.0, 100.0, 2), (100.0, 200.0, 1), (200.0, 250.0, 2),
    ]  # fmt: skip
    first, second = (result.units or [])[:2]
    assert first["condition_index"] == 100
    assert second["condition_index"] < 60
    assert result.unit_spread == pytest.approx(first["condition_index"] - second["condition_index"])
    assert (result.unit_spread or 0) > rollup.SPREAD_FLAG
    assert result.images == 6


def ground(near_m: float, far_m: float) -> dict[str, float]:
    return {"near_m": near_m, "far_m": far_m, "height_px": (far_m - near_m) * 500, "gsd_mm_per_px": 2.0}


def test_what_a_photo_shows_ahead_counts_in_the_unit_where_it_lies() -> None:
    rolled = Rolled()
    crack = (DistressType.LONGITUDINAL, Severity.HIGH, 5.0, 0.2)
    rolled.add(0, 95.0, [crack], ground=ground(4.0, 16.0), travel_direction=1)
    rolled.add(0, 205.0, ground=ground(4.0, 16.0), travel_direction=-1)
    rolled.add(0, 3.0, ground=ground(4.0, 16.0), travel_direction=-1)  # ahead of the section's begin
    result = rolled.refresh()[0]
    units = result.units or []
    assert [(unit["from_m"], unit["images"]) for unit in units] == [(0.0, 1), (100.0, 2)]
    first, second = (unit["condition_index"] or 0 for unit in units)
    assert first == 100 > second


def test_half_of_each_direction_is_half_of_the_section() -> None:
    rolled = Rolled()
    rolled.add(0, 0.0, ground=ground(0.0, 125.0), travel_direction=1)
    rolled.add(0, 250.0, ground=ground(0.0, 125.0), travel_direction=-1)
    assert rolled.refresh()[0].surveyed_share == pytest.approx(0.5)
    rolled.add(1, 250.0, ground=ground(0.0, 50.0), travel_direction=-1)
    rolled.add(1, 300.0, ground=ground(0.0, 50.0))
    assert rolled.refresh()[1].surveyed_share == pytest.approx(1.0), "one direction, and one not known"


def test_falling_chainage_and_zero_area_are_no_trouble() -> None:
    rolled = Rolled()
    rolled.add(2, 480.0)
    rolled.add(2, 210.0)
    rolled.add(1, 300.0, surveyed_area_m2=0.0, surveyed_pixels=0, crack_pixels=0)
    found = rolled.refresh()
    assert [(unit["from_m"], unit["to_m"]) for unit in found[2].units or []] == [(200, 300), (400, 500)]
    assert 1 not in found, "nothing of it was surveyed"


def test_a_photo_that_others_cover_has_no_part_in_any_number() -> None:
    rolled = Rolled()
    rolled.add(0, 10.0)
    alone = rolled.refresh()[0]
    nothing = ("crack_pixels", "crack_area_ratio", "crack_length_px", "crack_length_m", "cracked_area_m2",
               "crack_density_m_per_m2", "crack_area_ratio_low", "crack_area_ratio_high", "cracked_tiles",
               "crack_density_m_per_m2_low", "crack_density_m_per_m2_high")  # fmt: skip
    rolled.add(
        0, 110.0, surveyed_pixels=0, surveyed_area_m2=0.0, tiles=0, ground=None, **dict.fromkeys(nothing)
    )
    both = rolled.refresh()[0]
    for column in SectionResult.__table__.columns:
        if column.key not in ("id", "updated_at"):
            assert getattr(both, column.key) == getattr(alone, column.key), column.key


def test_index_is_that_of_the_summed_quantities() -> None:
    rolled = Rolled()
    long = (DistressType.LONGITUDINAL, Severity.MEDIUM, 2.0, 0.1)
    for chainage_m in (5.0, 205.0):
        rolled.add(0, chainage_m, [long, (DistressType.BLOCK, Severity.LOW, 0.0, 2.0)])
    result = rolled.refresh()[0]
    summed = [
        rollup.DistressSum(DistressType.LONGITUDINAL, Severity.MEDIUM, 4.0, 0.2),
        rollup.DistressSum(DistressType.BLOCK, Severity.LOW, 0.0, 4.0),
    ]
    assert result.condition_index == pytest.approx(condition_index(summed, 20.0).value)
    assert result.condition is not None
    assert result.condition["value"] == pytest.approx(result.condition_index, abs=1e-3)
    lengths = {line["kind"]: (line["count"], line["length_m"]) for line in result.quantities or []}
    assert lengths == {"longitudinal": (2, 4.0), "block": (2, 0.0)}


def test_new_photos_touch_only_their_section() -> None:
    rolled = Rolled()
    rolled.add(0, 10.0)
    rolled.add(2, 300.0)
    before = rolled.refresh()
    new = rolled.add(2, 400.0)
    after = rolled.refresh([new])
    assert after[0].updated_at == before[0].updated_at
    assert after[0].id == before[0].id
    assert after[2].images == 2


def test_without_metres_only_the_area_share_is_known() -> None:
    rolled = Rolled()
    rolled.add(0, 10.0, metres=False)
    result = rolled.refresh()[0]
    assert result.crack_area_ratio == pytest.approx(0.01)
    assert result.crack_area_ratio_low is not None
    nothing = (
        result.crack_density_m_per_m2, result.condition_index, result.condition, result.units,
        result.quantities, result.surveyed_share, result.hpms_cracking_percent, result.unit_spread,
    )  # fmt: skip
    assert nothing == (None,) * 8


def test_roads_and_network_are_weighted_by_surveyed_area() -> None:
    rolled = Rolled()
    rolled.add(0, 10.0, surveyed_area_m2=30.0, crack_length_m=6.0, crack_density_m_per_m2=0.2)
    rolled.add(1, 300.0, surveyed_area_m2=10.0, crack_length_m=0.0, crack_density_m_per_m2=0.0)
    sections = rolled.refresh()
    with reading() as session:
        first, second = rollup.road_totals(session, *rolled.run)
        whole = rollup.network_totals(session, *rolled.run)
    assert (first["road"], first["sections"], first["surveyed_sections"]) == ("A", 2, 2)
    assert first["crack_density_m_per_m2"] == pytest.approx(6 / 40)
    low = first["crack_density_m_per_m2_low"]
    ends = [sections[number].crack_density_m_per_m2_low or 0 for number in (0, 1)]
    assert low == pytest.approx((30 * ends[0] + 10 * ends[1]) / 40)
    assert (second["road"], second["surveyed_sections"], second["images"]) == ("B", 0, 0)
    assert second["crack_density_m_per_m2"] is None
    assert whole["surveyed_share"] == pytest.approx(20 / 650)
    assert whole["crack_density_m_per_m2"] == first["crack_density_m_per_m2"]


def test_a_road_has_no_interval_where_a_section_has_none() -> None:
    rolled = Rolled()
    rolled.add(0, 10.0)
    rolled.add(1, 300.0, crack_density_m_per_m2_low=None, crack_density_m_per_m2_high=None)
    rolled.refresh()
    with reading() as session:
        road = rollup.road_totals(session, *rolled.run)[0]
    assert road["crack_density_m_per_m2"] is not None
    assert road["crack_density_m_per_m2_low"] is None
    assert road["crack_area_ratio_low"] is not None
