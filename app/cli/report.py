"""`pavescope report`: from a folder of photos to the priority report, in one command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.output import JsonFile, say, write_json

if TYPE_CHECKING:
    from app.actions import Actor


def report(
    photos: Annotated[Path, typer.Argument(help="A folder or a zip of photos on this machine.", exists=True)],
    network: Annotated[
        str, typer.Option(help="Name of a network, or a GIS file of one: it is imported under its own name.")
    ],
    out: Annotated[Path, typer.Option(help="PDF file to write.", dir_okay=False)],
    name: Annotated[
        str | None, typer.Option(help="Name of the survey (default: that of the folder).")
    ] = None,
    ahead: Annotated[
        bool, typer.Option("--ahead", help="The camera looks ahead: find it from the photos themselves.")
    ] = False,
    camera: Annotated[str | None, typer.Option(help="Name of a saved camera profile.")] = None,
    gsd: Annotated[float | None, typer.Option(help="mm per pixel of a camera looking straight down.")] = None,
    lane_width: Annotated[float, typer.Option(help="Width of the surveyed lane in m, for --ahead.")] = 3.6,
    budget: Annotated[float | None, typer.Option(help="Money a year (default: no limit).")] = None,
    years: Annotated[int, typer.Option(help="Years of the plan, 1 to 30.")] = 5,
    treatments: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Treatments as CSV, in place of a set.")
    ] = None,
    currency: Annotated[str, typer.Option(help="Of all money.")] = "USD",
    paper: Annotated[str, typer.Option(help="A4 or Letter.")] = "A4",
    json: JsonFile = None,
) -> None:
    """Import photos, analyse them, plan maintenance and write the PDF.

    What an earlier run of the same command has done is not done again.
    """
    from app.cli import work
    from app.cli.export import export
    from app.cli.plan import chosen_tables, make_and_say
    from app.cli.survey import analyse
    from app.plan_actions import READY_SET
    from engine.errors import SettingsError

    if ahead + (camera is not None) + (gsd is not None) != 1:
        raise SettingsError(
            "It is not said how the camera sees the road.",
            "Give one of --ahead, --camera NAME and --gsd MM_PER_PIXEL: a plan needs metres.",
        )
    actor = work.ready()
    survey = name or photos.stem
    over = _network(actor, network)
    survey_id = _survey(actor, photos, survey, over, gsd)
    if gsd is None:
        _camera(actor, survey_id, survey, camera, lane_width)
    analyse(survey, wait=True)
    planned = f"Plan for {out.name}"
    chosen = {
        "name": planned,
        "years": years,
        "yearly_budget": budget,
        "currency": currency,
        **chosen_tables(READY_SET, treatments),
    }
    make_and_say(over, survey, chosen, reuse=True)
    export(survey, out, "pdf", plan=planned, paper=paper)
    write_json(json, {"survey": survey, "network": over, "plan": planned, "file": str(out)})


def _network(actor: "Actor", given: str) -> str:
    """Name of the network; imported first where a file is given and no network has its name."""
    from app import network_data
    from app.cli.networks import import_network

    file = Path(given)
    if not file.is_file():
        return given
    if file.stem in [row["network"] for row in network_data.list_networks(actor.agency_id)]:
        say(f"The network {file.stem!r} is there already.")
    else:
        import_network(file, file.stem)
    return file.stem


def _survey(actor: "Actor", photos: Path, name: str, network: str, gsd: float | None) -> int:
    """Id of the survey; made, and its photos imported, where that was not done yet."""
    from app import actions
    from app.cli.survey import import_survey
    from db.queries import count_images
    from db.session import reading

    survey_id = actions.survey_id_of(actor, name)
    if survey_id is None:
        form = actions.SurveyForm(name=name, network=network, gsd_mm_per_px=gsd)
        survey_id = actions.create_survey(actor, form)
    with reading() as session:
        there = count_images(session, survey_id)
    if there:
        say(f"The survey {name!r} is there already, with {there} photos.")
    else:
        import_survey(photos, name)
    return survey_id


def _camera(actor: "Actor", survey_id: int, survey: str, camera: str | None, lane_width_m: float) -> None:
    """Let the survey use the camera that is named, or else one found from its photos."""
    from app.cli.camera import calibrate, use
    from db.models import Survey
    from db.session import reading

    with reading() as session:
        used: Any = session.get_one(Survey, survey_id).camera_profile_id
    if used is not None and camera is None:
        say("The survey has its camera already.")
        return
    found = camera or f"Camera of {survey}"[:200]
    if camera is None:
        calibrate(survey, found, lane_width_m)
    use(survey, found)
