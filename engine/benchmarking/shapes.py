"""What a benchmark's files must hold to be read: old, damaged or foreign ones are refused (torch-free)."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from engine.errors import EngineError

Number = float | None


class PlannedSettings(BaseModel):
    preset: str
    epochs: int | None
    cpu_minutes: Number
    tolerance_px: float


class PlannedData(BaseModel):
    name: str
    layout: str
    train: int
    test: int
    identity: str = ""


class PlanFile(BaseModel):
    """benchmark.json"""

    methods: list[str] = Field(min_length=1)
    seeds: list[int]
    against: str | None
    ablations: list[str]
    settings: PlannedSettings
    data: list[PlannedData]
    runs: int
    places: list[str]


class ScoredImage(BaseModel):
    name: str
    number: int
    prediction: str
    f1: float
    tolerant_f1: float
    attention: dict[str, str] = {}


class Pooled(BaseModel):
    f1: Number
    miou: Number
    iou: Number
    tolerant_f1: Number


class Training(BaseModel):
    epochs: Number = None
    steps: Number = None
    cpu_minutes: Number = None
    wall_minutes: Number = None


class ResultFile(BaseModel):
    """result.json"""

    data: str
    method: str
    seed: int | None
    settings: dict[str, Any]
    threshold: float
    images: list[ScoredImage] = Field(min_length=1)
    pooled: Pooled
    training: Training
    predict_s: float
    identity: str = ""


class BegunFile(BaseModel):
    """begun.json"""

    identity: str


class ErrorFile(BaseModel):
    """error.json"""

    run: str
    why: str


class Cost(BaseModel):
    """What complexity.json has of a method."""

    parameters_m: Number
    gflops_448: Number
    ms_448: Number
    device: str
    identity: str = ""


class PicturedRow(BaseModel):
    """A line of gallery.json; `pictures` are files and captions."""

    data: str
    image: str
    method: str
    pictures: list[tuple[str, str]]


def check_shape(path: Path, text: bytes, shape: type[Any]) -> None:
    """Refuse a file that does not hold what its name says.

    Args:
        path: for the message.
        text: its content, JSON.
        shape: a model of this module, or a list or dict of them; what it does not name is let through.

    Raises:
        EngineError: with the first place that is wrong.
    """
    try:
        TypeAdapter(shape).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise EngineError(
            f"{path} is damaged or not of a benchmark: {place + ': ' if place else ''}{first['msg']}.",
            "Remove it and give the benchmark's command again.",
        ) from error


def inside(folder: Path, name: str, named_by: Path) -> Path:
    """The file of a name below a folder; a benchmark that was copied from elsewhere reads nothing outside.

    Args:
        folder: the benchmark's, or a run's.
        name: relative, as a file of the benchmark has it.
        named_by: that file, for the message.

    Raises:
        EngineError: a path that leads out of the folder.
    """
    path = folder / name
    if "\0" in name or not path.resolve().is_relative_to(folder.resolve()):
        raise EngineError(
            f"{named_by} names {name!r}, which is outside its folder.", "Use a benchmark that you trust."
        )
    return path
