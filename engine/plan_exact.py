"""The plan as an exact integer programme, solved by HiGHS through SciPy (torch-free).

docs/guide/planning.md writes the model out. Which state a section is in is 0 or 1; whether a project starts
at a section follows from that and from its neighbour before it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, hstack, vstack

from engine.plan_options import Floats, Whole
from engine.plan_problem import Problem

EXACT_CELLS = 30_000
"""States over all sections up to which the whole programme is given to the solver."""
TINY_CELLS = 500
"""Up to here without any gap."""
SMALL_GAP = 5e-4


@dataclass(frozen=True)
class Solution:
    """A plan and how good it may be.

    Attributes:
        choice: (S,) state of each section; None: none was found in time.
        bound: no plan is worth more.
    """

    choice: Whole | None
    bound: float


@dataclass(frozen=True)
class _Starts:
    """One variable for each place where a project may start; N of them.

    Attributes:
        row: (N,) section; action: (N,).
        has: (N, X) which states do the action there; before: (N, X) the same of the one before.
        number: (S, A + 1) variable at section and action, -1 where there is none.
    """

    row: Whole
    action: Whole
    has: csr_array
    before: csr_array
    number: Whole


def fits(problem: Problem) -> bool:
    """Whether the network is small enough for the exact programme."""
    return int(problem.options.allowed.sum()) <= EXACT_CELLS


def solve_exact(problem: Problem, time_limit_s: float) -> Solution:
    """Solve to the end, or as far as the time allows.

    Args:
        time_limit_s: for the solver, > 0.
    """
    options = problem.options
    rows, states = np.nonzero(options.allowed)
    starts = _possible_starts(problem, rows, states)
    variables = len(rows) + len(starts.row)
    worth = np.concatenate([options.benefit[rows, states], np.zeros(len(starts.row))])
    scale = max(float(worth.max()), 1e-12)
    blocks, lows, highs = _limits(problem, rows, states, starts)
    slacks = len(problem.asked)
    if slacks:
        blocks = [hstack([block, csr_array((block.shape[0], slacks))]) for block in blocks]
        needs = [_measure(problem, q, rows, states, variables) for q in range(slacks)]
        blocks.append(hstack([vstack(needs), coo_array(np.eye(slacks))]))
        lows.append(problem.asked)
        highs.append(np.full(slacks, np.inf))
    cost = np.concatenate([-worth / scale, np.full(slacks, problem.penalty / scale)])
    result = milp(
        cost,
        constraints=LinearConstraint(vstack(blocks), np.concatenate(lows), np.concatenate(highs)),
        bounds=Bounds(0, np.concatenate([np.ones(variables), np.full(slacks, 100.0)])),
        integrality=np.concatenate([np.ones(len(rows)), np.zeros(len(starts.row) + slacks)]),
        options={"time_limit": time_limit_s, "mip_rel_gap": 0.0 if len(rows) <= TINY_CELLS else SMALL_GAP},
    )
    bound = -result.mip_dual_bound * scale if result.mip_dual_bound is not None else np.inf
    if result.x is None:
        return Solution(None, float(bound))
    choice = problem.base.copy()
    chosen = result.x[: len(rows)] > 0.5
    choice[rows[chosen]] = states[chosen]
    return Solution(choice, float(bound))


def _possible_starts(problem: Problem, rows: Whole, states: Whole) -> _Starts:
    """Where the state of the section before decides whether a project starts."""
    options = problem.options
    does: dict[tuple[int, int], list[int]] = {}
    for variable, (row, state) in enumerate(zip(rows, states, strict=True)):
        for action in (int(options.first[state]), int(options.second[state])):
            if action < options.actions:
                does.setdefault((int(row), action), []).append(variable)
    wanted = [
        (row, action)
        for row, action in does
        if options.mobilisation[action] > 0 or options.least_m[action] > 0
    ]
    number = np.full((len(options.sections), options.actions + 1), -1)
    has: list[tuple[int, int]] = []
    before: list[tuple[int, int]] = []
    for n, (row, action) in enumerate(wanted):
        number[row, action] = n
        has += [(n, variable) for variable in does[row, action]]
        if row > 0 and problem.chain_of[row] == problem.chain_of[row - 1]:
            before += [(n, variable) for variable in does.get((row - 1, action), [])]
    shape = (len(wanted), len(rows))
    at = np.array(wanted, dtype=np.int64).reshape(-1, 2)
    return _Starts(at[:, 0], at[:, 1], _ones(has, shape), _ones(before, shape), number)


def _ones(places: list[tuple[int, int]], shape: tuple[int, int]) -> csr_array:
    at = np.array(places, dtype=np.int64).reshape(-1, 2)
    return csr_array((np.ones(len(at)), (at[:, 0], at[:, 1])), shape=shape)


def _limits(
    problem: Problem, rows: Whole, states: Whole, starts: _Starts
) -> tuple[list[npt.NDArray[np.object_]], list[Floats], list[Floats]]:
    """Rows of the programme: one state a section; starts; shortest projects; money."""
    options = problem.options
    n, x = len(starts.row), len(rows)
    eye = csr_array((np.ones(n), (np.arange(n), np.arange(n))), shape=(n, n))
    one = csr_array((np.ones(x), (rows, np.arange(x))), shape=(len(options.sections), x))
    none = csr_array((len(options.sections), n))
    blocks = [hstack([one, none]), hstack([starts.has - starts.before, -eye])]
    lows = [np.ones(len(options.sections)), np.full(n, -np.inf)]
    highs = [np.ones(len(options.sections)), np.zeros(n)]
    pairs = _reach(problem, starts)
    if len(pairs):
        picked = hstack([starts.has[pairs[:, 1]], -eye[pairs[:, 0]]])
        blocks.append(picked)
        lows.append(np.zeros(len(pairs)))
        highs.append(np.full(len(pairs), np.inf))
    too_short = _dead_ends(problem, starts)
    if len(too_short):
        blocks.append(hstack([csr_array((len(too_short), x)), eye[too_short]]))
        lows.append(np.zeros(len(too_short)))
        highs.append(np.zeros(len(too_short)))
    if len(problem.limits):
        money = (
            problem.counts[:, options.first[states]] * options.cost_first[rows, states]
            + problem.counts[:, options.second[states]] * options.cost_second[rows, states]
        )
        begun = problem.counts[:, starts.action] * options.mobilisation[starts.action]
        # The solver's tolerance is absolute: money in units that keep a cent a cent.
        unit = max(float(problem.limits.max()), float(money.max(initial=0)), 1.0) / 1e4
        blocks.append(csr_array(np.concatenate([money, begun], axis=1) / unit))
        lows.append(np.full(len(problem.limits), -np.inf))
        highs.append(problem.limits / unit)
    return blocks, lows, highs


def _walk(problem: Problem, starts: _Starts, n: int) -> tuple[list[int], bool]:
    """Starts variables that a project starting at n has to cover, and whether it gets long enough."""
    options = problem.options
    row, action = int(starts.row[n]), int(starts.action[n])
    length, covered = 0.0, []
    while row < len(options.sections) and problem.chain_of[row] == problem.chain_of[starts.row[n]]:
        if starts.number[row, action] < 0:
            break
        covered.append(int(starts.number[row, action]))
        length += options.sections[row].length_m
        # A project that holds a fixed one may be as short as it is.
        if length >= options.least_m[action] or options.fixed[row, action]:
            return covered, True
        row += 1
    return covered, False


def _reach(problem: Problem, starts: _Starts) -> Whole:
    """(N, 2) pairs (start, place): a project that starts there has to go on to that place."""
    pairs = []
    for n in np.flatnonzero(problem.options.least_m[starts.action] > 0):
        covered, enough = _walk(problem, starts, int(n))
        if enough:
            pairs += [(int(n), place) for place in covered[1:]]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _dead_ends(problem: Problem, starts: _Starts) -> Whole:
    """Places at which no project can start, as it would stay too short."""
    least = problem.options.least_m[starts.action] > 0
    ends = [int(n) for n in np.flatnonzero(least) if not _walk(problem, starts, int(n))[1]]
    return np.array(ends, dtype=np.int64)


def _measure(problem: Problem, q: int, rows: Whole, states: Whole, variables: int) -> csr_array:
    """(1, variables) what each variable adds to a requirement's measure."""
    members, shares = problem.needs[q]
    place = np.full(len(problem.options.sections), -1)
    place[members] = np.arange(len(members))
    at = place[rows]
    values = np.where(at >= 0, shares[at, states].astype(np.float64), 0.0)
    return csr_array(np.concatenate([values, np.zeros(variables - len(rows))])[None, :])
