"""A stored photo with what its shown analysis found in it, read for drawing."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from sqlalchemy.orm import Session

from db.export_queries import photo_with_result, result_shapes
from db.storage import get_storage
from engine.errors import EngineError
from engine.images import load_image

RGB = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class StoredPhoto:
    """One photo of an agency.

    Attributes:
        pixels: (H, W, 3).
        distresses: rows with kind, max_width_px, polylines_px and outline_px in pixels of the photo, the
            longest last.
        mask_hash: of its crack mask, None without one.
        error: why it has no result, if it failed.
    """

    pixels: RGB
    distresses: Sequence[Any]
    mask_hash: str | None
    error: str | None


def read_photo(session: Session, agency_id: int, photo_id: int, *, analysed: bool) -> StoredPhoto:
    """A photo with the analysis that its survey shows.

    Args:
        analysed: refuse one without a crack mask.

    Raises:
        EngineError: the photo is not the agency's, is not analysed, is gone from storage or cannot be read.
    """
    row = photo_with_result(session, agency_id, photo_id)
    if row is None:
        raise EngineError("The photo is no longer in the survey.", "Make the file again.")
    if analysed and row.mask_hash is None:
        raise EngineError(row.error or "The photo is not analysed.", "Analyse it again.")
    pixels = load_image(_stored(row.content_hash, f"photo {row.original_name}"), row.original_name)
    return StoredPhoto(pixels, result_shapes(session, row.result_id), row.mask_hash, row.error)


def read_mask(mask_hash: str) -> npt.NDArray[np.bool_]:
    """(H, W), True where the network sees a crack.

    Raises:
        EngineError: it is gone from storage or cannot be read.
    """
    try:
        with Image.open(io.BytesIO(_stored(mask_hash, "crack mask")), formats=("PNG",)) as image:
            cracks: npt.NDArray[np.bool_] = np.asarray(image.convert("L")) > 127
    except (OSError, ValueError, SyntaxError) as error:
        raise EngineError("The stored crack mask cannot be read.", "Analyse the photo again.") from error
    return cracks


def _stored(content_hash: str, what: str) -> bytes:
    try:
        return get_storage().read(content_hash)
    except FileNotFoundError:
        raise EngineError(
            f"The {what} is no longer in storage.",
            "Restore the storage folder from a backup, or import and analyse the photo again.",
        ) from None


def jpeg(picture: RGB, quality: int) -> bytes:
    """A picture (H, W, 3) as JPEG."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()
