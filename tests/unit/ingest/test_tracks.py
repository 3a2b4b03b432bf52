"""Tracks: reading what agencies have, and placing photos by time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import TrackError
from engine.tracks import Track, bearing_deg, read_track, suggest_clock_offset

# A busy machine must not fail a property.
PATIENT = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])

START = datetime(2025, 6, 1, 10, 0, 0, tzinfo=UTC)


def make_track(seconds: list[float], latitudes: list[float], longitudes: list[float]) -> Track:
    unknown = np.full(len(seconds), np.nan)
    return Track(
        "t",
        np.array(seconds) + START.timestamp(),
        np.array(latitudes),
        np.array(longitudes),
        unknown,
        unknown,
    )


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "track.csv"
    path.write_text(text, encoding=encoding)
    return path


def at(*seconds: float) -> list[datetime]:
    return [START + timedelta(seconds=second) for second in seconds]


@PATIENT
@given(
    st.lists(
        st.tuples(st.floats(0.5, 30), st.floats(-89, 89), st.floats(-179, 179)), min_size=2, max_size=20
    ),
    st.floats(0, 1),
)
def test_photos_lie_between_the_points_around_them(
    steps: list[tuple[float, float, float]], share: float
) -> None:
    seconds = list(np.cumsum([step[0] for step in steps]))
    latitudes = [step[1] for step in steps]
    track = make_track(seconds, latitudes, [step[2] for step in steps])
    moment_s = seconds[0] + share * (seconds[-1] - seconds[0])
    found = track.position_at(at(moment_s))
    assert not found.outside[0]
    after = min(int(np.searchsorted(seconds, moment_s)), len(seconds) - 1)
    around = latitudes[max(after - 1, 0) : after + 2]
    assert min(around) - 1e-6 <= found.latitudes[0] <= max(around) + 1e-6
    assert -180 <= found.longitudes[0] <= 180


@PATIENT
@given(st.floats(-1e5, 1e5))
def test_clock_offset_is_the_same_as_shifted_times(offset_s: float) -> None:
    track = make_track([0, 10, 20], [46, 46.1, 46.0], [7, 7.1, 7.3])
    by_offset = track.position_at(at(3, 12), offset_s)
    by_time = track.position_at(at(3 + offset_s, 12 + offset_s))
    np.testing.assert_allclose(by_offset.latitudes, by_time.latitudes, atol=1e-6)
    np.testing.assert_array_equal(by_offset.outside, by_time.outside)


def test_ends_have_one_second_of_tolerance() -> None:
    track = make_track([0, 10], [46, 46.1], [7, 7.1])
    found = track.position_at(at(-1.1, -0.9, 10.9, 11.1))
    assert found.outside.tolist() == [True, False, False, True]
    assert found.latitudes[1:3].tolist() == [46, 46.1]
    assert np.isnan(found.latitudes[[0, 3]]).all()


def test_gaps_are_not_bridged_but_their_ends_count() -> None:
    found = make_track([0, 10, 50], [46, 46.1, 46.2], [7, 7, 7]).position_at(at(10, 30, 50))
    assert found.in_gap.tolist() == [False, True, False]
    assert np.isnan(found.latitudes[1])


def test_180th_meridian_is_crossed_the_short_way() -> None:
    found = make_track([0, 10], [0.5, 0.5], [179.9, -179.9]).position_at(at(2.5, 7.5))
    np.testing.assert_allclose(found.longitudes, [179.95, -179.95], atol=1e-9)


def test_compass_bearings() -> None:
    zero = np.zeros(4)
    north, east = np.array([1.0, 0, -1, 0]), np.array([0.0, 1, 0, -1])
    np.testing.assert_allclose(bearing_deg(zero, zero, north, east), [0, 90, 180, 270])


def test_heading_is_the_way_driven_and_stays_while_standing(tmp_path: Path) -> None:
    rows = [(0, 46, 7), (1, 46.001, 7), (2, 46.001, 7), (3, 46.001, 7.001)]
    text = "time,lat,lon\n" + "\n".join(f"{START.timestamp() + s},{lat},{lon}" for s, lat, lon in rows)
    found = read_track(write(tmp_path, text)).position_at(at(0.5, 1.5, 2.5))
    np.testing.assert_allclose(found.headings_deg, [0, 0, 90], atol=0.01)


def test_recorded_heading_goes_before_the_way_driven(tmp_path: Path) -> None:
    text = "time,lat,lon,heading\n2025-06-01T10:00:00Z,46,7,350\n2025-06-01T10:00:10Z,46.1,7,10\n"
    found = read_track(write(tmp_path, text)).position_at(at(1, 9))
    assert found.headings_deg.tolist() == [350, 10]


@pytest.mark.parametrize(
    "text",
    [
        "time,lat,lon\n2025-06-01T10:00:00Z,46.5,7.25\n2025-06-01T10:00:05Z,46.6,7.25\n",
        "Timestamp_UTC;Latitude;Longitude\n2025-06-01 10:00:00;46,5;7,25\n2025-06-01 10:00:05;46,6;7,25\n",
        "date\ttime\tLAT\tLNG\n2025-06-01\t10:00:00\t46.5\t7.25\n2025-06-01\t10:00:05\t46.6\t7.25\n",
        "date,time,lat,lon\n31/05/2025,10:00:00,1,1\n01/06/2025,10:00:00,46.5,7.25\n01/06/2025,10:00:05,46.6,7.25\n",
        "datetime,y,x\n2025:06:01 10:00:00.0,46.5,7.25\n2025:06:01 10:00:05,46.6,7.25\n",
        "time,latitude (deg),longitude (deg)\n1748772000,46.5,7.25\n1748772005,46.6,7.25\n",
        "gps_time,lat,lon\n1748772000000,46.5,7.25\n1748772005000,46.6,7.25\n",
        "time,lat,lon\n2025-06-01T12:00:05+02:00,46.6,7.25\n2025-06-01T12:00:00+02:00,46.5,7.25\nx,y,z\n",
    ],
    ids=["plain", "decimal comma", "tabs", "day first", "exif", "epoch", "epoch ms", "zone, unsorted, noise"],
)
def test_csv_as_agencies_write_it(text: str, tmp_path: Path) -> None:
    found = read_track(write(tmp_path, text)).position_at(at(0, 2.5))
    np.testing.assert_allclose(found.latitudes, [46.5, 46.55])
    np.testing.assert_allclose(found.longitudes, 7.25)


def test_utf_16_without_its_mark(tmp_path: Path) -> None:
    text = "time,lat,lon\n1748772000,46.5,7.25\n1748772005,46.6,7.25\n"
    assert len(read_track(write(tmp_path, text, "utf-16-be")).times_s) == 2


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        ("\ufeff \n", "empty"),
        ("lat,lon\n1,2\n", "time"),
        ("time,speed\n1,2\n", "latitude and longitude"),
        ("time,lat,lon\n", "no readable times"),
        ("time,lat,lon\nyesterday,46,7\n", "no readable times"),
        ("time,lat,lon\n1748772000,95,7\n1748772001,95,7\n", "no positions"),
        ("time,lat,lon\n1748772000,46,7\n", "fewer than two"),
        ("time,lat,lon\n03/04/2025 10:00,46,7\n04/04/2025 10:00,46,7\n", "day-month"),
        ("<gpx", "not a readable GPX"),
        ('<gpx version="1.1" creator="t"></gpx>', "no positions"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><gpx version="1.1"></gpx>', "declarations"),
    ],
)
def test_unusable_tracks_say_which_file_why_and_what_to_do(text: str, word: str, tmp_path: Path) -> None:
    with pytest.raises(TrackError) as caught:
        read_track(write(tmp_path, text))
    assert "track.csv" in caught.value.what
    assert word in caught.value.what
    assert caught.value.remedy


def test_noise_is_refused_not_raised(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for size in (10, 1000, 20_000):
        (tmp_path / "track.csv").write_bytes(rng.bytes(size))
        with pytest.raises(TrackError):
            read_track(tmp_path / "track.csv")


@pytest.mark.parametrize("hours", [-3.0, 5.75])
def test_wrong_time_zone_is_suggested(hours: float) -> None:
    track = make_track(list(range(0, 600, 5)), [46.0] * 120, list(np.linspace(7, 7.1, 120)))
    times = at(*(second - hours * 3600 for second in range(10, 590, 7)))
    assert suggest_clock_offset(times, track) == hours * 3600
    assert suggest_clock_offset(at(10, 20, 30), track) is None
    assert suggest_clock_offset(at(10 + 86_400 * 40), track) is None
    assert suggest_clock_offset([], track) is None


@pytest.mark.real_data
def test_real_track_gives_the_positions_the_frames_carry(data_dir: Path) -> None:
    from engine.images import inspect_image

    track = read_track(data_dir / "dnit_br290" / "track.csv")
    frames = sorted((data_dir / "dnit_br290" / "frames").glob("*.jpg"))[::20]
    headers = [inspect_image(frame, frame.name) for frame in frames]
    times = [header.captured_at for header in headers if header.captured_at]
    assert len(times) == len(frames)
    found = track.position_at(times)
    for header, latitude, longitude in zip(headers, found.latitudes, found.longitudes, strict=True):
        assert header.latitude == pytest.approx(latitude, abs=1e-6)
        assert header.longitude == pytest.approx(longitude, abs=1e-6)
