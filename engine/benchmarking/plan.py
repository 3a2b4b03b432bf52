"""What a benchmark compares: methods, seeds and the settings all of them share (torch-free)."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.datasets import DataSet
from engine.errors import SettingsError

DETECTOR = "detector"
"""The classical ridge detector, its threshold chosen on the training images."""

CHECKPOINT = "checkpoint"
"""`checkpoint:base`: a checkpoint as it is, never trained on the data set's labels."""


@dataclass(frozen=True)
class Method:
    """One line of the table.

    Attributes:
        text: as it was written, which is also its name in tables and plots.
        kind: "model" is trained on the data set's labels; "checkpoint" and "detector" are not.
        model: name of the network, or of the checkpoint.
        options: the network's.
        loss: name of the objective; None is the preset's.
    """

    text: str
    kind: str
    model: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    loss: str | None = None

    @property
    def seeded(self) -> bool:
        """Whether another seed gives another result."""
        return self.kind == "model"

    @property
    def folder(self) -> str:
        """A folder's name: readable, and unlike that of any other method."""
        return folder_name(self.text)


def folder_name(text: str) -> str:
    """A name for a folder: the text where that can be one, else what is plain of it and a few digits."""
    plain = re.sub(r"[^A-Za-z0-9_.=+-]+", "_", text).strip("._")[:60]
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _value(text: str) -> Any:
    """`true`, `3`, `0.5`, `8/16/32` (whole numbers in a row), or the text itself."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    if re.fullmatch(r"\d+(/\d+)+", text):
        return tuple(map(int, text.split("/")))
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def parse_method(text: str) -> Method:
    """Read `[LOSS+]MODEL[:option=value]...`, `checkpoint:NAME` or `detector`.

    Raises:
        SettingsError: an empty name, or an option without a value.
    """
    text = text.strip()
    if text == DETECTOR:
        return Method(text, DETECTOR)
    if text.startswith(f"{CHECKPOINT}:"):
        name = text.partition(":")[2]
        if not name:
            raise SettingsError(f"{text!r} names no checkpoint.", "Write checkpoint:base, or a file's path.")
        return Method(text, CHECKPOINT, name)
    name, *pairs = text.split(":")
    loss, plus, model = name.rpartition("+")
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals or not value:
            raise SettingsError(
                f"{pair!r} in {text!r} is no option.", "Write MODEL:option=value, as unet:encoder=resnet18."
            )
        options[key] = _value(value)
    if not model or (plus and not loss):
        raise SettingsError(f"{text!r} names no model.", "Write MODEL, or LOSS+MODEL as cirl+jtfn.")
    return Method(text, "model", model, options, loss or None)


def parse_methods(texts: Iterable[str]) -> tuple[Method, ...]:
    """Methods from comma-separated texts, each once, in order.

    Raises:
        SettingsError: none at all, or see `parse_method`.
    """
    found = {
        method.text: method
        for text in texts
        for method in map(parse_method, filter(str.strip, text.split(",")))
    }
    if not found:
        raise SettingsError("No model was named.", "Give --models, for example attention_resunet,detector.")
    return tuple(found.values())


@dataclass(frozen=True)
class RunSettings:
    """What every run of a benchmark shares; a result made with others is never mixed in.

    Attributes:
        preset: of `engine.presets`.
        epochs: of every training; None is the preset's.
        cpu_minutes: of every training; None is no limit but the epochs.
        tolerance_px: of the tolerant measures.
        device: "auto", "cpu" or "cuda".
    """

    preset: str = "fast"
    epochs: int | None = None
    cpu_minutes: float | None = None
    tolerance_px: float = 2.0
    device: str = "auto"


@dataclass(frozen=True)
class Run:
    """One method on one data set; `seed` is None for a method that has none."""

    data: DataSet
    method: Method
    seed: int | None

    @property
    def place(self) -> str:
        """Its folder below `runs/`."""
        return (
            f"{folder_name(self.data.name)}/{self.method.folder}/{'once' if self.seed is None else self.seed}"
        )

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.method.text} on {self.data.name}" + (
            "" if self.seed is None else f", seed {self.seed}"
        )


@dataclass(frozen=True)
class Plan:
    """A benchmark.

    Attributes:
        data: the data sets, each with a name of its own.
        methods: what is compared.
        seeds: of weights and crops; the split of a data set is the same for all.
        settings: what every run shares.
        against: text of the method that the others are tested against; None is the first.
        ablations: names of the ablation tables to make.
    """

    data: tuple[DataSet, ...]
    methods: tuple[Method, ...]
    seeds: tuple[int, ...] = (0,)
    settings: RunSettings = RunSettings()
    against: str | None = None
    ablations: tuple[str, ...] = ()

    def check(self) -> None:
        """Refuse what cannot be run.

        Raises:
            SettingsError: no data, two data sets of one name, no seed, or `against` not among the methods.
        """
        names = [data.name for data in self.data]
        if not names:
            raise SettingsError("No data set was named.", "Give --data with a folder.")
        double = sorted({name for name in names if names.count(name) > 1})
        if double:
            raise SettingsError(f"Two data sets are named {double[0]}.", "Rename one of the folders.")
        for data in self.data:
            if len(data.train) < 2 or not data.test:
                raise SettingsError(
                    f"{data.name} has {len(data.train)} training and {len(data.test)} test images.",
                    "At least 2 images to train with and 1 to test with are needed.",
                )
        if not self.seeds:
            raise SettingsError("No seed was given.", "Give --seeds 0, or more of them.")
        if self.against is not None and self.against not in [method.text for method in self.methods]:
            raise SettingsError(
                f"--against {self.against} is not one of the models.",
                f"Choose one of: {', '.join(method.text for method in self.methods)}.",
            )

    def runs(self) -> list[Run]:
        """Every run, seed by seed, so that a stopped benchmark has all methods of the first seeds."""
        found = []
        for number, seed in enumerate(self.seeds):
            for data in self.data:
                for method in self.methods:
                    if method.seeded or number == 0:
                        found.append(Run(data, method, seed if method.seeded else None))
        return found
