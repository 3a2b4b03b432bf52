"""Time, position and heading from a photo's EXIF block, each doubted before it is believed (torch-free)."""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from PIL import ExifTags, Image

# Everything Pillow's EXIF parser was seen to raise on damaged blocks.
_PARSER_ERRORS = (
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OSError,
    OverflowError,
    ZeroDivisionError,
    RecursionError,
    struct.error,
)
_EARLIEST_YEAR = (
    2000  # cameras with an empty clock battery say 1970 or 1980, GPS week overflow says 1980 or 1999
)
_SAME_CLOCK = timedelta(seconds=1.5)  # a GPS second is whole, a camera in step with it may be this far off
_QUARTER_HOUR_S = 900.0  # all time zones in use are multiples of it


@dataclass(frozen=True, slots=True)
class ExifFacts:
    """What the EXIF block says and can be believed.

    Attributes:
        orientation: EXIF orientation, 1-8; 1 where absent or senseless.
        captured_at: UTC-aware moment of capture, or None.
        latitude: WGS84 degrees, or None.
        longitude: WGS84 degrees, or None.
        heading_deg: direction of the camera, 0 <= heading < 360, clockwise from north, or None.
        notes: one plain sentence per thing that was there and could not be believed.
    """

    orientation: int = 1
    captured_at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    heading_deg: float | None = None
    notes: tuple[str, ...] = ()


def read_exif(image: Image.Image) -> ExifFacts:
    """Read time, position and heading; a damaged block costs its facts, never the photo.

    The moment of capture is GPS time where present and sane (year 2000 or later): GPS clocks do not drift. As
    GPS time mostly has whole seconds, the camera's own time (with sub-seconds, and its UTC offset or the
    nearest quarter-hour zone) is taken where both agree within 1.5 s. Without GPS time the camera's time is
    used; without `OffsetTimeOriginal` it is read as UTC, and the survey's clock offset corrects it.

    Args:
        image: opened by Pillow; pixels need not be loaded.
    """
    try:
        block = image.getexif()
        main = dict(block)
        detail = dict(block.get_ifd(ExifTags.IFD.Exif))
        gps = dict(block.get_ifd(ExifTags.IFD.GPSInfo))
    except _PARSER_ERRORS:
        return ExifFacts(notes=("Its EXIF block (time and position) is damaged and was not used.",))
    notes: list[str] = []
    orientation = main.get(ExifTags.Base.Orientation)
    latitude, longitude = _position(gps, notes)
    return ExifFacts(
        orientation=orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1,
        captured_at=_captured_at(main, detail, gps, notes),
        latitude=latitude,
        longitude=longitude,
        heading_deg=_heading(gps),
        notes=tuple(notes),
    )


def _number(value: Any) -> float:
    """A rational, integer or decimal text as a float; NaN for x/0 and anything else."""
    try:
        return float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return math.nan


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", errors="replace")
    return value.strip("\x00 \t\r\n") if isinstance(value, str) else ""


def _degrees(value: Any) -> float:
    """Degrees, minutes, seconds (1 to 3 numbers) as decimal degrees, or NaN."""
    parts = value if isinstance(value, tuple | list) else (value,)
    if not 1 <= len(parts) <= 3:
        return math.nan
    return sum(_number(part) / 60.0**power for power, part in enumerate(parts))


def _position(gps: Mapping[int, Any], notes: list[str]) -> tuple[float | None, float | None]:
    latitude_raw = gps.get(ExifTags.GPS.GPSLatitude)
    longitude_raw = gps.get(ExifTags.GPS.GPSLongitude)
    if latitude_raw is None and longitude_raw is None:
        return None, None
    if latitude_raw is None or longitude_raw is None:
        notes.append("Its GPS position is incomplete: latitude or longitude is missing.")
        return None, None
    north_south = _text(gps.get(ExifTags.GPS.GPSLatitudeRef)).upper()[:1]
    east_west = _text(gps.get(ExifTags.GPS.GPSLongitudeRef)).upper()[:1]
    if north_south not in ("N", "S") or east_west not in ("E", "W"):
        notes.append("Its GPS position does not say which hemisphere (N or S, E or W) and was not used.")
        return None, None
    latitude = _degrees(latitude_raw) * (-1 if north_south == "S" else 1)
    longitude = _degrees(longitude_raw) * (-1 if east_west == "W" else 1)
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        notes.append("Its GPS position is not a number and was not used.")
        return None, None
    if abs(latitude) > 90 or abs(longitude) > 180:
        notes.append(
            f"Its GPS position (latitude {latitude:.4f}, longitude {longitude:.4f}) is not on Earth "
            "and was not used."
        )
        return None, None
    if abs(latitude) < 1e-6 and abs(longitude) < 1e-6:
        notes.append("Its GPS position is 0, 0: the camera had no GPS signal.")
        return None, None
    return latitude, longitude


