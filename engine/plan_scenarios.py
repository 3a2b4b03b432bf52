"""Plans side by side, and the budget that a target needs (torch-free)."""

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
from engine.planning import Progress, Solved, prepare, solve
from engine.treatments import Treatment

CLOSE_ENOUGH = 0.01
"""The bisection ends when the budget is known to this part of itself."""
MAX_STEPS = 16


def compare_scenarios(
    sections: Sequence[PlanSection],
    treatments: Sequence[Treatment],
    settings: PlanSettings,
    curves: Sequence[Deterioration] = (),
    *,
    preventive_share: float | None = None,
    target_percent: float | None = None,
    progress: Progress = lambda share, what: None,
) -> list[dict[str, Any]]:
    """Plans of the same network side by side.

    Args:
        preventive_share: also the plan that keeps this part of the money (0-1) for preventive treatments.
        target_percent: also the least budget that keeps so much of the length good or fair.

    Returns:
        Plans as `planning.make_plan` gives them, each with `scenario`: nothing, worst-first, budget,
        preventive, target. The first three share one bound.

    Raises:
        SettingsError: as `make_plan` and `budget_for_target`.
    """
    progress(0.0, "This budget")
    problem = prepare(sections, treatments, settings, curves)
    best = solve(problem)
    progress(0.4, "Worst first")
    plans = [
        _described(problem, replace(best, choice=problem.base, method="nothing"), "nothing"),
        _described(problem, replace(best, choice=worst_first(problem), method="worst first"), "worst-first"),
        _described(problem, best, "budget"),
    ]
    if preventive_share is not None:
        progress(0.6, "Preventive share")
        wished = prepare(sections, treatments, replace(settings, preventive_share=preventive_share), curves)
        plans.append(_described(wished, solve(wished), "preventive"))
    if target_percent is not None:
        progress(0.7, "Budget for the target")
        found = budget_for_target(sections, treatments, settings, curves, target_percent)
        plans.append(found["plan"] | {"yearly_budget": found["yearly_budget"]})
    progress(1.0, "Done")
    return plans


def _described(problem: Problem, solved: Solved, scenario: str) -> dict[str, Any]:
    plan = describe_plan(problem, solved.choice, solved.bound, solved.prices)
    budget = problem.options.settings.yearly_budget
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
        SettingsError: the target is out of reach with any money.
    """
    wish = Requirement(percent, None, from_year or settings.years, measure)
    asked = replace(settings, yearly_budget=None, requirements=(*settings.requirements, wish))
    problem = prepare(sections, treatments, asked, curves)
    free = solve_prices(problem, settings.time_limit_s)
    unlimited = fill(problem, free.choice)
    if not _reached(problem, unlimited):
        worst = float((problem.asked - problem.reached(unlimited)).max())
        raise SettingsError(
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
        progress(step / MAX_STEPS, "Trying budgets")
        middle = (low + high) / 2
        trial = rebudget(problem, middle)
        if not trial.affordable(trial.base):
            low = middle
            continue
        found = solve(trial, start_prices=prices)
        if _reached(trial, found.choice):
            high, plan_at, solved, prices = middle, trial, found, found.prices
        else:
            low = middle
    return {"yearly_budget": high, "plan": _described(plan_at, solved, "target")}


def _reached(problem: Problem, choice: np.ndarray[Any, np.dtype[np.int64]]) -> bool:
    return bool((problem.reached(choice) >= problem.asked - 0.005).all())
