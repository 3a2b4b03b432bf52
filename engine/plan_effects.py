"""What treatments do and when they suit: paths of the condition, triggers and costs (torch-free)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.deterioration import Deterioration
from engine.plan_inputs import PlanSection, amount_percent, crack_length_m, years_since_survey
from engine.treatments import UNITS, Treatment

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Ageing:
    """Condition of all sections as ages on their curves; treatments move and slow the ages."""

    def __init__(
        self,
        sections: Sequence[PlanSection],
        treatments: Sequence[Treatment],
        curves: Sequence[Deterioration],
        curve_of: Whole,
        years: int,
        first_year: int,
    ) -> None:
        """Tabulate ages and amounts.

        Args:
            years: how far paths are followed, the plan's and its tail.
            first_year: at whose start the paths begin; conditions age to there from their survey.
        """
        self.years = years
        self.curve_of = curve_of
        self.curves = curves
        self.index_surveyed = np.array([float(section.condition_index or 0.0) for section in sections])
        self.age_now = np.empty(len(sections))
        self.reset_age = np.full((len(curves), len(treatments)), np.inf)
        for number, curve in enumerate(curves):
            rows = curve_of == number
            self.age_now[rows] = curve.age_of(self.index_surveyed[rows])
            for k, treatment in enumerate(treatments):
                if treatment.reset_index is not None:
                    self.reset_age[number, k] = curve.age_of(treatment.reset_index)
        waited = np.array([years_since_survey(section, first_year) for section in sections])
        self.age_now += waited
        # Years of ageing 0, 1, 2, ... years after each treatment.
        steps = np.ones((len(treatments), years + 1))
        for k, treatment in enumerate(treatments):
            steps[k, : treatment.life_years] = treatment.slope_factor
        self.aged = np.concatenate([np.zeros((len(treatments), 1)), steps.cumsum(axis=1)], axis=1)
        self.table = np.stack([curve.table for curve in curves])
        self.step_years = np.array([curve.step_years for curve in curves])
        aged = self.index_at(np.arange(len(sections)), self.age_now)
        self.index_now = np.where(waited > 0, aged, self.index_surveyed)

    def index_at(self, rows: Whole, ages: Floats) -> Floats:
        """Index of sections `rows` (n,) at ages (n,) or (n, years)."""
        curve = self.curve_of[rows].reshape(-1, *([1] * (ages.ndim - 1)))
        at = np.minimum(ages / self.step_years[curve], self.table.shape[1] - 1.0)
        lower = np.minimum(at.astype(np.int64), self.table.shape[1] - 2)
        share = at - lower
        table = self.table.ravel()
        flat = curve * self.table.shape[1] + lower
        return np.asarray(table[flat] * (1 - share) + table[flat + 1] * share)

    def treated_age(self, rows: Whole, ages: Floats, k: int) -> Floats:
        """Ages just after treatment k: never older than before."""
        return np.asarray(np.minimum(ages, self.reset_age[self.curve_of[rows], k]))

    def path(self, rows: Whole, ages: Floats, k: int | None, years: int) -> Floats:
        """Index (n, years + 1) from `ages` on, year by year, after treatment k or none."""
        passed = np.arange(years + 1, dtype=np.float64) if k is None else self.aged[k, : years + 1]
        at: Floats = ages[:, None] + passed
        return self.index_at(rows, at)


@dataclass(frozen=True)
class Triggers:
    """Whether and at what cost a treatment suits a section at a condition; K treatments.

    Attributes:
        suits: (K, S) bool, by class, surface, traffic.
        wanted: (K, S) density of the distress that it is for; excluded: of that on which it is no use.
        amount: (K, S) units to pay at today's condition; grows: (K,) bool, with the cracks.
    """

    treatments: tuple[Treatment, ...]
    suits: Mask
    wanted: Floats
    excluded: Floats
    amount: Floats
    grows: Mask
    index_surveyed: Floats

    def growth(self, rows: Whole, index: Floats) -> Floats:
        """Cracking against that surveyed, as the points lost: (100 - index) / (100 - index surveyed)."""
        lost = 100 - self.index_surveyed[rows]
        return np.where(lost > 0, (100 - index) / np.maximum(lost, 1e-9), 1.0)

    def met(self, k: int, rows: Whole, index: Floats) -> Mask:
        """Whether treatment k may be done to sections `rows` at those indices."""
        treatment = self.treatments[k]
        growth = self.growth(rows, index)
        met = self.suits[k, rows] & (index >= treatment.index_min) & (index <= treatment.index_max)
        if treatment.kinds:
            wanted = self.wanted[k, rows] * growth
            met &= (wanted > 0) & (wanted >= treatment.density_min_percent)
            # Cracks' length has no greatest density; 100 is no limit.
            met &= (wanted <= treatment.density_max_percent) | (treatment.density_max_percent >= 100)
        if treatment.excluded_kinds:
            met &= self.excluded[k, rows] * growth <= treatment.excluded_over_percent
        return np.asarray(met)

    def cost(self, k: int, rows: Whole, index: Floats) -> Floats:
        """Money for treatment k without mobilisation."""
        growth = self.growth(rows, index) if self.grows[k] else 1.0
        return np.asarray((self.treatments[k].unit_cost or 0.0) * self.amount[k, rows] * growth)


def make_triggers(sections: Sequence[PlanSection], treatments: Sequence[Treatment], aadt: Floats) -> Triggers:
    """Everything about triggers that does not change over the years."""
    classes = [(section.functional_class or "").casefold() for section in sections]
    surfaces = [(section.surface or "").casefold() for section in sections]
    suits, wanted, excluded, amount = [], [], [], []
    measures = {
        "area": np.array([section.area_m2 for section in sections]),
        "length": np.array([section.length_m for section in sections]),
        "crack": np.array([crack_length_m(section) for section in sections]),
    }
    for treatment in treatments:
        roads = {name.casefold() for name in treatment.functional_classes}
        pavements = {name.casefold() for name in treatment.surfaces}
        counted, per_unit = UNITS[treatment.unit]
        amount.append(measures[counted] / per_unit)
        fits = (aadt >= treatment.aadt_min) & (
            aadt <= (np.inf if treatment.aadt_max is None else treatment.aadt_max)
        )
        fits &= np.array([not roads or name in roads for name in classes])
        fits &= np.array([not pavements or name in pavements for name in surfaces])
        # Nothing to seal is nothing to gain.
        suits.append(fits & (amount[-1] > 0))
        wanted.append([amount_percent(s, treatment.kinds, treatment.severities) for s in sections])
        excluded.append([amount_percent(s, treatment.excluded_kinds) for s in sections])
    return Triggers(
        treatments=tuple(treatments),
        suits=np.array(suits),
        wanted=np.array(wanted),
        excluded=np.array(excluded),
        amount=np.array(amount),
        grows=np.array([UNITS[treatment.unit][0] == "crack" for treatment in treatments]),
        index_surveyed=np.array([float(section.condition_index or 0.0) for section in sections]),
    )
