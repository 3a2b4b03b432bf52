"""The report's year plan: money by year, forecast, scenarios, and the sections without a project."""

from collections.abc import Mapping, Sequence
from typing import Any

from reportlab.platypus import Flowable, KeepTogether

from jobs.export.data import FAIR_INDEX
from jobs.export.pdf.charts import Columns, Forecast
from jobs.export.pdf.facts import Facts, Row, has_aged, length_of, money_by_treatment, total_cost
from jobs.export.pdf.style import (
    MISSING,
    SERIES,
    Heading,
    bullets,
    data_table,
    kilometres,
    money,
    number,
    paragraph,
    part_end,
    safe,
    shortened,
    space,
    subheading,
)
from jobs.export.pdf.summary import place_of, work_words

MOST_TREATMENTS = len(SERIES)
MOST_LEFT_OUT = 25
MOST_SHORTFALLS = 10
SCENARIOS = {
    "nothing": "Do nothing",
    "worst-first": "Worst first",
    "budget": "This budget",
    "preventive": "Prevention first",
    "target": "Target",
}
MOMENTS = {"condition_surveyed": "surveyed", "condition_now": "start"}
"""Conditions before the plan's first year, and how the chart calls them."""
PINNED_ONLY = "Only what is pinned"
LITTLE_USED = 0.5
"""A year that spends less than this part of the money at hand needs a word."""
# Of `engine.plan_reasons.CAUSES`.
CAUSES = {
    "forbidden": "Forbidden by the agency",
    "no_treatment": "No treatment of the set suits its condition",
    "worth_less": "The money does more elsewhere",
    "no_money": "Worth doing, but no money is left beside the projects chosen",
    "not_surveyed": "Not surveyed in metres: it has no condition index",
}
OTHER_REASON = "Other reasons"


def year_plan(facts: Facts, width: float) -> list[Flowable]:
    """Money, condition and scenarios of a plan."""
    story: list[Flowable] = [
        Heading("The plan year by year", 0, "years"),
        paragraph(money_words(facts)),
    ]
    if facts.forecast:
        story += [
            _cost_chart(facts, width),
            space(8),
            KeepTogether([_year_table(facts, width), paragraph(work_words(facts), "note")]),
        ]
        missed = [safe(line["reason"], 300) for line in facts.plan.get("shortfalls", [])]
        story += [*bullets(missed[:MOST_SHORTFALLS]), space(6)]
        story.append(
            KeepTogether([Heading("What becomes of the network", 1, "forecast"), _forecast(facts, width)])
        )
    story += _scenarios(facts, width)
    return [*story, part_end()]


def _forecast(facts: Facts, width: float) -> Flowable:
    lines = {
        "With the plan": _averages(facts.plan, "condition_by_year"),
        "Without it": _averages(facts.plan, "without_plan"),
    }
    return Forecast(
        [
            *(words for moment, words in MOMENTS.items() if moment in _moments(facts.plan)),
            *(str(year) for year in facts.years),
        ],
        lines,
        width,
        155,
        "Average condition index at the end of the year, by length",
        (FAIR_INDEX, f"fair from {FAIR_INDEX:g}"),
    )


def _averages(plan: Mapping[str, Any], name: str) -> list[float]:
    return [plan[moment]["average"] for moment in _moments(plan)] + [line["average"] for line in plan[name]]


def _moments(plan: Mapping[str, Any]) -> list[str]:
    """Those of `MOMENTS` that the plan tells apart."""
    return list(MOMENTS) if has_aged(plan) else ["condition_now"]


def money_words(facts: Facts) -> str:
    """The budget, how near the plan is to the best one, and the years that leave most of their money."""
    asked = facts.request.get("yearly_budget")
    if asked is None:
        budget = "The plan has no limit of money."
    else:
        carried = "is carried over" if facts.request.get("carry_over", True) else "is not carried over"
        each = asked if not isinstance(asked, Sequence) else None
        amount = (
            f"{money(each, safe(facts.currency))} a year" if each is not None else "an amount for each year"
        )
        budget = f"The budget is {amount}; what a year leaves {carried}."
    objective, bound = facts.plan.get("objective"), facts.plan.get("bound")
    if objective and bound is not None and facts.plan.get("strategy") == "optimal":
        more = bound / objective - 1
        budget += (
            " No plan with this money has more benefit."
            if more < 0.0005
            else f" No plan with this money has over {100 * more:.2g} % more benefit."
        )
    return f"{budget} Costs are in today’s money.{_unused_words(facts)}"


