"""A zip of a survey's photos with the cracks found in them, and an index."""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from engine.errors import EngineError
from engine.spreadsheets import plain_text, safe_cell
from engine.vocabulary import DistressType
from jobs.export.data import ExportData
from jobs.export.layers import plain_value, provenance_text, whole_file
from jobs.export.progress import Progress, no_progress
from jobs.export.stored import RGB, jpeg, read_mask, read_photo
from jobs.export.styles import TYPE_COLOURS, rgb
from jobs.export.zips import member

LONGEST_PX = 2400
JPEG_QUALITY = 85
OPACITY = 0.65
RIM_BRIGHTNESS = 0.45
REACH_PX = 4.0
"""How far beside a distress's course its pixels may lie."""
INDEX_COLUMNS = (
    "photo_id", "name", "captured_at", "section_key", "chainage_m", "crack_length_m",
    "crack_density_m_per_m2", "crack_area_percent",
)  # fmt: skip
OverlaySource = Callable[[int], bytes]
"""Photo id -> JPEG of the photo with its cracks; raises EngineError where it cannot be drawn."""


def write_overlays(
    data: ExportData, path: Path, progress: Progress = no_progress, *, overlays: OverlaySource
) -> None:
    """A zip of one JPEG for each photo, `index.csv` and `README.txt`; one photo is in memory at a time.

    A photo that cannot be drawn has its reason in the index instead of a file.
    """
    photos, drawn = data.photos, 0
    index = io.StringIO(newline="")
    rows = csv.writer(index)
    rows.writerow(["file", *INDEX_COLUMNS, "longitude", "latitude", "problem"])
    names = [name for name in photos.columns if name != photos.geometry.name]
    with whole_file(path) as unfinished, zipfile.ZipFile(unfinished, "w") as archive:
        for number, (shape, *cells) in enumerate(
            zip(photos.geometry, *(photos[name] for name in names), strict=True)
        ):
            progress(number / len(photos), f"Drawing photo {number + 1:,} of {len(photos):,}")
            photo = {name: plain_value(cell) for name, cell in zip(names, cells, strict=True)}
            file, problem = f"overlays/{number + 1:06d}_{_safe_name(photo['name'])}.jpg", ""
            try:
                # A JPEG gets no smaller.
                archive.writestr(member(file, zipfile.ZIP_STORED), overlays(photo["photo_id"]))
                drawn += 1
            except EngineError as error:
                file, problem = "", str(error)
            place = (
                [None, None] if shape is None or shape.is_empty else [round(shape.x, 7), round(shape.y, 7)]
            )
            rows.writerow(
                [_cell(value) for value in (file, *(photo[name] for name in INDEX_COLUMNS), *place, problem)]
            )
        archive.writestr(member("index.csv"), index.getvalue().encode("utf-8-sig"))
        archive.writestr(member("README.txt"), _readme(data, drawn))
    progress(1.0, "Written")


def _cell(value: Any) -> Any:
    return safe_cell(plain_text(value)) if isinstance(value, str) else value


def _safe_name(name: str | None) -> str:
    """Letters, digits, dots and dashes of a photo's name, without folder and ending."""
    stem = re.split(r"[/\\]", name or "")[-1].rsplit(".", 1)[0]
    return re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._")[:60] or "photo"


def _readme(data: ExportData, drawn: int) -> str:
    colours = "\n".join(f"{kind.value}: {colour}" for kind, colour in TYPE_COLOURS.items())
    return (
        "Photos of a pavement survey with the cracks found\n\n"
        f"{drawn} of {len(data.photos)} photos are drawn; index.csv lists all, and why one is not drawn.\n"
        "Coloured pixels are those that the network calls cracks, in the colour of their distress's type; "
        "where no distress was counted, in that of a crack without type. "
        f"Photos are at most {LONGEST_PX} px wide or high; thin cracks are drawn wider where a photo was "
        "reduced.\n\n"
        f"Colours\n{colours}\n\nProvenance\n{provenance_text(data.provenance)}"
    )


def stored_overlays(session: Session, agency_id: int) -> OverlaySource:
    """Overlays of an agency's stored photos, from the analysis that their survey shows.

    The function returned raises EngineError where the photo is not the agency's or has no result, and where
    photo or crack mask are gone from storage or cannot be read.
    """

    def overlay(photo_id: int) -> bytes:
        photo = read_photo(session, agency_id, photo_id, analysed=True)
        mask = read_mask(photo.mask_hash or "")
        return jpeg(draw_overlay(photo.pixels, mask, photo.distresses), JPEG_QUALITY)

    return overlay


def draw_overlay(pixels: RGB, mask: npt.NDArray[np.bool_], distresses: Sequence[Any]) -> RGB:
    """The photo with its crack pixels tinted in the colours of their distresses, and a dark rim round them.

    Args:
        pixels: (H, W, 3) of the photo.
        mask: (H, W), True where the network sees a crack.
        distresses: rows with kind, max_width_px, polylines_px and outline_px in pixels of the photo; of two
            at one place the later one gives the colour.

    Returns:
        (h, w, 3), the same size or reduced to `LONGEST_PX`; a crack stays visible however thin it is.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, LONGEST_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture: RGB = pixels.copy()
    if scale < 1:
        picture = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    cracks = mask.astype(np.uint8)
    if (mask.shape[1], mask.shape[0]) != size:
        # Any crack pixel among those that fall together makes one.
        cracks = (cv2.resize(cracks.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0).astype(
            np.uint8
        )
    kinds = list(TYPE_COLOURS)
    palette = np.array([rgb(TYPE_COLOURS[kind]) for kind in kinds], np.float32)
    of_kind = _kinds_near(distresses, kinds, size, scale)
    rim = (cv2.dilate(cracks, np.ones((3, 3), np.uint8)) > 0) & (cracks == 0)
    picture[rim] = (picture[rim] * RIM_BRIGHTNESS).astype(np.uint8)
    inside = cracks > 0
    tint = palette[of_kind[inside]]
    picture[inside] = np.round(picture[inside] * (1 - OPACITY) + tint * OPACITY).astype(np.uint8)
    return picture


def _kinds_near(
    distresses: Sequence[Any], kinds: list[DistressType], size: tuple[int, int], scale: float
) -> npt.NDArray[np.uint8]:
    """(h, w) place in `kinds` of the distress that a pixel lies on; of a plain crack elsewhere."""
    found = np.full((size[1], size[0]), kinds.index(DistressType.CRACK), np.uint8)
    for distress in distresses:
        kind = kinds.index(DistressType(distress.kind))
        if distress.outline_px:
            cv2.fillPoly(found, [_points(distress.outline_px, scale)], kind)
        reach = max(1, round(scale * (distress.max_width_px + 2 * REACH_PX)))
        for line in distress.polylines_px:
            cv2.polylines(found, [_points(line, scale)], False, kind, reach)
    return found


def _points(line: Any, scale: float) -> npt.NDArray[np.int32]:
    points: npt.NDArray[np.int32] = np.round(np.asarray(line, float).reshape(-1, 2) * scale).astype(np.int32)
    return points[:, None, :]
