"""`pavescope plan` and `pavescope treatments`: what to fix first, when, for how much."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.output import JsonFile, say, say_table, write_json

if TYPE_CHECKING:
    from engine.treatments import Treatment

READY_SET = "US city averages"
MOST_LINES = 50


def plan(
    network: Annotated[str, typer.Argument(help="Name of the network.")],
    survey: Annotated[str, typer.Option(help="Name of the analysed survey to plan from.")],
    budget: Annotated[float | None, typer.Option(help="Money a year (default: no limit).")] = None,
    years: Annotated[int, typer.Option(help="Years of the plan, 1 to 30.")] = 5,
    treatments: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help=f"Treatments as CSV (default: the ready set {READY_SET!r})."
        ),
    ] = None,
    strategy: Annotated[str, typer.Option(help="optimal, worst-first or nothing.")] = "optimal",
    json: JsonFile = None,
) -> None:
    """Plan maintenance: which sections get which treatment in which year, within the money."""
    from app.cli import work
    from db import plan_queries
    from db.session import reading
    from engine.plan_inputs import PlanSettings
    from engine.planning import make_plan
    from engine.treatment_sets import TREATMENT_SETS

    actor = work.ready()
    chosen = TREATMENT_SETS[READY_SET] if treatments is None else read_treatments(treatments)
    with reading() as session:
        survey_id = plan_queries.survey_to_plan(session, actor.agency_id, network, survey)
        sections, notes = plan_queries.read_plan_sections(session, survey_id)
    if treatments is None:
        notes.append(f"Treatments: the ready set {READY_SET!r} in US dollars; see pavescope treatments.")
    say(f"Planning {len(sections):,} sections over {years} years ...")
    made = make_plan(
        sections,
        chosen,
        PlanSettings(years=years, yearly_budget=budget),
        strategy=strategy,
    )
    made |= {
        "network": network,
        "survey": survey,
        "yearly_budget": budget,
        "years": years,
        "treatments": [treatment.name for treatment in chosen],
        "notes": [*made["notes"], *notes],
    }
    _say_plan(made)
    write_json(json, made)


def treatments(
    out: Annotated[Path, typer.Argument(help="CSV file to write.", dir_okay=False)],
    ready: Annotated[
        str, typer.Option("--set", help='"US city averages" or "Metric, without costs".')
    ] = READY_SET,
) -> None:
    """Write a ready set of treatments as CSV, to be edited and given to `plan`."""
    from engine.errors import SettingsError
    from engine.treatment_sets import TREATMENT_SETS
    from engine.treatments import treatments_to_csv

    if ready not in TREATMENT_SETS:
        raise SettingsError(f"There is no set {ready!r}.", f"Use one of: {'; '.join(TREATMENT_SETS)}.")
    if out.exists():
        raise SettingsError(f"{out} exists already.", "Name another file: edited costs are not overwritten.")
    out.write_text(treatments_to_csv(TREATMENT_SETS[ready]), encoding="utf-8")
    say(f"{len(TREATMENT_SETS[ready])} treatments are in {out}.")


def read_treatments(file: Path) -> "tuple[Treatment, ...]":
    """Read a set from CSV.

    Raises:
        SettingsError: names the file, the row and the remedy.
    """
    from engine.errors import SettingsError
    from engine.treatments import treatments_from_csv

    try:
        return treatments_from_csv(file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as problem:
        raise SettingsError(f"{file} is not UTF-8 text.", "Save it as CSV in UTF-8.") from problem
    except SettingsError as problem:
        raise SettingsError(f"{file}: {problem.what}", problem.remedy) from problem


def _say_plan(made: dict[str, Any]) -> None:
    projects = made["projects"]
    if projects:
        say_table(
            ["Year", "Road", "From (m)", "To (m)", "Treatment", "Cost", "Index"],
            [_line(project) for project in projects[:MOST_LINES]],
        )
    if len(projects) > MOST_LINES:
        say(f"{len(projects) - MOST_LINES} more projects; --json FILE writes all.")
    _say_years(made["condition_by_year"], made["without_plan"], made["cost_by_year"])
    surveyed = made["condition_now"]
    say(
        f"{len(projects)} projects for {made['total_cost']:,.0f}. Now: index {surveyed['average']:.1f}, "
        f"{surveyed['good_or_fair_percent']:.0f} % good or fair, backlog {surveyed['backlog']:,.0f}."
    )
    say(
        f"Benefit {made['objective']:,.1f} index x km x years at mean traffic; no plan gives more than "
        f"{made['bound']:,.1f} (gap {100 * made['gap']:.2f} %). {made['seconds']:.1f} s."
    )
    if any(curve["source"] == "assumed" for curve in made["curves"]):
        say("Note: how fast the roads lose condition is assumed.")
    for note in made["notes"]:
        say(f"Note: {note}")


def _line(project: dict[str, Any]) -> list[Any]:
    return [
        project["year"],
        project["road"],
        f"{project['from_m']:.0f}",
        f"{project['to_m']:.0f}",
        project["treatment"],
        f"{project['cost']:,.0f}",
        f"{project['index_before']:.0f} to {project['index_after']:.0f}",
    ]


def _say_years(
    conditions: Sequence[dict[str, Any]], without: Sequence[dict[str, Any]], costs: Sequence[dict[str, Any]]
) -> None:
    say_table(
        ["Year", "Cost", "Average index", "without plan", "Good or fair (%)", "without plan", "Backlog"],
        [
            [
                year["year"],
                f"{cost['cost']:,.0f}",
                f"{year['average']:.1f}",
                f"{left['average']:.1f}",
                f"{year['good_or_fair_percent']:.0f}",
                f"{left['good_or_fair_percent']:.0f}",
                f"{year['backlog']:,.0f}",
            ]
            for year, left, cost in zip(conditions, without, costs, strict=True)
        ],
    )
