"""How often a project stays in the plan when the surveyed condition is drawn from its interval (torch-free).

A cheap method, stated as such: the prices of the years' money are kept, so that each road decides by itself,
and the condition is drawn on a grid of nine values. What solving anew for each draw would change beside that,
the money freed or missed elsewhere, is left out.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from engine.errors import SettingsError
from engine.plan_inputs import Amount, PlanSection
from engine.plan_options import Floats, Whole, make_options
from engine.plan_prices import best_at, solve_prices
from engine.plan_problem import Problem, make_problem
from engine.plan_result import find_projects

GRID = np.linspace(-2.4, 2.4, 9)
"""Standard deviations from the surveyed value."""
ONE_SIDE_90 = 1.645
MAX_DRAWS = 10_000


def add_stability(
    plan: dict[str, Any], problem: Problem, choice: Whole, prices: Floats, draws: int = 200, seed: int = 0
) -> None:
    """Write into each project of a plan how often it stays.

    A project stays in a draw where at least half of its length still gets its treatment, in whichever year.

    Args:
        plan: of `plan_result.describe_plan`; its projects gain `stays_percent` and `same_year_percent`, None
            where no section of the project has an interval; the plan gains `stability` (draws, method).
        choice: (S,) the plan; prices: (R,), found anew where all are 0.

    Raises:
        SettingsError: draws outside 1 to 10,000.
    """
    if not 1 <= draws <= MAX_DRAWS:
        raise SettingsError(f"{draws} draws are not possible.", f"Choose 1 to {MAX_DRAWS:,}.")
    if len(prices) and not prices.any():
        prices = solve_prices(problem, problem.options.settings.time_limit_s / 2).prices
    options = problem.options
    projects = find_projects(problem, choice)
    drawn = [_choice_at(problem, prices, float(z)) for z in GRID]
    rng = np.random.default_rng(seed)
    steps = np.abs(rng.standard_normal((draws, len(choice)))[:, :, None] - GRID).argmin(axis=2)
    treatment = np.append(options.treatment, -1)
    actions = np.stack([problem.actions_of(one) for one in drawn])
    kinds = treatment[actions]
    of_project = {(options.sections[rows[0]].id, int(action)): (rows, action) for rows, action in projects}
    for project in plan["projects"]:
        action = (project["year"] - options.settings.first_year) * len(options.treatments)
        action += [one.name for one in options.treatments].index(project["treatment"])
        rows, action = of_project[project["section_ids"][0], action]
        lengths = options.lengths_m[rows] / options.lengths_m[rows].sum()
        known = any(options.sections[row].index_low is not None for row in rows)
        same_kind = (kinds[:, rows] == treatment[action]).any(axis=2)
        same_year = (actions[:, rows] == action).any(axis=2)
        picked = steps[:, rows], np.arange(len(rows))
        project["stays_percent"] = _percent(same_kind[picked] @ lengths) if known else None
        project["same_year_percent"] = _percent(same_year[picked] @ lengths) if known else None
    plan["stability"] = {
        "draws": draws,
        "method": "condition drawn from its interval, years' prices of money kept, requirements left out",
    }


def _percent(shares: Floats) -> float:
    return float(100 * (shares >= 0.5).mean())


def _choice_at(problem: Problem, prices: Floats, z: float) -> Whole:
    """(S,) what is best at the plan's prices where all sections lie z standard deviations off."""
    options = problem.options
    moved = [_moved(section, z) for section in options.sections]
    settings = replace(options.settings, requirements=())
    other = make_options(moved, options.treatments, options.curves, settings)
    return best_at(make_problem(other), prices, np.zeros(0))[1]


def _moved(section: PlanSection, z: float) -> PlanSection:
    """The section with its index z standard deviations higher, and its cracks as much fewer."""
    index = float(section.condition_index or 0.0)
    side = section.index_high if z > 0 else section.index_low
    if side is None:
        return section
    moved = float(np.clip(index + abs(z) / ONE_SIDE_90 * (side - index), 0, 100))
    factor = (100 - moved) / (100 - index) if index < 100 else 1.0
    density = section.crack_density_m_per_m2
    other = section.density_low if z > 0 else section.density_high
    if density and other is not None:
        factor = max(density + abs(z) / ONE_SIDE_90 * (other - density), 0.0) / density
    quantities = tuple(
        Amount(q.kind, q.severity, q.length_m * factor, q.area_m2 * factor) for q in section.quantities
    )
    return replace(section, condition_index=moved, quantities=quantities)
