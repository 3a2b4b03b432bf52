"""`pavescope`: everything the pages do, without a browser."""

import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from app.cli.adapt import HELP as ADAPT_HELP
from app.cli.adapt import adapt
from app.cli.audit import audit_app
from app.cli.benchmark import HELP as BENCHMARK_HELP
from app.cli.benchmark import benchmark
from app.cli.camera import camera_app
from app.cli.checkpoint_registry import checkpoints_app
from app.cli.export import export
from app.cli.jobs import jobs_app
from app.cli.models import models_app
from app.cli.networks import network_app
from app.cli.output import JsonFile, say, write_json
from app.cli.plan import plan
from app.cli.report import report
from app.cli.survey import survey_app
from app.cli.train import HELP as TRAIN_HELP
from app.cli.train import train
from app.cli.treatments import curves, treatments_app
from engine.errors import EngineError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Pavement monitoring from survey photos: crack maps, measurements and densities per section.\n\n"
    "Start with `pavescope up`: it makes a sample survey and prints the address of the page.",
)
app.add_typer(network_app, name="network")
app.add_typer(survey_app, name="survey")
app.add_typer(camera_app, name="camera")
app.add_typer(jobs_app, name="jobs")
app.command(help=ADAPT_HELP)(adapt)
app.command(help=BENCHMARK_HELP)(benchmark)
app.command(help=TRAIN_HELP)(train)
app.command()(plan)
app.command()(report)
app.command()(export)
app.command()(curves)
app.add_typer(treatments_app, name="treatments")
app.add_typer(audit_app, name="audit")
app.add_typer(models_app, name="models")
app.add_typer(checkpoints_app, name="checkpoints")

GOES_ON = {
    "adapt": "the same command with --resume goes on with the adaptation that it saved",
    "train": "the same command with --resume goes on with the training that it saved",
    "benchmark": "the same command goes on where it was",
}
"""What becomes of a command that Ctrl-C stopped; of all others queued work stays queued."""
STOPPED_BY_HAND = 130

CheckpointOption = Annotated[
    str, typer.Option(help="Name of a registered checkpoint, or a .safetensors file.", show_default=True)
]


@app.command()
def up(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port (default: first free from 8501).")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Photos analysed at once.")] = 1,
    sample: Annotated[bool, typer.Option(help="Make the sample survey where there is no survey yet.")] = True,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser if there is one.")] = True,
) -> None:
    """Start the page and its workers; Ctrl-C stops everything, and the next start goes on with open work."""
    from app import actions
    from app.up import up as run
    from db import reports
    from db.session import reading

    if host not in ("127.0.0.1", "localhost"):
        say(
            f"Anybody who reaches {host} can use this installation: there is no sign-in yet. "
            "Put it behind a proxy that signs people in."
        )

    def before() -> None:
        actor = actions.local_actor()
        with reading() as session:
            fresh = not reports.has_survey(session, actor.agency_id)
        if sample and fresh:
            actions.request_sample(actor)

    def on_ready(address: str) -> None:
        say(f"Pavescope is ready: {address}  (Ctrl-C stops it)")
        if browser and sys.stdout.isatty():
            webbrowser.open(address)

    run(host, port, workers, on_ready=on_ready, before=before)
    say("Stopped.")


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema (`up` does it by itself)."""
    from db.migrate import migrate as run
    from db.settings import get_settings

    get_settings().root.mkdir(parents=True, exist_ok=True)
    run()
    say("The database is up to date.")


@app.command()
def demo(
    out: Annotated[
        Path | None, typer.Option(help="Only write the sample's files (photos, network, truth) here.")
    ] = None,
    json: JsonFile = None,
) -> None:
    """Make the sample: 3 fictional roads and 2 surveys a year apart, imported and analysed."""
    if out is not None:
        from engine.sample import SAMPLE_SEED, write_sample

        write_sample(out, SAMPLE_SEED)
        say(f"The sample's files are in {out}.")
        write_json(json, {"folder": str(out)})
        return
    from app import actions
    from app.cli import work
    from db import reports
    from db.session import reading

    actor = work.ready()
    job_id = actions.request_sample(actor)
    work.follow(job_id)
    with reading() as session:
        analyses = reports.open_jobs(session, actor.agency_id)
    for analysis_id in analyses:
        work.follow(analysis_id)
    write_json(json, {"jobs": [job_id, *analyses]})


@app.command()
def segment(
    images: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    out: Annotated[Path, typer.Option(help="Folder for NAME_mask.png and NAME_probability.png.")],
    checkpoint: CheckpointOption = "base",
    json: JsonFile = None,
) -> None:
    """Segment photos without a database: masks (0 or 255) and probability maps (0 to 255) as PNG."""
    from app.cli.engine import segment_images

    write_json(json, segment_images(images, out, checkpoint))


@app.command()
def evaluate(
    data_dir: Annotated[
        Path, typer.Argument(help="Folder with images/ and masks/ (same names), or a data set as published.")
    ],
    checkpoint: CheckpointOption = "base",
    tolerance_px: Annotated[float, typer.Option(min=0, help="Distance that still counts as a hit.")] = 2.0,
    layout: Annotated[
        str | None, typer.Option(help="How the data set lies (docs/data_sets.md); recognised if not given.")
    ] = None,
    split: Annotated[str, typer.Option(help="Images to score: train, validation, test or all.")] = "all",
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Probability of a crack, in place of the checkpoint's.")
    ] = None,
    patch_px: Annotated[
        int | None, typer.Option(min=1, help="Predict by overlapping patches of that side (slow).")
    ] = None,
    stride_px: Annotated[int, typer.Option(min=1, help="Distance of the patches.")] = 1,
    json: JsonFile = None,
) -> None:
    """Score a checkpoint against labelled masks: pooled precision, recall, F1 and IoU.

    Strict figures count pixels; tolerant ones count predictions within the tolerance of the truth and
    truth within it of a prediction. Both at the checkpoint's own threshold, and at the best of a sweep.
    """
    from app.cli.engine import evaluate_folder

    scores = evaluate_folder(
        data_dir, checkpoint, tolerance_px, threshold,
        layout=layout, split=split, patch_px=patch_px, stride_px=stride_px,
    )  # fmt: skip
    write_json(json, scores)


def main() -> None:
    """Run a command; an error a person can act on is one plain message and exit code 1."""
    try:
        app()
    except EngineError as problem:
        say(f"Error: {problem.what} {problem.remedy}", error=True)
        sys.exit(1)
    except (OSError, SQLAlchemyError, ValidationError) as problem:
        # The file system, the database and the settings say best themselves what is wrong with them.
        say(f"Error: {str(problem).splitlines()[0]}. Check the path or the PAVESCOPE_ settings.", error=True)
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as end:  # typer makes of the one the other
        if isinstance(end, SystemExit) and end.code != STOPPED_BY_HAND:
            raise
        command = next((word for word in sys.argv[1:] if word in GOES_ON), "")
        say(f"Interrupted; {GOES_ON.get(command, 'queued work stays queued')}.", error=True)
        sys.exit(STOPPED_BY_HAND)
