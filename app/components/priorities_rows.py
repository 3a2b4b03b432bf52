"""What the page of priorities lists: a plan's projects, sections without one, or sections by condition."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from app.components.measures import INDEX, Measure
from app.components.text import number
from engine.condition import RATINGS
from engine.vocabulary import WishKind

WISH_WORDS = {WishKind.PIN: "pinned", WishKind.FORBID: "forbidden", WishKind.COMMENT: "comment"}
URGENCY = {
    "condition_index": "(100 - condition index) x vehicles per day",
    "crack_area_pct": "cracked area in % x vehicles per day",
}


def money(value: float | None, currency: str) -> str:
    """`12,300 USD`, or a dash."""
    return number(value, 0, currency)


def first_sentence(reason: str) -> str:
    """The head of a reason: which road, how bad."""
    head, dot, _ = reason.partition(". ")
    return head + dot.strip()


def project_links(projects: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """rank, section_key and id (of `data.section_table`) of every section of every project, in its order.

    Sections that left the network since have no line.
    """
    links = projects[["rank", "section_keys"]].explode("section_keys", ignore_index=True)
    links = links.rename(columns={"section_keys": "section_key"})
    return links.merge(table[["section_key", "id"]], on="section_key", how="inner")


def project_rows(projects: pd.DataFrame, decided: Mapping[str, str]) -> pd.DataFrame:
    """Projects as they are listed.

    Args:
        projects: lines of `plan_data.project_table`; those shown, for it goes line by line.
        decided: of `decisions_of`.
    """
    return projects.assign(
        place=[_place(keys) for keys in projects["section_keys"]],
        short=projects["reason"].map(first_sentence),
        index=[
            f"{before:.0f} → {after:.0f}"
            for before, after in zip(projects["index_before"], projects["index_after"], strict=True)
        ],
        decided=[
            ", ".join(sorted({word for key in keys for word in decided.get(key, "").split(", ") if word}))
            for keys in projects["section_keys"]
        ],
    )


def _place(keys: Sequence[str]) -> str:
    return str(keys[0]) if len(keys) == 1 else f"{keys[0]} to {keys[-1]} ({len(keys)})"


def unplanned_rows(of_sections: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Sections without a project with their reason, the worst first; those without an index last.

    Args:
        of_sections: of `plan_data.section_plan`.
        table: of `data.section_table` with `grade`.
    """
    left = of_sections.loc[of_sections["project"].isna(), ["reason"]]
    return table.merge(left, left_on="section_key", right_index=True, how="inner").sort_values(
        "condition_index", na_position="last", kind="stable", ignore_index=True
    )


