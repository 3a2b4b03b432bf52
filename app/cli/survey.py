"""`pavescope survey …`"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import JsonFile, say, say_table, write_json

survey_app = typer.Typer(no_args_is_help=True, help="Surveys: photos of one pass over a network.")

TrackOption = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="GPX or CSV track for photos without a position."),
]
OffsetOption = Annotated[
    float, typer.Option(help="Seconds to add to the camera's clock to get the track's time.")
]


@survey_app.command("import")
def import_survey(
    path: Annotated[Path, typer.Argument(help="A photo, a folder or a zip on this machine.")],
    name: Annotated[str, typer.Option(help="Name of the survey; an existing one gets the new photos.")],
    network: Annotated[str | None, typer.Option(help="Name of the network it runs over.")] = None,
    track: TrackOption = None,
    clock_offset: OffsetOption = 0.0,
    profile: Annotated[str | None, typer.Option(help="Camera and mounting, for the record.")] = None,
    gsd: Annotated[
        float | None,
        typer.Option(help="Ground sampling distance in mm per pixel, for a camera looking straight down."),
    ] = None,
    date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day of the survey (YYYY-MM-DD).")
    ] = None,
    json: JsonFile = None,
) -> None:
    """Check and store photos; says what was refused and why. Nothing is analysed yet."""
    from app import actions
    from app.cli import work
    from db import reports
    from db.session import reading
    from engine.errors import SettingsError
    from engine.tracks import read_track

    # Before a survey is made that would stay empty.
    if not path.exists():
        raise SettingsError(f"{path} does not exist on this machine.", "Check the path.")
    if track is not None:
        read_track(track)
    actor = work.ready()
    survey_id = actions.survey_id_of(actor, name)
    if survey_id is None:
        form = actions.SurveyForm(
            name=name,
            network=network,
            surveyed_on=date.date() if date else None,
            profile=profile,
            gsd_mm_per_px=gsd,
            clock_offset_s=clock_offset,
        )
        survey_id = actions.create_survey(actor, form)
    else:
        _refuse_changes(
            name,
            {
                "--network": network,
                "--date": date,
                "--profile": profile,
                "--gsd": gsd,
                "--clock-offset": clock_offset or None,
            },
        )
    job = work.follow(actions.request_import(actor, survey_id, path, track))
    with reading() as session:
        report = reports.preflight_report(session, survey_id)
    for row in report["refused_files"]:
        say(f"  Refused {row['name']}: {row['reason']} {row['remedy']}")
    for flag, count in report["flags"].items():
        say(f"  {count} photos: {flag.replace('_', ' ')}")
    write_json(json, {"survey": name, "job": job["id"], **report})


def _refuse_changes(name: str, options: dict[str, Any]) -> None:
    """A survey keeps what it was made with: its results depend on it."""
    from engine.errors import SettingsError

    if given := [option for option, value in options.items() if value is not None]:
        raise SettingsError(
            f"The survey {name!r} exists, and {', '.join(given)} cannot change it.",
            "Leave them out to add photos to it, or choose another --name.",
        )


@survey_app.command("list")
def list_surveys(json: JsonFile = None) -> None:
    """All surveys with their photos and results."""
    from app.cli import work
    from db import reports
    from db.session import reading

    agency_id = work.ready().agency_id
    with reading() as session:
        surveys = reports.list_surveys(session, agency_id)
    say_table(
        ["Survey", "Network", "Date", "Photos", "Analysed", "Failed", "Checkpoint"],
        [list(survey.values()) for survey in surveys],
    )
    write_json(json, surveys)


@survey_app.command()
def preflight(
    path: Annotated[Path, typer.Argument(help="A photo, a folder or a zip on this machine.")],
    network: Annotated[str | None, typer.Option(help="Also say which photos are off this network.")] = None,
    track: TrackOption = None,
    clock_offset: OffsetOption = 0.0,
    json: JsonFile = None,
) -> None:
    """Check photos without keeping anything: what would be accepted, refused, and why."""
    from app.cli.engine import preflight_report

    report = preflight_report(path, network, track, clock_offset)
    say(report["text"])
    for problem in report["problems"]:
        examples = ", ".join(problem["examples"])
        say(f"  {problem['text']} ({examples}) {problem['remedy']}")
    write_json(json, report)


@survey_app.command()
def analyse(
    name: Annotated[str, typer.Argument(help="Name of the survey.")],
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Name of a registered checkpoint, or a .safetensors file (default: in force)."),
    ] = None,
    standard: Annotated[
        str | None,
        typer.Option(
            help="Standard of crack severity: D6433 or LTPP, or a name for your own thresholds "
            "(default: that of the analysis which is shown, D6433 at first)."
        ),
    ] = None,
    low_below_mm: Annotated[
        float | None, typer.Option(help="Your own standard: narrower cracks are low (with --high-above-mm).")
    ] = None,
    high_above_mm: Annotated[
        float | None, typer.Option(help="Your own standard: wider cracks are high.")
    ] = None,
    spalled_above_mm: Annotated[
        float | None, typer.Option(help="Your own standard: wider cracks of alligator cracking are spalled.")
    ] = None,
    spalled_share_high: Annotated[
        float | None,
        typer.Option(help="Your own standard: alligator cracking is high from this spalled share (0-1) on."),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until it has ended.")] = False,
    json: JsonFile = None,
) -> None:
    """Segment and measure every photo that has no result yet, on the road if the camera is known."""
    from app import actions
    from app.cli import work
    from db import reports
    from db.session import reading

    actor = work.ready()
    survey_id = actions.survey_id_of(actor, name)
    if survey_id is None:
        say(f"There is no survey named {name!r}. See: pavescope survey list", error=True)
        raise typer.Exit(1)
    thresholds = {
        "low_below_mm": low_below_mm,
        "high_above_mm": high_above_mm,
        "spalled_above_mm": spalled_above_mm,
        "spalled_share_high": spalled_share_high,
    }
    severity = _severity_standard(standard, thresholds)
    job_id = actions.request_analysis(actor, survey_id, checkpoint, severity)
    result: dict[str, Any] = {"survey": name, "job": job_id}
    if wait:
        job = work.follow(job_id)
        with reading() as session:
            result |= {"state": job["state"], **reports.analysis_counts(session, survey_id)}
    elif not work.workers_run():
        say(f"Job {job_id} is queued; no worker runs. Start one with `pavescope up`, or use --wait.")
    else:
        say(f"Job {job_id} is queued. Watch it with: pavescope jobs show {job_id}")
    write_json(json, result)


def _severity_standard(name: str | None, thresholds: dict[str, float | None]) -> Any:
    """The name of a standard, the values of an agency's own, or None where nothing is asked for."""
    from engine.errors import SettingsError

    given = {threshold: value for threshold, value in thresholds.items() if value is not None}
    if not given:
        return name
    if not {"low_below_mm", "high_above_mm"} <= given.keys():
        raise SettingsError(
            "Your own thresholds of severity are not complete.",
            "Give both --low-below-mm and --high-above-mm.",
        )
    return {"name": "own thresholds" if name in (None, "D6433") else name, **given}
