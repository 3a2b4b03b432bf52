"""All that may be done to each section: what it costs and what it is worth (torch-free).

An *action* is a treatment in a year. A *state* is what happens to one section within the plan: nothing, one
action, or two, the second not before the life of the first is over. A plan chooses one state for each
section.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from engine.deterioration import Deterioration, find_curve
from engine.errors import SettingsError
from engine.plan_effects import Ageing, Triggers, make_triggers
from engine.plan_inputs import (
    EARLIEST_CALENDAR_YEAR,
    PlanSection,
    PlanSettings,
    filled_aadt,
    find_chains,
    traffic_weights,
)
from engine.treatments import Treatment

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MAX_CELLS = 8_000_000
"""Sections x states up to which second treatments are planned."""


@dataclass(frozen=True)
class Options:
    """The planning problem as tables; S sections in order along their roads, A actions, P states.

    Attributes:
        sections: in the order of the tables; lengths_m: (S,); weights: (S,) in the objective.
        chain_starts: (C,) row at which each chain of neighbours begins.
        treatment: (A,) of each action; year: (A,) of each, 0 is the first.
        first: (P,) action of each state, A for none; second: the one after it. State 0 is nothing.
        allowed: (S, P) bool.
        benefit: (S, P) weighted area over the do-nothing curve.
        cost_first: (S, P) money without mobilisation; cost_second: of the second action.
        mobilisation: (A + 1,) money for each project of an action; least_m: (A + 1,) its shortest length.
        fixed: (S, A + 1) bool, decided by a person.
        aadt: (S,) vehicles a day, filled in where unknown.
        notes: what a reader of the plan has to know.
    """

    sections: tuple[PlanSection, ...]
    treatments: tuple[Treatment, ...]
    settings: PlanSettings
    curves: tuple[Deterioration, ...]
    lengths_m: Floats
    weights: Floats
    aadt: Floats
    chain_starts: Whole
    treatment: Whole
    year: Whole
    first: Whole
    second: Whole
    allowed: Mask
    benefit: Floats
    cost_first: Floats
    cost_second: Floats
    mobilisation: Floats
    least_m: Floats
    fixed: Mask
    ageing: Ageing
    triggers: Triggers
    notes: tuple[str, ...]

    @property
    def actions(self) -> int:
        """A, which also stands for "no action" in `first` and `second`."""
        return len(self.treatment)


def make_options(
    sections: Sequence[PlanSection],
    treatments: Sequence[Treatment],
    curves: Sequence[Deterioration],
    settings: PlanSettings,
) -> Options:
    """Tabulate the problem.

    Args:
        sections: checked (`plan_inputs.check_inputs`), all with a condition index.
        curves: the agency's; classes and surfaces that they leave out take assumed ones.

    Raises:
        SettingsError: two fixed projects on one section within the first one's life, or fixed and forbidden.
    """
    chains = find_chains(sections)
    ordered = tuple(sections[i] for chain in chains for i in chain)
    found = [find_curve(curves, section.functional_class, section.surface) for section in ordered]
    used = list({id_: curve for curve in found for id_ in [(curve.functional_class, curve.surface)]}.values())
    number = {(curve.functional_class, curve.surface): n for n, curve in enumerate(used)}
    curve_of = np.array([number[curve.functional_class, curve.surface] for curve in found])
    followed = settings.years + settings.tail_years
    ageing = Ageing(ordered, treatments, used, curve_of, followed, settings.first_year)
    aadt = filled_aadt(ordered)
    year, treatment = (part.ravel() for part in np.indices((settings.years, len(treatments))))
    fixed = _fixed(ordered, treatments, settings)
    first, second, notes = _states(ordered, treatments, treatment, year, fixed)
    shape = (len(ordered), len(first))
    options = Options(
        sections=ordered,
        treatments=tuple(treatments),
        settings=settings,
        curves=tuple(used),
        lengths_m=np.array([section.length_m for section in ordered]),
        weights=traffic_weights(ordered, aadt, settings.traffic_exponent),
        aadt=aadt,
        chain_starts=np.cumsum([0, *(len(chain) for chain in chains[:-1])]),
        treatment=treatment,
        year=year,
        first=first,
        second=second,
        allowed=np.zeros(shape, dtype=bool),
        benefit=np.zeros(shape),
        cost_first=np.zeros(shape),
        cost_second=np.zeros(shape),
        mobilisation=np.array([*(treatments[int(k)].mobilisation_cost for k in treatment), 0.0]),
        least_m=np.array([*(treatments[int(k)].min_project_m for k in treatment), 0.0]),
        fixed=fixed,
        ageing=ageing,
        triggers=make_triggers(ordered, treatments, aadt),
        notes=(*notes, *_ageing_notes(ordered, settings.first_year)),
    )
    _fill_tables(options, options.triggers)
    _forbid(options)
    _leave_out_short(options)
    without = np.flatnonzero(~options.allowed.any(axis=1))
    if len(without):
        raise SettingsError(
            f"Section {ordered[without[0]].key}: its fixed projects contradict each other or a ban.",
            "Remove one; a second treatment has to wait until the life of the first is over.",
        )
    return options


def _ageing_notes(sections: Sequence[PlanSection], first_year: int) -> list[str]:
    """What was done to bring the surveyed condition to the plan's start."""
    if first_year < EARLIEST_CALENDAR_YEAR:
        return []
    notes = []
    undated = sum(section.surveyed_on is None for section in sections)
    if undated:
        who = "The survey has" if undated == len(sections) else f"{undated} sections have"
        notes.append(f"{who} no date: the condition is taken as that at the start of {first_year}.")
    days = sorted({section.surveyed_on for section in sections if section.surveyed_on is not None})
    if days and days[0] < date(first_year, 1, 1):
        when = f"on {days[0]}" if len(days) == 1 else f"from {days[0]} to {days[-1]}"
        notes.append(
            f"The condition surveyed {when} is aged along the curves to 1 January {first_year}, where the "
            "plan starts."
        )
    return notes


