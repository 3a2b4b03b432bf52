"""Two photos of one place laid over each other on the road, with the cracks that are new (torch-free)."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import select

from app.identity import current_actor
from app.photo_data import distresses, ground_view
from db.models import AnalysisResult, CameraProfile, Survey, SurveyImage
from db.session import reading
from db.storage import get_storage
from engine.errors import InvalidImageError
from engine.geometry import rectify
from engine.images import load_image
from engine.photo_registration import laid_over, new_crack_mask, register_photos

SHOWN_PX = 1_500_000
TOLERANCE_M = 0.03
"""Two masks of one crack lie this far from each other at most; without metres `TOLERANCE_PX`."""
TOLERANCE_PX = 8.0
OLD_COLOUR, NEW_COLOUR = (255, 196, 0), (255, 0, 212)
"""Amber and magenta differ in lightness as well: for every kind of sight."""


@lru_cache(maxsize=12)
def pair_pictures(
    first_id: int, second_id: int, runs: tuple[tuple[int, str], tuple[int, str]], versions: tuple[str, str]
) -> dict[str, Any]:
    """The two photos and their cracks as pictures for the page.

    Args:
        first_id: the earlier photo, of the actor's agency.
        second_id: the later one.
        runs: (checkpoint_id, settings_hash) of the analyses whose cracks are shown.
        versions: of the surveys' data.

    Returns:
        before, after (JPEG), before_cracks, after_cracks (PNG with transparency) as data addresses; width and
        height of the later one; rectified: both lie on the road; registered: the earlier one is laid over the
        later one (else each is as it is); where registered, error_px, and error_mm where rectified.

    Raises:
        InvalidImageError: a photo is gone or cannot be read.
    """
    first, second = (_result(image, run) for image, run in zip((first_id, second_id), runs, strict=True))
    before, after, gsd = _on_one_plane(first, second)
    masks = [_crack_mask(photo, picture, gsd) for photo, picture in ((first, before), (second, after))]
    found = register_photos(before, after, rectified=gsd is not None)
    told: dict[str, Any] = {"rectified": gsd is not None, "registered": found is not None}
    if found is None:
        cracks = [_overlay(masks[0], OLD_COLOUR), _overlay(masks[1], OLD_COLOUR)]
        return {**told, **_packed(before, after, cracks)}
    height, width = after.shape[:2]
    tolerance = TOLERANCE_PX if gsd is None else TOLERANCE_M * 1000 / gsd
    new = new_crack_mask(masks[0], masks[1], found, tolerance + found.error_px)
    moved = laid_over(masks[0].astype(np.uint8), found, height, width) > 0
    later = _overlay(masks[1] & ~new, OLD_COLOUR)
    later[new] = (*NEW_COLOUR, 255)
    told["error_px"] = found.error_px
    if gsd is not None:
        told["error_mm"] = found.error_px * gsd
    return {
        **told,
        **_packed(laid_over(before, found, height, width), after, [_overlay(moved, OLD_COLOUR), later]),
    }


def _result(image_id: int, run: tuple[int, str]) -> dict[str, Any]:
    with reading() as session:
        row = session.execute(
            select(
                SurveyImage.content_hash,
                SurveyImage.original_name,
                SurveyImage.width_px,
                SurveyImage.height_px,
                AnalysisResult.id,
                AnalysisResult.ground,
                AnalysisResult.gsd_mm_per_px,
                CameraProfile.kind.label("camera_kind"),
                CameraProfile.parameters.label("camera_parameters"),
            )
            .join(Survey, Survey.id == SurveyImage.survey_id)
            .join(AnalysisResult, AnalysisResult.image_id == SurveyImage.id)
            .outerjoin(CameraProfile, CameraProfile.id == AnalysisResult.camera_profile_id)
            .where(
                SurveyImage.id == image_id,
                AnalysisResult.checkpoint_id == run[0],
                AnalysisResult.settings_hash == run[1],
                Survey.agency_id == current_actor().agency_id,
            )
        ).mappings()
        found = row.one_or_none()
    if found is None:
        raise InvalidImageError("missing", f"There is no result of photo {image_id}.", "Analyse it again.")
    return dict(found)


def _pixels(photo: Mapping[str, Any]) -> NDArray[np.uint8]:
    try:
        return load_image(get_storage().read(photo["content_hash"]), photo["original_name"])
    except FileNotFoundError as missing:
        raise InvalidImageError(
            "missing", f"{photo['original_name']} is missing.", "Restore the storage."
        ) from missing


def _on_one_plane(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], float | None]:
    """Both photos on the road at one GSD (mm/px); as they are, and None, where that is not known of both."""
    views = ground_view(first), ground_view(second)
    if views[0] is None or views[1] is None:
        before, after = (_shrunk(_pixels(photo), 1.0) for photo in (first, second))
        return before, after, None
    frames = [view.frame for view in views if view is not None]
    coarsest = max(frame.gsd_mm_per_px for frame in frames)
    largest = max(
        frame.width_px * frame.height_px * (frame.gsd_mm_per_px / coarsest) ** 2 for frame in frames
    )
    gsd = coarsest * max(1.0, math.sqrt(largest / SHOWN_PX))
    pictures = []
    for photo, view in zip((first, second), views, strict=True):
        if view is None:
            continue
        flat = rectify(_pixels(photo), view.profile, view.frame)
        pictures.append(_resized(flat, view.frame.gsd_mm_per_px / gsd))
    return pictures[0], pictures[1], gsd


def _shrunk(picture: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    return _resized(picture, min(factor, math.sqrt(SHOWN_PX / (picture.shape[0] * picture.shape[1]))))


def _resized(picture: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    if math.isclose(factor, 1.0, rel_tol=1e-6):
        return picture
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _crack_mask(photo: Mapping[str, Any], picture: NDArray[np.uint8], gsd: float | None) -> NDArray[np.bool_]:
    """The result's cracks drawn as lines of their mean width into the picture."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    ground = photo["ground"]
    for distress in distresses(photo["id"]):
        if gsd is not None and ground is not None:
            lines = [
                [((x - ground["left_m"]) * 1000 / gsd, (ground["far_m"] - y) * 1000 / gsd) for x, y in line]
                for line in distress["polylines_m"] or ()
            ]
            width_px = (distress["mean_width_mm"] or 0.0) / gsd
        else:
            factor = picture.shape[1] / photo["width_px"]
            lines = [[(x * factor, y * factor) for x, y in line] for line in distress["polylines_px"]]
            width_px = distress["mean_width_px"] * factor
        _draw(mask, lines, max(1, round(width_px)))
    return mask.astype(bool)


def _draw(mask: NDArray[np.uint8], lines: Sequence[Sequence[tuple[float, float]]], width_px: int) -> None:
    courses = [np.round(np.array(line)).astype(np.int32) for line in lines if len(line) > 1]
    if courses:
        cv2.polylines(mask, courses, isClosed=False, color=1, thickness=width_px)


def _overlay(mask: NDArray[np.bool_], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    picture = np.zeros((*mask.shape, 4), np.uint8)
    picture[mask] = (*colour, 255)
    return picture


def _packed(
    before: NDArray[np.uint8], after: NDArray[np.uint8], cracks: Sequence[NDArray[np.uint8]]
) -> dict[str, Any]:
    return {
        "before": _address(before, "JPEG"),
        "after": _address(after, "JPEG"),
        "before_cracks": _address(cracks[0], "PNG"),
        "after_cracks": _address(cracks[1], "PNG"),
        "width": after.shape[1],
        "height": after.shape[0],
    }


def _address(picture: NDArray[np.uint8], kind: str) -> str:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, kind, quality=88)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(out.getvalue()).decode()}"
