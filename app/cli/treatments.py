"""`pavescope treatments …`"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from app.cli.output import JsonFile, say, say_table, write_json

if TYPE_CHECKING:
    from engine.treatments import Treatment

treatments_app = typer.Typer(
    no_args_is_help=True, help="Treatments with their costs and effects: list, export, import, delete sets."
)
Table = TypeVar("Table")
SetName = Annotated[str, typer.Argument(help="Name of the set.")]


@treatments_app.command("list")
def list_all(json: JsonFile = None) -> None:
    """The ready sets and your agency's own."""
    from app.cli import work
    from db import plan_store
    from db.session import reading
    from engine.plan_request import treatments_to_values

    actor = work.ready()
    with reading() as session:
        sets = plan_store.treatment_sets(session, actor.agency_id)
    say_table(
        ["Set", "Treatments", "Without cost", "Kind", "Version", "Saved"],
        [
            [
                one["name"],
                len(one["treatments"]),
                sum(treatment.unit_cost is None for treatment in one["treatments"]),
                "ready" if one["ready"] else "own",
                None if one["ready"] else one["version"],
                one["updated_at"] and f"{one['updated_at']:%Y-%m-%d %H:%M} UTC",
            ]
            for one in sets
        ],
    )
    write_json(json, [one | {"treatments": treatments_to_values(one["treatments"])} for one in sets])


@treatments_app.command("export")
def export(
    out: Annotated[Path, typer.Option(help="CSV file to write.", dir_okay=False)],
    name: Annotated[str, typer.Option("--set", help="Name of a set.")] = "US city averages",
) -> None:
    """Write a set as CSV, to be edited and given to `plan`, or imported."""
    from app.cli import work
    from db import plan_store
    from db.session import reading
    from engine.errors import SettingsError
    from engine.treatments import treatments_to_csv

    actor = work.ready()
    with reading() as session:
        found = plan_store.find_treatments(session, actor.agency_id, name)
    if out.exists():
        raise SettingsError(f"{out} exists already.", "Name another file: edited costs are not overwritten.")
    out.write_text(treatments_to_csv(found), encoding="utf-8")
    say(f"{len(found)} treatments are in {out}.")


@treatments_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV file.", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="Name of the set; an own one of that name is replaced.")],
) -> None:
    """Save treatments from CSV as a set of your agency's own."""
    from app import plan_actions
    from app.cli import work
    from db import plan_store
    from db.session import reading

    actor = work.ready()
    found = read_treatments(file)
    with reading() as session:
        sets = plan_store.treatment_sets(session, actor.agency_id)
    versions = [one["version"] for one in sets if one["name"] == name and not one["ready"]]
    version = plan_actions.save_treatments(actor, name, found, versions[0] if versions else None)
    without = sum(treatment.unit_cost is None for treatment in found)
    missing = f"; {without} have no unit cost yet, which a plan needs" if without else ""
    say(f"{len(found)} treatments are saved as {name!r}, version {version}{missing}.")


@treatments_app.command("delete")
def delete(name: SetName) -> None:
    """Delete one of your agency's own sets; plans keep the treatments that they were made with."""
    from app import plan_actions
    from app.cli import work

    plan_actions.delete_treatments(work.ready(), name)
    say(f"The set {name!r} is deleted.")


def read_treatments(file: Path) -> "tuple[Treatment, ...]":
    """Read a set from CSV.

    Raises:
        SettingsError: names the file, the row and the remedy.
    """
    from engine.treatments import treatments_from_csv

    return read_csv(file, treatments_from_csv)


def read_csv(file: Path, read: Callable[[str], Table]) -> Table:
    """What `read` makes of a file's text; its errors name the file.

    Raises:
        SettingsError: names the file, the row and the remedy.
    """
    from engine.errors import SettingsError

    try:
        return read(file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as problem:
        raise SettingsError(f"{file} is not UTF-8 text.", "Save it as CSV in UTF-8.") from problem
    except SettingsError as problem:
        raise SettingsError(f"{file}: {problem.what}", problem.remedy) from problem


def curves(
    out: Annotated[Path, typer.Argument(help="CSV file to write.", dir_okay=False)],
    network: Annotated[
        str | None, typer.Option(help="Name of a network: only its classes and surfaces.")
    ] = None,
) -> None:
    """Write how fast roads are assumed to age, as CSV, to be edited and given to `plan --curves`."""
    from app.cli import work
    from db.plan_queries import classes_and_surfaces
    from db.queries import find_network
    from db.session import reading
    from engine.curve_table import USUAL, curves_to_csv
    from engine.deterioration import assumed_rows
    from engine.errors import SettingsError

    wanted = list(USUAL)
    if network is not None:
        actor = work.ready()
        with reading() as session:
            found = find_network(session, actor.agency_id, network)
            if found is None:
                raise SettingsError(f"There is no network named {network!r}.", "See: pavescope network list")
            wanted = classes_and_surfaces(session, found.id)
    rows = assumed_rows(wanted)
    if out.exists():
        raise SettingsError(f"{out} exists already.", "Name another file: edited rows are not overwritten.")
    out.write_text(curves_to_csv(rows), encoding="utf-8")
    say(f"{len(rows)} assumed curves are in {out}; life_years is the years until 37 of 100 points are left.")
