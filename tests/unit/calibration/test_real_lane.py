"""Self-calibration of a real survey: the lane that it finds against the labelled one."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.geometry import lane_mask
from engine.images import load_image
from engine.lane_polygon import estimate_lane_polygon
from engine.self_calibration import self_calibrate

pytestmark = pytest.mark.real_data


def test_lane_of_a_real_survey_meets_its_labels(data_dir: Path) -> None:
    folder = data_dir / "dnit_br290"
    with (folder / "track.csv").open() as opened:
        rows = list(csv.DictReader(opened))[:24]
    frames = [load_image(folder / "frames" / row["frame"]) for row in rows]
    found = self_calibrate(frames, chainages_m=[float(row["chainage_m"]) for row in rows], resamples=10)
    # A van with a camera on its roof.
    assert 1.5 < found.profile.height_m < 4
    assert 5 < found.profile.pitch_deg < 35
    polygons = estimate_lane_polygon(found.profile, frames[:8]).frame_polygons_px
    lane = lane_mask(found.profile)
    for row, polygon in zip(rows[:8], polygons, strict=True):
        name = Path(row["frame"]).with_suffix(".png")
        label = cv2.imread(str(folder / "masks" / "lane" / name), cv2.IMREAD_GRAYSCALE) > 0
        own = np.zeros(label.shape, np.uint8)
        cv2.fillPoly(own, [np.round(polygon * 256).astype(np.int32)], 1, shift=8)
        for mask in (lane, own > 0):
            assert (mask & label).sum() / (mask | label).sum() >= 0.8, row["frame"]
