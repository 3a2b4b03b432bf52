"""Photos for the report: as taken and with the cracks found, small enough to print."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from db.models import AnalysisResult, Survey, SurveyImage
from db.result_models import Distress
from db.storage import Storage, get_storage
from engine.errors import EngineError
from engine.images import load_image
from engine.vocabulary import DistressType
from jobs.export.styles import TYPE_COLOURS, rgb

LONGEST_PX = 900
"""About 250 dots per inch at the width that the report gives a photo."""
JPEG_QUALITY = 82
STROKE_PX = 3
# Keeps the colours apart from light concrete.
CASING = (24, 24, 24)
RGB = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """One photo twice: as taken, and with the cracks found drawn on it.

    Attributes:
        plain: JPEG; marked: JPEG of the same size.
        width_px: of both; height_px: of both.
        kinds: types drawn, in the order of `TYPE_COLOURS`.
    """

    plain: bytes
    marked: bytes
    width_px: int
    height_px: int
    kinds: tuple[DistressType, ...]


PictureSource = Callable[[int], Picture]
"""Photo id -> its picture; raises EngineError where there is none any more."""


def stored_pictures(session: Session, agency_id: int) -> PictureSource:
    """Pictures of an agency's photos from storage, with the analysis that their survey shows.

    One photo is in memory at a time. The function returned raises EngineError where the photo is not
    the agency's, is gone from storage or cannot be read; a missing mask only leaves the cracks out.
    """
    storage = get_storage()

    def picture(photo_id: int) -> Picture:
        row = session.execute(
            select(
                SurveyImage.content_hash,
                SurveyImage.original_name,
                AnalysisResult.id.label("result_id"),
                AnalysisResult.mask_hash,
            )
            .join(Survey, Survey.id == SurveyImage.survey_id)
            .outerjoin(
                AnalysisResult,
                and_(
                    AnalysisResult.image_id == SurveyImage.id,
                    AnalysisResult.checkpoint_id == Survey.shown_checkpoint_id,
                    AnalysisResult.settings_hash == Survey.shown_settings_hash,
                ),
            )
            .where(SurveyImage.id == photo_id, Survey.agency_id == agency_id)
        ).one_or_none()
        if row is None:
            raise EngineError("The photo is no longer in the survey.", "Make the report again.")
        return _picture(session, storage, row)

    return picture


def _picture(session: Session, storage: Storage, row: Any) -> Picture:
    try:
        pixels = load_image(storage.read(row.content_hash))
    except FileNotFoundError:
        raise EngineError(
            f"The photo {row.original_name} is no longer in storage.",
            "Restore the storage folder from a backup, or import the photo again.",
        ) from None
    distresses = session.execute(
        select(Distress.kind, Distress.polylines_px, Distress.outline_px)
        .where(Distress.result_id == row.result_id)
        .order_by(Distress.length_px)
    ).all()
    return draw_picture(pixels, distresses, _mask(storage, row.mask_hash) if not distresses else None)


def _mask(storage: Storage, mask_hash: str | None) -> RGB | None:
    if mask_hash is None:
        return None
    try:
        with Image.open(io.BytesIO(storage.read(mask_hash)), formats=("PNG",)) as image:
            return np.asarray(image.convert("L"))
    except FileNotFoundError:
        return None


def draw_picture(pixels: RGB, distresses: Sequence[Any], mask: RGB | None = None) -> Picture:
    """Both pictures of a photo.

    Args:
        pixels: (H, W, 3) of the photo.
        distresses: rows with kind, polylines_px and outline_px, in pixels of the photo; later ones on top.
        mask: (H, W) uint8, cracks over 127; drawn in magenta where no distresses are given.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, LONGEST_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    plain: RGB = pixels
    if scale < 1:
        plain = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    marked: RGB = np.ascontiguousarray(plain).copy()
    if mask is not None:
        # The largest of the pixels that fall together: thin cracks must not fade away.
        small = cv2.resize(_thickened(mask, scale), size, interpolation=cv2.INTER_AREA) > 127
        marked[small] = rgb(TYPE_COLOURS[DistressType.CRACK])
    for thickness in (STROKE_PX + 2, STROKE_PX):
        for distress in distresses:
            colour = rgb(TYPE_COLOURS[DistressType(distress.kind)]) if thickness == STROKE_PX else CASING
            for line in distress.polylines_px:
                _draw(marked, line, scale, colour, thickness, closed=False)
            if distress.outline_px:
                _draw(marked, distress.outline_px, scale, colour, max(1, thickness - 2), closed=True)
    drawn = {DistressType(distress.kind) for distress in distresses}
    if mask is not None and (mask > 127).any():
        drawn.add(DistressType.CRACK)
    kinds = tuple(kind for kind in TYPE_COLOURS if kind in drawn)
    return Picture(_jpeg(plain), _jpeg(marked), size[0], size[1], kinds)


def _thickened(mask: RGB, scale: float) -> RGB:
    reach = max(1, round(2 / scale))
    grown: RGB = cv2.dilate(mask, np.ones((reach, reach), np.uint8)).astype(np.uint8)
    return grown


def _draw(
    picture: RGB, line: Any, scale: float, colour: tuple[int, int, int], thickness: int, *, closed: bool
) -> None:
    points = np.asarray(line, float).reshape(-1, 2)
    if len(points):
        # Four more binary digits of place than a pixel has: lines do not shake.
        fixed = np.round((points * scale) * 16).astype(np.int32)[:, None, :]
        cv2.polylines(picture, [fixed], closed, colour, thickness, cv2.LINE_AA, shift=4)


def _jpeg(picture: RGB) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return out.getvalue()
