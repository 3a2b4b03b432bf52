"""How often a project stays in the plan when the surveyed condition is drawn from its interval (torch-free).

A cheap method, stated as such: each year's money keeps a price, so that each section decides by itself, and
the condition is drawn on a grid of nine values. A project is given up where another use of its sections gains
so much more at these prices. In a plan of few projects the best price is none of its projects' own: what a
project loses against it at the surveyed condition already is no reason to give it up in a draw.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from engine.errors import SettingsError
from engine.plan_inputs import Amount, PlanSection
from engine.plan_options import Floats, Mask, Options, Whole, make_options
from engine.plan_prices import solve_prices
from engine.plan_problem import Problem
from engine.plan_result import find_projects

GRID = np.linspace(-2.4, 2.4, 9)
"""Standard deviations from the surveyed value."""
ONE_SIDE_90 = 1.645
MAX_DRAWS = 10_000
PRICE_LEVELS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Parts of the prices among which those are taken that agree best with the plan."""
NO_REASON = 0.02
"""A gain of under this part of a project's own is no reason to give it up."""


def add_stability(
    plan: dict[str, Any], problem: Problem, choice: Whole, prices: Floats, draws: int = 200, seed: int = 0
) -> None:
    """Write into each project of a plan how often it stays.

    A project stays in a draw where at least half of its length can still get its treatment, in whichever
    year, and no other use of its sections gains more than at the surveyed condition, by over `NO_REASON`.

    Args:
        plan: of `plan_result.describe_plan`; its projects gain `stays_percent` and `same_year_percent`, None
            where no section of the project has an interval; the plan gains `stability` (draws, method).
        choice: (S,) the plan; prices: (R,), found anew where all are 0.

    Raises:
        SettingsError: draws outside 1 to 10,000.
    """
    if not 1 <= draws <= MAX_DRAWS:
        raise SettingsError(f"{draws} draws are not possible.", f"Choose 1 to {MAX_DRAWS:,}.")
    options = problem.options
    projects = find_projects(problem, choice)
    if not projects:
        return
    each = _prices_of(problem, choice, prices)
    steps = _draw(draws, len(choice), seed)
    at_each = np.array([_worths_at(options, float(z), each, projects) for z in GRID])
    of_project, done = {}, 0
    for rows, action in projects:
        worths = at_each[:, :, done : done + len(rows)]
        done += len(rows)
        found = [_stays(options, rows, worths[:, [way, 2]], steps[:, rows]) for way in (0, 1)]
        if all(options.sections[row].index_low is None for row in rows):
            percents: list[float | None] = [None, None]
        else:
            # Kept in its own year is kept.
            percents = [float(100 * draws_kept.mean()) for draws_kept in (found[0] | found[1], found[1])]
        of_project[options.sections[rows[0]].id, int(action)] = percents
    for project in plan["projects"]:
        action = (project["year"] - options.settings.first_year) * len(options.treatments)
        action += [one.name for one in options.treatments].index(project["treatment"])
        percents = of_project[project["section_ids"][0], action]
        project["stays_percent"], project["same_year_percent"] = percents
    plan["stability"] = {
        "draws": draws,
        "method": "condition drawn from its interval, years' prices of money kept, requirements left out",
    }


def _prices_of(problem: Problem, choice: Whole, prices: Floats) -> Floats:
    """(A + 1,) price of each action's money, at the level that agrees best with the plan."""
    options, every = problem.options, np.arange(len(choice))
    if not len(prices):
        return np.zeros(options.actions + 1)
    if not prices.any():
        prices = solve_prices(problem, options.settings.time_limit_s / 2).prices
    levels = []
    for level in PRICE_LEVELS:
        each = level * prices @ problem.counts
        worth = _worth(options, options.benefit, options.cost_first, options.cost_second, each)
        best = np.where(options.allowed, worth, -np.inf).max(axis=1)
        # At no price at all everything agrees with a plan that does all it can.
        scale = max(float(best.sum()), 1e-12)
        levels.append((float((best - worth[every, choice]).sum()) / scale, each))
    return min(levels, key=lambda one: one[0])[1]


def _draw(draws: int, sections: int, seed: int) -> Whole:
    """(draws, S) place on the grid of each section in each draw."""
    numbers = np.random.default_rng(seed).standard_normal((draws, sections))
    half = (GRID[1] - GRID[0]) / 2
    return np.asarray(np.clip(np.searchsorted(GRID + half, numbers), 0, len(GRID) - 1), dtype=np.int64)


def _worths_at(options: Options, z: float, each: Floats, projects: list[tuple[Whole, int]]) -> Floats:
    """What the projects' sections are worth where all lie z standard deviations off, (3, sections of all).

    With the project's treatment in any year (-inf where it never triggers); with it in the project's year;
    with the best of all.
    """
    moved = [_moved(section, z) for section in options.sections]
    settings = replace(options.settings, requirements=())
    other = make_options(moved, options.treatments, options.curves, settings)
    fee = options.mobilisation * each
    treatment = np.append(options.treatment, -1)
    action_of = np.concatenate([np.full(len(rows), action) for rows, action in projects])
    row_of = np.concatenate([rows for rows, _ in projects])
    share_of = np.concatenate([_shares(options, rows) for rows, _ in projects])
    found = np.empty((3, len(row_of)))
    for action in np.unique(action_of):
        places = np.flatnonzero(action_of == action)
        rows = row_of[places]
        worth = _worth(options, other.benefit[rows], other.cost_first[rows], other.cost_second[rows], each)
        # Neighbours share one mobilisation, whatever they do.
        worth -= share_of[places, None] * (fee[options.first] + fee[options.second])
        worth[~other.allowed[rows]] = -np.inf
        for way, wanted in enumerate(
            (treatment == options.treatment[action], np.arange(len(treatment)) == action)
        ):
            states = wanted[options.first] | wanted[options.second]
            found[way, places] = worth[:, states].max(axis=1)
        found[2, places] = worth.max(axis=1)
    return found


def _shares(options: Options, rows: Whole) -> Floats:
    """(n,) part of a project's length that each of its sections is."""
    shares: Floats = options.lengths_m[rows] / options.lengths_m[rows].sum()
    return shares


def _worth(options: Options, benefit: Floats, first: Floats, second: Floats, each: Floats) -> Floats:
    """(n, P) benefit less the priced cost, without mobilisation."""
    worth: Floats = benefit - first * each[options.first] - second * each[options.second]
    return worth


def _stays(options: Options, rows: Whole, worths: Floats, steps: Whole) -> Mask:
    """(draws,) in which a project stays.

    Args:
        rows: (n,) its sections.
        worths: (9, 2, n) along the grid: with the project, and with the best of all.
        steps: (draws, n) place on the grid of each section in each draw.
    """
    kept, best = worths[:, 0], worths[:, 1]
    possible = np.isfinite(kept)
    lost = np.where(possible, best - np.where(possible, kept, 0.0), 0.0)
    middle = len(GRID) // 2
    enough = lost[middle].sum() + NO_REASON * np.abs(kept[middle][possible[middle]]).sum()
    columns, share = np.arange(len(rows)), _shares(options, rows)
    stays = (possible[steps, columns] @ share >= 0.5) & (lost[steps, columns].sum(axis=1) <= enough)
    return np.asarray(stays)


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
