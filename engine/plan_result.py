"""A plan as plain values: projects, money, condition, and why (torch-free)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.plan_inputs import PlanSection
from engine.plan_options import Floats, Mask, Options, Whole, conditions
from engine.plan_problem import Problem
from engine.plan_reasons import describe_project, reasons_against

BACKLOG_YEARS = 10


def describe_plan(
    problem: Problem, choice: Whole, bound: float, prices: Floats, not_surveyed: Sequence[PlanSection] = ()
) -> dict[str, Any]:
    """All of a plan that is stored, shown and exported.

    Args:
        choice: (S,) state of each section; bound: no plan is worth more.
        prices: (R,) worth of the money rows' units.
        not_surveyed: sections that the plan leaves out.

    Returns:
        objective (weighted area between the curves with and without the plan, in index points x km x years at
        the network's mean traffic), bound, gap (part of the bound), cost_by_year, projects,
        condition_surveyed, condition_now (aged from there to the start of the first year),
        condition_by_year, without_plan (condition_by_year of doing nothing), total_cost, preventive_share,
        cost_of_delay, shortfalls (requirements that the money does not reach), unplanned (id, cause of
        `plan_reasons.CAUSES` and reason of each section without a project), curves, notes, prices.
    """
    options = problem.options
    settings = options.settings
    objective = problem.benefit(choice)
    bound = objective + max(bound - problem.value(choice), 0.0)
    _, ends = conditions(options, choice)
    costs = problem.cost_by_year(choice)
    projects = [
        describe_project(problem, choice, prices, rows, action)
        for rows, action in find_projects(problem, choice)
    ]
    projects.sort(key=lambda project: (project["year"], -(project["benefit_cost"] or 0.0)))
    total = sum(project["cost"] for project in projects)
    preventive = sum(project["cost"] for project in projects if project["preventive"])
    delays = [project["cost_of_delay"] for project in projects if project["cost_of_delay"] is not None]
    nothing = np.zeros(len(choice), dtype=np.int64)
    unplanned = reasons_against(problem, choice, projects)
    unplanned += [
        {
            "section_id": section.id,
            "cause": "not_surveyed",
            "reason": "The survey gave this section no condition index.",
        }
        for section in not_surveyed
    ]
    return {
        "objective": objective,
        "bound": bound,
        "gap": (bound - objective) / bound if bound > 0 else 0.0,
        "cost_by_year": [
            {"year": settings.first_year + year, "cost": float(cost)} for year, cost in enumerate(costs)
        ],
        "total_cost": float(costs.sum()),
        "preventive_share": preventive / total if total else None,
        "cost_of_delay": sum(delays) if delays else None,
        "projects": projects,
        "condition_surveyed": _condition(options, None, options.ageing.index_surveyed, nothing, 0),
        "condition_now": _condition(options, None, options.ageing.index_now, nothing, 0),
        "condition_by_year": condition_by_year(options, ends, choice),
        "without_plan": condition_by_year(options, conditions(options, nothing)[1], nothing),
        "shortfalls": _shortfalls(problem, choice),
        "unplanned": unplanned,
        "prices": [float(price) for price in prices],
        "curves": [
            {
                "functional_class": curve.functional_class,
                "surface": curve.surface,
                "source": curve.source,
                "described": curve.described,
            }
            for curve in options.curves
        ],
        "notes": list(options.notes),
    }


def find_projects(problem: Problem, choice: Whole) -> list[tuple[Whole, int]]:
    """Rows and action of each project: neighbours that do the same in the same year."""
    actions, starts = problem.actions_of(choice), problem.starts(choice)
    projects = []
    for row, slot in zip(*np.nonzero(starts), strict=True):
        action, end = int(actions[row, slot]), int(row) + 1
        while (
            end < len(choice)
            and problem.chain_of[end] == problem.chain_of[row]
            and action in (int(actions[end, 0]), int(actions[end, 1]))
        ):
            end += 1
        projects.append((np.arange(int(row), end), action))
    return projects


def condition_by_year(options: Options, ends: Floats, choice: Whole) -> list[dict[str, Any]]:
    """Average, classes, good or fair, backlog and remaining life at the end of each year."""
    return [
        _condition(options, options.settings.first_year + year, ends[:, year], choice, year + 1)
        for year in range(options.settings.years)
    ]


def _condition(options: Options, year: int | None, index: Floats, choice: Whole, done: int) -> dict[str, Any]:
    """The network at one moment.

    Args:
        index: (S,) of each section.
        done: years of the plan that are over.
    """
    lengths, settings = options.lengths_m, options.settings
    classes = np.array([section.functional_class or "none" for section in options.sections])
    left = np.empty(len(index))
    for number, curve in enumerate(options.curves):
        rows = options.ageing.curve_of == number
        left[rows] = np.maximum(curve.age_of(settings.terminal_index) - curve.age_of(index[rows]), 0)
    return {
        "year": year,
        "average": float(np.average(index, weights=lengths)),
        "good_or_fair_percent": float(100 * np.average(index >= settings.fair_index, weights=lengths)),
        "by_class": {
            str(name): float(np.average(index[classes == name], weights=lengths[classes == name]))
            for name in np.unique(classes)
        },
        "remaining_life_years": float(np.average(left, weights=lengths)),
        "backlog": backlog(options, index, _under_treatment(options, choice, done)),
    }


def _under_treatment(options: Options, choice: Whole, done: int) -> Mask:
    """(S,) whether the life of something done in the years up to `done` is not over."""
    lives = np.array([treatment.life_years for treatment in options.treatments])
    until = np.append(options.year + lives[options.treatment], 0)
    year = np.append(options.year, options.settings.years + 1)
    busy = np.zeros(len(choice), dtype=bool)
    for actions in (options.first[choice], options.second[choice]):
        busy |= (year[actions] < done) & (until[actions] > done)
    return busy


def backlog(options: Options, index: Floats, busy: Mask) -> float:
    """Money to treat at once every section that triggers, each with its treatment of best benefit-cost.

    Without mobilisation, and without sections whose last treatment's life is not over.

    Args:
        index: (S,) now; busy: (S,) sections to leave out.
    """
    every = np.flatnonzero(~busy)
    best, cost = np.zeros(len(every)), np.zeros(len(every))
    ageing = options.ageing
    age = np.empty(len(every))
    for number, curve in enumerate(options.curves):
        rows = ageing.curve_of[every] == number
        age[rows] = curve.age_of(index[every][rows])
    untreated = ageing.path(every, age, None, BACKLOG_YEARS).sum(axis=1)
    for k in range(len(options.treatments)):
        rows = np.flatnonzero(options.triggers.met(k, every, index[every]))
        if not len(rows):
            continue
        own = options.triggers.cost(k, every[rows], index[every][rows])
        path = ageing.path(every[rows], ageing.treated_age(every[rows], age[rows], k), k, BACKLOG_YEARS)
        ratio = (path.sum(axis=1) - untreated[rows]) / np.maximum(own, 1e-9)
        better = ratio > best[rows]
        best[rows[better]], cost[rows[better]] = ratio[better], own[better]
    return float(cost.sum())


def _shortfalls(problem: Problem, choice: Whole) -> list[dict[str, Any]]:
    settings = problem.options.settings
    found = []
    for (number, year), reached, asked in zip(
        problem.labels, problem.reached(choice), problem.asked, strict=True
    ):
        if reached < asked - 0.005:
            requirement = settings.requirements[number]
            who = requirement.functional_class or "all roads"
            what = "average index" if requirement.measure == "average" else "percent good or fair"
            found.append(
                {
                    "year": settings.first_year + year,
                    "functional_class": requirement.functional_class,
                    "reached": float(reached),
                    "asked": float(asked),
                    "reason": f"Year {settings.first_year + year}: {what} of {who} is {reached:.1f}, "
                    f"{asked:g} is asked; the money does not reach.",
                }
            )
    return found
