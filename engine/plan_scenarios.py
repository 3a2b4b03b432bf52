"""Plans side by side, and the budget that a target needs (torch-free)."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from engine.deterioration import Deterioration
from engine.errors import SettingsError
from engine.plan_greedy import fill, worst_first
from engine.plan_inputs import PlanSection, PlanSettings, Requirement
from engine.plan_prices import solve_prices
from engine.plan_problem import Problem, rebudget
from engine.plan_result import describe_plan
from engine.planning import Progress, Solved, finish, make_plan, prepare, solve
from engine.treatments import Treatment

CLOSE_ENOUGH = 0.01
"""The bisection ends when the budget is known to this part of itself."""
MAX_STEPS = 16


OWN_SCENARIO = {"optimal": "budget", "worst-first": "worst-first", "nothing": "nothing"}
"""Strategy of a plan -> the scenario that it is itself."""
TRIAL_S = 10.0
"""Longest search for one of the plans beside the asked one."""


class TargetError(SettingsError):
    """No money reaches the target."""


def plan_and_compare(
    sections: Sequence[PlanSection],
    treatments: Sequence[Treatment],
    settings: PlanSettings,
    curves: Sequence[Deterioration] = (),
    strategy: str = "optimal",
    *,
    scenarios: bool = True,
    preventive_share: float | None = None,
    target_percent: float | None = None,
    draws: int = 0,
    progress: Progress = lambda share, what: None,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """`planning.make_plan`, and the scenarios beside it; what both need is solved once.

    Args:
        scenarios: False: the asked plan alone is summed up.
        preventive_share: also the plan that keeps this part of the money (0-1) for preventive treatments.
        target_percent: also the least budget that keeps so much of the length good or fair.

    Returns:
        The plan, and `summary_of` each scenario: nothing, worst-first, budget, preventive, target. The first
        three share one bound. A target that no money reaches is a note of the plan.

    Raises:
        SettingsError: as `make_plan`.
    """
    if not scenarios:
        plan = make_plan(sections, treatments, settings, curves, strategy, progress, draws)
        budget = None if strategy == "nothing" else settings.yearly_budget
        own = {"scenario": OWN_SCENARIO[strategy], "yearly_budget": budget}
        return plan, [summary_of(plan | own)]
    began = time.monotonic()
    progress(0.0, "Reading the sections")
    problem = prepare(sections, treatments, settings, curves)
    if strategy not in OWN_SCENARIO:
        solve(problem, strategy)
    best = solve(problem, progress=_part(progress, 0.0, 0.5, ""))
    chosen = best
    if strategy == "nothing":
        chosen = replace(best, choice=problem.base, method=strategy)
    elif strategy == "worst-first":
        chosen = replace(best, choice=worst_first(problem), method=strategy)
    plan = finish(problem, chosen, sections, strategy, draws, _part(progress, 0.0, 0.6, ""), began)
    found = _compare(problem, best, sections, preventive_share, _part(progress, 0.6, 0.75, ""))
    if target_percent is not None:
        try:
            found.append(_target(problem, sections, target_percent, _part(progress, 0.75, 1.0, "")))
        except TargetError as out_of_reach:
            plan["notes"].append(f"{out_of_reach.what} {out_of_reach.remedy}")
    progress(1.0, "Done")
    return plan, [summary_of(one) for one in found]


def summary_of(plan: dict[str, Any]) -> dict[str, Any]:
    """A scenario without its projects: money and condition by year, how it ends, how many are pinned."""
    end = plan["condition_by_year"][-1]
    kept = (
        "scenario", "yearly_budget", "objective", "bound", "gap", "total_cost", "cost_by_year",
        "condition_by_year", "preventive_share", "cost_of_delay",
    )  # fmt: skip
    ends = ("backlog", "remaining_life_years", "good_or_fair_percent", "average")
    return {name: plan[name] for name in kept} | {name: end[name] for name in ends} | {
        "projects": len(plan["projects"]),
        "pinned": sum(project["fixed"] for project in plan["projects"]),
    }  # fmt: skip


def _part(progress: Progress, low: float, high: float, prefix: str) -> Progress:
    """Progress of a part of the work, as progress of all of it."""
    return lambda share, what: progress(low + (high - low) * share, prefix + what)


def _compare(
    problem: Problem,
    best: Solved,
    sections: Sequence[PlanSection],
    preventive_share: float | None,
    progress: Progress,
) -> list[dict[str, Any]]:
    progress(0.0, "Worst first")
    plans = [
        _described(problem, replace(best, choice=problem.base, method="nothing"), "nothing"),
        _described(problem, replace(best, choice=worst_first(problem), method="worst first"), "worst-first"),
        _described(problem, best, "budget"),
    ]
    if preventive_share is not None:
        options = problem.options
        asked = replace(_trial(problem), preventive_share=preventive_share)
        wished = prepare(sections, options.treatments, asked, options.curves)
        told = _part(progress, 0.2, 1.0, "Preventive share: ")
        plans.append(_described(wished, solve(wished, progress=told), "preventive"))
    return plans


def _target(
    problem: Problem, sections: Sequence[PlanSection], percent: float, progress: Progress
) -> dict[str, Any]:
    options = problem.options
    told = _part(progress, 0.0, 1.0, "Budget for the target: ")
    found = budget_for_target(
        sections, options.treatments, _trial(problem), options.curves, percent, progress=told
    )
    plan: dict[str, Any] = found["plan"]
    return plan | {"yearly_budget": found["yearly_budget"]}


def _trial(problem: Problem) -> PlanSettings:
    settings = problem.options.settings
    return replace(settings, time_limit_s=min(settings.time_limit_s, TRIAL_S))


def _described(problem: Problem, solved: Solved, scenario: str) -> dict[str, Any]:
    plan = describe_plan(problem, solved.choice, solved.bound, solved.prices)
    # What is done where nothing is planned is pinned, whatever it costs.
    budget = None if scenario == "nothing" else problem.options.settings.yearly_budget
    return plan | {"scenario": scenario, "method": solved.method, "yearly_budget": budget}


def budget_for_target(
    sections: Sequence[PlanSection],
    treatments: Sequence[Treatment],
    settings: PlanSettings,
    curves: Sequence[Deterioration] = (),
    percent: float = 80.0,
    *,
    measure: str = "good_or_fair",
    from_year: int | None = None,
    progress: Progress = lambda share, what: None,
) -> dict[str, Any]:
    """What yearly budget keeps so much of the network good or fair? By bisection.

    Args:
        settings: its own budget is not used.
        percent: of the length (or the average index, for the measure "average"), 0-100.
        from_year: first year (1, 2, ...) at whose end it is asked; None: only the last.

    Returns:
        yearly_budget: enough for the target, and within `CLOSE_ENOUGH` of one with which no plan was
        found; on networks too large for the exact programme a smaller budget might do.
        plan: the best plan with it.

    Raises:
        TargetError: the target is out of reach with any money.
        SettingsError: as `make_plan`.
    """
    wish = Requirement(percent, None, from_year or settings.years, measure)
    asked = replace(settings, yearly_budget=None, requirements=(*settings.requirements, wish))
    problem = prepare(sections, treatments, asked, curves)
    progress(0.0, "without a limit")
    free = solve_prices(problem, settings.time_limit_s)
    unlimited = fill(problem, free.choice)
    if not _reached(problem, unlimited):
        worst = float((problem.asked - problem.reached(unlimited)).max())
        raise TargetError(
            f"With any money the plan stays {worst:.1f} under the target of {percent:g}.",
            "Lower the target, ask for it later, or allow more treatments.",
        )
    by_year = np.cumsum(problem.cost_by_year(unlimited)) / np.arange(1, settings.years + 1)
    low, high = 0.0, float(by_year.max())
    # The budget of year one alone may have to carry it where nothing carries over.
    high = max(high, float(problem.cost_by_year(unlimited).max()))
    plan_at, solved, prices = problem, Solved(unlimited, free.bound, free.prices, "no limit"), None
    if _reached(problem, problem.base) and not settings.fixed:
        high, low = 0.0, 0.0
        plan_at, solved = rebudget(problem, 0.0), replace(solved, choice=problem.base, bound=0.0)
    for step in range(MAX_STEPS):
        if high - low <= CLOSE_ENOUGH * high:
            break
        told = _part(progress, step / MAX_STEPS, (step + 1) / MAX_STEPS, "")
        middle = (low + high) / 2
        trial = rebudget(problem, middle)
        if not trial.affordable(trial.base):
            low = middle
            continue
        found = solve(trial, progress=told, start_prices=prices)
        if _reached(trial, found.choice):
            high, plan_at, solved, prices = middle, trial, found, found.prices
        else:
            low = middle
    return {"yearly_budget": high, "plan": _described(plan_at, solved, "target")}


def _reached(problem: Problem, choice: np.ndarray[Any, np.dtype[np.int64]]) -> bool:
    return bool((problem.reached(choice) >= problem.asked - 0.005).all())
