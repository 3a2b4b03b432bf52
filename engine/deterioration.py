"""How fast pavements lose condition: curves per class and surface, typed, assumed or fitted.

A curve is index = 100 exp(-(age / scale)^shape). A Markov chain over ten bands of the index is used through
the index that it expects at each age, so that both are one falling curve. Torch-free.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from engine.errors import SettingsError
from engine.surfaces import is_concrete, surface_words

Floats = npt.NDArray[np.float64]

BANDS = 10
CHAIN_YEARS = 120
STEPS = 2400
SHAPE = 2.0
# Years to 100/e = 37 %; nothing open is published for a crack-only index (measured rates differ by climate
# and load).
CLASS_SCALE_YEARS = {"arterial": 18.0, "collector": 20.0, "local": 23.0}
OTHER_SCALE_YEARS = 20.0
SEAL_FACTOR, CONCRETE_FACTOR = 0.75, 1.5
LEAST_PAIRS = 8
"""Sections surveyed twice that a fit needs."""
TREATED_RISE = 10.0
"""A section whose index rose by more was treated in between, not measured wrongly."""
RESAMPLES = 500
LONGEST_LIFE_YEARS, STEEPEST_SHAPE = 100.0, 6.0


@dataclass(frozen=True)
class Deterioration:
    """One falling curve of the condition index by age.

    Attributes:
        functional_class: roads it holds for; empty: any.
        surface: pavements it holds for; empty: any.
        scale_years: age at which 37 of 100 points are left, > 0.
        shape: 1 falls fastest when new, 2 slowly at first.
        stay: instead of scale and shape, a Markov chain's ten yearly probabilities to stay in a band (100-90,
            90-80, ...), each in [0, 1]; the last band keeps all.
        source: "assumed", "agency" (its own row) or "fitted".
        over_fitted: an agency's row that holds also where a curve was fitted.
        pairs: sections surveyed twice that it was fitted from.
        scale_low: 90 % interval of `scale_years` where fitted; scale_high: its upper end.
    """

    functional_class: str
    surface: str
    scale_years: float = OTHER_SCALE_YEARS
    shape: float = SHAPE
    stay: tuple[float, ...] = ()
    source: str = "assumed"
    over_fitted: bool = False
    pairs: int = 0
    scale_low: float | None = None
    scale_high: float | None = None
    step_years: float = field(init=False, repr=False, compare=False)
    table: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the values and tabulate the curve."""
        where = f"Deterioration of {self.functional_class or 'any class'}, {self.surface or 'any surface'}:"
        if self.stay:
            if len(self.stay) != BANDS or not all(0 <= p <= 1 for p in self.stay):
                raise SettingsError(f"{where} the chain is broken.", f"Give {BANDS} probabilities, 0 to 1.")
            if min(self.stay[:-1]) == 1:
                raise SettingsError(f"{where} the chain never falls.", "Lower a probability under 1.")
            longest = float(CHAIN_YEARS)
            curve = _chain_curve(self.stay)
        else:
            for name, value, most in (
                ("scale_years", self.scale_years, LONGEST_LIFE_YEARS),
                ("shape", self.shape, STEEPEST_SHAPE),
            ):
                if not math.isfinite(value) or not 0.5 <= value <= most:
                    raise SettingsError(
                        f"{where} {name} is {value}.", f"Enter a number from 0.5 to {most:g}."
                    )
            longest = self.scale_years * math.log(100 / 0.1) ** (1 / self.shape)
            curve = 100 * np.exp(-((np.linspace(0, longest, STEPS + 1) / self.scale_years) ** self.shape))
        curve[-1] = 0.0
        object.__setattr__(self, "step_years", longest / STEPS)
        object.__setattr__(self, "table", curve)

    def age_of(self, index: npt.ArrayLike) -> Floats:
        """Age in years at which a pavement of this curve has that index (0-100)."""
        # interp wants rising values.
        ages = np.arange(STEPS + 1) * self.step_years
        return np.asarray(np.interp(-np.asarray(index, dtype=np.float64), -self.table, ages))

    def index_at(self, age_years: npt.ArrayLike) -> Floats:
        """Condition index (0-100) at an age in years, >= 0."""
        at = np.asarray(age_years, dtype=np.float64) / self.step_years
        return np.asarray(np.interp(at, np.arange(STEPS + 1), self.table))

    def index_after(self, index: npt.ArrayLike, years: npt.ArrayLike) -> Floats:
        """Index after so many years of ageing without treatment; a slope factor makes them fewer."""
        return self.index_at(self.age_of(index) + np.asarray(years, dtype=np.float64))

    @property
    def described(self) -> str:
        """One line for tables: the numbers, the interval, and where they come from."""
        if self.stay:
            return (
                f"Markov chain, {self.source}, {self.pairs} pairs"
                if self.pairs
                else f"Markov chain, {self.source}"
            )
        text = f"37 points left after {self.scale_years:.1f} years"
        if self.scale_low is not None and self.scale_high is not None:
            text += f" ({self.scale_low:.1f} to {self.scale_high:.1f})"
        return f"{text}, {self.source}" + (f" from {self.pairs} sections" if self.pairs else "")


