"""Preflight as a stream: what it keeps in memory, what it counts, what it says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from engine.archives import RefusedFile, SourceFile
from engine.errors import InvalidImageError
from engine.positions import spread_fixes
from engine.preflight import PreflightItem, finish_positions, flag_network, preflight
from engine.preflight_summary import clock_advice, summarise
from engine.tracks import Track
from engine.vocabulary import ImageFlag, PositionSource, Refusal
from tests.unit.bad_inputs.photos import START, good_photo

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_files_are_read_one_by_one_as_items_are_taken() -> None:
    reads: list[int] = []

    def source(number: int) -> SourceFile:
        def read() -> bytes:
            reads.append(number)
            return good_photo(number)

        return SourceFile(f"{number}.jpg", 1, read)

    progress: list[int] = []
    stream = preflight((source(number) for number in range(3)), now=NOW, on_progress=progress.append)
    first = next(stream)
    assert reads == [0]
    assert first.size_bytes == len(good_photo(0))
    assert len(list(stream)) == 2
    assert reads == [0, 1, 2]
    assert progress == [1, 2, 3]
    assert first.read() == good_photo(0)


def test_photo_that_changes_after_the_check_is_not_handed_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(good_photo(0))
    (item,) = preflight(path, now=NOW)
    path.write_bytes(good_photo(1))
    with pytest.raises(InvalidImageError, match="changed"):
        item.read()


def test_photo_the_survey_has_already_is_a_duplicate(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(good_photo(0))
    (item,) = preflight(path, now=NOW)
    (again,) = preflight([path], now=NOW, known_hashes={item.sha256})
    assert again.code == Refusal.DUPLICATE
    assert "already" in again.reason


def test_files_refused_before_are_passed_on() -> None:
    refused = RefusedFile("a.zip", Refusal.DAMAGED_ARCHIVE, "a.zip is damaged.", "Make it again.")
    (item,) = preflight([refused], now=NOW)
    assert (item.code, item.reason, item.remedy) == (refused.code, refused.reason, refused.remedy)


def located(name: str, second: float, latitude: float, longitude: float) -> PreflightItem:
    return PreflightItem(
        name=name,
        position_source=PositionSource.EXIF,
        latitude=latitude,
        longitude=longitude,
        captured_at=START + timedelta(seconds=second),
    )


def test_photos_of_one_second_are_spread_in_order_of_time_whatever_their_order_in_the_list() -> None:
    items = [
        located("c", 0.8, 46.0, 7.0),
        located("next", 1.0, 46.0, 7.003),
        located("a", 0.0, 46.0, 7.0),
        located("b", 0.4, 46.0, 7.0),
    ]
    done = finish_positions(items)
    assert [item.name for item in done] == ["c", "next", "a", "b"]
    assert [item.longitude for item in done] == pytest.approx([7.002, 7.003, 7.0, 7.001])
    assert [ImageFlag.POSITION_INTERPOLATED in item.flags for item in done] == [True, False, False, True]


def test_last_second_goes_on_as_the_one_before() -> None:
    moved, latitudes, longitudes = spread_fixes(
        np.array([46.0, 46.2, 46.2]), np.array([7.0, 7.0, 7.0]), np.array([0.0, 1.0, 1.5])
    )
    assert moved.tolist() == [False, False, True]
    assert latitudes[2] == pytest.approx(46.3)
    assert longitudes[2] == pytest.approx(7.0)


@pytest.mark.parametrize(
    "moments_s",
    [
        pytest.param([0.0, 3.0, 4.0], id="standing for longer than a second"),
        pytest.param([0.0, 0.5, 60.0], id="next fix a minute later"),
    ],
)
def test_photos_are_not_moved_where_the_way_is_unknown(moments_s: list[float]) -> None:
    moved, *_ = spread_fixes(np.array([46.0, 46.0, 46.1]), np.array([7.0, 7.0, 7.1]), np.array(moments_s))
    assert not moved.any()


def test_track_positions_and_photos_without_time_are_left_alone() -> None:
    items = [
        replace(located(name, 0, 46.0, 7.0), position_source=PositionSource.TRACK, captured_at=moment)
        for name, moment in (("a", START), ("b", START), ("c", None), ("d", None))
    ]
    assert finish_positions(items) == items


def test_network_flag_needs_a_position_and_more_than_the_limit() -> None:
    near, far, nowhere = located("near", 0, 46, 7), located("far", 1, 46, 7), PreflightItem(name="nowhere")
    flagged = flag_network([near, far, nowhere], [30.0, 31.0, np.nan])
    assert [ImageFlag.OFF_NETWORK in item.flags for item in flagged] == [False, True, False]
    assert flagged[1].notes == ("It is 31 m from the nearest road of the network.",)
    (lost,) = flag_network([near], [np.inf])
    assert ImageFlag.OFF_NETWORK in lost.flags


def test_camera_ahead_of_utc_is_not_in_the_future(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(good_photo(0))
    (ahead,) = preflight(path, now=START - timedelta(hours=13))
    (future,) = preflight(path, now=START - timedelta(hours=15))
    assert ImageFlag.TIME_IN_FUTURE not in ahead.flags
    assert ImageFlag.TIME_IN_FUTURE in future.flags


def test_every_flag_and_refusal_has_words() -> None:
    items = [PreflightItem(name=f"{flag}.jpg", flags=frozenset({flag})) for flag in ImageFlag]
    items += [PreflightItem(name=f"{code}{number}.jpg", code=code) for code in Refusal for number in (1, 2)]
    summary = summarise(items)
    assert summary.text == f"{len(ImageFlag)} photos accepted, {2 * len(Refusal)} files refused."
    assert {problem.code for problem in summary.problems} == {*ImageFlag, *Refusal}
    for problem in summary.problems:
        assert problem.text.startswith("2 files " if problem.refused else "1 photo ")
        assert problem.text.endswith(".")
        assert problem.remedy
        assert problem.examples[0].startswith(problem.code)


def test_summary_counts_by_kind_and_names_examples() -> None:
    items = [PreflightItem(name=f"{n}.jpg", flags=frozenset({ImageFlag.DARK})) for n in range(1200)]
    problem = summarise(items).problems[0]
    assert problem.text == "1,200 photos are very dark; cracks may be missed."
    assert problem.examples == ("0.jpg", "1.jpg", "2.jpg")


def test_clock_advice_names_the_offset_to_enter() -> None:
    seconds = np.arange(0.0, 60.0)
    unknown = np.full(60, np.nan)
    track = Track(
        "drive.gpx", seconds + START.timestamp(), unknown * 0 + 46, 7 + seconds / 1e4, unknown, unknown
    )
    entered_s = 60.0
    items = [located(f"{n}.jpg", n - 7200 + entered_s, 46.0, 7.0) for n in range(5, 50, 5)]
    advice = clock_advice(items, track, entered_s)
    assert advice is not None
    assert "+7200 seconds" in advice
    assert "drive.gpx" in advice
    assert clock_advice([located("a.jpg", 5, 46.0, 7.0)], track) is None
    assert clock_advice([], track) is None
