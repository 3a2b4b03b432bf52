"""GPS tracks: read GPX and CSV, and place photos on them by time (torch-free)."""

import codecs
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gpxpy
import gpxpy.gpx
import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.archives import SourceFile, display_name
from engine.errors import InvalidImageError, TrackError
from engine.images import read_file

MAX_TRACK_BYTES = 256 * 1024**2
MAX_GAP_S = 30.0  # at 80 km/h a vehicle may have turned off and back within more
EDGE_TOLERANCE_S = 1.0  # the last fix may be that old when the last photo is taken
_MAX_COLUMNS = 500
_COLUMNS = {
    "time": (
        "time",
        "timestamp",
        "timestamp_utc",
        "time_utc",
        "utc",
        "utc_time",
        "datetime",
        "date_time",
        "gps_time",
    ),
    "date": ("date", "gps_date", "date_utc"),
    "latitude": ("lat", "latitude", "lat_deg", "latitude_deg", "gps_lat", "gps_latitude", "y"),
    "longitude": (
        "lon",
        "lng",
        "long",
        "longitude",
        "lon_deg",
        "longitude_deg",
        "gps_lon",
        "gps_longitude",
        "x",
    ),
    "heading": (
        "heading",
        "bearing",
        "course",
        "heading_deg",
        "bearing_deg",
        "course_deg",
        "direction",
        "azimuth",
    ),
}
_EXPORT_AGAIN = "Export it again as GPX with times, or as CSV with the columns time, latitude, longitude."

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TrackPositions:
    """Where photos were taken; M is the number of photos.

    Attributes:
        latitudes: float64 (M,), WGS84 degrees; NaN where the track does not say.
        longitudes: float64 (M,), likewise.
        headings_deg: float64 (M,), 0 <= heading < 360; NaN where unknown or standing since the start.
        outside: bool (M,), before the first or after the last point by more than `EDGE_TOLERANCE_S`.
        in_gap: bool (M,), between two points more than `MAX_GAP_S` apart.
    """

    latitudes: Floats
    longitudes: Floats
    headings_deg: Floats
    outside: Bools
    in_gap: Bools


@dataclass(frozen=True, slots=True)
class Track:
    """Positions over time; N >= 2 points, times strictly increasing.

    Attributes:
        name: of the file, for people.
        times_s: float64 (N,), seconds since 1970 UTC.
        latitudes: float64 (N,), WGS84 degrees.
        longitudes: float64 (N,), WGS84 degrees.
        headings_deg: float64 (N,), 0 <= heading < 360, as recorded; NaN where it was not.
        travel_deg: float64 (N,), direction to the next point; a standing vehicle keeps the one it came with,
            NaN where it has not moved yet.
        dropped_points: points of the file that were left out for an unreadable time or position.
    """

    name: str
    times_s: Floats
    latitudes: Floats
    longitudes: Floats
    headings_deg: Floats
    travel_deg: Floats
    dropped_points: int = 0

    def position_at(self, times: Sequence[datetime], clock_offset_s: float = 0.0) -> TrackPositions:
        """Positions by straight-line interpolation in time.

        Args:
            times: M UTC-aware moments by the camera's clock.
            clock_offset_s: seconds to add to the camera's clock to get the track's.
        """
        moments_s = np.array([moment.timestamp() for moment in times], dtype=np.float64) + clock_offset_s
        first_s, last_s = self.times_s[0], self.times_s[-1]
        outside = (moments_s < first_s - EDGE_TOLERANCE_S) | (moments_s > last_s + EDGE_TOLERANCE_S)
        inside_s = np.clip(moments_s, first_s, last_s)
        after = np.clip(np.searchsorted(self.times_s, inside_s), 1, len(self.times_s) - 1)
        before = after - 1
        gap_s = self.times_s[after] - self.times_s[before]
        share = (inside_s - self.times_s[before]) / gap_s
        in_gap = ~outside & (gap_s > MAX_GAP_S) & (share > 0) & (share < 1)
        unknown = outside | in_gap

        # The short way round, also across the 180th meridian.
        east_deg = (self.longitudes[after] - self.longitudes[before] + 180.0) % 360.0 - 180.0
        longitudes = (self.longitudes[before] + share * east_deg + 180.0) % 360.0 - 180.0
        latitudes = self.latitudes[before] + share * (self.latitudes[after] - self.latitudes[before])
        recorded_deg = self.headings_deg[np.where(share < 0.5, before, after)]
        headings_deg = np.where(np.isfinite(recorded_deg), recorded_deg, self.travel_deg[before])
        return TrackPositions(
            latitudes=np.where(unknown, np.nan, latitudes),
            longitudes=np.where(unknown, np.nan, longitudes),
            headings_deg=np.where(unknown, np.nan, headings_deg),
            outside=outside,
            in_gap=in_gap,
        )