@dataclass(frozen=True)
class RepeatedSurvey:
    """One section measured twice.

    Attributes:
        index_before: condition index at the first survey; index_after: at the second.
        years: between them, > 0.
    """

    functional_class: str
    surface: str
    index_before: float
    index_after: float
    years: float


def _transitions(stay: Sequence[float]) -> Floats:
    matrix = np.diag(np.asarray(stay, dtype=np.float64))
    matrix[np.arange(BANDS - 1), np.arange(1, BANDS)] = 1 - np.asarray(stay[:-1])
    matrix[-1, -1] = 1
    return matrix


def _chain_curve(stay: Sequence[float]) -> Floats:
    """Index expected at each of `_AGES` by a chain that starts new; strictly falling for `age_of`."""
    middles = 100 - (np.arange(BANDS) + 0.5) * 100 / BANDS
    matrix, share, expected = _transitions(stay), np.eye(BANDS)[0], []
    for _ in range(CHAIN_YEARS + 1):
        expected.append(share @ middles)
        share = share @ matrix
    # New is 100, not the middle of the best band.
    curve = np.array(expected) + (100 - middles[0]) * (np.array(expected) - middles[-1]) / (
        middles[0] - middles[-1]
    )
    curve = np.minimum.accumulate(curve) - np.arange(CHAIN_YEARS + 1) * 1e-9
    ages = np.linspace(0, CHAIN_YEARS, STEPS + 1)
    return np.asarray(np.interp(ages, np.arange(CHAIN_YEARS + 1), curve))


def assumed_curve(functional_class: str | None, surface: str | None) -> Deterioration:
    """The editable default of a class and surface; marked as assumed."""
    scale = CLASS_SCALE_YEARS.get((functional_class or "").casefold(), OTHER_SCALE_YEARS)
    if is_concrete(surface):
        scale *= CONCRETE_FACTOR
    elif {"chip", "slurry"} & set(surface_words(surface)):
        scale *= SEAL_FACTOR
    return Deterioration(functional_class or "", surface or "", scale)


CURVE_COLUMNS = ("functional_class", "surface", "life_years", "shape", "over_fitted")
MAX_CURVES = 200


def assumed_rows(classes_and_surfaces: Iterable[tuple[str | None, str | None]]) -> list[dict[str, Any]]:
    """The assumed curves of roads as rows to edit, each class and surface once, in order.

    Returns:
        functional_class, surface (None: any), life_years (years until 37 of 100 points are left), shape,
        over_fitted (False) and source ("assumed") of each.
    """
    pairs = {((road or "").strip(), (surface or "").strip()) for road, surface in classes_and_surfaces}
    return [
        {
            "functional_class": road or None,
            "surface": surface or None,
            "life_years": assumed_curve(road, surface).scale_years,
            "shape": SHAPE,
            "over_fitted": False,
            "source": "assumed",
        }
        for road, surface in sorted(pairs)
    ]


