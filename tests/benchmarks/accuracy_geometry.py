"""Self-calibration of a real survey, and its lane polygon against the labelled lanes.

Run: python tests/benchmarks/accuracy_geometry.py DATA_DIR [--json FILE]
DATA_DIR holds `dnit_br290` with `frames`, `track.csv` and `masks/lane`. The labels serve for scoring alone.
"""

import argparse
import csv
import json
import resource
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.geometry import lane_mask
from engine.images import load_image
from engine.lane_polygon import estimate_lane_polygon
from engine.self_calibration import SelfCalibration, self_calibrate

Mask = NDArray[np.bool_]
GOAL = 0.80


def iou(first: Mask, second: Mask) -> float:
    return float((first & second).sum() / (first | second).sum())


def filled(polygon: NDArray[np.float64], shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(polygon * 256).astype(np.int32)], 1, shift=8)
    return mask > 0


def summary(scores: list[float]) -> dict[str, float]:
    return {
        "frames": len(scores),
        "mean": float(np.mean(scores)),
        "median": float(np.median(scores)),
        "lowest": float(np.min(scores)),
        "share_at_goal": float(np.mean(np.array(scores) >= GOAL)),
    }


def show_calibration(title: str, found: SelfCalibration, seconds: float) -> None:
    print(f"\n{title}: {found.frames_used} frames, {found.pairs_used} pairs, {seconds:.0f} s of CPU")
    for name, sigma in found.uncertainty.items():
        print(f"  {name:14} {getattr(found.profile, name):9.3f} +- {sigma:.3f}")
    for note in found.notes:
        print(f"  {note}")


def measure(data_dir: Path) -> dict[str, Any]:
    folder = data_dir / "dnit_br290"
    with (folder / "track.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    frames = [load_image(folder / "frames" / row["frame"]) for row in rows]
    chainages = [float(row["chainage_m"]) for row in rows]
    numbers: dict[str, Any] = {}
    for title, part in (
        ("all", slice(None)),
        ("first half", slice(0, 150)),
        ("second half", slice(150, None)),
    ):
        started = time.process_time()
        found = self_calibrate(frames[part], chainages_m=chainages[part])
        seconds = time.process_time() - started
        show_calibration(title, found, seconds)
        numbers[title] = found.as_dict() | {"cpu_seconds": seconds}
    profile = self_calibrate(frames, chainages_m=chainages, resamples=0).profile
    lane = lane_mask(profile)
    scores: dict[str, list[float]] = {"profile's lane": [], "frame's own paint": [], "first half's lane": []}
    other = lane_mask(self_calibrate(frames[:150], chainages_m=chainages[:150], resamples=0).profile)
    polygons = estimate_lane_polygon(profile, frames).frame_polygons_px
    for index, (row, polygon) in enumerate(zip(rows, polygons, strict=True)):
        path = folder / "masks" / "lane" / Path(row["frame"]).with_suffix(".png").name
        label = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if label is None or not label.any():
            continue
        scores["profile's lane"].append(iou(lane, label > 0))
        scores["frame's own paint"].append(iou(filled(polygon, lane.shape), label > 0))
        if index >= 150:
            scores["first half's lane"].append(iou(other, label > 0))
    print(
        f"\nLane against labels, IoU{'frames':>16}{'mean':>8}{'median':>8}{'lowest':>8}{f'>= {GOAL:.2f}':>9}"
    )
    for name, values in scores.items():
        line = summary(values)
        numbers[name] = line
        print(
            f"  {name:24}{line['frames']:14.0f}{line['mean']:8.3f}{line['median']:8.3f}"
            f"{line['lowest']:8.3f}{line['share_at_goal']:9.1%}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"Peak memory {peak:.0f} MiB, {len(frames)} frames held.")
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    numbers = measure(options.data_dir)
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
