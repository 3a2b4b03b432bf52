"""Crack density of a real survey's frames against that of its labels, both through the same geometry.

Run: python tests/benchmarks/accuracy_density.py DATA_DIR [--frames 60] [--checkpoint FILE] [--json FILE]
DATA_DIR holds `dnit_br290` with `frames`, `track.csv` and `masks/crack`. The camera is found by
self-calibration; what is predicted and what is labelled is laid on the road and measured alike, within the
surveyed lane. The labels serve for scoring alone.
"""

import argparse
import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from engine.checkpoints import load_checkpoint
from engine.distress import GroundMeasurement, measure_ground
from engine.geometry import (
    ForwardProfile,
    GroundFrame,
    lane_edges_px,
    plan_frame,
    rectify,
    surveyed_mask,
    visible_range_m,
)
from engine.images import load_image
from engine.inference import InferenceSettings, predict_probability_map
from engine.scale import SAMPLE_IMAGES, estimate_working_scale, sample_middle, spread_sample
from engine.self_calibration import self_calibrate

BASE = Path(__file__).resolve().parents[2] / "engine" / "weights" / "base.safetensors"
RUNS, RUN_FRAMES = 40, 3


@dataclass(frozen=True)
class Road:
    """A camera and the part of the road that every one of its frames shows."""

    profile: ForwardProfile
    frame: GroundFrame
    surveyed: NDArray[np.bool_]

    def measure(self, probability: NDArray[np.float32], threshold: float) -> GroundMeasurement:
        on_ground = np.where(self.surveyed, rectify(probability, self.profile, self.frame), np.float32(0))
        return measure_ground(
            on_ground >= threshold,
            on_ground,
            gsd_mm_per_px=self.frame.gsd_mm_per_px,
            surveyed=self.surveyed,
            lane_px=lane_edges_px(self.profile, self.frame),
        )


def calibrated(folder: Path, rows: list[dict[str, str]]) -> Road:
    """By runs of successive frames spread over the survey, as the product does it."""
    starts = spread_sample(range(len(rows) - RUN_FRAMES + 1), RUNS)
    chosen = sorted({start + step for start in starts for step in range(RUN_FRAMES)})
    found = self_calibrate(
        [load_image(folder / "frames" / rows[index]["frame"]) for index in chosen],
        chainages_m=[float(rows[index]["chainage_m"]) for index in chosen],
        resamples=0,
    )
    frame = plan_frame(found.profile)
    return Road(found.profile, frame, surveyed_mask(found.profile, frame))


def numbers_of(
    road: Road, labels: Path, probability: NDArray[np.float32], threshold: float
) -> dict[str, float]:
    label = cv2.imread(str(labels), cv2.IMREAD_GRAYSCALE)
    if label is None:
        raise SystemExit(f"{labels} is missing or no picture.")
    truth = (label > 0).astype(np.float32)
    numbers: dict[str, float] = {}
    for name, found in (
        ("found", road.measure(probability, threshold)),
        ("labelled", road.measure(truth, 0.5)),
    ):
        measured = found.measurement
        numbers[f"{name}_m_per_m2"] = measured.crack_density_m_per_m2 or 0.0
        numbers[f"{name}_area_share"] = measured.crack_area_ratio
    return numbers


def summary(frames: list[dict[str, Any]], name: str) -> dict[str, float]:
    """Rank correlation, and the survey's total against the labels'; all frames have the same area."""
    found, labelled = (
        np.array([frame[f"{who}_{name}"] for frame in frames]) for who in ("found", "labelled")
    )
    return {
        "spearman": float(spearmanr(found, labelled)[0]),
        "found": float(found.mean()),
        "labelled": float(labelled.mean()),
        "ratio_of_totals": float(found.sum() / labelled.sum()),
        "mean_absolute_difference": float(np.abs(found - labelled).mean()),
    }


def measure(data_dir: Path, checkpoint: Path, count: int) -> dict[str, Any]:
    folder = data_dir / "dnit_br290"
    with (folder / "track.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    started = time.process_time()
    road = calibrated(folder, rows)
    model, card = load_checkpoint(checkpoint)
    settings = InferenceSettings(threshold=card.threshold, device="cpu")
    chosen = spread_sample(rows, count)
    scale = card.working_scale
    if scale is None:
        samples = spread_sample(chosen, SAMPLE_IMAGES)
        images = [sample_middle(load_image(folder / "frames" / row["frame"])) for row in samples]
        scale = estimate_working_scale(model, images, settings).scale
    settings = InferenceSettings(threshold=card.threshold, working_scale=scale, device="cpu")
    frames: list[dict[str, Any]] = []
    for row in chosen:
        image = load_image(folder / "frames" / row["frame"])
        probability = predict_probability_map(model, image, settings)
        labels = folder / "masks" / "crack" / Path(row["frame"]).with_suffix(".png")
        frames.append(
            {"frame": row["frame"], "chainage_m": float(row["chainage_m"])}
            | numbers_of(road, labels, probability, card.threshold)
        )
    near_m, far_m = visible_range_m(road.profile)
    return {
        "checkpoint": str(checkpoint),
        "working_scale": scale,
        "threshold": card.threshold,
        "profile": road.profile.as_dict(),
        "near_m": near_m,
        "far_m": far_m,
        "area_m2": float(road.surveyed.sum()) * (road.frame.gsd_mm_per_px / 1000) ** 2,
        "frames": frames,
        "m_per_m2": summary(frames, "m_per_m2"),
        "area_share": summary(frames, "area_share"),
        "cpu_seconds": time.process_time() - started,
    }


def show(numbers: dict[str, Any]) -> None:
    print(f"{'chainage':>9}{'found m/m2':>12}{'labelled':>10}{'found area':>12}{'labelled':>10}")
    for frame in numbers["frames"]:
        print(
            f"{frame['chainage_m']:9.0f}{frame['found_m_per_m2']:12.2f}{frame['labelled_m_per_m2']:10.2f}"
            f"{frame['found_area_share']:12.2%}{frame['labelled_area_share']:10.2%}"
        )
    print(
        f"\n{Path(numbers['checkpoint']).name}, threshold {numbers['threshold']:g}, working scale "
        f"{numbers['working_scale']:g}; {len(numbers['frames'])} frames, {numbers['area_m2']:.1f} m2 of lane "
        f"each, {numbers['near_m']:.1f} to {numbers['far_m']:.1f} m ahead; "
        f"{numbers['cpu_seconds']:.0f} s of CPU"
    )
    print(f"{'':12}{'Spearman':>10}{'found':>9}{'labelled':>10}{'ratio':>8}{'mean |diff|':>13}")
    for name, title in (("m_per_m2", "m/m2"), ("area_share", "area share")):
        line = numbers[name]
        print(
            f"{title:12}{line['spearman']:10.3f}{line['found']:9.4f}{line['labelled']:10.4f}"
            f"{line['ratio_of_totals']:8.2f}{line['mean_absolute_difference']:13.4f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--checkpoint", type=Path, default=BASE)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    numbers = measure(options.data_dir, options.checkpoint, options.frames)
    show(numbers)
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