def _fixed(sections: Sequence[PlanSection], treatments: Sequence[Treatment], settings: PlanSettings) -> Mask:
    fixed = np.zeros((len(sections), settings.years * len(treatments) + 1), dtype=bool)
    row = {section.id: i for i, section in enumerate(sections)}
    names = [treatment.name for treatment in treatments]
    for project in settings.fixed:
        if project.section_id in row:
            action = (project.year - 1) * len(treatments) + names.index(project.treatment)
            fixed[row[project.section_id], action] = True
    return fixed


def _states(
    sections: Sequence[PlanSection],
    treatments: Sequence[Treatment],
    treatment: Whole,
    year: Whole,
    fixed: Mask,
) -> tuple[Whole, Whole, tuple[str, ...]]:
    """First and second action of all states; a note where second treatments are left out."""
    nothing = len(year)
    lives = np.array([t.life_years for t in treatments])
    later = year[None, :] >= (year + lives[treatment])[:, None]
    notes: tuple[str, ...] = ()
    if len(sections) * (1 + nothing + later.sum()) > MAX_CELLS:
        # A section with two fixed projects keeps its pair.
        twice = fixed[fixed.sum(axis=1) > 1][:, :nothing]
        later &= (twice[:, :, None] & twice[:, None, :]).any(axis=0)
        notes = ("The network is too large for second treatments: each section is treated at most once.",)
    one, other = np.nonzero(later)
    first = np.concatenate([[nothing], np.arange(nothing), one])
    second = np.concatenate([np.full(nothing + 1, nothing), other])
    return first, second, notes


