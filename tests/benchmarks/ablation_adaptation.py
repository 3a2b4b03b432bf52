"""Each part of the label-free adaptation by itself: what it is worth on each data set.

Run: python tests/benchmarks/ablation_adaptation.py DATA_DIR [--out DIR] [--minutes 2] [--only cfd ...]
A variant is the recipe in force with one thing changed; the measures are those of accuracy_adaptation.py.
With --out, what was stopped goes on. A part stays only where it pays on at least two of the three sets.
"""

import argparse
import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from accuracy_adaptation import MEASURE, _one_thread, adapted, kept

from engine.lookalikes import LOOKALIKES
from engine.synthesis import CRACK_PARTS

VARIANTS: dict[str, dict[str, Any]] = {
    "in force": {},
    "believes below .25 and above .65": {"sure": (0.25, 0.65)},
    "realistic cracks": {"parts": CRACK_PARTS},
    "lookalikes": {"parts": frozenset(LOOKALIKES)},
    "the survey's camera": {"parts": frozenset({"survey_camera"})},
    "curriculum": {"parts": frozenset({"curriculum"})},
    "no self-training": {"stages": (1.0,)},
    "no procedural pavement": {"procedural_share": 0.0},
}


def run(task: tuple[str, str], data_dir: Path, minutes: float, out: Path) -> dict[str, Any]:
    name, variant = task
    folder = out / variant.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = kept(
        folder / f"{name}-{minutes:g}min.json",
        lambda: adapted(data_dir, name, 0, minutes, folder, **VARIANTS[variant]),
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--out", type=Path, help="folder for the runs; a temporary one by default")
    parser.add_argument("--minutes", type=float, default=2.0, help="on two cores, of each")
    parser.add_argument("--only", nargs="*", default=list(MEASURE))
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS))
    parser.add_argument("--jobs", type=int, default=2, help="at once, one thread each")
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp(prefix="pavescope-ablation-"))
    tasks = [(name, variant) for variant in options.variants for name in options.only]
    work = partial(run, data_dir=options.data_dir, minutes=options.minutes, out=out)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, context, _one_thread) as pool:
        for (name, variant), found in zip(tasks, pool.map(work, tasks), strict=True):
            measure = MEASURE[name]
            figures = (
                f"{measure} {found[measure]:.3f} (best {found[f'best_{measure}']:.3f})  "
                f"Spearman {found['spearman']:.3f}  threshold {found['threshold']:.2f}  "
                f"scale {found['working_scale']:g}  {found['steps']} steps"
                if measure in found
                else f"refused: {found['reasons']}"
            )
            print(f"{variant:34}{name:10}{figures}", flush=True)


if __name__ == "__main__":
    main()
