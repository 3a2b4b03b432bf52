"""How often a photo's interval holds the truth.

Run: python -m tests.benchmarks.interval_coverage FOLDER|sample [--from NAME] [--to NAME] [--checkpoint
FILE] FOLDER holds `images/NAME.jpg` and `masks/NAME.png`; `--from` and `--to` choose names, as a split
does. The photos are taken as one survey: the working scale and the band are learnt from its own unlabelled
images.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from engine.checkpoints import load_checkpoint
from engine.confidence import measure_interval, sample_agreement
from engine.inference import InferenceSettings, predict_probability_map
from engine.measurement import measure_cracks
from engine.sample import SAMPLE_SEED, SamplePhoto, sample_surveys
from engine.scale import SAMPLE_IMAGES, estimate_working_scale, sample_middle, spread_sample

BASE = Path(__file__).resolve().parents[2] / "engine" / "weights" / "base.safetensors"
GSD_MM_PER_PX = 2.0
"""The sample's; for others the unit cancels out."""
Photo = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Labelled = Callable[[], tuple[Photo, Mask]]


def from_folder(folder: Path, first: str, last: str) -> list[Labelled]:
    files = sorted((folder / "images").glob("*.jpg"))
    return [partial(_read, file) for file in files if first <= file.stem <= last]


def _read(file: Path) -> tuple[Photo, Mask]:
    image = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)
    mask = cv2.imread(str(file.parents[1] / "masks" / f"{file.stem}.png"), cv2.IMREAD_GRAYSCALE)
    if image is None or mask is None:
        raise SystemExit(f"{file} or its mask cannot be read.")
    return np.asarray(image, np.uint8), mask > 127


def from_sample() -> list[Labelled]:
    """The newer of the sample's surveys; its truth is what was drawn."""
    return [partial(_draw, photo) for photo in sample_surveys(SAMPLE_SEED)[1].photos]


def _draw(photo: SamplePhoto) -> tuple[Photo, Mask]:
    stored = np.frombuffer(photo.render(), np.uint8)
    return np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR_RGB), np.uint8), photo.truth_mask()


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("source", help="a folder, or `sample`")
    ask.add_argument("--from", dest="first", default="")
    ask.add_argument("--to", dest="last", default="~")
    ask.add_argument("--checkpoint", type=Path, default=BASE)
    told = ask.parse_args()
    photos = (
        from_sample() if told.source == "sample" else from_folder(Path(told.source), told.first, told.last)
    )
    model, card = load_checkpoint(told.checkpoint)
    settings = InferenceSettings(threshold=card.threshold, working_scale=card.working_scale)
    some = [sample_middle(read()[0]) for read in spread_sample(photos, SAMPLE_IMAGES)]
    if settings.working_scale is None:
        scale = estimate_working_scale(model, some, settings).scale
        settings = InferenceSettings(threshold=card.threshold, working_scale=scale)
    began = time.monotonic()
    agreement = sample_agreement(model, spread_sample(some, 12), settings, card.threshold)
    print(f"{len(photos)} photos, working scale {settings.working_scale}, {agreement}")
    print(f"the agreement took {time.monotonic() - began:.1f} s")
    rows, spent = [], [0.0, 0.0]
    for read in photos:
        image, truth = read()
        times = [time.monotonic()]
        probability = predict_probability_map(model, image, settings)
        measured = measure_cracks(probability >= card.threshold, probability, gsd_mm_per_px=GSD_MM_PER_PX)
        times.append(time.monotonic())
        found = measure_interval(probability, measured, card.threshold, agreement)
        times.append(time.monotonic())
        spent = [spent[0] + times[1] - times[0], spent[1] + times[2] - times[1]]
        true = measure_cracks(truth, gsd_mm_per_px=GSD_MM_PER_PX)
        area = (true.crack_area_ratio, measured.crack_area_ratio)
        length = (true.crack_density_m_per_m2 or 0.0, measured.crack_density_m_per_m2 or 0.0)
        area_ends = found.crack_area_ratio_low, found.crack_area_ratio_high
        length_ends = found.crack_density_m_per_m2_low, found.crack_density_m_per_m2_high
        rows.append((*area, *area_ends, *length, *length_ends))
    print(f"prediction and measurement took {spent[0]:.1f} s, the intervals {spent[1]:.1f} s")
    table = np.array(rows, float)
    cracked = table[:, 0] > 0
    for name, at in (("crack area", 0), ("crack length", 4)):
        true, own, low, high = table[:, at : at + 4].T
        inside = (low <= true) & (true <= high)
        width = (high - low)[cracked] / np.maximum(own[cracked], 1e-9)
        print(
            f"{name}: {inside.mean():.0%} of photos covered; of the {cracked.sum()} with cracks "
            f"{inside[cracked].mean():.0%} (truth below {(true < low)[cracked].mean():.0%}, above "
            f"{(true > high)[cracked].mean():.0%}); median width {np.median(width):.0%} of the value; "
            f"found / true in all {own.sum() / true.sum():.2f}"
        )


if __name__ == "__main__":
    main()