def condition_rows(table: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Surveyed sections by `URGENCY` with `rank` and `traffic`: how bad they are, weighted by traffic.

    Where nobody counted, traffic is the median of the class, else of the network, and `estimated`.

    Args:
        table: of `data.section_table`.
        measure: the condition index, or the cracked area where there are no metres.
    """
    ranked = table[table[measure.column].notna()].copy()
    # The network's median stands where a class has none; 1 where nobody counted anything.
    counted = table["aadt"].astype("float64")
    median = counted.groupby(table["functional_class"].fillna("")).transform("median")
    filled = counted.fillna(median).fillna(counted.median()).fillna(1.0).clip(lower=1.0)
    ranked["traffic"], ranked["estimated"] = filled[ranked.index], counted[ranked.index].isna()
    lost = 100 - ranked[measure.column] if measure == INDEX else ranked[measure.column]
    ranked["urgency"] = lost * ranked["traffic"]
    ranked = ranked.sort_values(
        ["urgency", measure.column],
        ascending=[False, measure.large_is_good],
        kind="stable",
        ignore_index=True,
    )
    ranked.insert(0, "rank", range(1, len(ranked) + 1))
    return ranked


def condition_reason(row: Mapping[Any, Any], measure: Measure) -> str:
    """Why a section of `condition_rows` stands where it stands."""
    value = float(row[measure.column])
    if measure == INDEX:
        rating = next(word for lowest, word in RATINGS if value >= lowest)
        said = f"Condition index {value:.0f}, {rating}"
    else:
        said = f"{value:.{measure.digits}f} % of the picture is cracked"
    counted = " (estimated)" if row["estimated"] else ""
    return f"{said}; {row['traffic']:,.0f} vehicles per day{counted}."


def decisions_of(wishes: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What is decided on each section, by its key: "pinned, comment"."""
    found: dict[str, list[str]] = {}
    for wish in wishes:
        found.setdefault(wish["section_key"], []).append(WISH_WORDS[wish["kind"]])
    return {key: ", ".join(words) for key, words in found.items()}


def wish_words(wish: Mapping[str, Any]) -> str:
    """`Mill and overlay in 2028`, `anything in any year`."""
    if wish["kind"] == WishKind.COMMENT:
        return ""
    when = "any year" if wish["year"] is None else str(wish["year"])
    return f"{wish['treatment'] or 'any treatment'} in {when}"


def plan_years(made: Mapping[str, Any]) -> range:
    """Calendar years of a plan of `priorities_data.plan_summary`."""
    first = int(made["request"]["first_year"])
    return range(first, first + int(made["request"]["years"]))


def honoured(
    wish: Mapping[str, Any], planned: Sequence[tuple[int, str]], made: Mapping[str, Any]
) -> tuple[bool, str]:
    """Whether a plan does what a wish says, and in words; a comment asks for nothing.

    Args:
        wish: of `plan_data.wishes`.
        planned: (year, treatment) of each project on its section.
        made: of `priorities_data.plan_summary`.
    """
    if wish["kind"] == WishKind.COMMENT:
        return True, ""
    years = plan_years(made)
    if wish["year"] is not None and wish["year"] not in years:
        return True, f"outside the plan's years {years[0]} to {years[-1]}"
    if wish["treatment"] is not None and wish["treatment"] not in made["result"]["treatments"]:
        return True, "the plan's treatments have none of that name"
    if wish["kind"] == WishKind.PIN:
        done = (wish["year"], wish["treatment"]) in planned
        return done, "in this plan" if done else "not in this plan yet"
    against = [
        f"{treatment} in {year}"
        for year, treatment in planned
        if wish["year"] in (None, year) and wish["treatment"] in (None, treatment)
    ]
    return (False, f"not in this plan yet: it has {against[0]}") if against else (True, "kept by this plan")


def planned_on(projects: pd.DataFrame, keys: Collection[str]) -> dict[str, list[tuple[int, str]]]:
    """(year, treatment) of each project on these sections, by section key."""
    columns = projects[["section_keys", "year", "treatment"]].explode("section_keys")
    found: dict[str, list[tuple[int, str]]] = {}
    for key, year, treatment in columns[columns["section_keys"].isin(keys)].itertuples(index=False):
        found.setdefault(key, []).append((int(year), str(treatment)))
    return found


def withdrawn(
    wishes: Sequence[Mapping[str, Any]],
    projects: pd.DataFrame,
    bans_then: Mapping[str, tuple[str | None, int | None]],
) -> list[str]:
    """What the plan still does for decisions that were taken back since, in words.

    Args:
        wishes: those of now.
        projects: of `plan_data.project_table`.
        bans_then: of `priorities_data.bans_at`, when the plan was made.
    """
    pins = {(w["section_key"], w["year"], w["treatment"]) for w in wishes if w["kind"] == WishKind.PIN}
    bans = {w["section_key"]: (w["treatment"], w["year"]) for w in wishes if w["kind"] == WishKind.FORBID}
    fixed = projects[projects["fixed"].astype(bool)]
    said = [
        f"{row['treatment']} in {row['year']} (#{row['rank']}) was pinned for this plan, and is no more"
        for row in fixed.to_dict("records")
        if not any((key, row["year"], row["treatment"]) in pins for key in row["section_keys"])
    ]
    return said + [
        f"{treatment or 'any treatment'} in {year or 'any year'} was forbidden on {key} for this plan, "
        "and is no more"
        for key, (treatment, year) in bans_then.items()
        if bans.get(key) != (treatment, year)
    ]