def curves_from_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[Deterioration, ...]:
    """Curves of an agency's rows, cells as text or as numbers; columns as `CURVE_COLUMNS`, others are left.

    An empty class or surface is any; an empty shape is the assumed one. A row that says what is assumed
    anyway stays marked as assumed, unless it is to hold over a fitted curve.

    Raises:
        SettingsError: names the row (1 is the first), the column and what to enter instead.
    """
    if len(rows) > MAX_CURVES:
        raise SettingsError(
            f"{len(rows)} rows of deterioration are more than {MAX_CURVES}.", "Leave some out."
        )
    curves: dict[tuple[str, str], Deterioration] = {}
    for number, row in enumerate(rows, start=1):
        road, surface = (_cell(row, name) for name in CURVE_COLUMNS[:2])
        where = f"Row {number} of deterioration ({road or 'any class'}, {surface or 'any surface'})"
        for name, words in (("functional_class", road), ("surface", surface)):
            if len(words) > 100 or not words.isprintable() or words.startswith(("=", "+", "-", "@")):
                raise SettingsError(f"{where}: {name} is too long or broken.", "Enter up to 100 letters.")
        scale = _number(row, "life_years", where, LONGEST_LIFE_YEARS)
        shape = _number(row, "shape", where, STEEPEST_SHAPE) if _cell(row, "shape") else SHAPE
        over = _cell(row, "over_fitted").lower()
        if over not in ("", "yes", "no", "true", "false", "1", "0"):
            raise SettingsError(f"{where}: over_fitted is {over[:40]!r}.", "Enter yes or no.")
        wins = over in ("yes", "true", "1")
        default = assumed_curve(road, surface)
        own = wins or (scale, shape) != (default.scale_years, default.shape)
        curve = Deterioration(
            road, surface, scale, shape, source="agency" if own else "assumed", over_fitted=wins
        )
        if curves.setdefault((road.casefold(), surface.casefold()), curve) is not curve:
            raise SettingsError(f"{where} is there twice.", "Delete one of them.")
    return tuple(curves.values())


def rows_from_curves(curves: Sequence[Deterioration]) -> list[dict[str, Any]]:
    """Rows of which `curves_from_rows` makes the same curves, as JSON can hold them."""
    return [
        {
            "functional_class": curve.functional_class or None,
            "surface": curve.surface or None,
            "life_years": curve.scale_years,
            "shape": curve.shape,
            "over_fitted": curve.over_fitted,
            "source": curve.source,
        }
        for curve in curves
    ]


def join_curves(fitted: Sequence[Deterioration], own: Sequence[Deterioration]) -> tuple[Deterioration, ...]:
    """Fitted curves and the agency's rows: a fitted one wins where no row is to hold over it."""
    strong = [curve for curve in own if curve.over_fitted]

    def held(curve: Deterioration) -> bool:
        return not any(
            row.functional_class.casefold() in ("", curve.functional_class.casefold())
            and row.surface.casefold() in ("", curve.surface.casefold())
            for row in strong
        )

    # Of two for one class and surface `find_curve` takes the later.
    return (*own, *(curve for curve in fitted if held(curve)))


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    text = "" if value is None else str(value).strip()
    return "" if text in ("nan", "None", "<NA>") else text


def _number(row: Mapping[str, Any], name: str, where: str, most: float) -> float:
    text = _cell(row, name)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.5 <= value <= most:
        raise SettingsError(
            f"{where}: {name} is {text[:40] or 'empty'}.", f"Enter a number from 0.5 to {most:g}."
        )
    return value


def find_curve(
    curves: Sequence[Deterioration], functional_class: str | None, surface: str | None
) -> Deterioration:
    """The agency's most specific curve (class and surface, class, surface, any), else the assumed one."""
    road, pavement = (functional_class or "").casefold(), (surface or "").casefold()
    named = {(curve.functional_class.casefold(), curve.surface.casefold()): curve for curve in curves}
    for key in ((road, pavement), (road, ""), ("", pavement), ("", "")):
        if key in named:
            return named[key]
    return assumed_curve(functional_class, surface)


