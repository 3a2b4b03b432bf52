"""Each bad input goes through preflight among good photos: it is told in words, the rest is kept."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import LineString

from engine.errors import ArchiveError, TrackError
from engine.preflight import PreflightItem, finish_positions, flag_network, preflight
from engine.preflight_summary import summarise
from engine.snapping import snap_points
from engine.tracks import read_track
from engine.vocabulary import ImageFlag, PositionSource
from tests.unit.bad_inputs.cases import CASES, GOOD_NAMES, BadInputCase
from tests.unit.bad_inputs.photos import ROAD_LATITUDE, ROAD_LINE

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run(case: BadInputCase, folder: Path, *, with_track: bool = True) -> list[PreflightItem]:
    """The whole of preflight, network included."""
    source = case.build(folder)
    track = read_track(folder / case.track) if case.track and with_track else None
    items = finish_positions(
        list(preflight(source, track=track, clock_offset_s=case.clock_offset_s, now=NOW))
    )
    latitudes, longitudes = (
        np.array([np.nan if value is None else value for value in values])
        for values in ([item.latitude for item in items], [item.longitude for item in items])
    )
    lines = [LineString(ROAD_LINE)]
    nearest_m = snap_points(latitudes, longitudes, None, lines).nearest_m
    swapped_m = snap_points(longitudes, latitudes, None, lines).nearest_m
    return flag_network(items, nearest_m, swapped_m)


def words(item: PreflightItem) -> str:
    return " ".join((item.reason, item.remedy, *item.notes)).lower()


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if not case.track_refused and not case.archive_refused],
    ids=lambda case: case.id,
)
def test_bad_input_is_told_and_the_rest_is_kept(case: BadInputCase, tmp_path: Path) -> None:
    items = run(case, tmp_path)
    bad = [item for item in items if item.name == case.name][-1]
    assert bad.code == case.expected_code
    for text in case.must_mention:
        assert text in words(bad)
    if case.expected_code is not None:
        assert case.name in bad.reason
        assert bad.remedy
    elif case.expected_flag is not None:
        assert case.expected_flag in bad.flags
    else:
        assert bad.flags <= {ImageFlag.NO_POSITION}
    assert sum(item.accepted for item in items) == case.accepted
    if "good1.jpg" in {item.name for item in items}:
        good = [item for item in items if item.name in GOOD_NAMES and item is not bad]
        assert [item.name for item in good] == list(GOOD_NAMES)
        assert all(item.accepted and not item.flags for item in good)
    summary = summarise(items)
    assert (summary.total, summary.accepted) == (len(items), case.accepted)
    if case.expected_code is not None:
        assert summary.refusal_counts == {case.expected_code: 1}
        assert case.name in summary.problems[0].examples


@pytest.mark.parametrize("case", [case for case in CASES if case.track_refused], ids=lambda case: case.id)
def test_refused_track_is_told_and_photos_still_import(case: BadInputCase, tmp_path: Path) -> None:
    items = run(case, tmp_path, with_track=False)
    with pytest.raises(TrackError) as caught:
        read_track(tmp_path / str(case.track))
    for text in case.must_mention:
        assert text in str(caught.value)
    assert str(case.track) in caught.value.what
    assert caught.value.remedy
    assert sum(item.accepted for item in items) == case.accepted


@pytest.mark.parametrize("case", [case for case in CASES if case.archive_refused], ids=lambda case: case.id)
def test_archive_that_cannot_be_read_is_refused_as_a_whole(case: BadInputCase, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError) as caught:
        list(preflight(case.build(tmp_path), now=NOW))
    for text in case.must_mention:
        assert text in str(caught.value)


def case_items(case_id: str, folder: Path) -> dict[str, PreflightItem]:
    (case,) = (case for case in CASES if case.id == case_id)
    return {item.name: item for item in run(case, folder)}


def test_every_case_has_its_own_id() -> None:
    assert len({case.id for case in CASES}) == len(CASES)


def test_orientation_6_is_turned(tmp_path: Path) -> None:
    header = case_items("orientation_6", tmp_path)["bad.jpg"].header
    assert header is not None
    assert (header.width_px, header.height_px) == (120, 160)


def test_second_photo_of_a_gps_second_lies_half_way_to_the_next(tmp_path: Path) -> None:
    items = case_items("two_in_one_second", tmp_path)
    first, second, third = (items[name] for name in ("one1.jpg", "one2.jpg", "two.jpg"))
    assert second.longitude == pytest.approx((first.longitude + third.longitude) / 2, abs=1e-8)
    assert ImageFlag.POSITION_INTERPOLATED not in first.flags | third.flags


@pytest.mark.parametrize("case_id", ["clock_offset", "csv_utf16", "csv_semicolons", "csv_bom"])
def test_track_gives_position_and_heading(case_id: str, tmp_path: Path) -> None:
    item = case_items(case_id, tmp_path)["bad.jpg"]
    assert item.position_source == PositionSource.TRACK
    assert item.latitude == pytest.approx(ROAD_LATITUDE, abs=1e-6)
    assert item.longitude == pytest.approx(7.001 + 5 * 0.00013, abs=1e-6)
    assert item.heading_deg == pytest.approx(90.0, abs=0.1)


def test_bytes_of_both_files_of_one_name_can_be_stored(tmp_path: Path) -> None:
    (case,) = (case for case in CASES if case.id == "same_name_other_bytes")
    both = [item for item in run(case, tmp_path) if item.name == "good2.jpg"]
    assert len({item.read() for item in both}) == 2


def test_script_of_a_comment_is_shown_nowhere(tmp_path: Path) -> None:
    assert all("script" not in repr(item) for item in case_items("exif_script", tmp_path).values())


def test_nothing_is_written_beside_the_batch(tmp_path: Path) -> None:
    batch = tmp_path / "in" / "deep"
    batch.mkdir(parents=True)
    (case,) = (case for case in CASES if case.id == "zip_slip")
    run(case, batch)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [batch / "batch.zip"]
