"""Deduct and corrected-deduct curves: how many points a density of cracking costs (torch-free).

Monotone curves (PCHIP) through points in the ranges of open fits of ASTM D6433's figures, the same figures as
in UFC 3-270-08 / TM 5-623 appendix C. What lies outside of those fits is ours and marked so below.
"""

import math
from enum import StrEnum
from functools import lru_cache

from engine.vocabulary import DistressType, Severity


class DeductFamily(StrEnum):
    """Distresses that share a deduct curve; D6433 counts longitudinal and transverse cracking as one."""

    ALLIGATOR = "alligator"
    BLOCK = "block"
    LINEAR = "longitudinal_transverse"


FAMILIES: dict[DistressType, DeductFamily] = {
    DistressType.ALLIGATOR: DeductFamily.ALLIGATOR,
    DistressType.BLOCK: DeductFamily.BLOCK,
    DistressType.LONGITUDINAL: DeductFamily.LINEAR,
    DistressType.TRANSVERSE: DeductFamily.LINEAR,
    DistressType.DIAGONAL: DeductFamily.LINEAR,
}
GRADES = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)

_DENSITIES = (1.0, 5.0, 10.0, 30.0, 100.0)
_POINTS: dict[DeductFamily, dict[Severity, tuple[float, ...]]] = {
    DeductFamily.ALLIGATOR: {
        Severity.LOW: (11.5, 25.5, 33.0, 46.0, 62.0),
        Severity.MEDIUM: (22.0, 38.5, 46.5, 60.5, 78.0),
        Severity.HIGH: (31.0, 52.5, 62.0, 76.0, 91.5),
    },
    DeductFamily.BLOCK: {
        Severity.LOW: (0.5, 5.5, 8.5, 16.5, 27.0),
        Severity.MEDIUM: (2.5, 11.0, 17.0, 28.0, 43.0),
        Severity.HIGH: (7.0, 21.0, 30.5, 48.0, 72.0),
    },
    # The figures stop at 30 %: denser cracking costs no more.
    DeductFamily.LINEAR: {
        Severity.LOW: (2.0, 11.5, 17.5, 28.5),
        Severity.MEDIUM: (9.5, 23.0, 30.5, 45.0),
        Severity.HIGH: (19.5, 44.5, 61.0, 88.5),
    },
}
# Under 1 % every curve falls as these parts of its value at 1 %: the second is the published alligator medium
# (0.64 % -> 17), the first is ours. Under 0.1 % the deduct is proportional to the density.
_LOW_DENSITIES = (0.1, 0.64)
_LOW_PARTS = (0.3, 17 / 22)

_TOTALS = (0.0, 40.0, 60.0, 80.0, 100.0)
# Total -> corrected; the last point of each, and q 6 (for all greater q too), are ours: the figure's ends.
_CORRECTED: dict[int, tuple[tuple[float, ...], tuple[float, float]]] = {
    2: ((0.0, 29.0, 44.0, 58.0, 70.0), (160.0, 100.0)),
    3: ((0.0, 24.0, 38.0, 51.0, 63.0), (180.0, 100.0)),
    4: ((0.0, 19.0, 32.5, 45.5, 57.5), (200.0, 98.0)),
    5: ((0.0, 16.5, 29.0, 41.0, 52.0), (200.0, 92.0)),
    6: ((0.0, 15.0, 26.0, 37.0, 48.0), (200.0, 86.0)),
}
_LARGEST_Q = max(_CORRECTED)

_STEPS = 600
_PER_POINT = 4


@lru_cache
def _deduct_table(family: DeductFamily, severity: Severity) -> tuple[float, ...]:
    """Deducts at equal steps of log10 density from 0.1 % to the curve's end: 1e5 sections are read fast."""
    import numpy as np
    from scipy.interpolate import PchipInterpolator

    values = _POINTS[family][severity]
    densities = np.log10(_LOW_DENSITIES + _DENSITIES[: len(values)])
    points = [part * values[0] for part in _LOW_PARTS] + list(values)
    grid = np.linspace(densities[0], densities[-1], _STEPS + 1)
    return tuple(PchipInterpolator(densities, points)(grid).tolist())


@lru_cache
def _corrected_table(q: int) -> tuple[float, ...]:
    """Corrected deducts at equal steps of the total from 0 on, to the end of the curve."""
    import numpy as np
    from scipy.interpolate import PchipInterpolator

    values, (end, last) = _CORRECTED[q]
    curve = PchipInterpolator([*_TOTALS, end], [*values, last])
    return tuple(curve(np.linspace(0.0, end, round(end) * _PER_POINT + 1)).tolist())


def _read(table: tuple[float, ...], position: float) -> float:
    """Value of a table at a position >= 0 in steps, linear between; its last value beyond its end."""
    below = int(position)
    if below >= len(table) - 1:
        return table[-1]
    return table[below] + (position - below) * (table[below + 1] - table[below])


def deduct_value(kind: DistressType | DeductFamily, severity: Severity, density_percent: float) -> float:
    """Points that one distress of one severity costs: 0 to 100, rising with density and severity.

    Args:
        kind: a type that the index counts (a key of `FAMILIES`), or a family.
        severity: low, medium or high.
        density_percent: D6433's density: area / surveyed area x 100 for alligator and block cracking, 30.48 x
            length in m / surveyed area in m2 for the others (ft per 100 ft2), >= 0.

    Raises:
        ValueError: for a kind or severity that has no curve, or a density that is negative or no number.

    Source: ASTM D6433 appendix X3 through open fits; UFC 3-270-08 (alligator medium at 0.64 % -> 17).
    """
    family = kind if isinstance(kind, DeductFamily) else FAMILIES.get(kind)
    if family is None or severity not in GRADES:
        raise ValueError(f"{kind} of severity {severity} has no deduct curve")
    if not density_percent >= 0:
        raise ValueError(f"density {density_percent} %")
    table = _deduct_table(family, severity)
    smallest = _LOW_DENSITIES[0]
    if density_percent < smallest:
        return table[0] * density_percent / smallest
    largest = _DENSITIES[len(_POINTS[family][severity]) - 1]
    place = math.log10(min(density_percent, largest) / smallest) / math.log10(largest / smallest)
    return _read(table, place * _STEPS)


def corrected_deduct(total: float, q: int) -> float:
    """What deducts of that sum cost together, where `q` of them are greater than 2: 0 to 100.

    Rises with the total and falls with q; for q of 1 or 0 it is the total itself, at most 100.

    Args:
        total: sum of the deducts, >= 0.
        q: number of deducts greater than 2; beyond 6 as 6.

    Raises:
        ValueError: for a total that is negative or no number.

    Source: ASTM D6433 appendix X3 through open fits; UFC 3-270-08 (total 45, q 2 -> 33).
    """
    if not total >= 0:
        raise ValueError(f"total deduct {total}")
    if q <= 1:
        return min(total, 100.0)
    return _read(_corrected_table(min(q, _LARGEST_Q)), min(total, 1000.0) * _PER_POINT)
