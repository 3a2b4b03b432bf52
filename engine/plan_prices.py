"""Plans for large networks: a price on each year's money, and the best each road can do at it (torch-free).

Lagrangian relaxation with column generation (Dantzig and Wolfe). At given prices the roads do not compete, so
the best programme of each is found exactly, shared mobilisation included (`best_at`). The sum over roads plus
the price of the money is a bound that no plan can pass. A linear programme over the road programmes found so
far sets the next prices; an integer one chooses among them at the end.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array, hstack

from engine.plan_options import Floats, Whole
from engine.plan_problem import Ledger, Problem

BLOCKS = 200
"""Roads are put together into at most so many blocks, to keep the linear programme small."""
ENOUGH = 5e-4
"""Prices are good enough when bound and linear programme differ by this part."""
MAX_ROUNDS = 80
CHUNK_CELLS = 2_000_000


@dataclass(frozen=True)
class Priced:
    """What the prices led to.

    Attributes:
        choice: (S,) the best plan found; bound: no plan is worth more.
        prices: (R,) worth of one unit of each money row; rounds: prices tried.
    """

    choice: Whole
    bound: float
    prices: Floats
    rounds: int


@dataclass
class _Columns:
    """Road programmes found so far; one entry for each block and round."""

    block: list[Whole]
    choice: list[Whole]
    benefit: list[Floats]
    money: list[Floats]
    measure: list[Floats]


def solve_prices(
    problem: Problem,
    time_limit_s: float,
    start_prices: Floats | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> Priced:
    """Find prices, a bound and a plan.

    Args:
        time_limit_s: about how long to look.
        start_prices: (R,) of a similar problem, to begin with.
        progress: told the share done, 0-1; may raise to stop.
    """
    began = time.monotonic()
    block = _blocks(problem)
    columns = _Columns([], [], [], [], [])
    rows, asked = len(problem.limits), len(problem.asked)
    best_bound, best_dual = np.inf, np.zeros(rows + asked)
    _add(problem, columns, block, problem.base)
    first = list(_first_guesses(problem, start_prices))
    dual, rounds = best_dual, 0
    while rounds < MAX_ROUNDS:
        if first:
            trial = first.pop()
        else:
            value, dual = _master(problem, columns, block)
            if best_bound - value <= ENOUGH * abs(best_bound):
                break
            # Half-way back to the best prices so far: those of a small programme swing.
            trial = 0.5 * dual + 0.5 * best_dual
        bound, choice = best_at(problem, trial[:rows], trial[rows:])
        if bound < best_bound:
            best_bound, best_dual = bound, trial
        _add(problem, columns, block, _without_short(problem, choice))
        rounds += 1
        progress(min(rounds / 40, 1.0))
        if time.monotonic() - began > 0.7 * time_limit_s:
            break
    left = max(time_limit_s - (time.monotonic() - began), 0.1 * time_limit_s, 1.0)
    choice = _choose(problem, columns, block, min(left, 0.2 * time_limit_s + 1))
    return Priced(choice, float(best_bound), best_dual[:rows], rounds)


def _blocks(problem: Problem) -> Whole:
    """(S,) block of each section; whole chains."""
    chains = int(problem.chain_of[-1]) + 1
    return problem.chain_of * min(chains, BLOCKS) // chains


def _first_guesses(problem: Problem, start: Floats | None) -> list[Floats]:
    """Even prices at which a share of all options would still be worth their money."""
    rows, asked = len(problem.limits), len(problem.asked)
    zero = np.zeros(rows + asked)
    if start is not None:
        return [np.concatenate([start, np.zeros(asked)])]
    cost = problem.options.cost_first + problem.options.cost_second
    usable = problem.options.allowed & (cost > 0) & (problem.options.benefit > 0)
    if not usable.any() or not rows:
        return [zero]
    ratios = np.quantile(problem.options.benefit[usable] / cost[usable], [0.3, 0.6, 0.8, 0.9, 0.97])
    # Carried-over money counts in every later row: its price is the sum of theirs.
    per_row = max(problem.counts.sum(axis=0).mean(), 1.0)
    return [zero, *(zero + np.concatenate([np.full(rows, r / per_row), np.zeros(asked)]) for r in ratios)]


def best_at(problem: Problem, prices: Floats, rewards: Floats) -> tuple[float, Whole]:
    """The best plan where money has prices, and the bound that follows.

    Args:
        prices: (R,) of each money row, >= 0.
        rewards: (Q,) for each point of a requirement's measure, 0 to the penalty.

    Returns:
        No plan is worth more than the first; (S,) the plan, which need not keep within the money, nor to the
        shortest projects.
    """
    options = problem.options
    each = prices @ problem.counts if len(prices) else np.zeros(options.actions + 1)
    fee = options.mobilisation * each
    choice = np.empty(len(options.sections), dtype=np.int64)
    total = float(prices @ problem.limits - rewards @ problem.asked)
    shares = _rewarded(problem, rewards)
    ends = np.append(options.chain_starts[1:], len(options.sections))
    lengths = ends - options.chain_starts
    longest_first = np.argsort(-lengths, kind="stable")
    per_chunk = max(CHUNK_CELLS // (len(options.first) * int(lengths.max())), 1)
    for at in range(0, len(longest_first), per_chunk):
        chains = longest_first[at : at + per_chunk]
        total += _best_programmes(
            problem, each, fee, shares, options.chain_starts[chains], lengths[chains], choice
        )
    return total, choice


def _rewarded(problem: Problem, rewards: Floats) -> Floats | None:
    """(S, P) rewards for condition; None where there are none."""
    if not rewards.any():
        return None
    table = np.zeros(problem.options.benefit.shape)
    for reward, (rows, shares) in zip(rewards, problem.needs, strict=True):
        table[rows] += reward * shares
    return table


def _best_programmes(
    problem: Problem,
    each: Floats,
    fee: Floats,
    rewarded: Floats | None,
    begins: Whole,
    lengths: Whole,
    choice: Whole,
) -> float:
    """Dynamic programme along chains of neighbours, longest first; fills `choice`, returns the summed value.

    A section that goes on with its neighbour's project pays no mobilisation.
    """
    options = problem.options
    first, second = options.first, options.second
    order = np.argsort(np.concatenate([first, second]), kind="stable")
    by_action = np.concatenate([np.arange(len(first))] * 2)[order]
    edges = np.searchsorted(np.concatenate([first, second])[order], np.arange(options.actions))
    does_nothing = int(np.searchsorted(np.concatenate([first, second])[order], options.actions))
    tables: list[Floats] = []
    reached = np.zeros((len(begins), 0))
    for step in range(int(lengths[0])):
        going = int(np.searchsorted(-lengths, -step, side="left"))
        rows = begins[:going] + step
        own = options.benefit[rows] - options.cost_first[rows] * each[first]
        own -= options.cost_second[rows] * each[second]
        if rewarded is not None:
            own += rewarded[rows]
        own[~options.allowed[rows]] = -np.inf
        if step == 0:
            reached = own - fee[first] - fee[second]
        else:
            before = reached[:going]
            shared = np.empty((going, options.actions + 1))
            members = before[:, by_action[:does_nothing]]
            shared[:, :-1] = np.maximum.reduceat(members, edges, axis=1)
            shared[:, -1] = before.max(axis=1)
            gain = np.maximum(shared[:, first] - fee[second], shared[:, second] - fee[first])
            gain = np.maximum(gain, (shared[:, -1:] - fee[first]) - fee[second])
            reached = own + np.maximum(gain, before)
        tables.append(reached)
    return _trace_back(problem, fee, tables, begins, lengths, choice)


def _trace_back(
    problem: Problem, fee: Floats, tables: list[Floats], begins: Whole, lengths: Whole, choice: Whole
) -> float:
    """Read the best states off the tables, from each chain's end to its start."""
    first, second = problem.options.first, problem.options.second
    does = np.zeros((problem.options.actions + 1, len(first)), dtype=bool)
    does[first, np.arange(len(first))] = True
    does[second, np.arange(len(second))] = True
    pays = fee[first][:, None] * ~does[first] + fee[second][:, None] * ~does[second]
    total = 0.0
    state = np.zeros(len(begins), dtype=np.int64)
    for step in range(len(tables) - 1, -1, -1):
        going = len(tables[step])
        scores = tables[step]
        later = int(np.searchsorted(-lengths, -(step + 1), side="left"))
        picked = np.empty(going, dtype=np.int64)
        if later:
            picked[:later] = (scores[:later] - pays[state[:later]]).argmax(axis=1)
        if going > later:
            picked[later:] = scores[later:].argmax(axis=1)
            total += float(scores[np.arange(later, going), picked[later:]].sum())
        state[:going] = picked
        choice[begins[:going] + step] = picked
    return total


