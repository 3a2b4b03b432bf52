"""Pictures of a benchmark: image, truth, prediction by right and wrong, attention (torch-free)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from engine.benchmarking.plan import Plan
from engine.benchmarking.results import RunResult, read_json, read_result, run_folder, write_json
from engine.benchmarking.shapes import PicturedRow, inside
from engine.datasets import DataSet, LabelledImage, read_truth
from engine.errors import EngineError

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

GALLERY = "gallery"
INDEX = "gallery.json"
LARGEST_PX = 448
PICTURED = 3
"""Images of a data set that are shown for every method."""
WORST = 2
"""Worst images of every method on a data set that are shown besides."""
# Okabe and Ito's bluish green, vermilion and blue: told apart by colour-blind readers.
RIGHT, FALSE, MISSED = (0, 158, 115), (213, 94, 0), (0, 114, 178)
LEGEND = "green: found; orange: found where there is none; blue: missed"


@dataclass(frozen=True)
class Picture:
    """One picture of the gallery.

    Attributes:
        file: below the benchmark's folder.
        caption: what it shows.
    """

    file: str
    caption: str


@dataclass(frozen=True)
class Row:
    """Pictures of one image, beside each other.

    Attributes:
        data: the data set.
        image: the image's name.
        method: whose failure it is; empty for an image shown for every method.
        pictures: the image and its truth first.
    """

    data: str
    image: str
    method: str
    pictures: tuple[Picture, ...]


def pictured_images(images: Sequence[Mapping[str, Any]]) -> tuple[list[int], list[int]]:
    """Numbers of the images that are shown: some for every method, and the worst of this one by F1.

    Args:
        images: of a run's result.
    """
    common = np.unique(np.linspace(0, len(images) - 1, PICTURED).round().astype(int)).tolist()
    by_score = sorted(range(len(images)), key=lambda number: float(images[number]["f1"]))
    return common, by_score[:WORST]


def draw_truth(image: Image, truth: Mask) -> Image:
    """The image with its labelled cracks in green. uint8 (H, W, 3), bool (H, W) -> uint8 (H, W, 3)."""
    return draw_comparison(image, truth, truth)


def draw_comparison(image: Image, truth: Mask, predicted: Mask) -> Image:
    """The image, paled, with every crack pixel by `LEGEND`.

    Args:
        image: uint8 (H, W, 3) RGB.
        truth: bool (H, W).
        predicted: bool (H, W).
    """
    drawn = (0.55 * image.astype(np.float32) + 0.45 * 255).astype(np.uint8)
    drawn[truth & predicted] = RIGHT
    drawn[~truth & predicted] = FALSE
    drawn[truth & ~predicted] = MISSED
    return drawn


def draw_attention(image: Image, attention: Image) -> Image:
    """The image under a map of attention, yellow where it is strongest.

    Args:
        image: uint8 (H, W, 3) RGB.
        attention: uint8 (h, w), of any size; its own range is stretched.
    """
    height, width = image.shape[:2]
    large = cv2.resize(attention, (width, height), interpolation=cv2.INTER_LINEAR)
    spread = int(np.ptp(large))
    stretched = (large.astype(np.float32) - large.min()) * (255 / spread if spread else 0)
    heat = cv2.applyColorMap(stretched.astype(np.uint8), cv2.COLORMAP_CIVIDIS)[..., ::-1]
    return np.asarray((0.45 * image + 0.55 * heat).astype(np.uint8))


def _shrunk(drawn: Image) -> Image:
    shrink = LARGEST_PX / max(drawn.shape[:2])
    if shrink >= 1:
        return drawn
    return np.asarray(cv2.resize(drawn, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)


class _Album:
    """Writes pictures into DIR/gallery, each once."""

    def __init__(self, out: Path, classes: int) -> None:
        self.out, self.classes = out, classes
        (out / GALLERY).mkdir(parents=True, exist_ok=True)

    def add(self, name: str, drawn: Image, caption: str) -> Picture:
        file = f"{GALLERY}/{name}.jpg"
        small = np.ascontiguousarray(_shrunk(drawn)[..., ::-1])
        if not cv2.imwrite(str(self.out / file), small, [cv2.IMWRITE_JPEG_QUALITY, 88]):
            raise EngineError(f"{self.out / file} cannot be written.", "Check that the disk has room.")
        return Picture(file, caption)

    def plain(self, name: str, pair: LabelledImage) -> tuple[Image, Mask, list[Picture]]:
        """Image, truth, and their pictures."""
        image, truth, _ = read_truth(pair, self.classes)
        pictures = [
            self.add(f"{name}-image", image, "image"),
            self.add(f"{name}-truth", draw_truth(image, truth), "truth"),
        ]
        return image, truth, pictures

    def prediction(
        self, name: str, folder: Path, result: RunResult, number: int, image: Image, truth: Mask
    ) -> Picture:
        """The prediction of one run, by right and wrong."""
        scored = result.images[number]
        mask = cv2.imread(str(folder / scored["prediction"]), cv2.IMREAD_GRAYSCALE)
        if mask is None or mask.shape != truth.shape:
            raise EngineError(
                f"{folder / scored['prediction']} is missing or damaged.",
                f"Remove {folder}; its run is made again.",
            )
        caption = f"{result.method}: F1 {scored['f1']:.3f}, tolerant {scored['tolerant_f1']:.3f}"
        return self.add(name, draw_comparison(image, truth, mask > 0), caption)

    def attention(
        self, name: str, folder: Path, result: RunResult, number: int, image: Image
    ) -> list[Picture]:
        """The attention maps that the run kept of this image."""
        pictures = []
        for place, (title, file) in enumerate(result.images[number].get("attention", {}).items()):
            grey = cv2.imread(str(folder / file), cv2.IMREAD_GRAYSCALE)
            if grey is not None:
                drawn = draw_attention(image, np.asarray(grey, np.uint8))
                pictures.append(self.add(f"{name}-{place}", drawn, f"{result.method}: attention, {title}"))
        return pictures


def make_gallery(plan: Plan, out: Path) -> list[Row]:
    """Draw the pictures of what is finished, of the first seed, and `gallery.json` that lists them.

    Rows without a method show the same images for every method; the others the worst images of one method
    with its attention.

    Args:
        plan: with the images' places.
        out: the benchmark's folder.
    """
    # a mask that numbers classes shows all of them as cracks
    classes = max(int(method.options.get("classes", 1)) for method in plan.methods)
    album, rows = _Album(out, classes), []
    for number, data in enumerate(plan.data):
        done = _finished(plan, data, out)
        if not done:
            continue
        common = pictured_images(done[0][1].images)[0]
        wanted = [(index, "", done) for index in common] + [
            (index, result.method, [(folder, result)])
            for folder, result in done
            for index in pictured_images(result.images)[1]
        ]
        for index, method, shown in wanted:
            stem = f"{number}-{index:04d}"
            image, truth, pictures = album.plain(stem, data.test[index])
            for folder, result in shown:
                name = f"{stem}-{folder.parent.name}"
                pictures.append(album.prediction(name, folder, result, index, image, truth))
                if method:
                    pictures += album.attention(name, folder, result, index, image)
            rows.append(Row(data.name, data.test[index].image.stem, method, tuple(pictures)))
    write_json(out / INDEX, [_as_json(row) for row in rows])
    return rows


def _finished(plan: Plan, data: DataSet, out: Path) -> list[tuple[Path, RunResult]]:
    """Folder and result of every method's first run on a data set."""
    found = []
    for run in plan.runs():
        if run.data is data and run.seed in (None, plan.seeds[0]):
            result = read_result(run_folder(out, run))
            if result is not None:
                found.append((run_folder(out, run), result))
    return found


def _as_json(row: Row) -> dict[str, object]:
    pictures = [[picture.file, picture.caption] for picture in row.pictures]
    return {"data": row.data, "image": row.image, "method": row.method, "pictures": pictures}


def read_gallery(out: Path) -> list[Row]:
    """What `make_gallery` wrote; empty where it has not been made.

    Raises:
        EngineError: a damaged file, or one that names pictures outside the folder.
    """
    path = out / INDEX
    if not path.is_file():
        return []
    rows = []
    for found in read_json(path, list[PicturedRow]):
        for file, _ in found["pictures"]:
            inside(out, file, path)
        pictures = tuple(Picture(file, caption) for file, caption in found["pictures"])
        rows.append(Row(found["data"], found["image"], found["method"], pictures))
    return rows