def fit_curves(repeated: Sequence[RepeatedSurvey], seed: int = 0) -> tuple[Deterioration, ...]:
    """Fit how fast each class and surface ages, from sections surveyed at least twice.

    The shape is the assumed curve's; the speed is the length of road-age that passed, summed over the
    sections, per calendar year. Sections whose index rose by more than `TREATED_RISE` were treated and are
    left out; smaller rises are measurement error and stay in, else the fit would be too fast.

    Args:
        repeated: all classes together; those with under `LEAST_PAIRS` sections, or whose interval does not
            leave out that they do not age at all, keep the assumed curve (not returned).

    Returns:
        Curves with a 90 % interval from resampling sections, in order of class and surface.

    Raises:
        SettingsError: a pair without time between, or an index outside 0-100.
    """
    fitted = []
    for key, pairs in _grouped(repeated).items():
        base = assumed_curve(*key)
        ages = np.array([base.age_of([pair.index_before, pair.index_after]) for pair in pairs])
        aged, years = ages[:, 1] - ages[:, 0], np.array([pair.years for pair in pairs])
        picks = np.random.default_rng(seed).integers(len(pairs), size=(RESAMPLES, len(pairs)))
        speed = aged.sum() / years.sum()
        slow, fast = np.quantile(aged[picks].sum(axis=1) / years[picks].sum(axis=1), [0.05, 0.95])
        # Ageing that cannot be told from none would make a road that lasts for ever.
        if slow <= 0:
            continue
        slow, speed, fast = (max(float(one), base.scale_years / 100) for one in (slow, speed, fast))
        fitted.append(
            replace(
                base,
                scale_years=max(base.scale_years / speed, 0.5),
                source="fitted",
                pairs=len(pairs),
                scale_low=base.scale_years / fast,
                scale_high=base.scale_years / slow,
            )
        )
    return tuple(fitted)


def fit_chains(repeated: Sequence[RepeatedSurvey]) -> tuple[Deterioration, ...]:
    """Fit a Markov chain instead: yearly probabilities that make the surveys' changes of band likeliest.

    At most one band is lost a year; bands that no section was in stay near the assumed curve's pace, by one
    section's worth of weight. Years between surveys are rounded. Raises and leaves out as `fit_curves`.
    """
    fitted = []
    for key, pairs in _grouped(repeated).items():
        base = assumed_curve(*key)
        bands = np.array(
            [[_band(p.index_before), max(_band(p.index_after), _band(p.index_before))] for p in pairs]
        )
        years = np.array([max(1, round(pair.years)) for pair in pairs])
        edges = base.age_of(np.clip(100 - np.arange(BANDS + 1) * 100 / BANDS, 1, 100))
        prior = np.clip(1 - 1 / np.maximum(np.diff(edges), 1), 0.02, 0.98)

        def unlikely(
            logits: Floats,
            bands: npt.NDArray[np.int64] = bands,
            years: npt.NDArray[np.int64] = years,
            prior: Floats = prior,
        ) -> float:
            stay = 1 / (1 + np.exp(-logits))
            matrix = _transitions([*stay, 1.0])
            total = -float((prior[:-1] * np.log(stay) + (1 - prior[:-1]) * np.log1p(-stay)).sum())
            for gap in np.unique(years):
                power = np.linalg.matrix_power(matrix, int(gap))
                at = bands[years == gap]
                total -= float(np.log(np.maximum(power[at[:, 0], at[:, 1]], 1e-9)).sum())
            return total

        start = np.log(prior[:-1] / (1 - prior[:-1]))
        best = minimize(unlikely, start, method="L-BFGS-B", bounds=[(-6, 6)] * (BANDS - 1))
        stay = tuple(round(float(p), 4) for p in 1 / (1 + np.exp(-best.x)))
        fitted.append(replace(base, stay=(*stay, 1.0), source="fitted", pairs=len(pairs)))
    return tuple(fitted)


def _band(index: float) -> int:
    return min(int((100 - index) * BANDS / 100), BANDS - 1)


def _grouped(repeated: Sequence[RepeatedSurvey]) -> dict[tuple[str, str], list[RepeatedSurvey]]:
    """Usable pairs by class and surface, where there are enough of them."""
    groups: dict[tuple[str, str], list[RepeatedSurvey]] = {}
    for pair in repeated:
        if not 0 < pair.years < 100:
            raise SettingsError(
                f"Two surveys lie {pair.years} years apart.", "Take surveys with some months between them."
            )
        for index in (pair.index_before, pair.index_after):
            if not 0 <= index <= 100:
                raise SettingsError(f"A condition index of {index} is not possible.", "Give 0 to 100.")
        if pair.index_after - pair.index_before <= TREATED_RISE:
            key = (pair.functional_class.casefold(), pair.surface.casefold())
            groups.setdefault(key, []).append(pair)
    return {key: groups[key] for key in sorted(groups) if len(groups[key]) >= LEAST_PAIRS}
