"""Is a method better than another, or was it luck? Paired tests with their n (torch-free)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.05
FEW = 10


@dataclass(frozen=True)
class PairedTest:
    """Two methods compared on the same images, seeds or data sets.

    Attributes:
        n: pairs.
        mean_difference: of the first minus the second.
        t: of the paired t-test; None where it is not defined (fewer than 2 pairs, or no spread).
        t_p: its two-sided p-value.
        wilcoxon_p: two-sided p-value of the signed-rank test; None without pairs.
        note: what `n` does not allow to be said; empty where nothing stands against the figures.
    """

    n: int
    mean_difference: float
    t: float | None
    t_p: float | None
    wilcoxon_p: float | None
    note: str


def smallest_wilcoxon_p(n: int) -> float:
    """The least two-sided p that n pairs can give: all differences of one sign, 2 of 2^n sign patterns."""
    return min(1.0, 2.0 ** (1 - n))


def _note(n: int, changed: int, spread: bool) -> str:
    if n < 2:
        return "one pair: no test is possible"
    if not changed:
        return "no difference in any pair"
    said = [] if spread else ["all differences are equal: no t-test"]
    least = smallest_wilcoxon_p(changed)
    if least > LEVEL:
        said.append(f"n = {changed}: Wilcoxon's p cannot be below {least:.3g}")
    elif n < FEW:
        said.append(f"n = {n}: few pairs")
    return "; ".join(said)


def paired_test(first: Sequence[float], second: Sequence[float]) -> PairedTest:
    """Paired t-test and Wilcoxon signed-rank test, both two-sided.

    Source: seed 000, table 6 (t-test); seed 001, table 5 (Wilcoxon).

    Args:
        first: one value per image, seed or data set.
        second: the other method's, in the same order.

    Raises:
        ValueError: different lengths.
    """
    difference = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    n = len(difference)
    if n == 0:
        return PairedTest(0, float("nan"), None, None, None, "no pairs")
    # equal scores computed in another order differ in the last digits: no difference
    difference[np.abs(difference) < 1e-12] = 0.0
    mean = float(difference.mean())
    spread = n > 1 and float(np.ptp(difference)) > 1e-12
    t = t_p = None
    if spread:
        answer = stats.ttest_1samp(difference, 0.0)
        t, t_p = float(answer.statistic), float(answer.pvalue)
    # zeros are dropped, Wilcoxon's own way; what is left is ranked exactly where it is little
    changed = difference[difference != 0]
    wilcoxon_p = float(stats.wilcoxon(changed).pvalue) if changed.size else 1.0
    return PairedTest(n, mean, t, t_p, wilcoxon_p, _note(n, changed.size, spread))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction for many comparisons; None stays None and does not count.

    Returns:
        Adjusted p-values in the order given: the i-th smallest of m times (m - i + 1), never less than that
        of a smaller one, at most 1.
    """
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, index) in enumerate(known):
        highest = max(highest, min(1.0, p * (len(known) - rank)))
        adjusted[index] = highest
    return adjusted


def stars(p: float | None) -> str:
    """*** below 0.001, ** below 0.01, * below 0.05, as in seed 000, table 6."""
    if p is None:
        return ""
    return "***" if p < 0.001 else "**" if p < 0.01 else "*" if p < LEVEL else ""
