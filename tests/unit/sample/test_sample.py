"""The sample: made the same again from its seed, and true to what it says of itself."""

import csv
import io
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine import sample
from engine.exif import read_exif
from engine.measurement import measure_cracks
from engine.networks import read_network
from engine.sample import (
    SAMPLE_SEED,
    SamplePhoto,
    SampleSurvey,
    make_sample_network,
    sample_surveys,
    write_sample,
)
from engine.sample_cracks import CrackPattern
from engine.snapping import snap_points


@pytest.fixture(scope="module")
def surveys() -> list[SampleSurvey]:
    return sample_surveys(SAMPLE_SEED)


@pytest.fixture(scope="module")
def cracked(surveys: list[SampleSurvey]) -> list[SamplePhoto]:
    """The first photo of each pattern with a fair amount of it."""
    photos: dict[CrackPattern, SamplePhoto] = {}
    for photo in surveys[0].photos:
        if photo.truth.density_m_per_m2 > 0.5:
            photos.setdefault(photo.truth.pattern, photo)
    return list(photos.values())


def test_three_roads_of_24_sections_and_12_km_that_touch() -> None:
    sections = make_sample_network(SAMPLE_SEED)
    assert len(sections) == len({section.section_key for section in sections}) == 24
    assert sum(section.length_m for section in sections) == pytest.approx(12_000, rel=0.001)
    roads = {
        road: [s for s in sections if s.road == road] for road in dict.fromkeys(s.road for s in sections)
    }
    assert len(roads) == 3
    for of_road in roads.values():
        for one, following in pairwise(of_road):
            assert one.geometry.coords[-1] == following.geometry.coords[0]
            assert one.to_m == following.from_m
    starts = [of_road[0].geometry.coords[0] for of_road in roads.values()]
    first_road = {xy for section in next(iter(roads.values())) for xy in section.geometry.coords}
    assert all(start in first_road for start in starts)
    for name in ("functional_class", "surface"):
        assert len({getattr(section, name) for section in sections}) >= 3
    bends = [section.length_m / section.geometry.length for section in sections]
    assert np.ptp(bends) > 0


def test_two_surveys_a_year_apart_in_order_of_time(surveys: list[SampleSurvey]) -> None:
    first, second = surveys
    assert timedelta(360) < second.surveyed_on - first.surveyed_on < timedelta(370)
    for survey in surveys:
        assert len(survey.photos) == len({photo.name for photo in survey.photos}) == 72
        times = [photo.taken_at for photo in survey.photos]
        assert times == sorted(set(times))
        assert times[0].date() == times[-1].date() == survey.surveyed_on


def test_the_seed_decides_everything(surveys: list[SampleSurvey]) -> None:
    again = sample_surveys(SAMPLE_SEED)
    assert [p.truth for s in again for p in s.photos] == [p.truth for s in surveys for p in s.photos]
    # Asked for alone and out of order, a photo is the same, bit by bit.
    assert again[1].photos[40].render() == surveys[1].photos[40].render()
    other = sample_surveys(SAMPLE_SEED + 1)
    assert [p.truth for p in other[0].photos] != [p.truth for p in surveys[0].photos]
    assert other[1].photos[40].render() != surveys[1].photos[40].render()


def test_exif_gives_position_heading_and_time_to_the_millisecond(surveys: list[SampleSurvey]) -> None:
    photo = surveys[1].photos[5]
    with Image.open(io.BytesIO(photo.render())) as image:
        facts = read_exif(image)
        assert (image.format, image.size) == ("JPEG", (960, 640))
    assert facts.notes == ()
    assert facts.latitude == pytest.approx(photo.latitude, abs=1e-8)
    assert facts.longitude == pytest.approx(photo.longitude, abs=1e-8)
    assert facts.heading_deg == pytest.approx(photo.heading_deg, abs=0.01)
    assert facts.captured_at == photo.taken_at
    assert photo.taken_at.microsecond % 1000 == 0 != photo.taken_at.microsecond


def test_every_photo_snaps_to_its_own_section(surveys: list[SampleSurvey]) -> None:
    sections = make_sample_network(SAMPLE_SEED)
    for survey in surveys:
        positions = np.array([(p.latitude, p.longitude, p.heading_deg) for p in survey.photos]).T
        snapped = snap_points(*positions, [section.geometry for section in sections])
        keys = [sections[i].section_key for i in snapped.section_index]
        assert keys == [photo.truth.section_key for photo in survey.photos]
        assert 0 < snapped.offset_m.mean() < 3


