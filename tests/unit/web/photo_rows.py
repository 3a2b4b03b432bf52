"""A photo measured on the road by a camera that looks ahead, with distresses of several types."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import insert, select, update

from app import identity
from db.models import AnalysisResult, CameraProfile, Survey, SurveyImage
from db.result_models import Distress, DistressQuantity
from db.session import transaction
from db.storage import get_storage
from engine.geometry import ForwardProfile, GroundFrame, lane_area_m2, plan_frame, to_image
from engine.vocabulary import DistressType, LaneZone, Severity
from tests.unit.web.rows import Filled, png

FORWARD = ForwardProfile(
    640, 400, focal_px=600.0, height_m=2.0, pitch_deg=20.0, lane_left_m=-1.5, lane_right_m=1.5,
    largest_gsd_mm_per_px=30.0,
)  # fmt: skip
NUMBERS = dict.fromkeys(
    ("median_width_mm", "p95_width_mm", "max_width_mm", "piece_size_m", "tortuosity", "nodes"), None
)


@dataclass
class Measured:
    """Ids, and how the photo was laid on the road."""

    photo: int
    result: int
    profile_id: int
    frame: GroundFrame


def on_photo(points_m: list[list[float]]) -> list[list[float]]:
    return [[round(float(x), 2), round(float(y), 2)] for x, y in to_image(FORWARD, np.array(points_m))]


def distress(
    kind: DistressType, severity: Severity, line_m: list[list[float]], **more: Any
) -> dict[str, Any]:
    """A row of `Distress` with one branch."""
    return {
        "kind": kind, "severity": severity, "zone": LaneZone.LEFT_WHEEL_PATH, "length_px": 300.0,
        "mean_width_px": 2.0, "max_width_px": 3.0, "area_px": 600, "orientation_deg": 90.0, "length_m": 1.5,
        "area_m2": 0.02, "mean_width_mm": 12.0, **NUMBERS, "polylines_m": [line_m],
        "polylines_px": [on_photo(line_m)], "widths_mm": [[11.0 + n for n in range(len(line_m))]],
        "outline_m": None, "outline_px": None, **more,
    }  # fmt: skip


def measure_ahead(filled: Filled) -> Measured:
    """Give the first photo of `fill` a larger picture, a camera that looks ahead, and typed distresses."""
    frame = plan_frame(FORWARD)
    shade = np.tile(np.linspace(60, 160, 640).astype(np.uint8), (400, 1))
    out = io.BytesIO()
    Image.fromarray(np.dstack([shade] * 3)).save(out, "JPEG", quality=95)
    found = np.zeros((400, 640), np.uint8)
    found[200:390, 300:306] = 255
    area = [[0.3, 4.5], [0.3, 5.2], [1.0, 5.2], [1.0, 4.5], [0.3, 4.5]]
    distresses = [
        distress(DistressType.LONGITUDINAL, Severity.MEDIUM, [[-0.8, 4.0], [-0.75, 4.8], [-0.8, 5.5]]),
        distress(
            DistressType.ALLIGATOR, Severity.NOT_MEASURABLE, [[0.4, 4.6], [0.9, 5.1]], mean_width_mm=None,
            widths_mm=None, zone=LaneZone.RIGHT_WHEEL_PATH, length_px=100.0, area_m2=0.49, piece_size_m=0.21,
            outline_m=area, outline_px=on_photo(area),
        ),
    ]  # fmt: skip
    with transaction() as session:
        camera = CameraProfile(
            agency_id=identity.current_actor().agency_id, name="Front", version=1, kind="forward",
            parameters=FORWARD.as_dict(),
        )  # fmt: skip
        session.add(camera)
        session.flush()
        photo_id = filled.photos[0]
        session.execute(
            update(SurveyImage)
            .where(SurveyImage.id == photo_id)
            .values(content_hash=get_storage().put(out.getvalue()), width_px=640, height_px=400)
        )
        result_id = session.scalars(
            select(AnalysisResult.id).where(AnalysisResult.image_id == photo_id)
        ).one()
        session.execute(
            update(AnalysisResult)
            .where(AnalysisResult.id == result_id)
            .values(
                settings={"working_scale": 0.5, "severity_standard": "D6433"}, camera_profile_id=camera.id,
                ground=frame.as_dict(), gsd_mm_per_px=frame.gsd_mm_per_px, surveyed_area_m2=8.0,
                left_out_m2=lane_area_m2(FORWARD) - 8.0, cracked_area_m2=0.6, cracked_tiles=9, tiles=90,
                mask_hash=get_storage().put(png(found)), probability_hash=get_storage().put(png(found)),
            )
        )  # fmt: skip
        session.get_one(Survey, filled.survey).camera_profile_id = camera.id
        session.execute(insert(Distress), [{**row, "result_id": result_id} for row in distresses])
        session.execute(
            insert(DistressQuantity),
            [
                {
                    **{
                        key: row[key]
                        for key in ("kind", "severity", "zone", "length_m", "area_m2", "mean_width_mm")
                    },
                    "count": 1,
                    "result_id": result_id,
                }
                for row in distresses
            ],
        )
        return Measured(photo_id, result_id, camera.id, frame)