def _unused_words(facts: Facts) -> str:
    """A sentence on the years that use under half of the money at hand; "" without such a year."""
    asked = facts.request.get("yearly_budget")
    lines = facts.plan.get("cost_by_year", [])
    if asked is None or not lines:
        return ""
    each = [float(one) for one in asked] if isinstance(asked, Sequence) else [float(asked)] * len(lines)
    carried, little, left = facts.request.get("carry_over", True), [], 0.0
    drawn: list[int] = []
    for line, budget in zip(lines, each, strict=False):
        at_hand = budget + (left if carried else 0.0)
        if line["cost"] < LITTLE_USED * at_hand:
            little.append(line["year"])
        if line["cost"] > budget:
            drawn.append(line["year"])
        left = at_hand - line["cost"]
    if not little:
        return ""
    text = f" Under half of the money at hand is used in {years_words(little)}"
    if facts.plan.get("strategy", "optimal") != "optimal":
        return f"{text}."
    kept = [year for year in little if drawn and year < drawn[-1]]
    rest = [year for year in little if year not in kept]
    words = []
    if kept:
        words.append("what is left is kept for later years, where it does more")
    if rest:
        when = f"in {years_words(rest)} there" if kept else "there"
        words.append(f"by the plan’s curves and treatments {when} is no more benefit to be had with it")
    return f"{text}: {'; '.join(words)}."


def years_words(years: Sequence[int]) -> str:
    """`2027`, `2027 and 2029`, `2027, 2028 and 2030`."""
    *first, last = (str(year) for year in years)
    return f"{', '.join(first)} and {last}" if first else last


def _cost_chart(facts: Facts, width: float) -> Flowable:
    groups = money_by_treatment(facts)
    names = list(groups)
    kept = names if len(names) <= MOST_TREATMENTS else names[: MOST_TREATMENTS - 1]
    series = {name: [groups[name].get(year, 0.0) for year in facts.years] for name in kept}
    if len(kept) < len(names):
        rest = [groups[name] for name in names[len(kept) :]]
        series["All others"] = [sum(one.get(year, 0.0) for one in rest) for year in facts.years]
    asked = facts.request.get("yearly_budget")
    line = None
    if isinstance(asked, int | float) and not facts.request.get("carry_over", True):
        line = ("Budget", [float(asked)] * len(facts.years))
    if not series:
        series = {"": [0.0] * len(facts.years)}
    # One treatment needs its name too.
    if len(series) == 1:
        series = {**series, " ": [0.0] * len(facts.years)} if line else series
    unit = f"Cost by year, {facts.currency}" if facts.currency else "Cost by year"
    if len(names) == 1:
        unit += f": {names[0]}"
    colours = (SERIES[0],) if len(series) == 1 else SERIES
    return Columns([str(year) for year in facts.years], series, width, 180, unit, colours, line)


def _year_table(facts: Facts, width: float) -> Flowable:
    plan = facts.plan
    rows: list[Sequence[object]] = []
    for place, line in enumerate(plan["cost_by_year"]):
        here = [project for project in facts.projects if project["year"] == line["year"]]
        end, without = plan["condition_by_year"][place], plan["without_plan"][place]
        rows.append(
            (
                line["year"],
                f"{len(here):,}",
                number(length_of(here) / 1000, 1),
                number(line["cost"]),
                number(end["average"], 1),
                number(end["good_or_fair_percent"], 0, "%"),
                number(end["backlog"]),
                number(without["average"], 1),
                number(without["backlog"]),
            )
        )
    total = (
        "All", f"{len(facts.projects):,}", "", number(total_cost(facts)), "", "", "", "", "",
    )  # fmt: skip
    cost = f"Cost, {shortened(facts.currency, 10)}" if facts.currency else "Cost"
    return data_table(
        (
            "Year",
            "Projects",
            "Length, km",
            cost,
            "Average index",
            "Good or fair",
            "Backlog",
            "Index without",
            "Backlog without",
        ),
        [*rows, total],
        (0.7, 0.95, 0.95, 1.3, 0.95, 0.9, 1.3, 0.95, 1.3),
        range(1, 9),
        width,
        last_bold=True,
    )


