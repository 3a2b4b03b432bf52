"""`pavescope train`: a network learns from labelled images."""

import json as json_format
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli.output import JsonFile, say, say_table, write_json

if TYPE_CHECKING:
    from engine.datasets import LabelledImage
    from engine.train import OnStep
    from engine.train_settings import TrainResult, TrainSettings

HELP = (
    "Train a network on a labelled data set, choose its threshold, and score it on the test images.\n\n"
    "The folder gets checkpoint.safetensors, log.csv and, with TensorBoard installed, its files. A training "
    "that was stopped goes on with --resume. For several networks side by side: `pavescope benchmark`.\n\n"
    "Example: pavescope train --data cfd --model attention_resunet --cpu-minutes 20 --json -"
)
LIMITS = ("steps", "epochs", "cpu_minutes")
MEASURES = ("precision", "recall", "f1", "iou", "tolerant_precision", "tolerant_recall", "tolerant_f1")


def train(
    data: Annotated[Path, typer.Option(help="Folder with images/ and masks/, or a data set as published.")],
    model: Annotated[
        str | None, typer.Option(help="[LOSS+]MODEL[:option=value...]; by default the preset's.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Training settings: seed-000 ... seed-003, or fast.")] = "fast",
    epochs: Annotated[int | None, typer.Option(min=1, help="In place of the preset's limit.")] = None,
    cpu_minutes: Annotated[
        float | None, typer.Option(min=0.01, help="The same, as CPU minutes (wall minutes on a GPU).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights and crops; the split is always the same.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder; trained/MODEL-PRESET-SEED by default.")] = None,
    layout: Annotated[str | None, typer.Option(help="Layout of the data; recognised by default.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the training that stopped in the folder.")] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(help="Setting=value of the preset, or loss.OPTION=value; may be given again."),
    ] = None,
    tolerance_px: Annotated[float, typer.Option(min=0, help="Distance that still counts as a hit.")] = 2.0,
    json: JsonFile = None,
) -> None:
    from db.settings import get_settings
    from engine.benchmarking.training import split_validation
    from engine.datasets import open_data_set
    from engine.errors import SettingsError
    from engine.inference import resolve_device
    from engine.labelled_data import make_network, train_labelled

    device = resolve_device(get_settings().device)
    limits = {"epochs": epochs, "cpu_minutes": cpu_minutes}
    settings = make_settings(preset, model, limits, option or [], {"seed": seed, "device": device})
    labelled = open_data_set(data, layout)  # split as `evaluate --split test` splits it, not by the seed
    make_network(settings)  # a wrong name is told before anything else is
    train_pairs, validation_pairs = split_validation(labelled, settings.watches_validation)
    folder = out or Path("trained") / f"{settings.model}-{preset}-{seed}"
    checkpoint = folder / "checkpoint.safetensors"
    if resume and checkpoint.is_file() and not (folder / "state.pt").is_file():
        raise SettingsError(f"The training in {folder} is finished.", "Leave out --resume to train anew.")
    say(f"{settings.model} learns from {len(train_pairs)} images of {labelled.name}; results go to {folder}")
    command = "pavescope " + " ".join(shlex.quote(Path(a).name if "/" in a else a) for a in sys.argv[1:])
    with progress_bar() as on_step:
        result = train_labelled(
            settings, train_pairs, validation_pairs, folder, on_step, resume=resume, command=command,
            data=f"{len(train_pairs)} labelled images of {labelled.name} ({labelled.layout}).",
        )  # fmt: skip
    took = {
        name: getattr(result, name)
        for name in ("threshold", "steps", "epochs", "cpu_minutes", "wall_minutes", "stopped_because")
    }
    found: dict[str, Any] = {"checkpoint": str(checkpoint), **took}
    if labelled.test:
        say(f"Scoring {len(labelled.test)} test images ...")
        found["test"] = score(result, settings, labelled.test, tolerance_px)
    else:
        say(f"{labelled.name} has no test images: nothing was scored.")
    show = {**found, **{f"test {name}": value for name, value in found.get("test", {}).items()}}
    say_table(
        ["Measure", "Value"], [[name, value] for name, value in show.items() if not isinstance(value, dict)]
    )
    write_json(json, {**found, "settings": asdict(settings), "history": result.history})


