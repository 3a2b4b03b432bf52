"""What a maintenance plan is made from: sections, money, wishes; and the check of all of it (torch-free)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from engine.condition import L_AND_T_PERCENT_PER_M_PER_M2, QuantityLike
from engine.errors import SettingsError
from engine.treatments import Treatment, check_costs, check_treatments
from engine.vocabulary import DistressType, Severity

MAX_SECTIONS = 200_000
LONGEST_PLAN_YEARS = 30
LARGEST_BUDGET = 1e12
EARLIEST_CALENDAR_YEAR = 1000
DAYS_PER_YEAR = 365.25
NEIGHBOUR_GAP_M = 20.0
"""Sections of a road whose chainages end and begin within this are neighbours."""
AREA_KINDS = (DistressType.ALLIGATOR, DistressType.BLOCK, DistressType.POTHOLE)
CRACK_KINDS = tuple(
    kind for kind in DistressType if kind not in (DistressType.ALLIGATOR, DistressType.POTHOLE)
)
"""What can be sealed, for costs per metre of crack."""


@dataclass(frozen=True)
class Amount:
    """So much of one type and severity of distress; `engine.distress.Quantity` will do as well."""

    kind: DistressType
    severity: Severity | None
    length_m: float
    area_m2: float


@dataclass(frozen=True)
class PlanSection:
    """A road section as a survey left it.

    Attributes:
        id: unique; key: the agency's own name of it.
        from_m: chainage along `road`; to_m: its end.
        length_m: > 0; area_m2: of the pavement, > 0.
        condition_index: 0-100 when surveyed; None: not surveyed, it is left out of the plan.
        index_low: 90 % interval of the index; index_high: its upper end.
        quantities: amounts of distress within `surveyed_area_m2`.
        surveyed_area_m2: None: the whole `area_m2`.
        crack_density_m_per_m2: with its 90 % interval `density_low`, `density_high`; None: not known.
        lane: lane or direction of travel; neighbours share it.
        surveyed_on: day of the condition, which ages from there to the plan's start; None: not known.
    """

    id: int | str
    key: str
    road: str
    from_m: float
    to_m: float
    length_m: float
    area_m2: float
    functional_class: str | None = None
    surface: str | None = None
    aadt: float | None = None
    condition_index: float | None = None
    index_low: float | None = None
    index_high: float | None = None
    quantities: tuple[QuantityLike, ...] = ()
    surveyed_area_m2: float | None = None
    crack_density_m_per_m2: float | None = None
    density_low: float | None = None
    density_high: float | None = None
    lane: str = ""
    surveyed_on: date | None = None


@dataclass(frozen=True)
class FixedProject:
    """A treatment that is decided: done in that year (1 is the first), whether it triggers or not."""

    section_id: int | str
    treatment: str
    year: int


@dataclass(frozen=True)
class Forbidden:
    """What must not be planned on a section; None: any treatment, any year."""

    section_id: int | str
    treatment: str | None = None
    year: int | None = None


@dataclass(frozen=True)
class Requirement:
    """A condition that the plan has to keep, as far as the money reaches.

    Attributes:
        at_least: "average": length-weighted mean index, 0-100; "good_or_fair": percent of length.
        functional_class: roads it is asked of; None: all.
        from_year: first year (1, 2, ...) at whose end it is asked; up to the last.
        measure: "average" or "good_or_fair".
    """

    at_least: float
    functional_class: str | None = None
    from_year: int = 1
    measure: str = "average"


@dataclass(frozen=True)
class PlanSettings:
    """How to plan; saved with the result.

    Attributes:
        years: of the plan, 1 to 30.
        yearly_budget: the same each year, or one amount for each; None: no limit.
        carry_over: what a year leaves may be spent later.
        preventive_share: of the money that only preventive treatments may use, 0-1.
        discount_rate: a year, for equivalent annual cost, 0-0.3.
        traffic_exponent: weight of traffic in benefits: 1 by vehicles, 0 not at all.
        tail_years: years after the plan in which the curves are still compared. With some, plans wait: using
            up a road and renewing it late then gives more area.
        first_year: calendar year (2027, say), at whose 1 January the plan starts; one under 1000 is only a
            name, and conditions are taken as those at the start.
        fair_index: from here a section is "good or fair".
        terminal_index: where remaining life ends.
        delay_years: for the cost of delay.
        time_limit_s: about how long to search, > 0.
    """

    years: int = 5
    yearly_budget: float | Sequence[float] | None = None
    carry_over: bool = True
    requirements: tuple[Requirement, ...] = ()
    fixed: tuple[FixedProject, ...] = ()
    forbidden: tuple[Forbidden, ...] = ()
    preventive_share: float = 0.0
    discount_rate: float = 0.03
    traffic_exponent: float = 1.0
    tail_years: int = 0
    first_year: int = 1
    fair_index: float = 55.0
    terminal_index: float = 40.0
    delay_years: int = 3
    time_limit_s: float = 60.0

    @property
    def budgets(self) -> tuple[float, ...] | None:
        """Money of each year; None: no limit."""
        if self.yearly_budget is None:
            return None
        if isinstance(self.yearly_budget, Sequence):
            return tuple(self.yearly_budget)
        return (float(self.yearly_budget),) * self.years


def check_inputs(
    sections: Sequence[PlanSection], treatments: Sequence[Treatment], settings: PlanSettings
) -> None:
    """See that a plan can be made of it.

    Raises:
        SettingsError: names the section, the treatment's row or the setting, and the remedy.
    """
    check_treatments(treatments)
    check_costs(treatments)
    check_settings(settings)
    if not sections:
        raise SettingsError("The plan has no sections.", "Choose a network and a survey of it.")
    if len(sections) > MAX_SECTIONS:
        raise SettingsError(
            f"{len(sections):,} sections are more than {MAX_SECTIONS:,}.", "Plan by district."
        )
    ids = {section.id for section in sections}
    if len(ids) < len(sections):
        raise SettingsError("Two sections have the same id.", "Give each its own.")
    for section in sections:
        _check_section(section)
    names = {treatment.name for treatment in treatments}
    blind = {section.id for section in sections if section.condition_index is None}
    wishes: list[FixedProject | Forbidden] = [*settings.fixed, *settings.forbidden]
    for wish in wishes:
        what = f"A fixed or forbidden project on section {wish.section_id}"
        if wish.section_id not in ids:
            raise SettingsError(f"{what}: the plan has no such section.", "Remove it.")
        if isinstance(wish, FixedProject) and wish.section_id in blind:
            raise SettingsError(f"{what}: it has no condition index.", "Survey it, or remove the project.")
        if wish.treatment is not None and wish.treatment not in names:
            raise SettingsError(
                f"{what}: the set has no treatment {wish.treatment!r}.",
                f"Use one of {', '.join(sorted(names))}.",
            )
        if wish.year is not None and not 1 <= wish.year <= settings.years:
            raise SettingsError(f"{what}: year {wish.year}.", f"Use 1 to {settings.years}.")


def _check_section(section: PlanSection) -> None:
    where = f"Section {section.key}:"
    for name in ("length_m", "area_m2"):
        value = getattr(section, name)
        if not math.isfinite(value) or not 0 < value < 1e9:
            raise SettingsError(f"{where} {name} is {value}.", "Correct the network; it must be over 0.")
    if not math.isfinite(section.from_m) or not math.isfinite(section.to_m):
        raise SettingsError(f"{where} its chainage is no number.", "Correct the network.")
    for name, most in (
        ("condition_index", 100),
        ("index_low", 100),
        ("index_high", 100),
        ("aadt", 1e7),
        ("crack_density_m_per_m2", 1e4),
        ("density_low", 1e4),
        ("density_high", 1e4),
    ):
        value = getattr(section, name)
        if value is not None and not 0 <= value <= most:
            raise SettingsError(f"{where} {name} is {value}.", f"It must lie between 0 and {most:,g}.")
    if section.surveyed_area_m2 is not None and not 0 < section.surveyed_area_m2 < 1e9:
        raise SettingsError(f"{where} the surveyed area is {section.surveyed_area_m2}.", "Give one over 0.")


def check_settings(settings: PlanSettings) -> None:
    """See that the numbers can be planned with; wishes are checked with their sections.

    Raises:
        SettingsError: names the setting and what to enter instead.
    """
    for name, least, most in (
        ("years", 1, LONGEST_PLAN_YEARS),
        ("preventive_share", 0, 1),
        ("discount_rate", 0, 0.3),
        ("traffic_exponent", 0, 1),
        ("tail_years", 0, 40),
        ("first_year", 1, 9999),
        ("fair_index", 0, 100),
        ("terminal_index", 0, 100),
        ("delay_years", 1, 30),
        ("time_limit_s", 0.1, 86_400),
    ):
        value = getattr(settings, name)
        if not math.isfinite(value) or not least <= value <= most:
            raise SettingsError(f"The plan's {name} is {value}.", f"Choose {least:g} to {most:,g}.")
    for name in ("years", "tail_years", "first_year", "delay_years"):
        if getattr(settings, name) != int(getattr(settings, name)):
            raise SettingsError(f"The plan's {name} is {getattr(settings, name)}.", "Enter a whole number.")
    budgets = settings.budgets
    if budgets is not None:
        if len(budgets) != settings.years:
            raise SettingsError(
                f"There are budgets for {len(budgets)} years, the plan has {settings.years}.",
                "Give one budget, or one for each year.",
            )
        for year, budget in enumerate(budgets, start=settings.first_year):
            if not math.isfinite(budget) or not 0 <= budget <= LARGEST_BUDGET:
                raise SettingsError(
                    f"The budget of year {year} is {budget:g}.",
                    f"Enter 0 to {LARGEST_BUDGET:,.0f}, or none for no limit.",
                )
    for requirement in settings.requirements:
        if requirement.measure not in ("average", "good_or_fair"):
            raise SettingsError(
                f"A requirement on {requirement.measure!r} is not known.", "Use average or good_or_fair."
            )
        if not 0 <= requirement.at_least <= 100:
            raise SettingsError(f"A requirement asks for {requirement.at_least}.", "Ask for 0 to 100.")
        if not 1 <= requirement.from_year <= settings.years:
            raise SettingsError(
                f"A requirement begins in year {requirement.from_year}.", f"Use 1 to {settings.years}."
            )


def amount_percent(
    section: PlanSection, kinds: Sequence[DistressType], severities: Sequence[Severity] = ()
) -> float:
    """D6433 density of distress in percent: area kinds by area, cracks by length (30.48 x m/m2).

    Distress without a severity counts as low, as in the condition index.
    """
    surveyed = section.surveyed_area_m2 or section.area_m2
    total = 0.0
    for quantity in section.quantities:
        severity = quantity.severity
        if severity is None or severity is Severity.NOT_MEASURABLE:
            severity = Severity.LOW
        if quantity.kind in kinds and (not severities or severity in severities):
            by_area = quantity.kind in AREA_KINDS
            total += 100 * quantity.area_m2 if by_area else L_AND_T_PERCENT_PER_M_PER_M2 * quantity.length_m
    return total / surveyed


def crack_length_m(section: PlanSection) -> float:
    """Metres of crack that can be sealed on the whole section, as surveyed."""
    surveyed = section.surveyed_area_m2 or section.area_m2
    measured = sum(q.length_m for q in section.quantities if q.kind in CRACK_KINDS)
    return float(measured) * section.area_m2 / surveyed


def years_since_survey(section: PlanSection, first_year: int) -> float:
    """Years from a section's survey to 1 January of the plan's first year, >= 0; 0 where not known."""
    if section.surveyed_on is None or first_year < EARLIEST_CALENDAR_YEAR:
        return 0.0
    days = (date(first_year, 1, 1) - section.surveyed_on).days
    return max(days / DAYS_PER_YEAR, 0.0)


def filled_aadt(sections: Sequence[PlanSection]) -> npt.NDArray[np.float64]:
    """Vehicles a day, at least 1; where unknown the median of its class, else of the network, else 1."""
    of_class: dict[str | None, list[float]] = {}
    for section in sections:
        if section.aadt is not None:
            of_class.setdefault(section.functional_class, []).append(section.aadt)
    medians = {name: float(np.median(values)) for name, values in of_class.items()}
    whole = float(np.median([v for values in of_class.values() for v in values])) if of_class else 1.0
    known = [
        section.aadt if section.aadt is not None else medians.get(section.functional_class, whole)
        for section in sections
    ]
    # A road where nobody was counted still serves somebody.
    return np.maximum(np.array(known, dtype=np.float64), 1.0)


def traffic_weights(
    sections: Sequence[PlanSection], aadt: npt.NDArray[np.float64], exponent: float
) -> npt.NDArray[np.float64]:
    """Length in km times traffic against the network's mean, to a power that softens it."""
    lengths_km = np.array([section.length_m for section in sections]) / 1000
    weights: npt.NDArray[np.float64] = lengths_km * (aadt / np.average(aadt, weights=lengths_km)) ** exponent
    return weights


def find_chains(sections: Sequence[PlanSection]) -> list[list[int]]:
    """Positions of neighbouring sections in order along their road; a lone section is a chain of one."""
    roads: dict[tuple[str, str], list[int]] = {}
    for position, section in enumerate(sections):
        roads.setdefault((section.road, section.lane), []).append(position)
    chains = []
    for members in roads.values():
        members.sort(key=lambda i: (sections[i].from_m, sections[i].to_m))
        open_chains: list[list[int]] = []
        for i in members:
            before = [
                chain
                for chain in open_chains
                if abs(sections[chain[-1]].to_m - sections[i].from_m) <= NEIGHBOUR_GAP_M
                and sections[chain[-1]].from_m < sections[i].from_m
            ]
            if before:
                before[0].append(i)
            else:
                open_chains.append([i])
            # Chains that ended far behind are closed.
            far = [c for c in open_chains if sections[c[-1]].to_m < sections[i].from_m - NEIGHBOUR_GAP_M]
            chains += far
            open_chains = [chain for chain in open_chains if chain not in far]
        chains += open_chains
    return chains
