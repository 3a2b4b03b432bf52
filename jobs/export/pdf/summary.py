"""The report's cover and its one-page summary."""

from reportlab.platypus import (
    Flowable,
    KeepInFrame,
    PageBreak,
    Table,
    TableStyle,
)
from reportlab.platypus.tableofcontents import TableOfContents

from jobs.export.pdf.charts import GradeBar
from jobs.export.pdf.condition import NOT_MEASURED, at_best_words
from jobs.export.pdf.facts import (
    GRADE_NAMES,
    Facts,
    Row,
    at_best,
    class_words,
    has_aged,
    length_of,
    lengths_by_grade,
    mean_of,
    road_length,
    total_cost,
    worst_first,
)
from jobs.export.pdf.style import (
    PANEL,
    Heading,
    bullets,
    chainage,
    counted,
    data_table,
    kilometres,
    money,
    number,
    paragraph,
    percent,
    safe,
    shortened,
    space,
    styles,
)

FIRST_PROJECTS = 5
YEARS_A_ROW = 10
OLD_SURVEY_YEARS = 3
"""A plan that starts later after its survey rests on curves more than on photos."""


def place_of(row: Row) -> str:
    """`Main Street, 0+100 to 0+600`."""
    return f"{row['road'] or ''}, {chainage(row['from_m'])} to {chainage(row['to_m'])}".lstrip(", ")


def work_words(facts: Facts) -> str:
    """`8.3 km of work on 7.3 km of road.`; a section that is treated twice is work twice and road once."""
    work_m, road_m = length_of(facts.projects), road_length(facts)
    if abs(work_m - road_m) < 1:
        return f"Work on {kilometres(road_m)} of road."
    return f"{kilometres(work_m)} of work on {kilometres(road_m)} of road."


def cover(facts: Facts, width: float) -> list[Flowable]:
    """Title, whose report it is, and the table of contents."""
    lines = [
        ("Network", facts.said("network")),
        ("Survey", facts.said("survey")),
        ("Surveyed on", facts.said("surveyed_on") or "not known"),
        ("Plan", (facts.said("plan") or "without a name") if facts.has_plan else "none"),
        ("Report made", facts.said("made_at").replace("T", " ")[:16] + " UTC"),
    ]
    table = Table(
        [[paragraph(label, "label"), paragraph(f"<b>{safe(text, 300)}</b>")] for label, text in lines],
        colWidths=[width * 0.2, width * 0.8],
        hAlign="LEFT",
    )
    table.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (0, -1), 0)]))
    contents = TableOfContents(dotsMinLevel=0)
    contents.levelStyles = [styles()["toc"]]
    title = "Priorities for road maintenance" if facts.has_plan else "Condition of the roads"
    return [
        space(70),
        paragraph(safe(facts.said("agency"), 200), "cover"),
        paragraph(title, "title"),
        paragraph(_subtitle(facts), "cover"),
        space(26),
        table,
        space(34),
        paragraph("<b>Contents</b>", "lead"),
        contents,
    ]


def _subtitle(facts: Facts) -> str:
    if not facts.years:
        return "What the survey found, worst sections first"
    return f"What to fix first, when and for how much: {facts.years[0]} to {facts.years[-1]}"


def summary(facts: Facts, width: float, height: float) -> list[Flowable]:
    """One page in words, whatever the network."""
    story: list[Flowable] = [
        _tiles(facts, width),
        space(12),
        GradeBar(lengths_by_grade(facts.sections), width),
        space(6),
        *(paragraph(text, "lead") for text in _found(facts)),
    ]
    if facts.has_plan:
        story += [paragraph(text, "lead") for text in _planned(facts)]
        story += _cost_rows(facts, width)
    else:
        story.append(
            paragraph(
                "<b>This report has no plan</b>: none has been made from this analysis. So it says nothing "
                "of treatments, years and money, and lists the sections by their condition, the worst first.",
                "lead",
            )
        )
    story += [*_first_places(facts, width), space(12), *_keep_in_mind(facts)]
    # Names may be long; the page must hold all the same.
    return [
        Heading("Summary", 0, "summary"),
        KeepInFrame(width, height - 40, story, mode="shrink"),
        PageBreak(),
    ]


def _tiles(facts: Facts, width: float) -> Flowable:
    surveyed = length_of(facts.surveyed)
    lengths = lengths_by_grade(facts.surveyed)
    average = mean_of(facts.surveyed, "condition_index")
    figures = [
        (kilometres(surveyed), f"with a condition index, of {kilometres(length_of(facts.sections))}"),
        (number(average), "average condition index of 100, when surveyed"),
        (
            percent(lengths["good"] + lengths["fair"], surveyed),
            f"of that length good or fair{', at best' if any(map(at_best, facts.surveyed)) else ''}",
        ),
    ]
    if facts.has_plan:
        period = f"{facts.years[0]} to {facts.years[-1]}" if facts.years else ""
        figures.append((money(total_cost(facts), facts.currency), f"plan {period}"))
    else:
        figures.append((kilometres(lengths["poor"]), "in poor condition"))
    cells = [[paragraph(safe(value), "figure"), paragraph(safe(words), "label")] for value, words in figures]
    table = Table([cells], colWidths=[width * 0.22] * 3 + [width * 0.34], hAlign="LEFT")
    table.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, -1), PANEL),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 9),
                ("TOPPADDING", (0, 0), (-1, -1), 8),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 9),
            ]
        )
    )
    return table


