"""Why a plan does what it does, in plain words with the numbers behind them (torch-free)."""

from typing import Any

import numpy as np

from engine.plan_inputs import PlanSection, amount_percent
from engine.plan_options import Floats, Options, Whole, state_paths
from engine.plan_problem import Problem


def equivalent_annual_cost(cost: float, life_years: int, rate: float) -> float:
    """Yearly payment worth `cost` over a life at a discount rate: cost times the capital recovery factor."""
    if rate == 0:
        return cost / life_years
    growth = (1 + rate) ** life_years
    return cost * rate * growth / (growth - 1)


def describe_project(
    problem: Problem, choice: Whole, prices: Floats, rows: Whole, action: int
) -> dict[str, Any]:
    """One project with its numbers and its reason.

    Args:
        choice: (S,) the plan; prices: (R,).
        rows: the project's sections, in order along the road; action: what is done.
    """
    options, settings = problem.options, problem.options.settings
    k, year = int(options.treatment[action]), int(options.year[action])
    treatment, sections = options.treatments[k], [options.sections[row] for row in rows]
    lengths = options.lengths_m[rows]
    cost, benefit, before, after = _amounts(options, choice, rows, action)
    paid = cost + float(options.mobilisation[action])
    alone = state_paths(options, rows, 0)[1][:, -1]
    index_before, index_after = (float(np.average(index, weights=lengths)) for index in (before, after))
    project = {
        "section_ids": [section.id for section in sections],
        "section_keys": [section.key for section in sections],
        "road": sections[0].road,
        "from_m": sections[0].from_m,
        "to_m": sections[-1].to_m,
        "length_m": float(lengths.sum()),
        "area_m2": sum(section.area_m2 for section in sections),
        "year": settings.first_year + year,
        "treatment": treatment.name,
        "preventive": treatment.preventive,
        "cost": paid,
        "mobilisation": float(options.mobilisation[action]),
        "benefit": benefit,
        "benefit_cost": benefit / paid * 1000 if paid > 0 else None,
        "equivalent_annual_cost": equivalent_annual_cost(paid, treatment.life_years, settings.discount_rate),
        "cost_of_delay": _cost_of_delay(options, rows, before, after, cost),
        "index_before": index_before,
        "index_after": index_after,
        "index_left_alone": float(np.average(alone, weights=lengths)),
        "fixed": bool(options.fixed[rows, action].any()),
    }
    project["reason"] = _reason(problem, project, sections, rows, action)
    return project


def _amounts(
    options: Options, choice: Whole, rows: Whole, action: int
) -> tuple[float, float, Floats, Floats]:
    """Cost without mobilisation, benefit, and index (n,) before and after, of one action on its sections."""
    state = choice[rows]
    second = options.second[state] == action
    single = np.where(second, options.first[state], action) + 1
    cost = np.where(second, options.cost_second[rows, state], options.cost_first[rows, state])
    earlier = np.where(second, options.benefit[rows, np.minimum(single, len(options.first) - 1)], 0.0)
    whole = options.benefit[rows, np.where(second, state, action + 1)]
    year = int(options.year[action])
    before, after = np.empty(len(rows)), np.empty(len(rows))
    for one in np.unique(state):
        alike = np.flatnonzero(state == one)
        # Without this action: what was done before it, or nothing.
        rest = int(single[alike[0]]) if second[alike[0]] else 0
        _, ends = state_paths(options, rows[alike], rest)
        before[alike] = ends[:, year - 1] if year else options.ageing.index_now[rows[alike]]
        after[alike] = state_paths(options, rows[alike], int(one))[0][:, year]
    return float(cost.sum()), float((whole - earlier).sum()), before, after


def _cost_of_delay(options: Options, rows: Whole, before: Floats, after: Floats, cost: float) -> float | None:
    """How much more the cheapest treatment to the same index costs some years later; None: none would."""
    total = 0.0
    for n, row in enumerate(rows):
        one = np.array([row])
        curve = options.curves[options.ageing.curve_of[row]]
        later = curve.index_after(before[n : n + 1], options.settings.delay_years)
        age = curve.age_of(later)
        offers = [
            float(options.triggers.cost(k, one, later)[0])
            for k in range(len(options.treatments))
            if options.triggers.met(k, one, later)[0]
            and options.ageing.index_at(one, options.ageing.treated_age(one, age, k))[0] >= after[n] - 0.5
        ]
        if not offers:
            return None
        total += min(offers)
    return total - cost


