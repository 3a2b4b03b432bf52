"""`pavescope audit …`"""

from typing import Annotated, Any

import typer

from app.cli.output import JsonFile, say, say_table, write_json
from engine.errors import SettingsError

audit_app = typer.Typer(
    no_args_is_help=True,
    help="Blind audits: random tiles that people judge without the model's answer, on the page Audit.",
)

AuditId = Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="Number of the audit.")]
FIGURES = ("precision", "recall", "accept_rate", "missed_rate")


@audit_app.command()
def draw(
    survey: Annotated[str, typer.Argument(help="Name of an analysed survey.")],
    tiles: Annotated[int, typer.Option(help="How many tiles people will judge.")] = 60,
    tile_px: Annotated[int, typer.Option(help="Greatest side of a tile.")] = 256,
    seed: Annotated[int | None, typer.Option(help="Of the draw (default: by chance).")] = None,
    may_train: Annotated[
        bool, typer.Option("--may-train", help="The agency allows the answers to be used for training.")
    ] = False,
    json: JsonFile = None,
) -> None:
    """Draw a random sample of tiles from the analysis that a survey shows."""
    from app import actions, audit_actions
    from app.cli import work

    actor = work.ready()
    survey_id = actions.survey_id_of(actor, survey)
    if survey_id is None:
        raise SettingsError(f"There is no survey named {survey!r}.", "See: pavescope survey list")
    number = audit_actions.draw_sample(
        actor, survey_id, tiles=tiles, tile_px=tile_px, seed=seed, may_train=may_train
    )
    found = _described(actor.agency_id, number)
    say(f"Audit {number}: {found['tiles']} tiles wait on the page Audit.")
    write_json(json, found)


@audit_app.command()
def show(
    number: Annotated[
        int | None, typer.Argument(min=1, max=2**63 - 1, help="Number of the audit; without it, all.")
    ] = None,
    json: JsonFile = None,
) -> None:
    """How far an audit is; its figures when all tiles are judged; whether a signed record is unchanged."""
    from app import audit_data
    from app.cli import work

    agency_id = work.ready().agency_id
    if number is None:
        every = [_plain(sample) for sample in audit_data.samples(agency_id)]
        columns = ("id", "survey", "checkpoint", "tiles", "done", "signed_name", "signed_at")
        say_table(
            ["Audit", "Survey", "Checkpoint", "Tiles", "Done", "Signed by", "Signed at"],
            [[sample[column] for column in columns] for sample in every],
        )
        write_json(json, every)
        return
    found = _described(agency_id, number)
    _say_figures(found)
    write_json(json, found)


@audit_app.command()
def sign(
    number: AuditId,
    name: Annotated[str, typer.Option(help="Your full name.")],
    json: JsonFile = None,
) -> None:
    """Sign a finished audit; nothing of it changes afterwards."""
    from app import audit_actions
    from app.cli import work

    actor = work.ready()
    audit_actions.sign_sample(actor, number, name)
    found = _described(actor.agency_id, number)
    _say_figures(found)
    write_json(json, found)


def _plain(sample: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in sample.items() if key != "survey_id"}


def _described(agency_id: int, number: int) -> dict[str, Any]:
    """A sample with `figures` (None before all tiles are judged) and `unchanged` (None before signing)."""
    from app import audit_data
    from app.audit_record import figures_of
    from engine.audit import verify_record

    found = audit_data.samples(agency_id, sample_id=number)
    if not found:
        raise SettingsError(f"There is no audit {number}.", "See: pavescope audit show")
    sample, record = found[0], found[0]["record"]
    figures = record["figures"] if record else None
    if record is None and sample["done"] == sample["tiles"]:
        figures = figures_of(audit_data.tiles(agency_id, number))
    unchanged = verify_record(record, sample["record_hash"]) if record else None
    return {**_plain(sample), "figures": figures, "unchanged": unchanged}


def _say_figures(found: dict[str, Any]) -> None:
    say(
        f"Audit {found['id']} of {found['survey']}, checkpoint {found['checkpoint']}: "
        f"{found['done']} of {found['tiles']} tiles are done."
    )
    if found["figures"] is None:
        say("The figures come when all are: open the page Audit.")
        return
    say_table(
        ["Figure", "Value", "From", "To", "Tiles"],
        [
            [name, *(found["figures"][name][key] for key in ("value", "low", "high", "tiles"))]
            for name in FIGURES
        ],
    )
    say(f"{found['figures']['unsure']} tiles were unsure and are in no figure.")
    if found["unchanged"] is None:
        say(f'Not signed yet: pavescope audit sign {found["id"]} --name "Your Name"')
    elif found["unchanged"]:
        say(f"Signed by {found['signed_name']}; the record is unchanged: SHA-256 {found['record_hash']}")
    else:
        say("The record was changed after it was signed. Do not rely on it.", error=True)
        raise typer.Exit(1)
