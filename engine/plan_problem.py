"""The planning problem with its money and requirements, and the account of any plan (torch-free)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.errors import SettingsError
from engine.plan_options import Floats, Mask, Options, Whole, state_paths

CENT = 0.005


@dataclass(frozen=True)
class Problem:
    """Options and what limits them; R money rows, Q requirements.

    Attributes:
        counts: (R, A + 1) 0 or 1, whether an action's cost counts in a row.
        limits: (R,) money of each row.
        needs: for each requirement and year: its rows (n,) and what each state adds, (n, P) float32.
        asked: (Q,) the measure asked for, 0-100; labels: (Q,) requirement and year of each.
        penalty: objective lost for each point that a measure is short.
        chain_of: (S,) chain of each section; base: (S,) states with the fixed projects only.
    """

    options: Options
    counts: Floats
    limits: Floats
    needs: tuple[tuple[Whole, npt.NDArray[np.float32]], ...]
    asked: Floats
    labels: tuple[tuple[int, int], ...]
    penalty: float
    chain_of: Whole
    base: Whole

    def cost_at(self, choice: Whole) -> tuple[Floats, Floats]:
        """Cost (S, 2) of each section's actions without mobilisation, and (S, 2) mobilisation.

        Neighbours that do the same in the same year are one project: the first along the road pays for all.
        """
        options, every = self.options, np.arange(len(choice))
        costs = np.stack([options.cost_first[every, choice], options.cost_second[every, choice]], axis=1)
        return costs, options.mobilisation[self.actions_of(choice)] * self.starts(choice)

    def actions_of(self, choice: Whole) -> Whole:
        """(S, 2) actions."""
        return np.stack([self.options.first[choice], self.options.second[choice]], axis=1)

    def starts(self, choice: Whole) -> Mask:
        """(S, 2) whether a project begins with that section's first and second action."""
        actions = self.actions_of(choice)
        joins = np.zeros(actions.shape, dtype=bool)
        same_chain = self.chain_of[1:] == self.chain_of[:-1]
        same_action = (actions[1:, :, None] == actions[:-1, None, :]).any(axis=2)
        joins[1:] = same_action & same_chain[:, None]
        return np.asarray(~joins & (actions < self.options.actions))

    def spent(self, choice: Whole) -> Floats:
        """(R,) money used of each row."""
        costs, mobilisation = self.cost_at(choice)
        by_action = np.bincount(
            self.actions_of(choice).ravel(), (costs + mobilisation).ravel(), self.options.actions + 1
        )
        return np.asarray(self.counts @ by_action)

    def cost_by_year(self, choice: Whole) -> Floats:
        """(years,) money."""
        costs, mobilisation = self.cost_at(choice)
        years = np.append(self.options.year, 0)[self.actions_of(choice)]
        paid: Floats = (costs + mobilisation).ravel()
        return np.asarray(np.bincount(years.ravel(), paid, self.options.settings.years), dtype=np.float64)

    def affordable(self, choice: Whole) -> bool:
        """Whether it keeps within all money rows."""
        return bool((self.spent(choice) <= self.limits + CENT).all())

    def reached(self, choice: Whole) -> Floats:
        """(Q,) what the requirements' measures come to."""
        return np.array([shares[np.arange(len(rows)), choice[rows]].sum() for rows, shares in self.needs])

    def benefit(self, choice: Whole) -> float:
        """Weighted area over the do-nothing curves."""
        return float(self.options.benefit[np.arange(len(choice)), choice].sum())

    def value(self, choice: Whole) -> float:
        """What is maximised: the benefit less the penalty for every point short."""
        short = np.maximum(self.asked - self.reached(choice), 0).sum() if len(self.asked) else 0.0
        return self.benefit(choice) - self.penalty * float(short)


