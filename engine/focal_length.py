"""Focal length in pixels, from what a camera writes into its photos or from the field of view."""

import math

from PIL import Image
from PIL.ExifTags import IFD, Base

from engine.errors import CalibrationError

FILM_DIAGONAL_MM = 43.27
"""Of 36 x 24 mm film: "35 mm equivalent" compares diagonals."""
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}


def focal_from_field_of_view(width_px: int, field_of_view_deg: float) -> float:
    """Focal length (px) of a picture that shows `field_of_view_deg` from its left to its right edge.

    Raises:
        CalibrationError: for an angle that no flat picture has.
    """
    if not 1 <= field_of_view_deg < 170:
        raise CalibrationError(
            f"The field of view is {field_of_view_deg:g} degrees.",
            "Give the horizontal one, 1 to 170 degrees.",
        )
    return width_px / 2 / math.tan(math.radians(field_of_view_deg / 2))


def focal_from_exif(image: Image.Image) -> float | None:
    """Focal length (px) from EXIF, of an uncropped photo; None where EXIF does not tell.

    Focal length with the sensor's resolution, where both are there; else the 35 mm equivalent. Source: Exif
    2.3, tags FocalLength, FocalPlaneXResolution, FocalPlaneResolutionUnit, FocalLengthIn35mmFilm.
    """
    detail = image.getexif().get_ifd(IFD.Exif)
    focal_mm = _positive(detail.get(Base.FocalLength))
    per_unit = _positive(detail.get(Base.FocalPlaneXResolution))
    unit_mm = _MM_PER_UNIT.get(int(_positive(detail.get(Base.FocalPlaneResolutionUnit)) or 2))
    taken_px = _positive(detail.get(Base.ExifImageWidth))
    if focal_mm and per_unit and unit_mm:
        # The resolution is that of the photo as taken; a smaller copy has fewer pixels on the same sensor.
        shrunk = image.width / taken_px if taken_px else 1.0
        return focal_mm * per_unit / unit_mm * shrunk
    equivalent_mm = _positive(detail.get(Base.FocalLengthIn35mmFilm))
    if equivalent_mm:
        return equivalent_mm / FILM_DIAGONAL_MM * math.hypot(image.width, image.height)
    return None


def _positive(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None
