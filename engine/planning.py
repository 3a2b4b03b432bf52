"""What to fix first, when and for how much: the maintenance plan (torch-free).

`make_plan` is the way in. docs/guide/planning.md explains the model to engineers.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.deterioration import Deterioration
from engine.errors import SettingsError
from engine.plan_exact import SMALL_GAP, TINY_CELLS, fits, solve_exact
from engine.plan_greedy import fill, worst_first
from engine.plan_inputs import PlanSection, PlanSettings, check_inputs
from engine.plan_options import Floats, Whole, make_options
from engine.plan_prices import solve_prices
from engine.plan_problem import Problem, make_problem
from engine.plan_result import describe_plan
from engine.plan_stability import add_stability
from engine.treatments import Treatment

WIDE_GAP = 2e-3
STRATEGIES = ("optimal", "worst-first", "nothing")
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Solved:
    """A plan before it is described.

    Attributes:
        choice: (S,) state of each section.
        bound: no plan is worth more.
        prices: (R,) worth of one more unit of each money row.
        method: how it was found, in words.
    """

    choice: Whole
    bound: float
    prices: Floats
    method: str


def make_plan(
    sections: Sequence[PlanSection],
    treatments: Sequence[Treatment],
    settings: PlanSettings,
    curves: Sequence[Deterioration] = (),
    strategy: str = "optimal",
    progress: Progress = lambda share, what: None,
    draws: int = 0,
) -> dict[str, Any]:
    """Plan a network's maintenance.

    Args:
        sections: those without a condition index are left out, and listed.
        treatments: the set, with all unit costs.
        curves: the agency's deterioration; where it has none, assumed curves are used, and marked.
        strategy: of `STRATEGIES`.
        progress: told the share done (0-1) and what is being done; may raise to stop.
        draws: of the surveyed condition, to say how often each project stays in the plan; 0 to 10,000.

    Returns:
        Plain values for storage: objective, bound, gap, cost_by_year, projects, condition_by_year, seconds,
        and what else `plan_result.describe_plan` lists.

    Raises:
        SettingsError: anything in the input that no plan can be made from, with the remedy.
    """
    began = time.monotonic()
    progress(0.0, "Reading the sections")
    problem = prepare(sections, treatments, settings, curves)
    solved = solve(problem, strategy, progress)
    return finish(problem, solved, sections, strategy, draws, progress, began)


def finish(
    problem: Problem,
    solved: Solved,
    sections: Sequence[PlanSection],
    strategy: str,
    draws: int,
    progress: Progress,
    began: float,
) -> dict[str, Any]:
    """Describe what was solved, as `make_plan` returns it.

    Args:
        began: `time.monotonic()` at the start.
    """
    progress(0.9, "Writing the reasons")
    left_out = [section for section in sections if section.condition_index is None]
    plan = describe_plan(problem, solved.choice, solved.bound, solved.prices, left_out)
    if draws and strategy == "optimal":
        progress(0.93, "Drawing the surveyed condition")
        add_stability(plan, problem, solved.choice, solved.prices, draws)
    else:
        plan["projects"] = [
            project | {"stays_percent": None, "same_year_percent": None} for project in plan["projects"]
        ]
    plan |= {"strategy": strategy, "method": solved.method, "seconds": time.monotonic() - began}
    progress(1.0, "Done")
    return plan


def prepare(
    sections: Sequence[PlanSection],
    treatments: Sequence[Treatment],
    settings: PlanSettings,
    curves: Sequence[Deterioration] = (),
) -> Problem:
    """Check the input and tabulate the problem.

    Raises:
        SettingsError: as `make_plan`.
    """
    check_inputs(sections, treatments, settings)
    surveyed = [section for section in sections if section.condition_index is not None]
    if not surveyed:
        raise SettingsError(
            "No section has a condition index.",
            "Analyse a survey with a camera profile or a known scale first.",
        )
    return make_problem(make_options(surveyed, treatments, curves, settings))


def solve(
    problem: Problem,
    strategy: str = "optimal",
    progress: Progress = lambda share, what: None,
    start_prices: Floats | None = None,
) -> Solved:
    """Choose what is done to each section.

    Args:
        start_prices: of a similar problem, to begin with.

    Raises:
        SettingsError: the strategy is not known.
    """
    if strategy not in STRATEGIES:
        raise SettingsError(f"The strategy {strategy!r} is not known.", f"Use {', '.join(STRATEGIES)}.")
    limit_s, began = problem.options.settings.time_limit_s, time.monotonic()
    if int(problem.options.allowed.sum()) <= TINY_CELLS and strategy == "optimal":
        exact = solve_exact(problem, limit_s)
        if exact.choice is not None and problem.affordable(exact.choice):
            choice = fill(problem, exact.choice)
            worth = problem.value(choice)
            if exact.bound - worth <= 1e-6 * max(abs(worth), 1.0):
                return Solved(choice, max(exact.bound, worth), _no_prices(problem), "exact integer programme")
    priced = solve_prices(
        problem, limit_s, start_prices, lambda share: progress(0.1 + 0.5 * share, "Pricing")
    )
    if strategy != "optimal":
        choice = problem.base if strategy == "nothing" else worst_first(problem)
        return Solved(choice, max(priced.bound, problem.value(choice)), priced.prices, strategy)
    found = [fill(problem, priced.choice, priced.prices)]
    bound, method = priced.bound, "prices on each year's money, then incremental benefit-cost"
    left_s = limit_s - (time.monotonic() - began)
    if _gap(problem, found[0], bound) > SMALL_GAP and fits(problem) and left_s > 0.5:
        progress(0.6, "Solving the integer programme")
        exact = solve_exact(problem, left_s)
        bound = min(bound, exact.bound)
        if exact.choice is not None and problem.affordable(exact.choice):
            found.append(fill(problem, exact.choice, priced.prices))
            method = "integer programme and prices, the better of both"
    # A rule of thumb must not win; so near the bound it cannot but by a hair.
    if _gap(problem, max(found, key=problem.value), bound) > WIDE_GAP:
        found.append(fill(problem, worst_first(problem), priced.prices))
    choice = max(found, key=problem.value)
    return Solved(choice, max(bound, problem.value(choice)), priced.prices, method)


def _gap(problem: Problem, choice: Whole, bound: float) -> float:
    return (bound - problem.value(choice)) / max(problem.benefit(choice), 1e-9)


def _no_prices(problem: Problem) -> Floats:
    return np.zeros(len(problem.limits))