def _found(facts: Facts) -> list[str]:
    surveyed = facts.surveyed
    if not surveyed:
        return [NOT_MEASURED]
    lengths, total = lengths_by_grade(surveyed), length_of(surveyed)
    parts = ", ".join(
        f"{kilometres(lengths[name])} ({percent(lengths[name], total)}) {name}" for name in GRADE_NAMES
    )
    on = facts.said("surveyed_on")
    return [
        f"The survey{f' of {safe(on)}' if on else ''} gave {len(surveyed):,} of {len(facts.sections):,} "
        f"sections a condition index. By their cracking alone, {parts}.{at_best_words(facts)}"
    ]


def _planned(facts: Facts) -> list[str]:
    plan, currency = facts.plan, safe(facts.currency)
    if not facts.projects:
        return [
            "<b>The plan has no projects</b>: with its money and its treatments nothing can be done that "
            "helps. What each section lacks is said under “Sections without a project”."
        ]
    preventive = plan.get("preventive_share")
    texts = [
        f"<b>What the plan does.</b> {counted(len(facts.projects), 'project')} on "
        f"{kilometres(road_length(facts))} of road, for {money(total_cost(facts), currency)} in all"
        + (f", {100 * preventive:.0f} % of it preventive." if preventive is not None else ".")
    ]
    if not facts.forecast:
        return texts
    last, without = plan["condition_by_year"][-1], plan["without_plan"][-1]
    texts.append(
        f"<b>What it changes.</b> At the end of {last['year']} the average index is {last['average']:.0f} "
        f"and {last['good_or_fair_percent']:.0f} % of the length is good or fair. <b>Without it</b>: "
        f"{without['average']:.0f} and {without['good_or_fair_percent']:.0f} %, and the work that is then "
        f"due would cost {money(without['backlog'], currency)} at once (with the plan "
        f"{money(last['backlog'], currency)}; what is due {_start(facts)} costs "
        f"{money(plan['condition_now']['backlog'], currency)})."
    )
    return [*_aged_words(facts), *texts]


def _start(facts: Facts) -> str:
    return f"at the start of {facts.years[0]}" if facts.years else "at its start"


def _aged_words(facts: Facts) -> list[str]:
    """How the condition is taken to have changed since the survey; nothing where it has not."""
    if not has_aged(facts.plan) or not facts.years:
        return []
    surveyed, now, on = (
        facts.plan["condition_surveyed"],
        facts.plan["condition_now"],
        facts.said("surveyed_on"),
    )
    text = (
        f"<b>Since the survey.</b> The plan starts from what its curves of ageing make of the survey at the "
        f"start of {facts.years[0]}: an average of {now['average']:.1f}, from {surveyed['average']:.1f}, and "
        f"{now['good_or_fair_percent']:.0f} % good or fair."
    )
    years = facts.years[0] - int(on[:4]) if on[:4].isdecimal() else 0
    if years > OLD_SURVEY_YEARS:
        text += f" The survey is of {safe(on[:4])}: survey again before money is committed."
    return [text]


def _cost_rows(facts: Facts, width: float) -> list[Flowable]:
    lines = facts.plan.get("cost_by_year", [])
    found: list[Flowable] = []
    for start in range(0, len(lines), YEARS_A_ROW):
        some = lines[start : start + YEARS_A_ROW]
        head = [
            f"Cost, {facts.currency}" if facts.currency else "Cost",
            *(str(line["year"]) for line in some),
        ]
        row = ["by year", *(number(line["cost"]) for line in some)]
        found += [
            data_table(head, [row], [1.6] + [1.0] * len(some), range(1, len(head)), width),
            space(6),
        ]
    return found


def _keep_in_mind(facts: Facts) -> list[Flowable]:
    texts = [
        "The condition index knows of cracks only. Ruts, potholes and patches are not in it.",
        "Numbers in brackets are 90 % intervals: they say how steady a number is, not how right.",
    ]
    if any(curve.get("source") == "assumed" for curve in facts.plan.get("curves", [])):
        texts.append(
            "How fast the roads age is assumed: enter the agency’s own curves before money is committed."
        )
    if facts.has_plan:
        texts.append(
            "Costs are unit costs times quantities, with each project’s set-up, in today’s money; an "
            "engineer must look at each site."
        )
    return [paragraph("<b>Keep in mind</b>"), *bullets([*texts, "More under “Method and its limits”."])]


def _first_places(facts: Facts, width: float) -> list[Flowable]:
    if facts.projects:
        rows = [
            (
                project["rank"],
                shortened(place_of(project), 70),
                project["year"],
                shortened(project["treatment"], 40),
                money(project["cost"], facts.currency),
            )
            for project in facts.projects[:FIRST_PROJECTS]
        ]
        table = data_table(
            ("No.", "Where", "Year", "Treatment", "Cost"), rows, (0.5, 3.6, 0.7, 1.9, 1.6), (4,), width
        )
        return [space(4), paragraph("<b>The first projects</b>"), table]
    worst = worst_first(facts)[:FIRST_PROJECTS]
    if not worst:
        return []
    table = data_table(
        ("No.", "Where", "Index", "Condition", "Crack density, m/m²"),
        [
            (
                place,
                shortened(place_of(row), 70),
                number(row["condition_index"], 1),
                class_words(row),
                number(row["crack_density_m_per_m2"], 2),
            )
            for place, row in enumerate(worst, 1)
        ],
        (0.5, 4, 0.8, 1.2, 1.6),
        (2, 4),
        width,
    )
    return [space(4), paragraph("<b>The sections in worst condition</b>"), table]