def make_problem(options: Options) -> Problem:
    """Set up money rows and requirements.

    Raises:
        SettingsError: the fixed projects alone cost more than a budget.
    """
    counts, limits = _money(options)
    options = replace(options, allowed=options.allowed & _payable(options, counts, limits))
    needs, asked, labels = _requirements(options)
    chain = np.zeros(len(options.sections), dtype=np.int64)
    chain[options.chain_starts] = 1
    # With its fixed projects only, each section is in its cheapest state that is allowed.
    total = options.cost_first + options.cost_second
    base = np.where(options.allowed[:, 0], 0, np.where(options.allowed, total, np.inf).argmin(axis=1))
    problem = Problem(
        options=options,
        counts=counts,
        limits=limits,
        needs=needs,
        asked=asked,
        labels=labels,
        penalty=float(np.where(options.allowed, options.benefit, 0).max(axis=1).sum()) or 1.0,
        chain_of=chain.cumsum() - 1,
        base=base,
    )
    if not problem.affordable(base):
        over = int(np.argmax(problem.spent(base) - limits))
        year = over % options.settings.years + options.settings.first_year
        raise SettingsError(
            f"The fixed projects up to year {year} cost {problem.spent(base)[over]:,.0f}, but the plan may "
            f"spend {limits[over]:,.0f} on them by then.",
            "Raise the budget, or move or remove a fixed project.",
        )
    return problem


def rebudget(problem: Problem, yearly_budget: float | Sequence[float] | None) -> Problem:
    """A problem made without a limit, with a limit; may leave the fixed projects without enough."""
    options = replace(
        problem.options, settings=replace(problem.options.settings, yearly_budget=yearly_budget)
    )
    counts, limits = _money(options)
    options = replace(options, allowed=options.allowed & _payable(options, counts, limits))
    return replace(problem, options=options, counts=counts, limits=limits)


def _payable(options: Options, counts: Floats, limits: Floats) -> Mask:
    """(S, P) what the money would allow if nothing else were done; fixed projects stay.

    Takes out what no plan can hold, which makes the bound much tighter where there is little money.
    """
    payable = np.ones(options.allowed.shape, dtype=bool)
    for row, limit in zip(counts, limits, strict=True):
        fees = row * options.mobilisation
        cost = row[options.first] * options.cost_first + row[options.second] * options.cost_second
        payable &= cost + fees[options.first] + fees[options.second] <= limit + CENT
    payable[options.fixed.any(axis=1)] = True
    return payable


def _money(options: Options) -> tuple[Floats, Floats]:
    """One row a year, on money up to then where it carries over; again for what is not preventive."""
    settings, budgets = options.settings, options.settings.budgets
    actions = options.actions + 1
    if budgets is None:
        return np.zeros((0, actions)), np.zeros(0)
    years = np.arange(settings.years)[:, None]
    counts = np.zeros((settings.years, actions))
    counts[:, :-1] = options.year[None, :] <= years if settings.carry_over else options.year[None, :] == years
    limits = np.cumsum(budgets) if settings.carry_over else np.array(budgets, dtype=np.float64)
    if settings.preventive_share > 0:
        preventive = np.array([treatment.preventive for treatment in options.treatments])
        heavy = np.append(~preventive[options.treatment], False)
        counts = np.concatenate([counts, counts * heavy])
        limits = np.concatenate([limits, limits * (1 - settings.preventive_share)])
    return counts, limits


def _requirements(
    options: Options,
) -> tuple[tuple[tuple[Whole, npt.NDArray[np.float32]], ...], Floats, tuple[tuple[int, int], ...]]:
    settings, lengths = options.settings, options.lengths_m
    needs, asked, labels = [], [], []
    for number, requirement in enumerate(settings.requirements):
        wanted = requirement.functional_class
        rows = np.array(
            [
                i
                for i, section in enumerate(options.sections)
                if wanted is None or (section.functional_class or "").casefold() == wanted.casefold()
            ],
            dtype=np.int64,
        )
        if not len(rows):
            raise SettingsError(f"No surveyed section is of class {wanted!r}.", "Correct the requirement.")
        years = range(requirement.from_year - 1, settings.years)
        tables = [np.zeros((len(rows), len(options.first)), dtype=np.float32) for _ in years]
        share = lengths[rows] / lengths[rows].sum()
        for state in range(len(options.first)):
            possible = np.flatnonzero(options.allowed[rows, state])
            if len(possible):
                _, ends = state_paths(options, rows[possible], state)
                measure = 100.0 * (ends >= settings.fair_index) if requirement.measure != "average" else ends
                for table, year in zip(tables, years, strict=True):
                    table[possible, state] = share[possible] * measure[:, year]
        for table, year in zip(tables, years, strict=True):
            needs.append((rows, table))
            asked.append(requirement.at_least)
            labels.append((number, year))
    return tuple(needs), np.array(asked), tuple(labels)


