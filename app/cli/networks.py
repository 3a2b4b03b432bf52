"""`pavescope network …`"""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import JsonFile, say, say_table, write_json

network_app = typer.Typer(no_args_is_help=True, help="Road networks: sections with their geometry.")

NetworkName = Annotated[str, typer.Argument(help="Name of the network.")]
DirectionOption = Annotated[
    str | None,
    typer.Option(help="Only sections of this direction: ascending, descending or the agency's word."),
]
LaneOption = Annotated[str | None, typer.Option(help="Only sections of this lane.")]


@network_app.command("import")
def import_network(
    file: Annotated[Path, typer.Argument(help="GeoJSON, GeoPackage, shapefile or zipped shapefile.")],
    name: Annotated[str, typer.Option(help="Name of the new network.")],
    column: Annotated[
        list[str] | None,
        typer.Option(help="ATTRIBUTE=COLUMN, e.g. road=RTE; an empty COLUMN for none. May be repeated."),
    ] = None,
    chainage_unit: Annotated[
        str | None, typer.Option(help="metres, kilometres, miles or feet (default: from names and lengths).")
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Layer of a GeoPackage (default: the first of lines).")
    ] = None,
    cut_every: Annotated[
        float | None, typer.Option(help="Cut centrelines into sections of so many metres.")
    ] = None,
    sample_unit: Annotated[float, typer.Option(help="Length of sample units in metres.")] = 100.0,
    check: Annotated[bool, typer.Option("--check", help="Only say what would be imported.")] = False,
    json: JsonFile = None,
) -> None:
    """Import road sections from a GIS file, or check what an import would do."""
    from app import network_actions
    from app.cli import work

    options = network_actions.ReadOptions(
        columns=_columns(column or []), chainage_unit=chainage_unit, layer=layer, cut_every_m=cut_every
    )
    actor = work.ready()
    if check:
        read = network_actions.check_network(actor, file, options)
        sections, problems = len(read.sections), read.problems
        length_km = sum(section.length_m for section in read.sections) / 1000
        for attribute, found in read.columns.items():
            say(f"  {attribute}: {found or '–'}")
    else:
        made = network_actions.import_checked(actor, file, name, options, sample_unit_m=sample_unit)
        sections, problems, length_km = made.sections, made.problems, made.length_km
    would = " would be imported; nothing was saved" if check else ""
    say(f"Network {name!r}: {sections} sections, {length_km:.1f} km{would}.")
    for problem in problems:
        say(f"  Note: {problem}")
    write_json(
        json,
        {
            "network": name,
            "sections": sections,
            "length_km": length_km,
            "problems": problems,
            "saved": not check,
        },
    )


def _columns(given: list[str]) -> dict[str, str | None]:
    from engine.errors import SettingsError

    columns: dict[str, str | None] = {}
    for pair in given:
        attribute, equals, column = pair.partition("=")
        if not equals:
            raise SettingsError(
                f"--column {pair} is no ATTRIBUTE=COLUMN.", "Write for example --column road=RTE."
            )
        columns[attribute.strip()] = column.strip() or None
    return columns


@network_app.command("list")
def list_networks(json: JsonFile = None) -> None:
    """All networks with their sections and length."""
    from app import network_data
    from app.cli import work

    rows = network_data.list_networks(work.ready().agency_id)
    say_table(["Network", "Sections", "Length (km)", "Sample unit (m)"], [list(row.values()) for row in rows])
    write_json(json, rows)


@network_app.command("edit")
def edit(
    name: NetworkName,
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV with section_key and columns to change, e.g. aadt, surface.", dir_okay=False
        ),
    ],
    json: JsonFile = None,
) -> None:
    """Change attributes of sections by a table, all or none."""
    from app import network_actions, network_data
    from app.cli import work
    from engine.errors import SettingsError

    actor = work.ready()
    network = network_data.network_named(actor.agency_id, name)
    try:
        content = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as problem:
        raise SettingsError(f"{table} is not UTF-8 text.", "Save it as CSV in UTF-8.") from problem
    changed = network_actions.edit_from_csv(actor, network.id, content, table.name)
    say(f"Network {name!r}: {changed} values changed.")
    write_json(json, {"network": name, "changed": changed})


@network_app.command("sample-unit")
def sample_unit(
    name: NetworkName, metres: Annotated[float, typer.Argument(help="10 to 1000.")], json: JsonFile = None
) -> None:
    """Set the length of sample units, and sum up all results by the new ones."""
    from app import network_actions, network_data
    from app.cli import work

    actor = work.ready()
    network = network_data.network_named(actor.agency_id, name)
    job_id = network_actions.set_sample_unit(actor, network.id, metres)
    if job_id is not None:
        work.follow(job_id)
    say(f"Network {name!r}: sample units of {metres:g} m.")
    write_json(json, {"network": name, "sample_unit_m": metres})


@network_app.command("locate")
def locate(
    name: NetworkName,
    road: Annotated[str | None, typer.Option(help="Road, with --chainage.")] = None,
    chainage: Annotated[float | None, typer.Option(help="Metres along the road.")] = None,
    latitude: Annotated[float | None, typer.Option(help="WGS84 degrees, with --longitude.")] = None,
    longitude: Annotated[float | None, typer.Option(help="WGS84 degrees.")] = None,
    direction: DirectionOption = None,
    lane: LaneOption = None,
    json: JsonFile = None,
) -> None:
    """The position of a chainage, or the chainage of a position."""
    from dataclasses import asdict

    from app import network_data
    from app.cli import work
    from engine.errors import SettingsError

    network = network_data.network_named(work.ready().agency_id, name)
    only: dict[str, Any] = {"direction": direction, "lane": lane}
    if road is not None and chainage is not None:
        place = network_data.place_at(network.id, road, chainage, **only)
    elif latitude is not None and longitude is not None:
        near = network_data.place_near(network.id, longitude, latitude, **only)
        if near is None:
            raise SettingsError(
                f"No section lies within {network_data.SEARCH_M:.0f} m of {latitude:g}, {longitude:g}.",
                "Check the position.",
            )
        place = near
    else:
        raise SettingsError(
            "A place has two numbers.", "Give --road and --chainage, or --latitude and --longitude."
        )
    found = asdict(place)
    for what, value in found.items():
        say(f"  {what}: {'–' if value is None else value}")
    write_json(json, found)


@network_app.command("between")
def between(
    name: NetworkName,
    road: Annotated[str, typer.Option(help="Road.")],
    start: Annotated[float, typer.Option("--from", help="Chainage in metres; greater than --to to descend.")],
    end: Annotated[float, typer.Option("--to", help="Chainage in metres.")],
    direction: DirectionOption = None,
    lane: LaneOption = None,
    json: JsonFile = None,
) -> None:
    """The sections of a stretch of road in the order of travel, and its gaps."""
    from app import network_data
    from app.cli import work
    from engine.linear_reference import gaps_between

    network = network_data.network_named(work.ready().agency_id, name)
    parts = network_data.stretch(network.id, road, start, end, direction=direction, lane=lane)
    rows = [{"section": part.section.section_key, "from_m": part.from_m, "to_m": part.to_m} for part in parts]
    gaps = gaps_between(parts, start, end)
    say_table(["Section", "From (m)", "To (m)"], [list(row.values()) for row in rows])
    for low, high in gaps:
        say(f"  No section from {low:.1f} to {high:.1f} m.")
    write_json(json, {"road": road, "sections": rows, "gaps": gaps})
