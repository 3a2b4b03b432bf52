"""`pavescope adapt`: fit a checkpoint to a survey's photos without a label."""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from app.cli.output import JsonFile, say, say_table, write_json

if TYPE_CHECKING:
    from app.actions import Actor
    from engine.adaptation import Adaptation
    from engine.adaptation_photos import SurveyPhoto
    from engine.adaptation_state import OnProgress, Progress
    from engine.pavement import RgbImage

LOCK = "lock"
KEYS = (
    "checkpoint", "accepted", "reasons", "threshold", "working_scale", "minutes", "images", "steps", "stages",
    "gate", "drift", "seed",
)  # fmt: skip
HELP = (
    "Fit a checkpoint to photos without a label: a folder of photos, or a survey by its name.\n\n"
    "The result is registered under NAME with the gate's verdict; `evaluate` and `segment` take it with "
    "--checkpoint NAME, `pavescope checkpoints promote NAME` makes it the one that new analyses use. An "
    "adaptation that was stopped goes on with --resume, or begins anew with --fresh.\n\n"
    "Example: pavescope adapt photos/ --name our-camera --json -"
)


def adapt(
    photos: Annotated[str, typer.Argument(help="Folder of photos, or the name of a survey.")],
    name: Annotated[str, typer.Option(help="Of the new checkpoint.")],
    base: Annotated[
        str | None, typer.Option(help="Checkpoint to start from; by default the one that analyses use.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Network to train from nothing, in place of the base's.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.1, max=240, help="Planned for two CPU cores.")] = 15.0,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 0,
    regions: Annotated[
        Path | None, typer.Option(help="Folder with NAME.png: white where a photo of that name is judged.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the adaptation of that name.")] = False,
    fresh: Annotated[
        bool, typer.Option(help="Begin anew where one of that name was stopped: what it did is removed.")
    ] = False,
    json: JsonFile = None,
) -> None:
    from app import actions, checkpoint_actions
    from app.cli import work
    from engine.errors import EngineError, SettingsError

    if resume and fresh:
        raise SettingsError("--resume goes on and --fresh begins anew.", "Give one of them.")
    actor = work.ready()
    folder = Path(photos)
    if folder.is_dir():
        found = _adapt_folder(actor, folder, name, base, model, minutes, seed, regions, resume, fresh)
    else:
        survey_id = actions.survey_id_of(actor, photos)
        if regions is not None:
            raise SettingsError("--regions goes with a folder of photos.", "Leave it out for a survey.")
        if survey_id is None:
            raise SettingsError(
                f"{photos!r} is neither a folder nor a survey.",
                "See: pavescope survey list, or name a folder.",
            )
        job_id = (
            _stopped_job(actor, survey_id, name)
            if resume
            else checkpoint_actions.request_adaptation(
                actor, survey_id, name, base=base or "", model=model, minutes=minutes, seed=seed
            )
        )
        try:
            work.follow(job_id)
        except EngineError:
            write_json(json, {key: _refused_by(job_id).get(key) for key in KEYS})
            raise
        found = _made_by(job_id)
    _show(found)
    write_json(json, {key: found.get(key) for key in KEYS})
    if found["checkpoint"] is None:
        raise typer.Exit(1)


def _stopped_job(actor: "Actor", survey_id: int, name: str) -> int:
    """The job of a survey's adaptation of that name, which goes on, or waits, after this.

    Raises:
        SettingsError: there is none, or it has made its checkpoint.
    """
    from sqlalchemy import select

    from app import actions
    from db.models import Job
    from db.session import reading
    from engine.errors import SettingsError
    from engine.vocabulary import JobKind, JobState

    with reading() as session:
        jobs = session.scalars(
            select(Job)
            .where(Job.survey_id == survey_id, Job.kind == JobKind.ADAPT_SURVEY)
            .order_by(Job.id.desc())
        )
        job = next((job for job in jobs if job.parameters["name"] == name), None)
    if job is None or job.state == JobState.SUCCEEDED:
        raise SettingsError(f"There is no adaptation {name!r} to go on with.", "Leave out --resume.")
    if job.state in (JobState.FAILED, JobState.CANCELLED):
        actions.retry_job(actor, job.id)
    return job.id


def _made_by(job_id: int) -> dict[str, Any]:
    """What an adaptation of a survey made, and its report."""
    from db.models import Checkpoint, Job
    from db.session import reading

    with reading() as session:
        made = session.get_one(Checkpoint, session.get_one(Job, job_id).parameters["made_id"])
        return {**made.report, "checkpoint": made.name}


def _refused_by(job_id: int) -> dict[str, Any]:
    """What a failed job says of the photos that it refused; else its error as the reason."""
    from db.models import Job
    from db.session import reading

    with reading() as session:
        job = session.get_one(Job, job_id)
        refused = job.parameters.get("refused") or {}
        if refused.get("attempt") == job.attempt:
            return dict(refused)
        return {"accepted": False, "reasons": [job.error or "It was cancelled."]}


def _adapt_folder(
    actor: "Actor",
    folder: Path,
    name: str,
    base: str | None,
    model: str | None,
    minutes: float,
    seed: int,
    regions: Path | None,
    resume: bool,
    fresh: bool,
) -> dict[str, Any]:
    """Adapt here and now, and register what comes of it."""
    from db.models import Checkpoint
    from db.registry import (
        checkpoint_file,
        ensure_checkpoint,
        free_name,
        promoted_checkpoint,
        require_accepted,
    )
    from db.session import transaction
    from db.settings import get_settings
    from db.storage import get_storage
    from engine.adaptation import AdaptationSettings
    from engine.adaptation import adapt as run

    storage = get_storage()
    with transaction() as session:
        name = free_name(session, name)
        parent = (
            promoted_checkpoint(session, storage, actor.agency_id)
            if base is None
            else ensure_checkpoint(session, storage, base, actor.agency_id)
        )
        require_accepted(parent, "adapted further")
        parent_id = parent.id
    with transaction() as session:
        start = checkpoint_file(storage, session.get_one(Checkpoint, parent_id))
    with _held_state(name, resume, fresh) as state:
        with _progress_bar() as on_progress:
            adaptation = run(
                list(_photos(folder, regions)), start,
                AdaptationSettings(minutes=minutes, seed=seed, model=model, device=get_settings().device),
                name=name, folder=state, on_progress=on_progress,
            )  # fmt: skip
        made = _register(actor, name, parent_id, adaptation)
        _empty(state)
    return {"checkpoint": made, **adaptation.report}


@contextmanager
def _held_state(name: str, resume: bool, fresh: bool) -> Iterator[Path]:
    """The folder that an adaptation of that name goes on from, which no other process has until the end.

    Raises:
        SettingsError: another process has it; nothing to go on with; or a stopped one would be lost.
    """
    from db.settings import get_settings
    from engine.errors import SettingsError

    # A name may be longer than a file's name can be.
    state = get_settings().adaptations_dir / f"name-{hashlib.sha256(name.encode()).hexdigest()[:32]}"
    state.mkdir(parents=True, exist_ok=True)
    with (state / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise SettingsError(
                f"An adaptation {name!r} runs at this moment.", "Wait for its end, or choose another name."
            ) from problem
        try:
            stopped = _holds(state)
            if resume and not stopped:
                raise SettingsError(f"There is no adaptation {name!r} to go on with.", "Leave out --resume.")
            if stopped and not resume and not fresh:
                raise SettingsError(
                    f"An adaptation {name!r} was stopped, and what it did is kept.",
                    "Go on with --resume; or begin anew, with another name or with --fresh (removes it).",
                )
            if fresh:
                _empty(state)
            yield state
        finally:
            if not _holds(state):
                shutil.rmtree(state, ignore_errors=True)


def _holds(state: Path) -> bool:
    return any(path.name != LOCK for path in state.iterdir())


def _empty(state: Path) -> None:
    for path in state.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def _register(actor: "Actor", name: str, parent_id: int, adaptation: "Adaptation") -> str | None:
    from db.registry import register_checkpoint
    from db.session import transaction
    from db.storage import get_storage
    from engine.checkpoints import save_checkpoint

    if adaptation.model is None or adaptation.card is None:
        return None
    with tempfile.TemporaryDirectory(prefix="pavescope-") as place:
        file = Path(place) / "adapted.safetensors"
        save_checkpoint(file, adaptation.model, adaptation.card)
        with transaction() as session:
            register_checkpoint(
                session, get_storage(), file, agency_id=actor.agency_id, created_by=actor.user_id,
                parent_id=parent_id, accepted=bool(adaptation.report["accepted"]), report=adaptation.report,
                name=name,
            )  # fmt: skip
    return name


def _photos(folder: Path, regions: Path | None) -> Iterator["SurveyPhoto"]:
    from engine.adaptation_photos import SurveyPhoto, read_region
    from engine.archives import RefusedFile, iter_files
    from engine.errors import SettingsError
    from engine.images import load_image

    found = 0
    for file in iter_files(folder):
        if isinstance(file, RefusedFile):
            say(f"Left out: {file.name}: {file.reason}", error=True)
            continue
        region = None if regions is None else regions / f"{Path(file.name).stem}.png"
        if region is not None and not region.is_file():
            raise SettingsError(f"{file.name} has no region {region}.", "Make one, or leave out --regions.")

        def read(file: Any = file) -> "RgbImage":
            return load_image(file.read(), file.name)

        found += 1
        yield SurveyPhoto(file.name, read, None if region is None else partial(read_region, region))
    if not found:
        raise SettingsError(f"There are no photos in {folder}.", "Name a folder of photos.")


def _show(found: dict[str, Any]) -> None:
    gate = found.get("gate") or {}
    if gate:
        say_table(
            ["The gate looked at", "Passed", "Found", "Limit", "Base"],
            [
                [
                    check["words"] or check["name"],
                    "yes" if check["passed"] else "NO",
                    *(
                        "" if check[key] is None else f"{check[key]:.3f}"
                        for key in ("value", "limit", "base")
                    ),
                ]
                for check in gate["checks"]
                if not check["name"].startswith("drawn cracks, ")  # the table by width has them
            ],
        )
    for reason in found.get("reasons") or []:
        say(f"Refused: {reason}")
    if found["checkpoint"] is not None:
        verdict = "accepted" if found["accepted"] else "refused by the gate, kept to be looked at"
        say(
            f"{found['checkpoint']}: {verdict}; threshold {found['threshold']:g}, "
            f"{found['minutes']:g} minutes."
        )


@contextmanager
def _progress_bar() -> Iterator["OnProgress"]:
    """On standard error: results may go to the other."""
    from app.components.text import duration

    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(), TextColumn("{task.fields[left]}"),
    )  # fmt: skip
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("Starting", total=1.0, left="")

        def on_progress(progress: "Progress") -> None:
            left = "" if progress.seconds_left is None else f"{duration(progress.seconds_left)} left"
            loss = "" if progress.loss is None else f", loss {progress.loss:.3f}"
            bar.update(task, completed=progress.share, description=f"{progress.stage}{loss}", left=left)

        yield on_progress