def bearing_deg(latitudes: Floats, longitudes: Floats, to_latitudes: Floats, to_longitudes: Floats) -> Floats:
    """Initial compass bearing from points to points, degrees, 0 <= bearing < 360; arrays of one shape."""
    lat1, lat2 = np.radians(latitudes), np.radians(to_latitudes)
    east = np.radians(to_longitudes - longitudes)
    bearing = np.arctan2(
        np.sin(east) * np.cos(lat2),
        np.cos(lat1) * np.sin(lat2) - np.sin(lat1) * np.cos(lat2) * np.cos(east),
    )
    return np.asarray(np.degrees(bearing) % 360.0 % 360.0)


def read_track(source: Path | SourceFile, name: str | None = None) -> Track:
    """Read a GPX or CSV track; which of both is told by the content.

    CSV may be UTF-8 or UTF-16, with or without byte order mark, parted by comma, semicolon, tab or bar, with
    decimal comma where it is not parted by commas. Times without a zone are UTC; numbers are seconds (or
    milliseconds) since 1970. Points with an unreadable time or position are left out and counted.

    Args:
        source: a path, or what `find_track` found.
        name: the name people know the file by, where it differs from the path's.

    Raises:
        TrackError: empty, unreadable, no times, no positions, or fewer than two usable points.
    """
    shown = display_name(name or source.name)
    try:
        data = read_file(source, shown) if isinstance(source, Path) else source.read()
    except InvalidImageError as error:
        raise TrackError(error.what, error.remedy) from error
    if len(data) > MAX_TRACK_BYTES:
        raise TrackError(
            f"{shown} is larger than {MAX_TRACK_BYTES // 1024**2} MB.", "Split the track by day."
        )
    text = _decode(data, shown)
    if not text.strip():
        raise TrackError(f"{shown} is empty.", "Export the track again.")
    frame = _read_gpx(text, shown) if text.lstrip().startswith("<") else _read_csv(text, shown)
    return _track(frame, shown)


def suggest_clock_offset(times: Sequence[datetime], track: Track) -> float | None:
    """The clock offset that a wrongly set time zone would explain, as advice.

    Tries all quarter hours up to 14 h either way.

    Args:
        times: UTC-aware moments by the camera's clock.
        track: the track they should lie on.

    Returns:
        Seconds to add to the camera's clock, or None where the clock is fine or no offset helps.
    """
    if not times:
        return None

    def matched(offset_s: float) -> int:
        positions = track.position_at(times, offset_s)
        return int(np.count_nonzero(~positions.outside & ~positions.in_gap))

    if matched(0.0) * 2 > len(times):
        return None
    offsets_s = sorted((quarter * 900.0 for quarter in range(-56, 57)), key=abs)
    best_s = max(offsets_s, key=matched)  # the smallest wins ties
    return best_s if matched(best_s) >= 0.9 * len(times) else None