class Ledger:
    """A plan under change that keeps account of its money and refuses what breaks a rule."""

    def __init__(self, problem: Problem, choice: Whole) -> None:
        """Begin with a plan that keeps within the money."""
        self.problem = problem
        self.choice = choice.copy()
        self.left = problem.limits - problem.spent(choice)
        self.reached = problem.reached(choice)

    def try_change(self, changes: Sequence[tuple[int, int]], *, if_better: bool = True) -> bool:
        """Put sections into new states if money, shortest projects (and, unless told, the value) allow it."""
        problem, options = self.problem, self.problem.options
        rows = [row for row, _ in changes]
        low, high = min(rows), max(rows)
        old = [int(self.choice[row]) for row in rows]
        before, value_before = self._local(low, high), self._value(rows)
        for row, state in changes:
            self.choice[row] = state
        reached = self.reached.copy()
        for q, (members, shares) in enumerate(problem.needs):
            for (row, state), was in zip(changes, old, strict=True):
                at = int(np.searchsorted(members, row))
                if at < len(members) and members[at] == row:
                    reached[q] += float(shares[at, state]) - float(shares[at, was])
        short = (
            np.maximum(problem.asked - reached, 0).sum() - np.maximum(problem.asked - self.reached, 0).sum()
        )
        gain = self._value(rows) - value_before - problem.penalty * float(short)
        used = self._local(low, high) - before
        touched = {
            int(a)
            for row in rows
            for a in (options.first[self.choice[row]], options.second[self.choice[row]])
        }
        touched |= {int(a) for state in old for a in (options.first[state], options.second[state])}
        fine = (gain > 1e-9 or not if_better) and bool((used <= self.left + CENT * 0.1).all())
        if not fine or self._too_short(low, high, touched):
            for row, state in zip(rows, old, strict=True):
                self.choice[row] = state
            return False
        self.left = self.left - used
        self.reached = reached
        return True

    def has(self, row: int, action: int) -> bool:
        """Whether a section does that action."""
        options, state = self.problem.options, self.choice[row]
        return bool(options.first[state] == action or options.second[state] == action)

    def neighbours(self, row: int, other: int) -> bool:
        """Whether both rows exist and lie on one chain."""
        return 0 <= other < len(self.choice) and bool(
            self.problem.chain_of[row] == self.problem.chain_of[other]
        )

    def _value(self, rows: Sequence[int]) -> float:
        return float(sum(self.problem.options.benefit[row, self.choice[row]] for row in rows))

    def _local(self, low: int, high: int) -> Floats:
        """(R,) money of the rows low to high and of the one after, whose mobilisation hangs on them."""
        options, used = self.problem.options, np.zeros(len(self.problem.limits))
        for row in range(low, min(high + 2, len(self.choice))):
            state = self.choice[row]
            for action, cost in (
                (int(options.first[state]), options.cost_first[row, state]),
                (int(options.second[state]), options.cost_second[row, state]),
            ):
                if action < options.actions:
                    joins = self.neighbours(row, row - 1) and self.has(row - 1, action)
                    used += self.problem.counts[:, action] * (
                        cost + (0.0 if joins else options.mobilisation[action])
                    )
        return used

    def _too_short(self, low: int, high: int, actions: set[int]) -> bool:
        """Whether a project about rows low to high is under its treatment's shortest length."""
        options = self.problem.options
        for action in actions:
            least = options.least_m[action]
            row = low
            while least > 0 and row - 1 >= 0 and self.neighbours(low, row - 1) and self.has(row - 1, action):
                row -= 1
            length, fixed = 0.0, False
            while least > 0 and row < len(self.choice):
                if self.has(row, action):
                    starts = not (self.neighbours(row, row - 1) and self.has(row - 1, action))
                    if starts:
                        length, fixed = 0.0, False
                    length += options.sections[row].length_m
                    fixed = fixed or bool(options.fixed[row, action])
                    if (
                        not (self.neighbours(row, row + 1) and self.has(row + 1, action))
                        and length < least
                        and not fixed
                    ):
                        return True
                elif row > high:
                    break
                row += 1
        return False
