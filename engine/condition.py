"""Condition of a road by its cracking alone: index, bands, HPMS and Unified Crack Index (torch-free).

The condition index runs D6433's deduct values over cracking only. Whatever else ails a pavement (ruts,
patches, potholes) would lower it further: an upper bound of a Pavement Condition Index, never called one.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any, Protocol

from engine.deducts import FAMILIES, DeductFamily, corrected_deduct, deduct_value
from engine.errors import SettingsError
from engine.vocabulary import DistressType, Severity

L_AND_T_PERCENT_PER_M_PER_M2 = 30.48
"""1 m/m2 is 0.3048 ft/ft2; D6433's figures take feet per hundred square feet."""
RATINGS = (
    (85.0, "good"),
    (70.0, "satisfactory"),
    (55.0, "fair"),
    (40.0, "poor"),
    (25.0, "very poor"),
    (10.0, "serious"),
    (0.0, "failed"),
)
"""Lowest index of each D6433 rating."""
GOOD_INDEX, FAIR_INDEX = RATINGS[1][0], RATINGS[2][0]
"""Lowest index of good and of fair: D6433's ratings in three classes, satisfactory being good."""
PASER_ACTIONS = ((9, "none"), (7, "crack seal"), (5, "preservation"), (3, "overlay"), (1, "reconstruct"))
"""Lowest PASER of each band, and what is usually done there."""
HPMS_GOOD_BELOW = 5
HPMS_POOR_ABOVE = 20

FORMULAS: dict[str, tuple[str, str]] = {
    "crack_density_m_per_m2": ("crack length / surveyed area", "AASHTO R 85 lengths"),
    "crack_area_ratio": ("crack pixels / surveyed pixels", "none; depends on how wide a crack is drawn"),
    "condition_index": (
        "100 - greatest corrected deduct of cracking alone; an upper bound of PCI",
        "ASTM D6433 deduct-value method; curves through open fits, UFC 3-270-08",
    ),
    "rating": (
        "index from 85 good, 70 satisfactory, 55 fair, 40 poor, 25 very poor, 10 serious",
        "ASTM D6433",
    ),
    "paser": ("condition index / 10, rounded, 1 to 10", "PASER bands; the conversion is ours"),
    "hpms_cracking_percent": (
        "area with visible cracks / surveyed area, whole percent; asphalt good < 5, fair 5-20, poor > 20",
        "23 CFR 490.311 and 490.313",
    ),
    "unified_crack_index": ("cracked tiles / tiles x 100", "Unified Crack Index"),
    "severity": ("mean crack width; alligator by its pattern", "the survey's severity standard"),
    "sample_units": ("n = N s2 / ((e2 / 4)(N - 1) + s2)", "ASTM D6433, 95 % confidence"),
}
"""Measure -> (formula, standard), for pages and exports."""


class QuantityLike(Protocol):
    """Amount of one type and severity, as `engine.distress.Quantity`."""

    @property
    def kind(self) -> DistressType: ...
    @property
    def severity(self) -> Severity | None: ...
    @property
    def length_m(self) -> float: ...
    @property
    def area_m2(self) -> float: ...


@dataclass(frozen=True)
class Deduct:
    """One line of the index: a family of distress at one severity.

    Attributes:
        family: deduct curve.
        severity: low, medium or high, as graded or as assumed.
        quantity: m2 of alligator and block cracking, m of the others.
        density_percent: D6433's density.
        points: deduct value, 0-100.
    """

    family: DeductFamily
    severity: Severity
    quantity: float
    density_percent: float
    points: float


@dataclass(frozen=True)
class CorrectionStep:
    """One line of the correction: the deducts, their total, q of them over 2, and the corrected deduct."""

    deducts: tuple[float, ...]
    total: float
    q: int
    corrected: float


