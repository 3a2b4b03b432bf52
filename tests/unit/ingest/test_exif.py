"""Which clock and which position of a photo are believed."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import piexif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.exif import ExifFacts, read_exif
from tests.unit.bad_inputs.photos import encode, exif, texture

# A busy machine must not fail a property.
PATIENT = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])

EXIF, GPS, MAIN = piexif.ExifIFD, piexif.GPSIFD, piexif.ImageIFD
MOMENT = datetime(2025, 6, 1, 10, 0, 0, 250_000, tzinfo=UTC)


def read(block: bytes) -> ExifFacts:
    with Image.open(io.BytesIO(encode(texture(1, 32, 32), exif=block))) as image:
        return read_exif(image)


def gps_time(hours: int, minutes: int, seconds: int, date: bytes = b"2025:06:01") -> dict[int, Any]:
    return {GPS.GPSTimeStamp: ((hours, 1), (minutes, 1), (seconds, 1)), GPS.GPSDateStamp: date}


@PATIENT
@given(st.floats(-89.9, 89.9), st.floats(-179.9, 179.9))
def test_positions_of_all_hemispheres_come_back_within_3_mm(latitude: float, longitude: float) -> None:
    facts = read(exif(latitude, longitude))
    if abs(latitude) > 1e-6 or abs(longitude) > 1e-6:
        assert facts.latitude == pytest.approx(latitude, abs=2e-8)
        assert facts.longitude == pytest.approx(longitude, abs=2e-8)


def test_camera_time_keeps_sub_seconds_and_its_offset() -> None:
    facts = read(exif(moment=MOMENT, detail={EXIF.OffsetTimeOriginal: b"-03:00"}))
    assert facts.captured_at == MOMENT + timedelta(hours=3)


def test_camera_time_without_zone_is_utc() -> None:
    assert read(exif(moment=MOMENT, detail={EXIF.OffsetTimeOriginal: None})).captured_at == MOMENT


def test_gps_time_goes_before_a_camera_clock_that_drifted() -> None:
    facts = read(exif(46.0, 7.0, moment=MOMENT, gps=gps_time(9, 59, 31)))
    assert facts.captured_at == datetime(2025, 6, 1, 9, 59, 31, tzinfo=UTC)


def test_camera_in_step_with_gps_adds_its_sub_seconds() -> None:
    assert read(exif(46.0, 7.0, moment=MOMENT, gps=gps_time(10, 0, 0))).captured_at == MOMENT


def test_zone_of_the_camera_is_found_from_gps() -> None:
    local = exif(46.0, 7.0, moment=MOMENT, detail={EXIF.OffsetTimeOriginal: None}, gps=gps_time(4, 15, 0))
    assert read(local).captured_at == MOMENT - timedelta(hours=5, minutes=45)


@pytest.mark.parametrize("date", [b"1980:01:06", b"2025:13:41", b""])
def test_senseless_gps_date_is_passed_over(date: bytes) -> None:
    assert read(exif(46.0, 7.0, moment=MOMENT, gps=gps_time(1, 2, 3, date))).captured_at == MOMENT


def test_clock_never_set_gives_no_time_and_says_so() -> None:
    facts = read(exif(moment=MOMENT.replace(year=1970)))
    assert facts.captured_at is None
    assert facts.notes == ("Its date and time cannot be read and were not used.",)


@pytest.mark.parametrize(
    ("value", "expected"), [((360, 1), 0.0), ((2785, 10), 278.5), ((400, 1), None), ((1, 0), None)]
)
def test_heading_is_within_a_full_turn(value: tuple[int, int], expected: float | None) -> None:
    assert read(exif(46.0, 7.0, gps={GPS.GPSImgDirection: value})).heading_deg == expected


def test_longitude_alone_is_no_position() -> None:
    facts = read(exif(46.0, 7.0, gps={GPS.GPSLatitude: None}))
    assert facts.latitude is None
    assert "incomplete" in facts.notes[0]


@PATIENT
@given(st.binary(min_size=1, max_size=400))
def test_damaged_block_never_costs_the_photo(noise: bytes) -> None:
    block = bytearray(exif(46.0, 7.0, moment=MOMENT))
    start = len(block) // 3
    block[start : start + len(noise)] = noise
    facts = read(bytes(block))
    assert facts.latitude is None or abs(facts.latitude) <= 90
    assert 1 <= facts.orientation <= 8
