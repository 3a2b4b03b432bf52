"""`pavescope export`: a survey's results and plan as a file."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.output import JsonFile, say, write_json

if TYPE_CHECKING:
    from engine.vocabulary import ExportFormat


def export(
    survey: Annotated[str, typer.Argument(help="Name of an analysed survey.")],
    out: Annotated[Path, typer.Option(help="File to write; one that is there is replaced.", dir_okay=False)],
    format: Annotated[
        str,
        typer.Option(help="pdf, xlsx, csv, gpkg, geojson, shp, kml, overlays or inspections."),
    ] = "pdf",
    plan: Annotated[
        str | None, typer.Option(help="Name of a plan (default: the newest of the shown analysis).")
    ] = None,
    no_plan: Annotated[bool, typer.Option("--no-plan", help="Leave the plan out.")] = False,
    paper: Annotated[str, typer.Option(help="Paper of a PDF: A4 or Letter.")] = "A4",
    json: JsonFile = None,
) -> None:
    """Write a report, tables or map layers of a survey: what was found, and the plan if there is one.

    csv, shp, overlays and inspections are several files in a .zip; csv to a .csv is the sections alone.
    """
    from app.actions import record_event
    from app.cli import work
    from app.export_actions import PAPERS
    from db.export_store import plan_named
    from db.plan_store import newest_plan
    from db.queries import find_survey
    from db.session import reading, transaction
    from engine.errors import SettingsError
    from engine.vocabulary import ExportFormat

    if format not in list(ExportFormat):
        raise SettingsError(f"There is no format {format!r}.", f"Use one of: {', '.join(ExportFormat)}.")
    if paper not in PAPERS:
        raise SettingsError(f"The paper {paper!r} is not known.", f"Use {' or '.join(PAPERS)}.")
    if no_plan and plan is not None:
        raise SettingsError(f"Both the plan {plan!r} and none are asked for.", "Leave one out.")
    asked = ExportFormat(format)
    plain = asked is ExportFormat.CSV and out.suffix.lower() == ".csv"
    if not plain:
        _check_suffix(out, asked)
    actor = work.ready()
    with reading() as session:
        found = find_survey(session, actor.agency_id, survey)
        if found is None:
            raise SettingsError(f"There is no survey named {survey!r}.", "See: pavescope survey list")
        plan_id = None
        if plan is not None:
            plan_id = plan_named(session, actor.agency_id, found.id, plan)
        elif not no_plan and (newest := newest_plan(session, actor.agency_id, found.id)) is not None:
            plan_id = newest.id
        survey_id = found.id
    provenance = _make(actor.agency_id, survey_id, None if plain else asked, plan_id, paper, out)
    with transaction() as session:
        record_event(session, actor, "export.write", f"survey {survey_id}", format=format, plan=plan)
    for note in provenance["notes"].splitlines():
        say(f"Note: {note}")
    size = out.stat().st_size
    planned = f" with the plan {provenance['plan']!r}" if provenance["plan"] else ", without a plan"
    say(f"{out} ({size / 1e6:,.2f} MB) holds {survey!r}{planned}.")
    write_json(json, {"file": str(out), "size_bytes": size, "format": format, "provenance": provenance})


def _make(
    agency_id: int, survey_id: int, format: "ExportFormat | None", plan_id: int | None, paper: str, out: Path
) -> dict[str, str]:
    """Write beside the file asked for, then take its place; `format` None is the sections' CSV alone."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from db.session import reading
    from jobs.export import UNFINISHED, make_export, make_sections_csv

    out.parent.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with (
        reading() as session,
        tempfile.TemporaryDirectory(dir=out.parent, prefix=UNFINISHED) as folder,
        Progress(*columns, console=Console(stderr=True), transient=True) as bar,
    ):
        task = bar.add_task("Reading", total=1.0)

        def progress(done: float, doing: str) -> None:
            bar.update(task, completed=done, description=doing)

        how: dict[str, Any] = {"plan_id": plan_id, "folder": Path(folder), "progress": progress}
        if format is None:
            made, provenance = make_sections_csv(session, agency_id, survey_id, **how)
        else:
            made, provenance = make_export(session, agency_id, survey_id, format, paper=paper, **how)
        made.replace(out)
    return provenance


def _check_suffix(out: Path, format: "ExportFormat") -> None:
    from engine.errors import SettingsError
    from jobs.export import suffix_of

    suffix = suffix_of(format)
    if out.suffix.lower() != suffix:
        several = "several files in a zip" if suffix == ".zip" else f"a {suffix} file"
        raise SettingsError(f"{out.name}: {format} is {several}.", f"Name it {out.with_suffix(suffix).name}.")