def _scenarios(facts: Facts, width: float) -> list[Flowable]:
    if not facts.scenarios:
        return []
    best = next((one for one in facts.scenarios if one["scenario"] == "budget"), None)
    rows = []
    for one in facts.scenarios:
        gain = (
            f"{100 * one['objective'] / best['objective']:.0f} %" if best and best["objective"] else MISSING
        )
        rows.append(
            (
                scenario_name(one),
                _budget(one),
                number(one["total_cost"]),
                gain,
                number(one["average"], 1),
                number(one["good_or_fair_percent"], 0, "%"),
                number(one["backlog"]),
                number(one["remaining_life_years"], 1),
            )
        )
    return [
        KeepTogether(
            [
                Heading("Beside other ways to spend", 1, "scenarios"),
                data_table(
                    (
                        "Scenario",
                        "Budget a year",
                        "Cost in all",
                        "Benefit",
                        "Average index at the end",
                        "Good or fair",
                        "Backlog",
                        "Life left, years",
                    ),
                    rows,
                    (1.7, 1.3, 1.3, 0.9, 1.1, 0.9, 1.3, 0.9),
                    range(1, 8),
                    width,
                ),
                space(4),
                paragraph(_benefit_words(facts)),
            ]
        )
    ]


def scenario_name(scenario: Mapping[str, Any]) -> str:
    """As everywhere, but that pinned projects are done even where nothing else is."""
    if scenario["scenario"] == "nothing" and scenario.get("pinned"):
        return PINNED_ONLY
    name = str(scenario["scenario"])
    return SCENARIOS.get(name, name)


def _benefit_words(facts: Facts) -> str:
    """What the scenarios are compared by, and why the averages may tell another story."""
    currency = safe(facts.currency) or "the treatments’ currency"
    benefit = (
        "<b>Benefit</b> is what a plan is chosen by: the area between the condition curves with and without "
        "it over the plan’s years, "
    )
    if facts.request.get("traffic_exponent", 1.0) == 0:
        return (
            f"{benefit}weighted by length; here as a part of this budget’s. What comes after the last year "
            f"is not counted. Money in {currency}."
        )
    return (
        f"{benefit}weighted by length and traffic; here as a part of this budget’s. What comes after the "
        "last year is not counted. The average index and the share good or fair go by length only: a plan "
        "that keeps busy roads good early can have more benefit than one with a higher average at the end. "
        f"Money in {currency}."
    )


def _budget(scenario: Mapping[str, Any]) -> str:
    budget = scenario["yearly_budget"]
    if scenario["scenario"] == "nothing":
        return MISSING
    return "no limit" if budget is None else number(budget) if not isinstance(budget, list) else "by year"


def without_project(facts: Facts, width: float) -> list[Flowable]:
    """Sections without a project: how many for which reason, and the worst of them one by one."""
    unplanned = {str(line["section_id"]): line for line in facts.plan.get("unplanned", [])}
    reasons = {key: str(line["reason"]) for key, line in unplanned.items()}
    rows = [row for row in facts.sections if str(row["section_key"]) in reasons]
    if not rows:
        return []
    groups: dict[str, list[Row]] = {}
    for row in rows:
        cause = CAUSES.get(unplanned[str(row["section_key"])].get("cause"), OTHER_REASON)
        groups.setdefault(cause, []).append(row)
    ordered = sorted(groups.items(), key=lambda item: -length_of(item[1]))
    worst = sorted(
        (row for row in rows if row["condition_index"] is not None), key=lambda row: row["condition_index"]
    )
    story: list[Flowable] = [
        Heading("Sections without a project", 0, "without"),
        data_table(
            ("Why", "Sections", "Length"),
            [(reason, f"{len(some):,}", kilometres(length_of(some))) for reason, some in ordered],
            (5, 1, 1.2),
            (1, 2),
            width,
        ),
        space(10),
    ]
    if worst:
        title = f"The {MOST_LEFT_OUT} in worst condition" if len(worst) > MOST_LEFT_OUT else "One by one"
        story += [
            *subheading(title, "without_worst"),
            data_table(
                ("Section", "Where", "Index surveyed", "Why"),
                [
                    (
                        shortened(row["section_key"], 40),
                        shortened(place_of(row), 70),
                        number(row["condition_index"]),
                        shortened(reasons[str(row["section_key"])], 150),
                    )
                    for row in worst[:MOST_LEFT_OUT]
                ],
                (1.2, 2.3, 0.8, 3.7),
                (2,),
                width,
            ),
        ]
        if len(worst) > MOST_LEFT_OUT:
            story.append(paragraph("The spreadsheet has them all, each with its reason.", "note"))
    return [*story, part_end()]
