"""`pavescope plan`: what to fix first, when, for how much."""

import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.output import JsonFile, say, say_table, write_json
from app.cli.treatments import read_csv, read_treatments

if TYPE_CHECKING:
    from app.actions import Actor
    from jobs.planning import MadePlan

Target = Annotated[
    float | None,
    typer.Option(help="Also find the budget that keeps this percentage good or fair at the end."),
]
PreventiveShare = Annotated[
    float | None, typer.Option(help="Also plan with this part of the money (0-1) kept for prevention.")
]
Draws = Annotated[
    int, typer.Option(help="Draws of the surveyed condition: how often does a project stay? 0: none.")
]
MOST_LINES = 50
STDOUT, STDERR = 1, 2


def plan(
    network: Annotated[str, typer.Argument(help="Name of the network.")],
    survey: Annotated[str, typer.Option(help="Name of the analysed survey to plan from.")],
    budget: Annotated[float | None, typer.Option(help="Money a year (default: no limit).")] = None,
    years: Annotated[int, typer.Option(help="Years of the plan, 1 to 30.")] = 5,
    first_year: Annotated[
        int | None, typer.Option(help="Calendar year in which it begins (default: next year).")
    ] = None,
    treatments: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Treatments as CSV, in place of a set.")
    ] = None,
    treatment_set: Annotated[
        str, typer.Option("--set", help="Set of treatments (see `pavescope treatments list`).")
    ] = "US city averages",
    curves: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="How roads age, as CSV (`pavescope curves FILE.csv` writes one).",
        ),
    ] = None,
    strategy: Annotated[str, typer.Option(help="optimal, worst-first or nothing.")] = "optimal",
    carry_over: Annotated[bool, typer.Option(help="What a year leaves may be spent later.")] = True,
    traffic_weight: Annotated[
        float, typer.Option(help="Traffic in the benefit: 1 by vehicles, 0 not at all.")
    ] = 1.0,
    minimum_index: Annotated[
        list[str] | None,
        typer.Option(
            help="Average index to keep every year: 70, or of a class: arterial=75. May be repeated."
        ),
    ] = None,
    target: Target = None,
    preventive_share: PreventiveShare = None,
    draws: Draws = 200,
    currency: Annotated[str, typer.Option(help="Of all money.")] = "USD",
    name: Annotated[str | None, typer.Option(help="Save the plan under this name, for the pages.")] = None,
    json: JsonFile = None,
) -> None:
    """Plan maintenance: which sections get which treatment in which year, within the money.

    What people pinned or forbade on the pages is kept.
    """
    from app import plan_actions

    chosen: dict[str, Any] = {
        "name": name or "",
        "years": years,
        "first_year": first_year or plan_actions.next_year(),
        "yearly_budget": budget,
        "carry_over": carry_over,
        "traffic_exponent": traffic_weight,
        "minimum_index": _minimum_index(minimum_index or ()),
        **chosen_tables(treatment_set, treatments, curves),
        "strategy": strategy,
        "preventive_share": preventive_share,
        "target_percent": target,
        "currency": currency,
        "scenarios": bool(name) or target is not None or preventive_share is not None,
        "draws": draws,
    }
    values = make_and_say(network, survey, chosen)
    write_json(json, values)


def chosen_tables(treatment_set: str, treatments: Path | None, curves: Path | None = None) -> dict[str, Any]:
    """Part of a request that comes from sets and files; a file's treatments are named after it.

    Raises:
        SettingsError: names the file, the row and the remedy.
    """
    from engine.curve_table import curves_from_csv
    from engine.deterioration import rows_from_curves

    chosen: dict[str, Any] = {"treatment_set": treatment_set}
    if treatments is not None:
        chosen = {"treatment_set": treatments.name, "treatments": read_treatments(treatments)}
    if curves is not None:
        chosen["curves"] = tuple(rows_from_curves(read_csv(curves, curves_from_csv)))
    return chosen


def _minimum_index(given: Sequence[str]) -> dict[str | None, float]:
    from engine.errors import SettingsError

    asked: dict[str | None, float] = {}
    for one in given:
        road, _, least = one.rpartition("=")
        try:
            asked[road.strip() or None] = float(least)
        except ValueError:
            raise SettingsError(
                f"--minimum-index {one!r} has no number.", "Give 70, or arterial=75 for a class."
            ) from None
    return asked


def make_and_say(network: str, survey: str, chosen: dict[str, Any], *, reuse: bool = False) -> dict[str, Any]:
    """Make a plan, say it, and save it where it has a name; returns what `--json` writes.

    Args:
        chosen: fields of a `PlanRequest` but the survey.
        reuse: keep the saved plan of that name where it was made of all the same.
    """
    from app import plan_actions
    from app.cli import work
    from db import plan_queries
    from db.session import reading
    from jobs import planning

    actor = work.ready()
    with reading() as session:
        survey_id = plan_queries.survey_to_plan(session, actor.agency_id, network, survey)
        asked = plan_actions.PlanRequest(survey_id=survey_id, **chosen)
        request = plan_actions.request_values(session, actor, asked)
        saved = planning.same_plan(session, actor.agency_id, request) if reuse else None
        if saved is not None:
            say(f"The plan {saved.name!r} is there already.")
            return {**saved.result, "scenarios": saved.scenarios, "plan_id": saved.id}
    say(f"Planning {network!r} over {asked.years} years ...")
    with _solver_aside():
        made = planning.make_plan(actor.agency_id, request)
    ids = {"plan_id": _save(actor, made)} if chosen["name"] else {}
    values = made.result | {"scenarios": made.scenarios} | ids
    _say_plan(values)
    if asked.scenarios:
        _say_scenarios(made.scenarios, asked.currency)
    say(
        f"Saved as {made.request['name']!r}."
        if ids
        else "Not saved: give it a --name to see it on the pages."
    )
    return values