def _reason(
    problem: Problem, project: dict[str, Any], sections: list[PlanSection], rows: Whole, action: int
) -> str:
    options = problem.options
    treatment = options.treatments[int(options.treatment[action])]
    years, first = options.settings.years, options.settings.first_year
    said = [
        f"{_where(sections)} {_traffic(options, rows)}; index {project['index_before']:.0f} when treated"
        f"{_cracks(sections)}."
    ]
    if project["fixed"]:
        said.append(f"{treatment.name} is fixed by your agency.")
    else:
        said.append(f"{treatment.name} suits an index of {treatment.index_min:g} to {treatment.index_max:g}.")
    if treatment.reset_index is not None and project["index_after"] > project["index_before"] + 0.5:
        said.append(f"It lifts the index to {project['index_after']:.0f}.")
    if treatment.slope_factor < 1:
        said.append(
            f"It slows ageing to {100 * treatment.slope_factor:.0f} % for {treatment.life_years} years."
        )
    said.append(f"Left alone: {project['index_left_alone']:.0f} at the end of year {first + years - 1}.")
    if project["benefit_cost"]:
        said.append(
            f"It gains {project['benefit']:.4g} index-km-years, {project['benefit_cost']:.3g} per 1,000."
        )
    said.append(_instead(options, project, rows, action))
    if len(sections) > 1 and project["mobilisation"] > 0:
        saved = project["mobilisation"] * (len(sections) - 1)
        said.append(f"{len(sections)} neighbours in one project save {saved:,.0f} of mobilisation.")
    if project["cost_of_delay"] is not None and project["cost_of_delay"] > 0:
        delay = options.settings.delay_years
        said.append(
            f"{delay} years later the same condition would cost {project['cost_of_delay']:,.0f} more."
        )
    return " ".join(said)


def _where(sections: list[PlanSection]) -> str:
    names = {section.functional_class for section in sections if section.functional_class}
    return ", ".join(sorted(name.capitalize() for name in names)) or "Road of unknown class"


def _traffic(options: Options, rows: Whole) -> str:
    counted = all(options.sections[row].aadt is not None for row in rows)
    return f"with {options.aadt[rows].mean():,.0f} vehicles a day{'' if counted else ' (estimated)'}"


def _cracks(sections: list[PlanSection]) -> str:
    """The distress that there is most of, as surveyed."""
    kinds = sorted({q.kind for section in sections for q in section.quantities})
    area = sum(section.area_m2 for section in sections)
    amounts = {
        kind: sum(amount_percent(section, (kind,)) * section.area_m2 for section in sections) / area
        for kind in kinds
    }
    if not amounts or max(amounts.values()) <= 0:
        return ""
    most = max(amounts, key=lambda kind: amounts[kind])
    if most == "pothole":
        return ", with potholes"
    words = "cracks of no known type" if most == "crack" else f"{most} cracking"
    return f", mostly {words} (density {_percent(amounts[most])} %)"


def _percent(value: float) -> str:
    return f"{value:.0f}" if value >= 9.5 else f"{value:.1f}"


def _instead(options: Options, project: dict[str, Any], rows: Whole, action: int) -> str:
    """What the treatment was chosen over in that year."""
    same_year = np.flatnonzero(
        (options.year == options.year[action]) & (np.arange(options.actions) != action)
    )
    rivals = []
    for other in same_year:
        if options.allowed[rows, other + 1].all():
            cost = float(options.cost_first[rows, other + 1].sum() + options.mobilisation[other])
            gain = float(options.benefit[rows, other + 1].sum())
            rivals.append(
                (gain / max(cost, 1e-9), gain, cost, options.treatments[options.treatment[other]].name)
            )
    if not rivals:
        return "No other treatment of the set suits it that year."
    _, gain, cost, name = max(rivals)
    if project["benefit"] <= 0 or project["cost"] <= 0:
        return f"It replaces {name}."
    return (
        f"It replaces {name}, which would gain {100 * gain / project['benefit']:.0f} % as much for "
        f"{100 * cost / project['cost']:.0f} % of the cost."
    )


CAUSES = ("not_surveyed", "forbidden", "no_treatment", "worth_less", "no_money")
"""Why a section has no project, for machines; each beside its sentence."""


def reasons_against(problem: Problem, choice: Whole, projects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Why each section without a project has none: section_id, cause of `CAUSES`, reason."""
    options = problem.options
    ratios = [p["benefit_cost"] for p in projects if p["benefit_cost"] and not p["fixed"]]
    forbidden = {ban.section_id for ban in options.settings.forbidden}
    singles = slice(1, options.actions + 1)
    cost = options.cost_first[:, singles] + options.mobilisation[None, :-1]
    ratio = np.where(options.allowed[:, singles], options.benefit[:, singles] / np.maximum(cost, 1e-9), -1.0)
    last = state_paths(options, np.arange(len(choice)), 0)[1][:, -1]
    found = []
    for row in np.flatnonzero(choice == 0):
        section, best = options.sections[row], int(ratio[row].argmax())
        if ratio[row, best] <= 0:
            cause = "no_treatment"
            reason = f"No treatment of the set suits it: index {options.ageing.index_now[row]:.0f} now, "
            reason += f"{last[row]:.0f} at the end."
            if section.id in forbidden:
                cause, reason = "forbidden", "Forbidden by your agency."
        else:
            name = options.treatments[options.treatment[best]].name
            year = options.settings.first_year + int(options.year[best])
            gain = 1000 * float(ratio[row, best])
            reason = f"{name} in year {year} would gain {gain:.3g} per 1,000"
            if ratios and gain < min(ratios):
                cause = "worth_less"
                reason += f"; the money does more elsewhere, {min(ratios):.3g} or more."
            else:
                cause = "no_money"
                reason += ", but beside the projects chosen no money is left for it."
        found.append({"section_id": section.id, "cause": cause, "reason": reason})
    return found