@dataclass(frozen=True)
class Correction:
    """What several deducts cost together.

    Attributes:
        highest: the highest deduct (HDV), up to the next tenth of a point.
        allowed: number of deducts that count (m), with its fraction, by `highest`.
        steps: until no more than one deduct is over 2; none without deducts.
    """

    highest: float
    allowed: float
    steps: tuple[CorrectionStep, ...]

    @property
    def greatest(self) -> float:
        """The greatest corrected deduct, 0 without deducts."""
        return max((step.corrected for step in self.steps), default=0.0)


@dataclass(frozen=True)
class ConditionIndex:
    """Crack-only condition index with everything it was made of.

    Attributes:
        value: 0 (worst) to 100; cracking without a severity is taken as low, so that it stays an upper bound.
        value_low: the lowest with that cracking taken as medium or high; equals `value` where all is graded.
        rating: D6433's word.
        paser: 1 to 10.
        action: what is usual in that PASER band.
        deducts: greatest first.
        correction: the standard's; its greatest corrected deduct is taken off 100.
        capped: the correction with the highest deducts lowered to `capped.highest`, where that costs more:
            then this one's is taken off. None where the standard's counts.
        not_measurable_share: share (0-1) of the density that has no severity.
        left_out: types that no deduct curve of cracking covers.
        notes: what a reader has to know.
    """

    value: float
    value_low: float
    rating: str
    paser: int
    action: str
    deducts: tuple[Deduct, ...]
    correction: Correction
    capped: Correction | None
    not_measurable_share: float
    left_out: tuple[DistressType, ...]
    notes: tuple[str, ...]

    @property
    def value_high(self) -> float:
        """The index with ungraded cracking taken as low: `value` itself."""
        return self.value

    def as_dict(self) -> dict[str, Any]:
        """Plain values for storage, numbers to three decimals."""
        return {**_plain(self), "value_high": round(self.value_high, 3)}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):  # `asdict` copies every leaf: of 1e5 sections it takes longer than the index
        return {name: _plain(item) for name, item in vars(value).items()}
    return value


def rating_of(index: float) -> str:
    """D6433's word for an index of 0 to 100."""
    return next((word for lowest, word in RATINGS if index >= lowest), RATINGS[-1][1])


def paser_of(index: float) -> int:
    """PASER rating, 1 to 10: a tenth of the index, halves up. The conversion is ours."""
    return max(1, min(10, int(index / 10 + 0.5)))


def paser_action(paser: int) -> str:
    """What is usually done in the band of a PASER rating."""
    return next((action for lowest, action in PASER_ACTIONS if paser >= lowest), PASER_ACTIONS[-1][1])


def grade_of(value: float | None, good: float, poor: float) -> str | None:
    """good, fair or poor by where good and poor end; None without a value.

    Where `good` is over `poor` large values are good, and a value on an end is of the better class; else
    small ones are, and it is fair.
    """
    if value is None or math.isnan(value):
        return None
    if good > poor:
        return "good" if value >= good else "fair" if value >= poor else "poor"
    return "good" if value < good else "fair" if value <= poor else "poor"


def is_at_best(index: float | None, at_worst: float | None) -> bool:
    """Whether an index's class is an upper bound: cracking without a severity could make it worse."""
    # What a roll-up keeps of the worst is rounded to 0.001.
    return index is not None and at_worst is not None and index >= FAIR_INDEX and at_worst < index - 0.002


def allowed_deducts(highest: float) -> float:
    """Number of deducts that may count, 1 to 10, by the highest of them (HDV): 1 + 9/98 (100 - HDV)."""
    return max(1.0, min(10.0, 1 + 9 / 98 * (100 - highest)))


def _correction(deducts: Sequence[float], highest: float, allowed: float) -> Correction:
    """For deducts, greatest first, of which `allowed` count: each step lowers the smallest over 2 to 2."""
    values = list(deducts)
    if len(values) > allowed:
        whole = int(allowed)
        values = [*values[:whole], values[whole] * (allowed - whole)]
    steps: list[CorrectionStep] = []
    while values:
        q = sum(value > 2 for value in values)
        total = sum(values)
        steps.append(CorrectionStep(tuple(values), total, q, corrected_deduct(total, q)))
        if q <= 1:
            break
        values[q - 1] = 2.0
    return Correction(highest, allowed, tuple(steps))


