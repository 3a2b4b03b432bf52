"""Photos for the report: as taken and with the cracks found, small enough to print."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from sqlalchemy.orm import Session

from engine.errors import EngineError
from engine.vocabulary import DistressType
from jobs.export.stored import RGB, jpeg, read_mask, read_photo
from jobs.export.styles import TYPE_COLOURS, rgb

LONGEST_PX = 900
"""About 250 dots per inch at the width that the report gives a photo."""
JPEG_QUALITY = 82
STROKE_PX = 3
# Keeps the colours apart from light concrete.
CASING = (24, 24, 24)


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

    def picture(photo_id: int) -> Picture:
        photo, mask = read_photo(session, agency_id, photo_id, analysed=False), None
        if photo.mask_hash is not None and not photo.distresses:
            with suppress(EngineError):
                mask = read_mask(photo.mask_hash).astype(np.uint8) * 255
        return draw_picture(photo.pixels, photo.distresses, mask)

    return picture


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
    return Picture(jpeg(plain, JPEG_QUALITY), jpeg(marked, JPEG_QUALITY), size[0], size[1], kinds)


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
