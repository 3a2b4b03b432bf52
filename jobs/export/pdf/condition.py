"""The report's maps and the condition of the network."""

import math
from collections.abc import Sequence

from reportlab.lib.colors import Color
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, PageBreak

from engine.condition import RATINGS
from jobs.export.data import FAIR_INDEX, GOOD_INDEX
from jobs.export.pdf.charts import Columns
from jobs.export.pdf.facts import (
    GRADE_NAMES,
    Facts,
    Row,
    at_best,
    grade,
    length_of,
    lengths_by_grade,
    mean_of,
    worst_first,
)
from jobs.export.pdf.maps import Layer, Mark, RoadMap, shape_of
from jobs.export.pdf.style import (
    GRADES,
    NOT_SURVEYED,
    Heading,
    counted,
    data_table,
    kilometres,
    number,
    paragraph,
    part_end,
    percent,
    shortened,
    space,
    year_colour,
)

MARKED = 10
BLOCK_HEIGHT = 350.0
"""Room for a heading and a project with its pictures."""
LOWEST_MAP = 230.0
"""Points; a road from west to east needs no more."""
MOST_CLASSES = 30
LINE_WIDTHS = {"good": 1.5, "fair": 2.1, "poor": 2.9}
UNEVEN_POINTS = 25
NOT_MEASURED = (
    "No section has a condition index: the survey has no results in metres. Give it a camera profile or a "
    "ground sampling distance and analyse it again. Until then only the share of cracked picture is known."
)


def at_best_words(facts: Facts) -> str:
    """A sentence on classes that cracking without a severity could make worse; "" where there are none."""
    length_m = length_of(row for row in facts.surveyed if at_best(row))
    if not length_m:
        return ""
    return (
        f" “At best” ({kilometres(length_m)}): part of the cracking has no severity, for the photos are too "
        "coarse; the index takes it as low, and were it medium or high, the class could be worse."
    )


def maps(facts: Facts, width: float, height: float) -> list[Flowable]:
    """The network by condition and, with a plan, by the year in which it is treated."""
    shape = shape_of(row["geometry"] for row in facts.sections)
    high = min(height - 75, width * 1.15, max(LOWEST_MAP, width * shape + 80))
    story: list[Flowable] = [
        Heading("The network by condition", 0, "map"),
        RoadMap(condition_layers(facts.sections), width, high, marks=_marks(facts)),
        paragraph(
            "Sections by condition index, cracking only. "
            + ("Numbers: the first projects." if facts.projects else "Numbers: the worst sections.")
            + (" Classes may be at best, see “Summary”." if at_best_words(facts) else ""),
            "note",
        ),
        part_end(),
    ]
    if facts.projects:
        story += [
            KeepTogether(
                [
                    Heading("The plan by year", 0, "map_years"),
                    RoadMap(_year_layers(facts), width, high),
                    paragraph("Where two projects are planned on a section, the first one's year.", "note"),
                ]
            ),
            PageBreak(),
        ]
    return story


def condition_layers(sections: Sequence[Row]) -> list[Layer]:
    """Sections by grade, the worst on top."""

    def of(name: str | None, colour: Color, wide: float, label: str) -> Layer:
        rows = [row["geometry"] for row in sections if grade(row["condition_index"]) == name]
        return Layer(rows, colour, wide, label if rows else "")

    labels = {
        "good": f"Good: index {GOOD_INDEX:g} and over",
        "fair": f"Fair: {FAIR_INDEX:g} to {GOOD_INDEX:g}",
        "poor": f"Poor: under {FAIR_INDEX:g}",
    }
    return [
        of(None, NOT_SURVEYED, 0.8, "No condition index"),
        *(of(name, GRADES[name], LINE_WIDTHS[name], labels[name]) for name in GRADE_NAMES),
    ]


def _year_layers(facts: Facts) -> list[Layer]:
    first: dict[str, int] = {}
    for project in facts.projects:
        for key in project["keys"]:
            first[key] = min(first.get(key, project["year"]), project["year"])
    rest = [row["geometry"] for row in facts.sections if row["section_key"] not in first]
    layers = [Layer(rest, NOT_SURVEYED, 0.8, "No project" if rest else "")]
    for place, year in reversed(list(enumerate(facts.years))):
        shapes = [
            facts.by_key[key]["geometry"] for key in first if first[key] == year and key in facts.by_key
        ]
        layers.append(Layer(shapes, year_colour(place, len(facts.years)), 2.6, str(year) if shapes else ""))
    return layers


