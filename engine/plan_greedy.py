"""Plans by rules of thumb: worst first, and incremental benefit-cost to spend what is left (torch-free)."""

import numpy as np

from engine.plan_options import Floats, Whole, conditions
from engine.plan_problem import Ledger, Problem

CANDIDATES = 4_000
ROUNDS = 12


def worst_first(problem: Problem) -> Whole:
    """Each year the sections in worst condition first, each with the treatment of best benefit-cost there.

    What no money is left for waits. Where a treatment needs a longer project, neighbours that trigger join.
    """
    options = problem.options
    ledger = Ledger(problem, problem.base)
    state_of = _state_numbers(problem)
    afford = _affordable(ledger)
    for year in range(options.settings.years):
        actions = np.flatnonzero(options.year == year)
        now = _index_before(problem, ledger.choice, year)
        for row in np.argsort(now, kind="stable").tolist():
            offers = []
            for action in actions.tolist():
                state = _with(problem, state_of, int(ledger.choice[row]), action)
                if state is not None and options.allowed[row, state]:
                    gain = options.benefit[row, state] - options.benefit[row, ledger.choice[row]]
                    cost = options.cost_first[row, state] + options.cost_second[row, state]
                    if cost <= afford[action] + options.cost_first[row, ledger.choice[row]]:
                        offers.append((-gain / max(cost + options.mobilisation[action], 1e-9), action))
            for _, action in sorted(offers):
                if _add(ledger, state_of, row, action):
                    afford = _affordable(ledger)
                    break
    return ledger.choice


def _affordable(ledger: Ledger) -> Floats:
    """(A + 1,) money that is left for each action."""
    afford = np.full(ledger.problem.options.actions + 1, np.inf)
    for counts, left in zip(ledger.problem.counts, ledger.left, strict=True):
        afford[counts > 0] = np.minimum(afford[counts > 0], left)
    return afford


def _index_before(problem: Problem, choice: Whole, year: int) -> Floats:
    """(S,) index at the start of a year, before anything is done in it."""
    options = problem.options
    if year == 0:
        return options.ageing.index_now
    return conditions(options, choice)[1][:, year - 1]


def _state_numbers(problem: Problem) -> dict[tuple[int, int], int]:
    """(first action, second action) -> state."""
    options = problem.options
    return {(int(p), int(q)): n for n, (p, q) in enumerate(zip(options.first, options.second, strict=True))}


def _with(problem: Problem, state_of: dict[tuple[int, int], int], state: int, action: int) -> int | None:
    """The state that does one action more."""
    first, second, none = problem.options.first, problem.options.second, problem.options.actions
    if first[state] == none:
        return state_of[action, none]
    if second[state] == none:
        return state_of.get((int(first[state]), action))
    return None


def _add(ledger: Ledger, state_of: dict[tuple[int, int], int], row: int, action: int) -> bool:
    """Do an action on a section, with as many neighbours as its shortest length asks for."""
    problem, options = ledger.problem, ledger.problem.options
    state = _with(problem, state_of, int(ledger.choice[row]), action)
    if state is None or not options.allowed[row, state]:
        return False
    changes = [(row, state)]
    length, low, high = options.sections[row].length_m, row, row
    while True:
        if ledger.try_change(changes, if_better=False):
            return True
        if length >= options.least_m[action]:
            return False
        for other in (high + 1, low - 1):
            state = None
            if ledger.neighbours(row, other):
                state = _with(problem, state_of, int(ledger.choice[other]), action)
            if state is not None and options.allowed[other, state]:
                changes.append((other, state))
                length += options.sections[other].length_m
                low, high = min(low, other), max(high, other)
                break
        else:
            return False


def fill(problem: Problem, choice: Whole, prices: Floats | None = None) -> Whole:
    """Improve a plan by the changes of single sections with most benefit for their cost, while money is left.

    Incremental benefit-cost: what a section does now is replaced where the gain is worth its added cost.

    Args:
        choice: (S,) a plan that keeps within the money.
        prices: (R,) what a unit of each money row is worth; None: equal.

    Returns:
        (S,) a plan worth at least as much.
    """
    options = problem.options
    ledger = Ledger(problem, choice)
    price = np.ones(len(problem.limits)) if prices is None else prices
    each = price @ problem.counts if len(price) else np.zeros(options.actions + 1)
    floor = max(float(each.max()) * 1e-3, 1e-12)
    each = each + floor
    each[-1] = 0.0
    for _ in range(ROUNDS):
        rows, states = _best_changes(problem, ledger, each)
        done = sum(
            ledger.try_change([(int(row), int(state))]) for row, state in zip(rows, states, strict=True)
        )
        if not done:
            break
    return ledger.choice


def _best_changes(problem: Problem, ledger: Ledger, each: Floats) -> tuple[Whole, Whole]:
    """Changes that gain and could be paid for, the best benefit for priced cost first."""
    options, every = problem.options, np.arange(len(ledger.choice))
    afford = _affordable(ledger)
    now = options.cost_first[every, ledger.choice] + options.cost_second[every, ledger.choice]
    rows, states = np.nonzero(
        options.allowed
        & (options.benefit > options.benefit[every, ledger.choice][:, None] + 1e-9)
        & (options.cost_first <= (afford[options.first] + now[:, None]))
        & (options.cost_second <= (afford[options.second] + now[:, None]))
    )
    spent = (
        options.cost_first[every, ledger.choice] * each[options.first[ledger.choice]]
        + options.cost_second[every, ledger.choice] * each[options.second[ledger.choice]]
    )
    added = (
        options.cost_first[rows, states] * each[options.first[states]]
        + options.cost_second[rows, states] * each[options.second[states]]
        - spent[rows]
    )
    gain = options.benefit[rows, states] - options.benefit[rows, ledger.choice[rows]]
    best = np.argsort(-gain / np.maximum(added, 1e-9 * gain.max(initial=1.0)), kind="stable")[:CANDIDATES]
    return rows[best], states[best]