def correct_deducts(deducts: Iterable[float]) -> tuple[Correction, Correction | None]:
    """D6433's correction for several deducts; the greatest corrected deduct is what they cost together.

    The m greatest deducts count, the next one by m's fraction. A growing highest deduct lowers m and pushes
    others out, which could make a road with more distress cost less. Therefore the deducts are also corrected
    as if the highest were smaller, a cap at each tenth of a point, and what costs most is kept (departs: by
    a few points, on roads that have failed). With m or fewer deducts this is the standard.

    Args:
        deducts: deduct values, 0-100, in any order.

    Returns:
        the standard's correction; and the one under the cap that costs most, None unless it costs more.
    """
    values = sorted(deducts, reverse=True)
    # m in tenths of a point of the highest deduct: a cap at each tenth then keeps the cost from falling.
    tenths = math.ceil(values[0] * 10 - 1e-9) if values else 0
    standard = _correction(values, tenths / 10, allowed_deducts(tenths / 10))
    if len(values) <= standard.allowed:
        return standard, None
    all_count = max(0, int((100 - 98 / 9 * (len(values) - 1)) * 10))
    best = standard
    spans = [(all_count, tenths - 1)] if all_count < tenths else []
    while spans:
        low, high = spans.pop()
        # High deducts with the m of a low cap: no cap between them can cost more.
        most = _correction(
            [min(value, high / 10) for value in values], high / 10, allowed_deducts(low / 10)
        )  # fmt: skip
        if most.greatest <= best.greatest + 1e-9:
            continue
        if low == high:
            best = most
        else:
            middle = (low + high) // 2
            spans += [(low, middle), (middle + 1, high)]
    return standard, None if best is standard else best


def _cost(corrections: tuple[Correction, Correction | None]) -> float:
    standard, capped = corrections
    return (capped or standard).greatest


def _densities(
    quantities: Iterable[QuantityLike], surveyed_area_m2: float
) -> tuple[dict[tuple[DeductFamily, Severity], tuple[float, float]], set[DistressType]]:
    """(quantity, density %) by family and severity, and the types left out."""
    sums: dict[tuple[DeductFamily, Severity], tuple[float, float]] = {}
    left_out = set()
    for entry in quantities:
        family = FAMILIES.get(DistressType(entry.kind))
        if family is None:
            left_out.add(DistressType(entry.kind))
            continue
        linear = family is DeductFamily.LINEAR
        amount = entry.length_m if linear else entry.area_m2
        key = (family, Severity(entry.severity or Severity.NOT_MEASURABLE))
        quantity = sums.get(key, (0.0, 0.0))[0] + amount
        factor = L_AND_T_PERCENT_PER_M_PER_M2 if linear else 100.0
        sums[key] = (quantity, quantity / surveyed_area_m2 * factor)
    return {key: value for key, value in sums.items() if value[0] > 0}, left_out


def _deducts(
    sums: dict[tuple[DeductFamily, Severity], tuple[float, float]], ungraded_as: Severity
) -> tuple[Deduct, ...]:
    merged: dict[tuple[DeductFamily, Severity], tuple[float, float]] = {}
    for (family, severity), (quantity, density) in sums.items():
        key = (family, ungraded_as if severity is Severity.NOT_MEASURABLE else severity)
        before = merged.get(key, (0.0, 0.0))
        merged[key] = (before[0] + quantity, before[1] + density)
    deducts = [
        Deduct(family, severity, quantity, density, deduct_value(family, severity, density))
        for (family, severity), (quantity, density) in merged.items()
    ]
    return tuple(sorted(deducts, key=lambda deduct: deduct.points, reverse=True))


def _index(deducts: Sequence[Deduct]) -> float:
    return 100.0 - _cost(correct_deducts(deduct.points for deduct in deducts))