def _fill_tables(options: Options, triggers: Triggers) -> None:
    """Follow every section through every state that triggers."""
    ageing, every = options.ageing, np.arange(len(options.sections))
    whole = ageing.path(every, ageing.age_now, None, ageing.years)
    area = _areas(whole)
    pairs: dict[int, list[int]] = {}
    for pair in np.flatnonzero(options.second < options.actions).tolist():
        pairs.setdefault(int(options.first[pair]), []).append(pair)
    options.allowed[:, 0] = ~options.fixed.any(axis=1)
    for p in range(options.actions):
        k, t = int(options.treatment[p]), int(options.year[p])
        rows = np.flatnonzero(triggers.met(k, every, whole[:, t]) | options.fixed[:, p])
        if not len(rows):
            continue
        age = ageing.treated_age(rows, ageing.age_now[rows] + t, k)
        path = ageing.path(rows, age, k, ageing.years - t)
        gained = _areas(path)
        left = area[rows, -1] - area[rows, t]
        cost = triggers.cost(k, rows, whole[rows, t])
        weight = options.weights[rows]
        alone = options.fixed[rows].sum(axis=1) <= options.fixed[rows, p]
        options.allowed[rows, p + 1] = alone
        options.benefit[rows, p + 1] = weight * (gained[:, -1] - left)
        options.cost_first[rows, p + 1] = cost
        for state in pairs.get(p, []):
            q = int(options.second[state])
            k2, u = int(options.treatment[q]), int(options.year[q])
            again = np.flatnonzero(triggers.met(k2, rows, path[:, u - t]) | options.fixed[rows, q])
            if not len(again):
                continue
            late = rows[again]
            age_again = ageing.treated_age(late, age[again] + ageing.aged[k, u - t], k2)
            after = _areas(ageing.path(late, age_again, k2, ageing.years - u))[:, -1]
            decided = options.fixed[late].sum(axis=1)
            options.allowed[late, state] = decided <= options.fixed[late, p] + 0 + options.fixed[late, q]
            options.benefit[late, state] = weight[again] * (gained[again, u - t] + after - left[again])
            options.cost_first[late, state] = cost[again]
            options.cost_second[late, state] = triggers.cost(k2, late, path[again, u - t])


def _areas(path: Floats) -> Floats:
    """Area (n, years + 1) under paths up to each year."""
    mean = (path[:, 1:] + path[:, :-1]) / 2
    return np.concatenate([np.zeros((len(path), 1)), mean.cumsum(axis=1)], axis=1)


def _forbid(options: Options) -> None:
    row = {section.id: i for i, section in enumerate(options.sections)}
    names = [treatment.name for treatment in options.treatments]
    for ban in options.settings.forbidden:
        banned = np.zeros(options.actions + 1, dtype=bool)
        banned[:-1] = (ban.year is None) | (options.year == (ban.year or 0) - 1)
        if ban.treatment is not None:
            banned[:-1] &= options.treatment == names.index(ban.treatment)
        if ban.section_id in row:
            options.allowed[row[ban.section_id]] &= ~(banned[options.first] | banned[options.second])


def _leave_out_short(options: Options) -> None:
    """Take out actions on stretches that are too short for them even when all of it is treated."""
    lengths = options.lengths_m
    chain = np.zeros(len(lengths), dtype=np.int64)
    chain[options.chain_starts] = 1
    chain = chain.cumsum()
    for p in np.flatnonzero(options.least_m[:-1] > 0):
        states = np.flatnonzero((options.first == p) | (options.second == p))
        possible = options.allowed[:, states].any(axis=1)
        stretch = np.cumsum(np.diff(chain, prepend=0).astype(bool) | np.diff(possible, prepend=False))
        length = np.bincount(stretch, lengths * possible)[stretch]
        decided = np.bincount(stretch, options.fixed[:, p])[stretch] > 0
        short = possible & (length < options.least_m[p]) & ~decided
        options.allowed[np.ix_(short, states)] = False


def state_paths(options: Options, rows: Whole, state: int) -> tuple[Floats, Floats]:
    """Index (n, years) in a state: at each year's start, after treatment, and at its end."""
    ageing, years = options.ageing, options.settings.years
    age = ageing.age_now[rows]
    path = ageing.path(rows, age, None, years)
    starts, ends = path[:, :-1].copy(), path[:, 1:].copy()
    begun, k = 0, None
    for p in (options.first[state], options.second[state]):
        if p < options.actions:
            t = int(options.year[p])
            age = age + (t - begun if k is None else ageing.aged[k, t - begun])
            begun, k = t, int(options.treatment[p])
            age = ageing.treated_age(rows, age, k)
            path = ageing.path(rows, age, k, years - t)
            starts[:, t:], ends[:, t:] = path[:, :-1], path[:, 1:]
    return starts, ends


def conditions(options: Options, choice: Whole) -> tuple[Floats, Floats]:
    """`state_paths` of all sections under a plan, the (S,) states in `choice`."""
    shape = (len(choice), options.settings.years)
    starts, ends = np.empty(shape), np.empty(shape)
    for state in np.unique(choice):
        rows = np.flatnonzero(choice == state)
        starts[rows], ends[rows] = state_paths(options, rows, int(state))
    return starts, ends