def _decode(data: bytes, shown: str) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif b"\x00" in data[:200]:  # UTF-16 without its mark
        encodings = ["utf-16-le" if data[1:2] == b"\x00" else "utf-16-be"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise TrackError(f"{shown} is not a text file.", _EXPORT_AGAIN)


def _read_gpx(text: str, shown: str) -> pd.DataFrame:
    # An entity declaration is the one way XML can blow up or reach out; no GPS writes one.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise TrackError(f"{shown} contains XML declarations that a track does not need.", _EXPORT_AGAIN)
    try:
        gpx = gpxpy.parse(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    except (gpxpy.gpx.GPXException, ValueError, TypeError, AttributeError) as error:
        raise TrackError(f"{shown} is not a readable GPX file.", _EXPORT_AGAIN) from error
    points: list[Any] = [
        point for track in gpx.tracks for segment in track.segments for point in segment.points
    ]
    points = points or [point for route in gpx.routes for point in route.points] or list(gpx.waypoints)
    if not points:
        raise TrackError(f"{shown} holds no positions.", _EXPORT_AGAIN)
    if not any(point.time for point in points):
        raise TrackError(f"{shown} holds positions without times.", "Export it again with times.")
    return pd.DataFrame(
        {
            "time_s": [_timestamp(point.time) for point in points],
            "latitude": [point.latitude for point in points],
            "longitude": [point.longitude for point in points],
            "heading": np.nan,
        },
        dtype=np.float64,
    )


def _timestamp(moment: datetime | None) -> float:
    if moment is None:
        return float("nan")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _read_csv(text: str, shown: str) -> pd.DataFrame:
    header = text.lstrip().partition("\n")[0]
    separator = max(";\t,|", key=header.count)
    if header.count(separator) >= _MAX_COLUMNS:
        raise TrackError(f"{shown} has {header.count(separator) + 1:,} columns; no track has.", _EXPORT_AGAIN)
    try:
        table = pd.read_csv(io.StringIO(text.lstrip()), sep=separator, dtype=str, on_bad_lines="skip")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise TrackError(f"{shown} is not a readable CSV file.", _EXPORT_AGAIN) from error
    found = _find_columns([str(column) for column in table.columns])
    if "latitude" not in found or "longitude" not in found:
        raise TrackError(f"{shown} has no columns for latitude and longitude.", _EXPORT_AGAIN)
    if "time" not in found:
        raise TrackError(f"{shown} has no column for time.", _EXPORT_AGAIN)
    columns = {kind: table.iloc[:, index].fillna("").str.strip() for kind, index in found.items()}
    moments = columns["time"]
    if "date" in columns:
        moments = columns["date"] + " " + moments
    return pd.DataFrame(
        {
            "time_s": _parse_times(moments, shown),
            "latitude": _parse_numbers(columns["latitude"]),
            "longitude": _parse_numbers(columns["longitude"]),
            "heading": _parse_numbers(columns["heading"]) if "heading" in columns else np.nan,
        }
    )


def _find_columns(names: list[str]) -> dict[str, int]:
    """Kind of column -> its index; the first name in the list of known ones wins."""
    plain = [re.sub(r"[^a-z]+", "_", name.lower()).strip("_") for name in names]
    found = {}
    for kind, known in _COLUMNS.items():
        index = next((plain.index(name) for name in known if name in plain), None)
        if index is not None:
            found[kind] = index
    if "time" not in found and "date" in found:
        found["time"] = found.pop("date")
    elif "date" in found and plain[found["time"]] not in ("time", "utc", "utc_time", "time_utc", "gps_time"):
        del found["date"]  # a timestamp holds its date
    return found


def _parse_numbers(texts: "pd.Series[str]") -> "pd.Series[float]":
    return pd.to_numeric(texts.str.replace(",", ".", regex=False), errors="coerce")


def _parse_times(texts: "pd.Series[str]", shown: str) -> "pd.Series[float]":
    numbers = pd.to_numeric(texts, errors="coerce")
    if numbers.notna().mean() > 0.5:
        return numbers.where(numbers < 1e11, numbers / 1000.0)
    texts = texts.str.replace(r"^(\d{4})[:/.](\d{2})[:/.](\d{2})", r"\1-\2-\3", regex=True)
    day_first = texts.str.extract(r"^(\d{1,2})[/.-](\d{1,2})[/.-]\d{4}").astype(float)
    if day_first[0].notna().mean() > 0.5:
        return _parse_local_dates(texts, bool(day_first[0].max() > 12), bool(day_first[1].max() > 12), shown)
    return _seconds(pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce"))


def _parse_local_dates(
    texts: "pd.Series[str]", day_first: bool, month_first: bool, shown: str
) -> "pd.Series[float]":
    if day_first == month_first:
        raise TrackError(
            f"{shown} has dates such as {texts.iloc[0][:10]} that could be day-month or month-day.",
            "Write the times as 2026-05-31 10:00:00.",
        )
    return _seconds(pd.to_datetime(texts, format="mixed", dayfirst=day_first, utc=True, errors="coerce"))


def _seconds(moments: "pd.Series[pd.Timestamp]") -> "pd.Series[float]":
    return (moments - pd.Timestamp(0, tz=UTC)).dt.total_seconds()


def _track(frame: pd.DataFrame, shown: str) -> Track:
    if not frame["time_s"].notna().any():
        raise TrackError(f"{shown} holds no readable times.", "Write the times as 2026-05-31 10:00:00.")
    on_earth = frame["latitude"].abs().le(90) & frame["longitude"].abs().le(180)
    on_earth &= ~(frame["latitude"].eq(0) & frame["longitude"].eq(0))  # no fix yet
    if not on_earth.any():
        raise TrackError(
            f"{shown} holds no positions in degrees.",
            "Export it in WGS84 latitude and longitude, decimal degrees.",
        )
    usable = frame[on_earth & np.isfinite(frame["time_s"])]
    usable = usable.sort_values("time_s", kind="stable").drop_duplicates("time_s")
    if len(usable) < 2:
        raise TrackError(f"{shown} holds fewer than two points with time and position.", _EXPORT_AGAIN)
    latitudes = usable["latitude"].to_numpy(np.float64)
    longitudes = usable["longitude"].to_numpy(np.float64)
    recorded = usable["heading"].to_numpy(np.float64)
    return Track(
        name=shown,
        times_s=usable["time_s"].to_numpy(np.float64),
        latitudes=latitudes,
        longitudes=longitudes,
        headings_deg=np.where((recorded >= 0) & (recorded <= 360), recorded % 360.0, np.nan),
        travel_deg=_travel_headings(latitudes, longitudes),
        dropped_points=int(len(frame) - (on_earth & np.isfinite(frame["time_s"])).sum()),
    )


def _travel_headings(latitudes: Floats, longitudes: Floats) -> Floats:
    """Direction to the next point; a standing vehicle keeps the direction it came with."""
    headings = bearing_deg(latitudes[:-1], longitudes[:-1], latitudes[1:], longitudes[1:])
    moved = (np.diff(latitudes) != 0) | (np.diff(longitudes) != 0)
    series = pd.Series(np.where(moved, headings, np.nan)).ffill()
    return np.append(series.to_numpy(np.float64), series.iloc[-1])