@contextmanager
def _solver_aside() -> Iterator[None]:
    """The solver's library now and then prints a line of its own, which must not get into `--json -`."""
    library = ctypes.CDLL(None)
    sys.stdout.flush()
    kept = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    try:
        yield
    finally:
        library.fflush(None)
        os.dup2(kept, STDOUT)
        os.close(kept)


def _save(actor: "Actor", made: "MadePlan") -> int:
    from app.actions import record_event, require
    from db.session import transaction
    from engine.vocabulary import Role
    from jobs import planning

    require(actor, Role.ENGINEER, "make a plan")
    with transaction() as session:
        plan_id = planning.store_plan(session, actor.agency_id, made, job_id=None, created_by=actor.user_id)
        record_event(session, actor, "plan.make", made.request["name"], plan=plan_id)
    return plan_id


def _say_plan(made: dict[str, Any]) -> None:
    projects = made["projects"]
    if projects:
        say_table(
            [
                "Year",
                "Road",
                "From (m)",
                "To (m)",
                "Treatment",
                f"Cost ({made['currency']})",
                "Index",
                "Stays",
            ],
            [_line(project) for project in projects[:MOST_LINES]],
        )
    if len(projects) > MOST_LINES:
        say(f"{len(projects) - MOST_LINES} more projects; --json FILE writes all.")
    _say_years(made["condition_by_year"], made["without_plan"], made["cost_by_year"], made["currency"])
    start = made["condition_now"]
    say(
        f"{len(projects)} projects for {made['total_cost']:,.0f} {made['currency']}. Surveyed: index "
        f"{made['condition_surveyed']['average']:.1f}. At the start of {made['first_year']}: index "
        f"{start['average']:.1f}, {start['good_or_fair_percent']:.0f} % good or fair, backlog "
        f"{start['backlog']:,.0f} {made['currency']}."
    )
    say(
        f"Benefit {made['objective']:,.1f} index x km x years at mean traffic; no plan gives more than "
        f"{made['bound']:,.1f} (gap {100 * made['gap']:.2f} %). {made['seconds']:.1f} s."
    )
    for curve in made["curves"]:
        road = f"{curve['functional_class'] or 'any class'}, {curve['surface'] or 'any surface'}"
        say(f"Deterioration of {road}: {curve['described']}.")
    if draws := made.get("stability", {}).get("draws"):
        say(f"Stays: in how many of {draws} draws of the surveyed condition the project is still planned.")
    for note in made["notes"]:
        say(f"Note: {note}")


def _line(project: dict[str, Any]) -> list[Any]:
    stays = project.get("stays_percent")
    return [
        project["year"],
        project["road"],
        f"{project['from_m']:.0f}",
        f"{project['to_m']:.0f}",
        project["treatment"],
        f"{project['cost']:,.0f}",
        f"{project['index_before']:.0f} to {project['index_after']:.0f}",
        None if stays is None else f"{stays:.0f} %",
    ]


def _say_years(
    conditions: Sequence[dict[str, Any]],
    without: Sequence[dict[str, Any]],
    costs: Sequence[dict[str, Any]],
    currency: str,
) -> None:
    cost, backlog = f"Cost ({currency})", f"Backlog ({currency})"
    say_table(
        ["Year", cost, "Average index", "without plan", "Good or fair (%)", "without plan", backlog],
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


SCENARIOS = {
    "nothing": "Do nothing",
    "worst-first": "Worst first",
    "budget": "This budget",
    "preventive": "Prevention first",
    "target": "Target",
}


def _budget_words(scenario: dict[str, Any]) -> str:
    if scenario["scenario"] == "nothing":
        return "only what is pinned" if scenario["pinned"] else "–"
    return "no limit" if scenario["yearly_budget"] is None else f"{scenario['yearly_budget']:,.0f}"


def _say_scenarios(scenarios: Sequence[dict[str, Any]], currency: str) -> None:
    money = f"Budget a year ({currency})", f"Cost ({currency})"
    say_table(
        ["Scenario", *money, "Benefit", "Index at the end", "Good or fair (%)", f"Backlog ({currency})"],
        [
            [
                SCENARIOS[one["scenario"]],
                _budget_words(one),
                f"{one['total_cost']:,.0f}",
                f"{one['objective']:,.1f}",
                f"{one['average']:.1f}",
                f"{one['good_or_fair_percent']:.0f}",
                f"{one['backlog']:,.0f}",
            ]
            for one in scenarios
        ],
    )
