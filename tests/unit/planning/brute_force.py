"""Every plan of a small network, one after the other, written without any of the planner's own code."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from engine.deterioration import Deterioration, assumed_curve
from engine.plan_inputs import PlanSection, PlanSettings
from engine.treatments import Treatment

Actions = tuple[tuple[int, int], ...]


def area_and_indices(
    curve: Deterioration, section: PlanSection, treatments: Sequence[Treatment], actions: Actions, years: int
) -> tuple[float, dict[int, float]]:
    """Area under the curve, and the index before each treatment, year by year."""
    index, slow_until, slope, area = float(section.condition_index or 0), -1, 1.0, 0.0
    before: dict[int, float] = {}
    for year in range(years):
        for k, done in actions:
            if done == year:
                before[year] = index
                index = max(index, treatments[k].reset_index or 0)
                slow_until, slope = year + treatments[k].life_years, treatments[k].slope_factor
        end = float(curve.index_after(index, slope if year < slow_until else 1.0))
        area += (index + end) / 2
        index = end
    return area, before


def sequences(
    section: PlanSection, treatments: Sequence[Treatment], settings: PlanSettings
) -> Iterator[tuple[Actions, float, list[float]]]:
    """All that may be done to a section: actions, benefit without weight, cost of each action."""
    curve = assumed_curve(section.functional_class, section.surface)
    horizon = settings.years + settings.tail_years
    nothing, _ = area_and_indices(curve, section, treatments, (), horizon)
    every = [(k, t) for t in range(settings.years) for k in range(len(treatments))]
    pairs = [(a, b) for a in every for b in every if b[1] >= a[1] + treatments[a[0]].life_years]
    for actions in [(), *((a,) for a in every), *pairs]:
        area, before = area_and_indices(curve, section, treatments, actions, horizon)
        if all(treatments[k].index_min <= before[t] <= treatments[k].index_max for k, t in actions):
            costs = [(treatments[k].unit_cost or 0) * section.area_m2 for k, _ in actions]
            yield actions, area - nothing, costs


def best_objective(
    sections: Sequence[PlanSection], treatments: Sequence[Treatment], settings: PlanSettings
) -> float:
    """The greatest objective of all plans; the sections are one road, in order."""
    lengths = np.array([section.length_m for section in sections]) / 1000
    traffic = np.array([section.aadt or 1 for section in sections])
    weights = lengths * traffic / ((traffic * lengths).sum() / lengths.sum())
    budgets = np.array(settings.budgets)
    best = -np.inf
    for plan in product(*(list(sequences(section, treatments, settings)) for section in sections)):
        worth = sum(weight * benefit for weight, (_, benefit, _) in zip(weights, plan, strict=True))
        if worth <= best:
            continue
        spent = np.zeros(settings.years)
        runs: dict[tuple[int, int], list[list[float]]] = {}
        for row, (actions, _, costs) in enumerate(plan):
            for action, cost in zip(actions, costs, strict=True):
                k, year = action
                spent[year] += cost
                joined = row > 0 and action in plan[row - 1][0]
                if joined:
                    runs[action][-1].append(sections[row].length_m)
                else:
                    runs.setdefault(action, []).append([sections[row].length_m])
                    spent[year] += treatments[k].mobilisation_cost
        if any(sum(run) < treatments[k].min_project_m for (k, _), all_ in runs.items() for run in all_):
            continue
        within = np.cumsum(spent) <= np.cumsum(budgets) if settings.carry_over else spent <= budgets
        if within.all():
            best = worth
    return float(best)
