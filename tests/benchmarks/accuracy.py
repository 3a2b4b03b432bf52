"""Scores of a checkpoint on labelled images beside the classical detector with its best threshold.

Run: python tests/benchmarks/accuracy.py DATA_DIR [--checkpoint base] [--json FILE]
DATA_DIR holds `cfd` and `crack500`, each with `images/` and `masks/`.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.benchmark import evaluate_folder
from engine.candidates import connected_lines, ridge_response
from engine.datasets import find_pairs, read_pair
from engine.metrics import Counts, count_pixels

TOLERANCE_PX = 2.0
RIDGE_THRESHOLDS = (2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0)


@dataclass(frozen=True)
class DataSet:
    """Labelled images, and the measure with its goal."""

    title: str
    folder: str
    names: list[str] | None
    measure: str
    goal: float


DATA_SETS = [
    # As in published comparisons: 001-072 are for training, the rest for testing.
    DataSet("CFD, test images 073-118", "cfd", [f"{n:03d}" for n in range(73, 119)], "tolerant_f1", 0.85),
    DataSet("Crack500", "crack500", None, "f1", 0.50),
]


def classical(data_dir: Path, data_set: DataSet) -> dict[str, Any]:
    """The ridge detector at the threshold that suits these masks best: what any model has to beat."""
    started = time.monotonic()
    pooled = [Counts() for _ in RIDGE_THRESHOLDS]
    pairs = find_pairs(data_dir / data_set.folder, data_set.names)
    for pair in pairs:
        image, truth = read_pair(pair)
        response = ridge_response(image)
        for index, threshold in enumerate(RIDGE_THRESHOLDS):
            predicted = connected_lines(response, threshold, dilate_px=1)
            pooled[index] += count_pixels(predicted, truth, TOLERANCE_PX)
    best = int(np.argmax([getattr(counts, data_set.measure) for counts in pooled]))
    names = ("f1", "iou", "tolerant_precision", "tolerant_recall", "tolerant_f1")
    scores = {name: getattr(pooled[best], name) for name in names}
    return (
        {"images": len(pairs), "threshold": RIDGE_THRESHOLDS[best], "working_scale": 1.0}
        | scores
        | {"seconds": time.monotonic() - started}
    )


def line(title: str, method: str, scores: dict[str, Any]) -> str:
    figures = "  ".join(f"{scores[name]:8.3f}" for name in ("threshold", "working_scale", "f1", "iou"))
    tolerant = "  ".join(f"{scores[f'tolerant_{name}']:8.3f}" for name in ("precision", "recall", "f1"))
    return f"{title:26}{method:22}{scores['images']:6}  {figures}  {tolerant}  {scores['seconds']:7.1f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--checkpoint", default="base")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    heads = ("thresh.", "scale", "F1", "IoU", f"P {TOLERANCE_PX:g}px", f"R {TOLERANCE_PX:g}px", "F1 2px")
    print(f"{'data set':26}{'method':22}images  " + "  ".join(f"{head:>8}" for head in heads) + "  seconds")
    report, missed = {}, []
    for data_set in DATA_SETS:
        folder = options.data_dir / data_set.folder
        found = evaluate_folder(folder, options.checkpoint, TOLERANCE_PX, names=data_set.names)
        print(line(data_set.title, f"checkpoint {options.checkpoint}", found))
        baseline = classical(options.data_dir, data_set)
        print(line(data_set.title, "classical, best", baseline))
        report[data_set.title] = {"checkpoint": found, "classical": baseline}
        if found[data_set.measure] < data_set.goal:
            missed.append(
                f"{data_set.title}: {data_set.measure} {found[data_set.measure]:.3f} < {data_set.goal}"
            )
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    print("\n".join(f"GOAL MISSED  {text}" for text in missed) or "All goals are met.")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
