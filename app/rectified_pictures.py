"""Photos laid on the road by a camera profile, as JPEG."""

import io
import json
import math
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from db.storage import get_storage
from engine.errors import CalibrationError
from engine.geometry import (
    CameraProfile,
    ForwardProfile,
    GroundFrame,
    fit_to_picture,
    plan_frame,
    profile_from_dict,
    rectify,
)
from engine.images import load_image

JPEG_QUALITY = 90
# More helps nobody on a screen and makes people wait.
SHOWN_PX = 16_000_000
PREVIEW_PX = 1_200_000
# The preview shows what lies beside the lane too, to judge its edges by.
PREVIEW_MARGIN_M = 1.0
LONGEST_PARAMETERS = 6_000
# A preview is drawn again at every change of the profile, from the same few photos.
KEPT_PHOTOS = 3


@lru_cache(maxsize=KEPT_PHOTOS)
def _pixels(content_hash: str) -> Any:
    pixels = load_image(get_storage().read(content_hash))
    pixels.setflags(write=False)
    return pixels


def at_most(frame: GroundFrame, pixels: int) -> GroundFrame:
    """The same part of the road, with coarser pixels where there would be more than `pixels`."""
    shrink = math.sqrt(frame.width_px * frame.height_px / pixels)
    if shrink <= 1:
        return frame
    width = max(1, math.floor(frame.width_px / shrink))
    old, new = frame.gsd_mm_per_px / 1000, frame.gsd_mm_per_px * frame.width_px / width / 1000
    height = max(1, math.floor(frame.height_px * old / new))
    left, far = frame.left_m + (new - old) / 2, frame.far_m - (new - old) / 2
    return GroundFrame(
        gsd_mm_per_px=new * 1000,
        left_m=left,
        right_m=left + (width - 1) * new,
        near_m=far - (height - 1) * new,
        far_m=far,
        width_px=width,
        height_px=height,
    )


def preview_frame(profile: CameraProfile) -> GroundFrame:
    """What the profile editor shows of the road: the visible lane and a margin, small enough to be quick.

    Raises:
        CalibrationError: the profile sees nothing of its lane.
    """
    # Beside a downward photo there is nothing more to see.
    margin_m = PREVIEW_MARGIN_M if isinstance(profile, ForwardProfile) else 0.0
    return at_most(plan_frame(profile, margin_m=margin_m), PREVIEW_PX)


def preview_profile(kind: str, parameters: str, width_px: int, height_px: int) -> CameraProfile:
    """A profile that is not saved yet, for a photo of the given size.

    Args:
        kind: a `CameraKind`.
        parameters: its values as JSON, from an address.
        width_px: of the photo.
        height_px: of the photo.

    Raises:
        CalibrationError: the values are none, or make no sense.
    """
    try:
        values = json.loads(parameters) if len(parameters) <= LONGEST_PARAMETERS else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise CalibrationError(
            "The camera's values cannot be read.", "Open the picture from the page Cameras."
        )
    return fit_to_picture(profile_from_dict(kind, values), width_px, height_px)


def rectified_map(content_hash: str, profile: CameraProfile, frame: GroundFrame) -> bytes:
    """A stored mask or probability map (8-bit PNG of the photo's size) on the road, as PNG.

    Raises:
        CalibrationError: it has another size than the profile's.
    """
    with Image.open(io.BytesIO(get_storage().read(content_hash)), formats=("PNG",)) as image:
        levels = np.asarray(image.convert("L"))
    out = io.BytesIO()
    picture = rectify(levels, profile, at_most(frame, SHOWN_PX), order="linear")
    Image.fromarray(picture).save(out, "PNG", compress_level=1)
    return out.getvalue()


def rectified_photo(content_hash: str, profile: CameraProfile, frame: GroundFrame) -> bytes:
    """A stored photo on the road, lossy; what the camera does not see is black.

    Raises:
        InvalidImageError: the stored photo cannot be read.
        CalibrationError: it has another size than the profile's.
    """
    picture = rectify(_pixels(content_hash), profile, at_most(frame, SHOWN_PX))
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()
