"""`pavescope camera …`: how surveys' cameras see the road."""

import json as json_format
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import JsonFile, say, say_table, write_json

camera_app = typer.Typer(
    no_args_is_help=True,
    help="Camera profiles: where on the road a photo's pixels lie. They turn pixels into metres.",
)

ParameterOption = Annotated[
    list[str] | None,
    typer.Option("--parameter", "-p", help="NAME=VALUE, as often as there are values (gsd_mm_per_px=1.5)."),
]


@camera_app.command("list")
def list_profiles(json: JsonFile = None) -> None:
    """All camera profiles, every version, and the surveys that use them."""
    from app.cli import work
    from db import profiles
    from db.session import reading

    agency_id = work.ready().agency_id
    with reading() as session:
        rows = profiles.list_profiles(session, agency_id)
    say_table(
        ["Camera", "Version", "Kind", "Calibrated", "Surveys"],
        [
            [row["name"], row["version"], row["kind"], "by itself" if row["calibration"] else None,
             ", ".join(row["surveys"]) or None]
            for row in rows
        ],
    )  # fmt: skip
    write_json(json, rows)


@camera_app.command()
def save(
    name: Annotated[str, typer.Argument(help="Name of the camera; an existing one gets a new version.")],
    kind: Annotated[str, typer.Option(help="downward or forward.")],
    parameter: ParameterOption = None,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="JSON object of the same values.")
    ] = None,
    json: JsonFile = None,
) -> None:
    """Save a camera profile; the values are in docs/guide/cameras.md."""
    from app import profile_actions
    from app.cli import work

    values = {**_read(file), **dict(_parsed(text) for text in parameter or [])}
    profile_id = profile_actions.save_profile(work.ready(), name, kind, values)
    _say_saved(profile_id, json)


@camera_app.command()
def use(
    survey: Annotated[str, typer.Argument(help="Name of the survey.")],
    name: Annotated[str | None, typer.Argument(help="Name of the camera; none takes it off.")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Version (default: the newest).")] = None,
    json: JsonFile = None,
) -> None:
    """Measure a survey's next analyses by a camera profile."""
    from app import profile_actions
    from app.cli import work
    from db import profiles
    from db.session import reading

    actor = work.ready()
    profile_id = None
    if name is not None:
        with reading() as session:
            found = profiles.find_profile(session, actor.agency_id, name, version)
            profile_id, version = found.id, found.version
    profile_actions.use_profile(actor, _survey_id(actor, survey), profile_id)
    say(f"{survey} has no camera profile." if name is None else f"{survey} uses {name}, version {version}.")
    say("It counts from the next analysis on: pavescope survey analyse")
    write_json(json, {"survey": survey, "profile": profile_id, "version": version})


@camera_app.command()
def calibrate(
    survey: Annotated[str, typer.Argument(help="Name of the survey; its camera looks ahead.")],
    name: Annotated[str | None, typer.Option(help="Name of the camera (default: after the survey).")] = None,
    lane_width: Annotated[float, typer.Option(help="Width of the surveyed lane in m.")] = 3.6,
    focal_px: Annotated[float | None, typer.Option(help="Focal length in pixels, if known.")] = None,
    json: JsonFile = None,
) -> None:
    """Find a forward camera from the survey's own photos, with its uncertainty; no survey uses it yet."""
    from app import profile_actions
    from app.cli import work

    actor = work.ready()
    job_id = profile_actions.request_calibration(
        actor, _survey_id(actor, survey), name or f"Camera of {survey}"[:200],
        lane_width_m=lane_width, focal_px=focal_px,
    )  # fmt: skip
    job = work.follow(job_id)
    _say_saved(job["parameters"]["made_id"], json)


def _say_saved(profile_id: int, json: Path | None) -> None:
    from app.cli import work
    from db import profiles
    from db.session import reading

    agency_id = work.ready().agency_id
    with reading() as session:
        saved = profiles.get_profile(session, agency_id, profile_id)
    report: dict[str, Any] = saved.calibration or {}
    spread = report.get("uncertainty", {})
    rows = [
        [key, json_format.dumps(value) if isinstance(value, list) else value, spread.get(key)]
        for key, value in saved.parameters.items()
        if value is not None
    ]
    say_table(["Value", "Is", "One sigma"], rows)
    for note in report.get("notes", []):
        say(f"  {note}")
    say(
        f"{saved.name}, version {saved.version}, is saved. Use it: pavescope camera use SURVEY {saved.name!r}"
    )
    write_json(
        json,
        {"profile": saved.id, "name": saved.name, "version": saved.version, "kind": saved.kind,
         "parameters": saved.parameters, "calibration": saved.calibration},
    )  # fmt: skip


def _survey_id(actor: Any, name: str) -> int:
    from app import actions
    from engine.errors import SettingsError

    survey_id = actions.survey_id_of(actor, name)
    if survey_id is None:
        raise SettingsError(f"There is no survey named {name!r}.", "See: pavescope survey list")
    return survey_id


def _read(file: Path | None) -> dict[str, Any]:
    from engine.errors import SettingsError

    if file is None:
        return {}
    try:
        values = json_format.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as problem:
        raise SettingsError(f"{file} is not JSON: {problem}.", "Write one JSON object into it.") from problem
    if not isinstance(values, dict):
        raise SettingsError(f"{file} holds no JSON object.", 'Write it as {"gsd_mm_per_px": 1.5, ...}.')
    return values


def _parsed(text: str) -> tuple[str, Any]:
    """NAME=VALUE; the value is JSON where it can be read as that (numbers, lists), else text."""
    from engine.errors import SettingsError

    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise SettingsError(f"{text!r} is no NAME=VALUE.", "Write for example -p height_m=1.6.")
    try:
        return name.strip(), json_format.loads(value)
    except ValueError:
        return name.strip(), value