def score(
    result: "TrainResult", settings: "TrainSettings", pairs: "Sequence[LabelledImage]", tolerance_px: float
) -> dict[str, Any]:
    """`MEASURES` of a trained network at its threshold, and those of its classes, pooled over the images."""
    from engine.benchmark import class_scores, sweep_pairs
    from engine.inference import InferenceSettings, predict_probability_map

    # as the threshold was chosen
    inference = InferenceSettings(
        working_scale=settings.working_scale, device=settings.device, bf16=settings.bf16
    )
    (counts,) = sweep_pairs(
        pairs, lambda image: predict_probability_map(result.model, image, inference),
        [result.threshold], tolerance_px, classes=result.model.classes,
    )  # fmt: skip
    classes = class_scores(
        result.model, pairs, lambda model, image: predict_probability_map(model, image, inference)
    )
    return {"images": len(pairs)} | {name: getattr(counts, name) for name in MEASURES} | classes


def make_settings(
    preset: str, model: str | None, limits: dict[str, Any], options: list[str], others: dict[str, Any]
) -> "TrainSettings":
    """A preset, changed by what was typed.

    Args:
        preset: its name.
        model: `[LOSS+]MODEL[:option=value...]`; None leaves the preset's.
        limits: those that are not None take the place of the preset's.
        options: `setting=value`, or `loss.option=value`; values as in JSON, or plain words.
        others: settings by name.

    Raises:
        SettingsError: no such preset, network, loss, setting or value.
    """
    from engine.benchmarking.plan import parse_method
    from engine.errors import SettingsError
    from engine.presets import preset_settings
    from engine.train_settings import kinds_of

    method = None if model is None else parse_method(model)
    settings = preset_settings(preset, method.model if method else None)
    changes = dict(others)
    if any(value is not None for value in limits.values()):
        changes |= {**dict.fromkeys(LIMITS), **limits}
    if method is not None:
        changes["model_options"] = dict(method.options)
        if method.loss is not None and method.loss != settings.objective:
            changes |= {"objective": method.loss, "objective_options": {}}
    known = {field.name: kinds_of(field.type) for field in fields(settings)}
    loss_options: dict[str, Any] = {}
    for text in options:
        name, equals, value = text.partition("=")
        place = loss_options if name.startswith("loss.") else changes
        name = name.removeprefix("loss.")
        if not equals or (place is changes and name not in known):
            raise SettingsError(
                f"{text!r} is no option.", f"Write setting=value; settings: {', '.join(sorted(known))}."
            )
        named = place is changes and str in known[name]  # a name may be "none", or look like a number
        place[name] = value if named else _read(value)
    if loss_options:
        changes["objective_options"] = {**settings.objective_options, **loss_options}
    return replace(settings, **changes)


def _read(value: str) -> Any:
    try:
        return json_format.loads(value)
    except ValueError:
        return None if value.lower() == "none" else value


@contextmanager
def progress_bar() -> Iterator["OnStep"]:
    """A bar with the loss and the time left, on standard error: results may go to the other."""
    from app.components.text import duration

    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(), TextColumn("{task.fields[left]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("Starting", total=1.0, left="")

        def on_step(done: int, total: int | None, loss: float, minutes_left: float) -> None:
            spent = (progress.tasks[0].elapsed or 0) / 60
            left = "" if minutes_left == float("inf") else f"{duration(60 * minutes_left)} left"
            of = "" if total is None else f" of {total}"
            progress.update(
                bar,
                completed=spent / max(spent + minutes_left, 1e-9),
                description=f"Step {done}{of}, loss {loss:.3f}",
                left=left,
            )

        yield on_step