def _without_short(problem: Problem, choice: Whole) -> Whole:
    """The plan without projects under their treatment's shortest length."""
    options, kept = problem.options, choice.copy()
    while options.least_m.any():
        both, starts = problem.actions_of(kept), problem.starts(kept)
        short: list[int] = []
        for row, slot in zip(*np.nonzero(starts & (options.least_m[both] > 0)), strict=True):
            action, end, length, fixed = int(both[row, slot]), int(row), 0.0, False
            while end < len(kept) and problem.chain_of[end] == problem.chain_of[row] and action in both[end]:
                length += options.sections[end].length_m
                fixed = fixed or bool(options.fixed[end, action])
                end += 1
            if length < options.least_m[action] and not fixed:
                short += range(int(row), end)
        if not short:
            break
        kept[short] = problem.base[short]
    return kept


def _add(problem: Problem, columns: _Columns, block: Whole, choice: Whole) -> None:
    """Enter the programme of each block that is in a plan."""
    options, every = problem.options, np.arange(len(choice))
    count = int(block[-1]) + 1
    costs, mobilisation = problem.cost_at(choice)
    actions = problem.actions_of(choice)
    spent = np.zeros((len(problem.limits), count))
    for slot in (0, 1):
        paid = problem.counts[:, actions[:, slot]] * (costs[:, slot] + mobilisation[:, slot])
        spent += np.array([np.bincount(block, row, count) for row in paid]).reshape(spent.shape)
    measure = np.array(
        [
            np.bincount(block[rows], shares[np.arange(len(rows)), choice[rows]], count)
            for rows, shares in problem.needs
        ]
    ).reshape(len(problem.needs), count)
    columns.block.append(np.arange(count))
    columns.choice.append(choice)
    benefit = np.bincount(block, options.benefit[every, choice], count)
    columns.benefit.append(benefit.astype(np.float64))
    columns.money.append(spent)
    columns.measure.append(measure)