def _marks(facts: Facts) -> list[Mark]:
    if facts.projects:
        return [Mark(project["geometry"], str(project["rank"])) for project in facts.projects[:MARKED]]
    return [Mark(row["geometry"], str(n)) for n, row in enumerate(worst_first(facts)[:MARKED], 1)]


def condition(facts: Facts, width: float) -> list[Flowable]:
    """How the condition is spread: by rating, and by class of road."""
    story: list[Flowable] = [Heading("Condition of the network", 0, "condition")]
    if not facts.surveyed:
        return [*story, paragraph(NOT_MEASURED), PageBreak()]
    names = [rating for _, rating in RATINGS]
    metres = dict.fromkeys(names, 0.0)
    for row in facts.surveyed:
        rating = next(name for lowest, name in RATINGS if row["condition_index"] >= lowest)
        metres[rating] += row["length_m"] or 0.0
    colours = [GRADES[grade(lowest) or "poor"] for lowest, _ in RATINGS]
    story += [
        paragraph(
            "The index runs from 100 (no cracks) to 0. It knows of cracks only: ruts, potholes and patches "
            "would lower it, so a road may be worse than this report says, not better for them."
            + at_best_words(facts)
        ),
        Columns(
            [f"{name}\nfrom {lowest:g}" for lowest, name in RATINGS],
            {"": [metres[name] / 1000 for name in names]},
            width,
            190,
            "Length, km",
            colours,
        ),
        space(10),
        KeepTogether([Heading("By class of road", 1, "classes"), _class_table(facts, width)]),
    ]
    return [*story, space(10), *_spread(facts), CondPageBreak(BLOCK_HEIGHT)]


def _class_table(facts: Facts, width: float) -> Flowable:
    classes: dict[str, list[Row]] = {}
    for row in facts.sections:
        classes.setdefault(str(row["functional_class"] or "not known"), []).append(row)
    ordered = sorted(classes.items(), key=lambda item: -length_of(item[1]))
    # A column of free text may have a value for every road.
    shown = ordered[:MOST_CLASSES]
    others = [row for _, rows in ordered[MOST_CLASSES:] for row in rows]
    if others:
        shown.append(("all others", others))
    return data_table(
        ("Class", "Sections", "Length, km", "Good", "Fair", "Poor", "No index", "Average index"),
        [_class_row(name, rows) for name, rows in [*shown, ("All", facts.sections)]],
        (2.4, 1, 1.2, 0.9, 0.9, 0.9, 1.1, 1.2),
        range(1, 8),
        width,
        last_bold=True,
    )


def _class_row(name: str, rows: Sequence[Row]) -> list[object]:
    lengths, total = lengths_by_grade(rows), length_of(rows)
    return [
        shortened(name, 60),
        f"{len(rows):,}",
        number(total / 1000, 1),
        *(percent(lengths[key], total) for key in (*GRADE_NAMES, None)),
        number(mean_of(rows, "condition_index")),
    ]


def _spread(facts: Facts) -> list[Flowable]:
    uneven = sum((row["unit_spread"] or 0) > UNEVEN_POINTS for row in facts.surveyed)
    shares = sorted(
        row["surveyed_share_percent"] for row in facts.surveyed if row["surveyed_share_percent"] is not None
    )
    texts = []
    if shares:
        middle = shares[math.ceil(len(shares) / 2) - 1]
        texts.append(
            f"Half of the surveyed sections were photographed over at most {max(math.ceil(middle), 1)} % of "
            "their length."
            if middle < 99.5
            else "At least half of the surveyed sections were photographed over their whole length."
        )
    if uneven:
        texts.append(
            f"In {counted(uneven, 'section')} the index of the sample units differs by more than "
            f"{UNEVEN_POINTS} points: such a section is not of one condition, and a treatment of all of it "
            "may be too much or too little."
        )
    return [paragraph(" ".join(texts))] if texts else []
