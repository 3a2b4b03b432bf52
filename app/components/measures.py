"""What sections and photos are told by: unit, formula and standard, and the classes that a standard gives."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.components.text import number, with_interval
from engine.condition import FAIR_INDEX, FORMULAS, GOOD_INDEX, HPMS_GOOD_BELOW, HPMS_POOR_ABOVE, grade_of
from engine.severity import standard_from

# viridis from its pale to its dark end: dark is worse, for colour-blind eyes and on grey prints too.
CLASS_COLOURS = ("#fde725", "#5ec962", "#21918c", "#3b528b", "#440154")
GRADE_COLOURS = {"good": "#fde725", "fair": "#21918c", "poor": "#440154"}
NO_DATA = "#8d99a6"
GRADES = tuple(GRADE_COLOURS)


@dataclass(frozen=True)
class Measure:
    """What the map is coloured by.

    Attributes:
        column: of `data.section_table`.
        caption: its name in plain words.
        unit: of the values.
        digits: decimals that mean something.
        good_fair_poor: the two values between good and fair, and fair and poor, by the standard; None where
            no standard gives any. Of a measure whose large values are good, the first is the larger one.
    """

    column: str
    caption: str
    unit: str
    digits: int
    good_fair_poor: tuple[float, float] | None = None

    @property
    def large_is_good(self) -> bool:
        return self.good_fair_poor is not None and self.good_fair_poor[0] > self.good_fair_poor[1]

    @property
    def ends(self) -> tuple[str, str]:
        """The columns of its interval."""
        return f"{self.column}_low", f"{self.column}_high"

    @property
    def name(self) -> str:
        """Caption and unit."""
        return f"{self.caption} ({self.unit})" if self.unit else self.caption

    @property
    def formula(self) -> str:
        return FORMULAS[FORMULA_KEYS.get(self.column, self.column)][0]

    @property
    def standard(self) -> str:
        return FORMULAS[FORMULA_KEYS.get(self.column, self.column)][1]

    @property
    def csv_name(self) -> str:
        """Head of its column in a file: the column's name with formula and standard."""
        return f"{self.column} [{self.formula}; {self.standard}]"

    def grade(self, value: float | None) -> str | None:
        """good, fair or poor by the standard; None without a value or a standard."""
        return None if self.good_fair_poor is None else grade_of(value, *self.good_fair_poor)

    def shown(self, row: Mapping[Any, Any]) -> str:
        """A row's value with its interval."""
        low, high = self.ends
        if low not in row:
            return number(row[self.column], self.digits, self.unit)
        return with_interval(row[self.column], row[low], row[high], self.digits, self.unit)


DENSITY = Measure("crack_density_m_per_m2", "Crack density", "m/m²", 2)
AREA_SHARE = Measure("crack_area_pct", "Cracked area", "%", 2)
# D6433's seven ratings in three: good with satisfactory, fair, and poor with all that is worse.
INDEX = Measure("condition_index", "Condition index", "", 0, (GOOD_INDEX, FAIR_INDEX))
HPMS = Measure("hpms_cracking_percent", "HPMS cracking", "%", 0, (HPMS_GOOD_BELOW, HPMS_POOR_ABOVE))
UNIFIED = Measure("unified_crack_index", "Unified Crack Index", "%", 1)
MEASURES = (INDEX, DENSITY, HPMS, UNIFIED, AREA_SHARE)
FORMULA_KEYS = {"crack_area_pct": "crack_area_ratio"}
# What the numbers in brackets are.
INTERVAL = (
    "In brackets: how far the number moves when only the view does (flips, other scales). "
    "An error that the network makes in every view alike is not in it."
)
SECTION_INTERVAL = (
    "With the interval of 90 % for the error of looking only where photos were taken: less, the more of the "
    "section they show, and none where they show all of it. Where that share is not known, it is taken as "
    "small."
)
INDEX_INTERVAL = (
    "Interval: that of crack density carried through the deduct curves; cracking without a severity counts "
    "as high at its lower end. How wrong the cracks found are in every view alike is not in it."
)
AT_BEST = (
    "At best: part of the cracking has no severity (not measurable at the photos' GSD). The index takes it "
    "as low; were it medium or high, the class could be worse."
)
NOT_TYPED = (
    "Not built: three adjacent parallel cracks in a wheel path are not typed alligator. Where the wheel "
    "paths are not known, networks with pieces of 0.3 to 0.5 m count as block."
)
ONE_PHOTO = "One photo: the interval is that photo's own and says nothing of the rest of the section."
NO_INTERVAL = "–: this analysis was made before intervals were known."
# What AREA_SHARE is worth where the camera looks ahead.
WHOLE_PICTURE = (
    "Share of the whole picture: verge, sky and paint count too. "
    "Not a pavement measure until the camera is rectified."
)


def pothole_words(settings: Mapping[str, Any]) -> str:
    """Whether an analysis looked for potholes; `settings` as saved with its results."""
    if settings.get("potholes"):
        return "Potholes: regions of 0.1 m and more; their severity needs depth, which no photo shows."
    return "Potholes are not looked for: this checkpoint gives no pothole class."


def severity_words(settings: Mapping[str, Any]) -> str:
    """The severity standard of an analysis with its thresholds; `settings` as saved with its results."""
    if "severity_standard" not in settings:
        return "none: no severity was told"
    standard = standard_from(settings["severity_standard"])
    return f"{standard.name}: low under {standard.low_below_mm:g} mm, high over {standard.high_above_mm:g} mm"


def nice_step(largest: float) -> float:
    """A round class width (1, 2, 2.5 or 5 times a power of ten) so that five classes reach `largest`."""
    if not largest > 0 or not math.isfinite(largest):
        return 1.0
    raw = largest / len(CLASS_COLOURS)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)


def classes(largest: float, unit: str) -> list[dict[str, Any]]:
    """Five classes from 0 with colour and label; the last one is open."""
    step = nice_step(largest)
    last = len(CLASS_COLOURS) - 1
    return [
        {
            "colour": colour,
            "below": step * (place + 1),
            "label": f"{step * place:g} and more {unit}"
            if place == last
            else f"{step * place:g} – {step * (place + 1):g} {unit}",
        }
        for place, colour in enumerate(CLASS_COLOURS)
    ]


def measure_classes(measure: Measure, largest: float) -> list[dict[str, Any]]:
    """The standard's three classes where there is a standard, else five; by rising value."""
    if measure.good_fair_poor is None:
        return classes(largest, measure.unit)
    good, poor = measure.good_fair_poor
    unit = f" {measure.unit}" if measure.unit else ""
    if measure.large_is_good:
        bounds = [("poor", poor, f"under {poor:g}"), ("fair", good, f"{poor:g} to {good:g}"),
                  ("good", math.inf, f"{good:g} and more")]  # fmt: skip
    else:
        still_fair = math.nextafter(poor, math.inf)
        bounds = [("good", good, f"under {good:g}"), ("fair", still_fair, f"{good:g} to {poor:g}"),
                  ("poor", math.inf, f"over {poor:g}")]  # fmt: skip
    return [
        {"colour": GRADE_COLOURS[grade], "below": min(below, 1e9), "label": f"{grade}, {words}{unit}"}
        for grade, below, words in bounds
    ]


def colour_of(value: float | None, steps: Sequence[Mapping[str, Any]]) -> str:
    """The colour of the class that a value lies in, grey without one."""
    if value is None or math.isnan(value):
        return NO_DATA
    return str(next((step for step in steps if value < step["below"]), steps[-1])["colour"])