def _programme(problem: Problem, columns: _Columns) -> tuple[Floats, csr_array, Floats, csr_array, float]:
    """Cost vector, <= rows and their limits, = rows, and the scale of the objective."""
    benefit = np.concatenate(columns.benefit)
    scale = max(float(benefit.max()), 1e-12)
    money, measure = np.concatenate(columns.money, axis=1), np.concatenate(columns.measure, axis=1)
    unit = max(float(problem.limits.max(initial=0)), 1.0) / 1e4
    blocks = np.concatenate(columns.block)
    asked = len(problem.asked)
    upper = csr_array(np.concatenate([money / unit, -measure]))
    short = csr_array(np.concatenate([np.zeros((len(money), asked)), -np.eye(asked)]))
    one = csr_array((np.ones(len(blocks)), (blocks, np.arange(len(blocks)))))
    cost = np.concatenate([-benefit / scale, np.full(asked, problem.penalty / scale)])
    limits = np.concatenate([problem.limits / unit, -problem.asked])
    return cost, hstack([upper, short]), limits, hstack([one, csr_array((one.shape[0], asked))]), scale


def _master(problem: Problem, columns: _Columns, block: Whole) -> tuple[float, Floats]:
    """Best mixture of the programmes found so far: its value, and prices (R,) and rewards (Q,)."""
    cost, upper, limits, equal, scale = _programme(problem, columns)
    rows = len(problem.limits)
    unit = max(float(problem.limits.max(initial=0)), 1.0) / 1e4
    result = linprog(
        cost,
        A_ub=upper if upper.shape[0] else None,
        b_ub=limits if upper.shape[0] else None,
        A_eq=equal,
        b_eq=np.ones(equal.shape[0]),
        method="highs",
    )
    if result.x is None:
        return -np.inf, np.zeros(len(limits))
    dual = np.maximum(-result.ineqlin.marginals * scale, 0) if upper.shape[0] else np.zeros(0)
    dual[:rows] /= unit
    return float(-result.fun * scale), np.concatenate([dual[:rows], np.minimum(dual[rows:], problem.penalty)])


def _choose(problem: Problem, columns: _Columns, block: Whole, time_limit_s: float) -> Whole:
    """One programme for each block, the best that the money allows."""
    cost, upper, limits, equal, _ = _programme(problem, columns)
    ones = np.ones(equal.shape[0])
    constraints = [LinearConstraint(equal, ones, ones)]
    if upper.shape[0]:
        constraints.append(LinearConstraint(upper, -np.inf, limits))
    slacks = len(problem.asked)
    programmes = len(cost) - slacks
    result = milp(
        cost,
        constraints=constraints,
        bounds=Bounds(0, np.concatenate([np.ones(programmes), np.full(slacks, 100.0)])),
        integrality=np.concatenate([np.ones(programmes), np.zeros(slacks)]),
        options={"time_limit": time_limit_s, "mip_rel_gap": ENOUGH},
    )
    choice = problem.base.copy()
    if result.x is None:
        return choice
    count = int(block[-1]) + 1
    for n in np.flatnonzero(result.x[:programmes] > 0.5):
        rows = block == n % count
        choice[rows] = columns.choice[n // count][rows]
    # The solver's tolerance is not the treasurer's.
    return choice if problem.affordable(choice) else _cheaper(problem, choice)


def _cheaper(problem: Problem, choice: Whole) -> Whole:
    """Build the plan up again section by section, as far as the money reaches."""
    ledger = Ledger(problem, problem.base)
    for row in np.flatnonzero(choice != problem.base):
        ledger.try_change([(int(row), int(choice[row]))])
    return ledger.choice
