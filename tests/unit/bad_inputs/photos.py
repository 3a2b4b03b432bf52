"""Small photos with and without EXIF, made in code: the good ones of every batch, and stuff for bad ones."""

import io
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import piexif
from PIL import Image

# A straight road from west to east; all good photos lie on it, 10 m and 1 s apart.
ROAD_LATITUDE = 46.0
ROAD_LONGITUDES = (7.0, 7.05)
ROAD_LINE = [(ROAD_LONGITUDES[0], ROAD_LATITUDE), (ROAD_LONGITUDES[1], ROAD_LATITUDE)]
START = datetime(2025, 6, 1, 10, 0, 0, tzinfo=UTC)
DEGREES_PER_STEP = 0.00013


def texture(seed: int, width_px: int = 160, height_px: int = 120) -> Image.Image:
    """Grainy grey like asphalt; another one for every seed."""
    rng = np.random.default_rng(seed)
    grey = rng.normal(130, 25, (height_px, width_px, 1)) + rng.normal(0, 4, (1, 1, 3))
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8))


def encode(image: Image.Image, image_format: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, image_format, **options)
    return out.getvalue()


def degrees_rational(value: float) -> tuple[tuple[int, int], ...]:
    """Degrees, minutes, seconds as EXIF writes them; 1e-4 seconds are 3 mm."""
    value = abs(value)
    degrees = math.floor(value)
    minutes = math.floor((value - degrees) * 60)
    seconds = round(((value - degrees) * 60 - minutes) * 60 * 10_000)
    return (degrees, 1), (minutes, 1), (seconds, 10_000)


def exif(
    latitude: float | None = None,
    longitude: float | None = None,
    *,
    moment: datetime | None = None,
    gps: Mapping[int, Any] | None = None,
    main: Mapping[int, Any] | None = None,
    detail: Mapping[int, Any] | None = None,
) -> bytes:
    """An EXIF block; `gps`, `main` and `detail` replace single tags, None takes one away."""
    blocks: dict[str, dict[int, Any]] = {"0th": {}, "Exif": {}, "GPS": {}}
    if latitude is not None and longitude is not None:
        blocks["GPS"] = {
            piexif.GPSIFD.GPSLatitudeRef: b"S" if latitude < 0 else b"N",
            piexif.GPSIFD.GPSLatitude: degrees_rational(latitude),
            piexif.GPSIFD.GPSLongitudeRef: b"W" if longitude < 0 else b"E",
            piexif.GPSIFD.GPSLongitude: degrees_rational(longitude),
        }
    if moment is not None:
        blocks["Exif"] = {
            piexif.ExifIFD.DateTimeOriginal: moment.strftime("%Y:%m:%d %H:%M:%S").encode(),
            piexif.ExifIFD.SubSecTimeOriginal: f"{moment.microsecond // 1000:03d}".encode(),
            piexif.ExifIFD.OffsetTimeOriginal: b"+00:00",
        }
    for name, changes in (("0th", main), ("Exif", detail), ("GPS", gps)):
        blocks[name].update(changes or {})
        blocks[name] = {tag: value for tag, value in blocks[name].items() if value is not None}
    return piexif.dump(blocks)


def step_exif(step: float, **changes: Any) -> bytes:
    """EXIF of the photo `step` seconds after the start, on the road."""
    return exif(
        ROAD_LATITUDE,
        ROAD_LONGITUDES[0] + 0.001 + step * DEGREES_PER_STEP,
        moment=START + timedelta(seconds=step),
        **changes,
    )


def good_photo(step: int) -> bytes:
    """A JPEG photo with which nothing is wrong."""
    return encode(texture(step), exif=step_exif(step))
