"""Open a labelled data set, in whichever of the published layouts it lies (torch-free)."""

from dataclasses import dataclass
from pathlib import Path

from engine.data_layouts import LAYOUTS, Layout
from engine.errors import EngineError, SettingsError
from engine.labelled_images import (
    IMAGE_SUFFIXES,
    UNKNOWN,
    LabelledImage,
    find_pairs,
    read_class_numbers,
    read_classes,
    read_field_of_view,
    read_pair,
    read_truth,
)

__all__ = [
    "IMAGE_SUFFIXES", "LAYOUTS", "SPLITS", "UNKNOWN", "DataSet", "LabelledImage", "Layout", "find_pairs",
    "open_data_set", "read_class_numbers", "read_classes", "read_field_of_view", "read_pair", "read_truth",
]  # fmt: skip

SPLITS = ("train", "validation", "test", "all")


@dataclass(frozen=True)
class DataSet:
    """A labelled data set with its split.

    Attributes:
        name: the folder's name.
        layout: key of `LAYOUTS`.
        train: images to learn from, sorted by name.
        test: images to score on, sorted by name.
        validation: images that the data set sets aside for choosing; empty for most.
    """

    name: str
    layout: str
    train: tuple[LabelledImage, ...]
    test: tuple[LabelledImage, ...]
    validation: tuple[LabelledImage, ...] = ()

    def part(self, split: str) -> tuple[LabelledImage, ...]:
        """Images of one of `SPLITS`, sorted by name.

        Raises:
            SettingsError: no such split.
        """
        if split not in SPLITS:
            raise SettingsError(f"There is no split {split!r}.", f"Name one of: {', '.join(SPLITS)}.")
        if split != "all":
            return {"train": self.train, "test": self.test, "validation": self.validation}[split]
        return tuple(sorted(self.train + self.validation + self.test, key=lambda pair: pair.image))


def open_data_set(path: Path | str, layout: str | None = None, seed: int = 0) -> DataSet:
    """Find the images of a data set, their masks and its split.

    Files are listed, not decoded: `read_pair` says of each whether it can be used.

    Args:
        path: the data set's folder.
        layout: key of `LAYOUTS`; recognised by the folders and file names when None.
        seed: of the split, where the data set brings none; the same seed gives the same split on any machine.

    Raises:
        SettingsError: no such layout.
        EngineError: a folder that is not there or not of this layout, no images, or an image without a mask.
    """
    root = Path(path)
    if layout is not None and layout not in LAYOUTS:
        raise SettingsError(f"There is no layout {layout!r}.", f"Name one of: {', '.join(LAYOUTS)}.")
    if not root.is_dir():
        raise EngineError(f"There is no folder {root}.", "Name the folder of the data set.")
    if layout is None:
        layout = next((name for name, found in LAYOUTS.items() if found.recognise(root)), None)
    if layout is None:
        raise EngineError(
            f"{root} has no folders images/ and masks/, nor those of a data set known here.",
            "Put the images and their masks (same names) there, or name the folder above or below.",
        )
    split = LAYOUTS[layout].read(root, seed)
    if split is None:
        raise EngineError(
            f"{root} is not laid out as {LAYOUTS[layout].title}: {LAYOUTS[layout].picture}.",
            "Name the folder that holds these, or another layout (docs/data_sets.md).",
        )
    train, validation, test = (
        tuple(sorted(part, key=lambda pair: pair.image))
        for part in (split.train, split.validation, split.test)
    )
    return DataSet(root.resolve().name, layout, train, test, validation)