def condition_index(quantities: Iterable[QuantityLike], surveyed_area_m2: float) -> ConditionIndex:
    """Crack-only condition index of a surveyed area: an upper bound of PCI, 0 (worst) to 100.

    Args:
        quantities: amounts by type and severity, in any number of parts (zones, photos). Potholes and cracks
            without a type do not count and are named in `left_out`.
        surveyed_area_m2: area that was looked at, > 0.

    Raises:
        SettingsError: for an area that is not over 0.

    Source: ASTM D6433 section 9.
    """
    if not surveyed_area_m2 > 0:
        raise SettingsError(
            f"Surveyed area {surveyed_area_m2} m2: nothing was looked at.",
            "Give an area over 0: a camera profile or a GSD makes it known.",
        )
    sums, left_out = _densities(quantities, surveyed_area_m2)
    deducts = _deducts(sums, Severity.LOW)
    corrections = correct_deducts(deduct.points for deduct in deducts)
    value = value_low = 100.0 - _cost(corrections)
    ungraded = sum(
        density for (_, severity), (_, density) in sums.items() if severity is Severity.NOT_MEASURABLE
    )
    share = 0.0
    notes = ["Cracking only: an upper bound of PCI."]
    if ungraded:
        share = ungraded / sum(density for _, density in sums.values())
        value_low = min(value, *(_index(_deducts(sums, grade)) for grade in (Severity.MEDIUM, Severity.HIGH)))
        notes.append(
            f"Severity not measurable for {share:.0%} of the cracking. The index takes it as low, "
            f"which keeps it an upper bound; were it worse, it could fall to {value_low:.0f}."
        )
    if left_out:
        notes.append(f"Not counted: {', '.join(sorted(left_out))}.")
    paser = paser_of(value)
    if paser_action(paser) == "crack seal" and deducts[0].family is DeductFamily.ALLIGATOR:
        notes.append("Mostly alligator cracking, which sealing does not suit.")
    return ConditionIndex(
        value=value,
        value_low=value_low,
        rating=rating_of(value),
        paser=paser,
        action=paser_action(paser),
        deducts=deducts,
        correction=corrections[0],
        capped=corrections[1],
        not_measurable_share=share,
        left_out=tuple(sorted(left_out)),
        notes=tuple(notes),
    )


def hpms_cracking_percent(cracked_area_m2: float, surveyed_area_m2: float) -> int:
    """HPMS cracking percent: area with visible cracks of the surveyed area (> 0), whole percent, 0-100.

    Source: 23 CFR 490.311.
    """
    return min(100, int(100 * cracked_area_m2 / surveyed_area_m2 + 0.5))


def hpms_class(percent: float) -> str:
    """ "good", "fair" or "poor" by HPMS cracking percent of an asphalt surface. Source: 23 CFR 490.313."""
    return grade_of(percent, HPMS_GOOD_BELOW, HPMS_POOR_ABOVE) or "poor"


def unified_crack_index(cracked_tiles: int, tiles: int) -> float:
    """Percent (0-100) of tiles (> 0 of them) that have a crack in them."""
    return 100 * cracked_tiles / tiles


def sample_units_needed(units: int, *, spread: float = 10.0, error: float = 5.0) -> int:
    """How many of a section's sample units to inspect for its mean index to be within `error` at 95 %.

    Args:
        units: sample units of the section (N), >= 1.
        spread: standard deviation (s) of the units' indices, points; D6433 starts with 10 for asphalt.
        error: permitted error (e) of the section's index, points, > 0.

    Returns:
        n = N s2 / ((e2 / 4)(N - 1) + s2), rounded up; at least min(5, N), as D6433 wants.

    Source: ASTM D6433 section 7.
    """
    variance = spread**2
    if variance == 0:
        return min(5, units)
    needed = units * variance / (error**2 / 4 * (units - 1) + variance)
    return min(units, max(5, math.ceil(needed - 1e-9)))