def _heading(gps: Mapping[int, Any]) -> float | None:
    for tag in (ExifTags.GPS.GPSImgDirection, ExifTags.GPS.GPSTrack):
        heading_deg = _number(gps.get(tag))
        if 0 <= heading_deg <= 360:
            return heading_deg % 360
    return None


def _captured_at(
    main: Mapping[int, Any], detail: Mapping[int, Any], gps: Mapping[int, Any], notes: list[str]
) -> datetime | None:
    camera, zone_known = _camera_time(main, detail)
    satellite = _gps_time(gps)
    if camera is None and satellite is None:
        if any(_text(detail.get(tag)) for tag in (ExifTags.Base.DateTimeOriginal,)):
            notes.append("Its date and time cannot be read and were not used.")
        return None
    if satellite is None or camera is None:
        return satellite or camera
    if not zone_known:
        apart_s = (satellite - camera).total_seconds()
        camera += timedelta(seconds=round(apart_s / _QUARTER_HOUR_S) * _QUARTER_HOUR_S)
    return camera if abs(camera - satellite) <= _SAME_CLOCK else satellite


def _camera_time(main: Mapping[int, Any], detail: Mapping[int, Any]) -> tuple[datetime | None, bool]:
    """(UTC time, whether its zone was written beside it); the time is None where absent or senseless."""
    base = ExifTags.Base
    for values, tag, fraction_tag, offset_tag in (
        (detail, base.DateTimeOriginal, base.SubsecTimeOriginal, base.OffsetTimeOriginal),
        (detail, base.DateTimeDigitized, base.SubsecTimeDigitized, base.OffsetTimeDigitized),
        (main, base.DateTime, base.SubsecTime, base.OffsetTime),
    ):
        try:
            moment = datetime.strptime(_text(values.get(tag))[:19].replace("-", ":"), "%Y:%m:%d %H:%M:%S")
        except ValueError:
            continue
        if moment.year < _EARLIEST_YEAR:
            continue
        fraction = _text(detail.get(fraction_tag))
        if fraction.isascii() and fraction.isdigit():
            moment += timedelta(seconds=float(f"0.{fraction}"))
        zone = _zone(_text(detail.get(offset_tag)))
        return moment.replace(tzinfo=zone or UTC).astimezone(UTC), zone is not None
    return None, False


def _zone(text: str) -> timezone | None:
    """`+05:30`, `-03:00` or `Z` as a time zone."""
    if text.upper() == "Z":
        return UTC
    try:
        offset = datetime.strptime(text, "%z").utcoffset()
    except ValueError:
        return None
    return timezone(offset) if offset is not None and abs(offset) <= timedelta(hours=14) else None


def _gps_time(gps: Mapping[int, Any]) -> datetime | None:
    clock = gps.get(ExifTags.GPS.GPSTimeStamp)
    if not isinstance(clock, tuple | list) or len(clock) != 3:
        return None
    hours, minutes, seconds = (_number(part) for part in clock)
    if not (0 <= hours < 24 and 0 <= minutes < 60 and 0 <= seconds < 61):
        return None
    try:
        day = datetime.strptime(_text(gps.get(ExifTags.GPS.GPSDateStamp)).replace("-", ":"), "%Y:%m:%d")
    except ValueError:
        return None
    if day.year < _EARLIEST_YEAR:
        return None
    return day.replace(tzinfo=UTC) + timedelta(hours=hours, minutes=minutes, seconds=seconds)
