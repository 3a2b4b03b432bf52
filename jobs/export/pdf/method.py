"""The end of the report: how it was made, what that cannot say, provenance and glossary."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from reportlab.platypus import CondPageBreak, Flowable

from engine.condition import FORMULAS
from engine.vocabulary import Severity
from jobs.export.data import FAIR_INDEX, GOOD_INDEX
from jobs.export.pdf.facts import Facts
from jobs.export.pdf.settings import settings_in_words
from jobs.export.pdf.style import (
    MISSING,
    Heading,
    bullets,
    data_table,
    number,
    paragraph,
    part_end,
    safe,
    shortened,
    space,
    subheading,
)

SEVERITY_GSD_MM = 3.0
METHOD_HEIGHT = 330.0
MOST_NOTES = 20
MOST_CURVES = 40
MOST_SETTINGS = 80
COST_UNITS = {
    "m2": "m²", "yd2": "yd²", "m": "m", "ft": "ft", "crack_m": "m of crack", "crack_ft": "ft of crack",
}  # fmt: skip
MEASURES = {
    "condition_index": "Condition index",
    "rating": "Rating",
    "crack_density_m_per_m2": "Crack density",
    "crack_area_ratio": "Cracked share of the picture",
    "severity": "Severity",
    "hpms_cracking_percent": "HPMS cracking percent",
    "unified_crack_index": "Unified Crack Index",
    "paser": "PASER",
}
LIMITS = (
    "<b>Cracks only.</b> The condition index is a Pavement Condition Index of cracking alone, and an upper "
    "bound of one: ruts, potholes, patches, ravelling and roughness are not in it and would lower it.",
    "<b>Precision, not truth.</b> The 90 % intervals hold how far a number moves when the view changes, "
    "and the error of having looked at some places only. A crack that the network never sees, or always "
    "draws too wide, is not in them. Only an audit by people, or labelled photos, tells of that.",
    "<b>A road is taken as a plane.</b> With a camera that looks ahead, lengths are off on crests, in dips "
    "and where the vehicle nods, most at the far end of the view.",
    "<b>Not built.</b> Three parallel cracks in a wheel path are not called alligator. Where the wheel "
    "paths are not known, networks with pieces of 0.3 to 0.5 m count as block.",
)
POTHOLES = (
    "<b>Potholes</b> are not looked for: this checkpoint gives no pothole class.",
    "<b>Potholes</b> are regions of 0.1 m and more. Their severity needs depth, which no photo shows, and "
    "they are not in the index.",
)
PLAN_LIMITS = (
    "<b>Assumed numbers decide much.</b> Effects of treatments and curves of ageing that are marked "
    "“assumed” are published nowhere for an index of cracks. Enter the agency’s own before money is "
    "committed.",
    "<b>Not in the plan:</b> ruts, drainage, utilities’ works, inflation, growth of traffic, what road "
    "users lose. Cracks are taken to grow as the index falls, in the mixture that was surveyed.",
    "<b>Costs</b> are the treatments’ unit costs times the sections’ quantities (area, length or length of "
    "cracks, by the unit), and one set-up a project; no engineer has looked at the site.",
    "<b>How often a project stays</b> is found by drawing the surveyed condition from its interval; the "
    "years’ prices of money are kept. It says how much a project hangs on its own measurement.",
)
GLOSSARY = (
    ("Alligator cracking", "A net of cracks with small pieces, in wheel paths: the pavement is worn out by "
     "load."),
    ("Backlog", "Cost of treating at once every section that is due, each by its best treatment."),
    ("Benefit", "Area between a section’s condition curves with and without the plan over the plan’s years, "
     "weighted by length and traffic. Averages of the index go by length only."),
    ("Block cracking", "A net of cracks with pieces of about 0.3 to 3 m, mostly from age."),
    ("Chainage", "Distance along a road; 1+250 is 1,250 m from its beginning."),
    ("Checkpoint", "The trained network that marked the cracks; its SHA-256 names it beyond doubt."),
    ("Condition index", "100 for no cracks to 0; see “Method and its limits”."),
    ("Crack density", "Length of cracks for each square metre of surveyed pavement, m/m²."),
    ("Deduct value", "Points that one type and severity of cracking takes off the index."),
    ("Equivalent annual cost", "The yearly payment over a treatment’s life that is worth its cost."),
    ("Good, fair, poor", f"Index {GOOD_INDEX:g} and over, {FAIR_INDEX:g} to {GOOD_INDEX:g}, under "
     f"{FAIR_INDEX:g}."),
    ("GSD", "Ground sampling distance: how much road one pixel of a photo covers, mm."),
    ("Index-km-year", "One point of index on one kilometre for one year, at the network’s mean traffic."),
    ("Interval (90 %)", "Range in which a number lies nine times in ten by what is counted in it."),
    ("Longitudinal, transverse", "A crack along the lane, within 20° of it; across the lane."),
    ("Mobilisation", "What a project costs to set up, whatever its length."),
    ("Preventive treatment", "Done while a road is still good or fair, to slow its ageing."),
    ("Sample unit", "A slice of a section, about 100 m, with an index of its own."),
    ("Section", "A length of road that is taken as one, and treated as one."),
    ("Surveyed area", "The lane in the photos, laid on the ground; never the whole photo."),
)  # fmt: skip


def method(facts: Facts, width: float) -> list[Flowable]:
    """What the numbers are, by which standards, and what they cannot say."""
    story: list[Flowable] = [
        # Its table of measures is not torn.
        CondPageBreak(METHOD_HEIGHT),
        Heading("Method and its limits", 0, "method"),
        paragraph(
            "A trained network marks cracks in the photos of the survey. Where the camera or the scale is "
            "known, they are laid on the road’s plane and measured within the lane: length, width, area, "
            "type and severity. Photos are summed up to sections, each metre of road once."
        ),
        data_table(
            ("Measure", "Formula", "Standard"),
            [(label, *FORMULAS[name]) for name, label in MEASURES.items()],
            (1.6, 4, 2.6),
            width=width,
        ),
        space(8),
        paragraph(_scale(facts)),
        paragraph(_severities(facts)) if facts.said("severity_standard") else space(0),
        *subheading("What these numbers cannot say", "limits"),
        *bullets([*LIMITS, POTHOLES[bool(analysis_settings(facts).get("potholes"))]]),
    ]
    if facts.has_plan:
        story += _plan_method(facts, width)
    return [*story, part_end()]


def _scale(facts: Facts) -> str:
    if not facts.gsds:
        return (
            "<b>Scale.</b> The ground sampling distance of the photos is not known: lengths, densities and "
            "the index cannot be given in metres."
        )
    low, high, middle = facts.gsds[0], facts.gsds[-1], facts.gsds[len(facts.gsds) // 2]
    coarse = sum(gsd > SEVERITY_GSD_MM for gsd in facts.gsds)
    spread = (
        f"{middle:.2g} mm a pixel"
        if high - low < 0.05
        else f"{low:.2g} to {high:.2g} mm a pixel, median {middle:.2g}"
    )
    text = (
        f"<b>Scale.</b> The photos have {spread}. Where a photo is coarser than {SEVERITY_GSD_MM:g} mm a "
        "pixel the width of a crack, and with it its severity, cannot be told; its cracking then counts as "
        "low, so that the index stays an upper bound."
    )
    if coarse == len(facts.gsds):
        text += " That is so for all photos of this survey."
    elif coarse:
        text += f" That is so for {coarse:,} of {len(facts.gsds):,} photos at least."
    return text


def _severities(facts: Facts) -> str:
    text = f"<b>Severities</b> are those of {safe(facts.said('severity_standard'))}"
    standard = analysis_settings(facts).get("severity_standard")
    if isinstance(standard, dict) and {"low_below_mm", "high_above_mm"} <= standard.keys():
        text += f": low under {standard['low_below_mm']} mm, high over {standard['high_above_mm']} mm"
    worst = {row["worst_severity"] for row in facts.sections} - {None}
    if worst == {Severity.NOT_MEASURABLE.value}:
        text += ". None could be told in this survey"
    return f"{text}."


def _plan_method(facts: Facts, width: float) -> list[Flowable]:
    story: list[Flowable] = [
        *subheading("How the plan was made", "plan_method"),
        paragraph(
            "Each surveyed section gets a curve of ageing for its class and surface. For each section, "
            "treatment and year that suits, the cost and the benefit are worked out; an integer programme "
            "(HiGHS), or prices on each year’s money with incremental benefit-cost where the network is "
            "large, chooses what gives most benefit for the money: the area between the condition curves "
            "with and without the plan over its years, weighted by length and traffic; what comes after the "
            "last year is not counted. Neighbours that get the same treatment in the "
            "same year are one project with one mobilisation. " + _strategy(facts)
        ),
        *bullets([*PLAN_LIMITS, *(safe(note, 600) for note in facts.plan.get("notes", [])[:MOST_NOTES])]),
    ]
    curves = facts.plan.get("curves", [])
    if curves:
        rows = [
            (
                shortened(curve["functional_class"] or "any", 30),
                shortened(curve["surface"] or "any", 30),
                shortened(curve["described"], 150),
            )
            for curve in curves[:MOST_CURVES]
        ]
        story += [
            *subheading("Curves of ageing", "curves"),
            data_table(("Class", "Surface", "Curve"), rows, (1.3, 1.2, 5), width=width),
        ]
    treatments = facts.request.get("treatments") or []
    if treatments:
        story += [*subheading("Treatments", "treatments"), _treatment_table(facts, treatments, width)]
    return story


def _strategy(facts: Facts) -> str:
    strategy, found_by = facts.plan.get("strategy"), safe(facts.plan.get("method") or "")
    if strategy == "worst-first":
        return "<b>This plan is not that one</b>: each year’s money goes to the worst sections first."
    if strategy == "nothing":
        return "<b>This plan is not that one</b>: only what the agency fixed is done."
    return f"Found by: {found_by}." if found_by else ""


def _treatment_table(facts: Facts, treatments: Sequence[Mapping[str, Any]], width: float) -> Flowable:
    cost = f"Cost, {shortened(facts.currency, 10)}" if facts.currency else "Cost"
    return data_table(
        (
            "Treatment",
            cost,
            "Per",
            "Set-up",
            "For index",
            "Lifts to",
            "Ageing",
            "Life, years",
            "Numbers from",
        ),
        [
            (
                shortened(one["name"], 40),
                number(one["unit_cost"], 2),
                COST_UNITS.get(one["unit"], one["unit"]),
                number(one.get("mobilisation_cost")),
                f"{one.get('index_min', 0):g} to {one.get('index_max', 100):g}",
                number(one.get("reset_index")),
                f"{100 * one.get('slope_factor', 1):.0f} %",
                one["life_years"],
                shortened(one.get("source") or MISSING, 400),
            )
            for one in treatments
        ],
        (1.6, 0.95, 0.7, 0.9, 1.0, 0.7, 0.95, 0.75, 3.4),
        (1, 3, 4, 5, 6, 7),
        width,
    )


def provenance(facts: Facts, width: float) -> list[Flowable]:
    """What the report was made from and with: enough to make it again."""
    labels = (
        ("agency", "Agency"), ("network", "Network"), ("survey", "Survey"), ("surveyed_on", "Surveyed on"),
        ("checkpoint", "Checkpoint"), ("checkpoint_sha256", "Its SHA-256"),
        ("settings_hash", "SHA-256 of the settings"), ("measurement_version", "Version of the measuring"),
        ("severity_standard", "Severity standard"), ("camera_profile", "Camera profile"), ("plan", "Plan"),
        ("software", "Software"), ("crs", "Coordinates"), ("made_at", "Made at (UTC)"),
    )  # fmt: skip
    rows = [(label, facts.said(key) or MISSING) for key, label in labels]
    rows.append(("Photos", f"{facts.photos:,}, {facts.failed:,} of them could not be analysed"))
    story: list[Flowable] = [
        Heading("Provenance", 0, "provenance"),
        data_table(("What", "Value"), rows, (1.5, 5), width=width),
        space(8),
    ]
    notes = [line for line in facts.said("notes").splitlines() if line.strip()]
    if notes:
        story += [*subheading("Notes", "notes"), *bullets([safe(note, 500) for note in notes[:30]])]
    settings = settings_in_words(analysis_settings(facts))[:MOST_SETTINGS]
    if settings:
        parts = [part for part, _, _ in settings]
        story += [
            *subheading("Settings of the analysis", "settings"),
            data_table(
                ("Part", "Setting", "Value"),
                [
                    ("" if part in parts[:row] else part, label, value)
                    for row, (part, label, value) in enumerate(settings)
                ],
                (1.3, 3.6, 2.6),
                width=width,
            ),
        ]
    return [*story, part_end()]


def analysis_settings(facts: Facts) -> Mapping[str, Any]:
    """What the analysis was made with; empty where that is not told."""
    try:
        settings = json.loads(facts.said("settings") or "{}")
    except ValueError:
        return {}
    return settings if isinstance(settings, dict) else {}


def glossary(width: float) -> list[Flowable]:
    """The words of the report."""
    return [
        Heading("Glossary", 0, "glossary"),
        data_table(("Word", "Meaning"), GLOSSARY, (1.7, 5), width=width),
    ]
