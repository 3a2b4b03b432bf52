"""Made-up data sets for the tests of benchmarks."""

from pathlib import Path

import cv2
import numpy as np

from engine.datasets import DataSet, find_pairs


def made_up_data(folder: Path, images: int = 4, size: int = 48) -> DataSet:
    """Grey noise with one dark line an image, its mask beside it; half to train with, half to test on."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number in range(images):
        rng = np.random.default_rng(number)
        mask = np.zeros((size, size), np.uint8)
        ends = rng.integers(8, size - 8, 2)
        cv2.line(mask, (0, int(ends[0])), (size - 1, int(ends[1])), 255, 3)
        grey = rng.normal(150, 12, (size, size)) - 90.0 * (mask > 0)
        image = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
        cv2.imwrite(str(folder / "images" / f"{folder.name}{number}.png"), image)
        cv2.imwrite(str(folder / "masks" / f"{folder.name}{number}.png"), mask)
    pairs = find_pairs(folder)
    return DataSet(folder.name, "folder", tuple(pairs[: images // 2]), tuple(pairs[images // 2 :]))