def test_measuring_the_true_mask_gives_the_stated_length_and_width(cracked: list[SamplePhoto]) -> None:
    assert {photo.truth.pattern for photo in cracked} == set(CrackPattern) - {CrackPattern.NONE}
    for photo in cracked:
        measured = measure_cracks(photo.truth_mask(), gsd_mm_per_px=2.0)
        truth = photo.truth
        assert measured.crack_density_m_per_m2 == pytest.approx(truth.density_m_per_m2, rel=0.12), (
            truth.pattern
        )
        assert measured.crack_length_m == pytest.approx(truth.length_m, rel=0.12)
        assert measured.mean_width_mm == pytest.approx(truth.mean_width_mm, abs=1.5)


def test_patterns_run_in_their_direction(cracked: list[SamplePhoto]) -> None:
    directions = {p.truth.pattern: measure_cracks(p.truth_mask()).orientation_deg for p in cracked}
    assert directions[CrackPattern.LONGITUDINAL] == pytest.approx(90, abs=15)
    across = directions[CrackPattern.TRANSVERSE]
    assert across is not None
    assert min(across, 180 - across) < 15
    slanted = directions[CrackPattern.DIAGONAL]
    assert slanted is not None
    assert 30 < abs(90 - slanted) < 65 or 30 < slanted < 70


def test_cracks_are_darker_than_the_road_beside_them(cracked: list[SamplePhoto]) -> None:
    for photo in cracked:
        with Image.open(io.BytesIO(photo.render())) as image:
            grey = np.asarray(image.convert("L"), np.float64)
        mask = photo.truth_mask()
        assert grey[mask].mean() < 0.8 * grey[~mask].mean()


def test_cracks_grow_at_the_same_places_except_where_resurfaced(surveys: list[SampleSurvey]) -> None:
    before, after = ({t.section_key: t for t in survey.section_truths} for survey in surveys)
    assert len(before) == 24
    resurfaced = [key for key, truth in after.items() if truth.resurfaced]
    assert len(resurfaced) == 3
    for key, truth in after.items():
        if key in resurfaced:
            assert truth.pattern is CrackPattern.NONE
            assert before[key].density_m_per_m2 > 0
        else:
            assert truth.density_m_per_m2 > before[key].density_m_per_m2
            assert truth.mean_width_mm > before[key].mean_width_mm
    one = next(
        p
        for p in surveys[0].photos
        if p.truth.density_m_per_m2 > 1 and not after[p.truth.section_key].resurfaced
    )
    other = next(p for p in surveys[1].photos if p.name == one.name)
    old, new = one.truth_mask(), other.truth_mask()
    assert np.count_nonzero(old & new) > 0.95 * np.count_nonzero(old)
    assert np.count_nonzero(new) > 1.1 * np.count_nonzero(old)


def test_sections_differ(surveys: list[SampleSurvey]) -> None:
    truths = surveys[0].section_truths
    assert {truth.pattern for truth in truths} == set(CrackPattern)
    densities = [truth.density_m_per_m2 for truth in truths]
    assert len({round(density, 3) for density in densities}) >= 20
    assert min(densities) == 0
    assert max(densities) > 2.5
    assert np.ptp([truth.mean_width_mm for truth in truths if truth.length_m]) > 5


def test_writing_the_sample_to_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [SampleSurvey(s.name, s.surveyed_on, s.photos[:2]) for s in sample_surveys(SAMPLE_SEED)]
    monkeypatch.setattr(sample, "sample_surveys", lambda _seed: few)
    seen: list[tuple[int, int]] = []
    write_sample(tmp_path / "out", SAMPLE_SEED, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    read = read_network(tmp_path / "out" / "network.geojson")
    assert read.problems == []
    for written, made in zip(read.sections, make_sample_network(SAMPLE_SEED), strict=True):
        assert (written.section_key, written.road, written.from_m, written.aadt, written.surface) == (
            made.section_key, made.road, made.from_m, made.aadt, made.surface,
        )  # fmt: skip
    assert (tmp_path / "out" / "2025" / "002.jpg").read_bytes() == few[1].photos[1].render()
    rows = list(csv.DictReader((tmp_path / "out" / "truth.csv").open(encoding="utf-8")))
    assert [(row["survey"], row["photo"]) for row in rows] == [
        ("2024", "001.jpg"), ("2024", "002.jpg"), ("2025", "001.jpg"), ("2025", "002.jpg"),
    ]  # fmt: skip
    assert float(rows[0]["density_m_per_m2"]) == pytest.approx(few[0].photos[0].truth.density_m_per_m2)
    rows = list(csv.DictReader((tmp_path / "out" / "section_truth.csv").open(encoding="utf-8")))
    assert [row["survey"] for row in rows] == ["2024", "2025"]
    truth = few[1].section_truths[0]
    assert (rows[1]["pattern"], rows[1]["severity"]) == (truth.pattern, truth.severity)
    assert float(rows[1]["condition_index"]) == pytest.approx(truth.condition_index)
