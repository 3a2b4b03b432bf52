"""What the page of priorities lists: a plan's projects, sections without one, or sections by condition."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from app.components.measures import INDEX, Measure
from engine.condition import RATINGS
from engine.vocabulary import WishKind

WISH_WORDS = {WishKind.PIN: "pinned", WishKind.FORBID: "forbidden", WishKind.COMMENT: "comment"}
URGENCY = {
    "condition_index": "(100 - condition index) x vehicles per day",
    "crack_area_pct": "cracked area in % x vehicles per day",
}


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


def project_rows(projects: pd.DataFrame, decided: Mapping[int, str]) -> pd.DataFrame:
    """Projects as they are listed.

    Args:
        projects: lines of `plan_data.project_table`; those shown, for it goes line by line.
        decided: of `project_decisions`.
    """
    return projects.assign(
        place=[_place(keys) for keys in projects["section_keys"]],
        short=projects["reason"].map(first_sentence),
        index=[
            f"{before:.0f} → {after:.0f}"
            for before, after in zip(projects["index_before"], projects["index_after"], strict=True)
        ],
        decided=[decided.get(int(rank), "") for rank in projects["rank"]],
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
        said = f"Condition index {value:.0f}, {rating}{' at best' if row.get('at_best') else ''}"
    else:
        said = f"{value:.{measure.digits}f} % of the picture is cracked"
    counted = " (estimated)" if row["estimated"] else ""
    return f"{said}; {row['traffic']:,.0f} vehicles per day{counted}."


def decisions_of(wishes: Iterable[Mapping[str, Any]], pinned: str = "pinned") -> dict[str, str]:
    """What is decided on each section, by its key: "pinned, comment".

    Args:
        pinned: what a pin is called.
    """
    names = {**WISH_WORDS, WishKind.PIN: pinned}
    found: dict[str, list[str]] = {}
    for wish in wishes:
        found.setdefault(wish["section_key"], []).append(names[wish["kind"]])
    return {key: ", ".join(words) for key, words in found.items()}


def project_decisions(
    projects: pd.DataFrame,
    wishes: Sequence[Mapping[str, Any]],
    planned: Mapping[str, Sequence[tuple[int, str]]],
) -> dict[int, str]:
    """What is decided on the sections of each project, by its rank; "pinned" only where it is the pin.

    Args:
        projects: lines of `plan_data.project_table`; planned: of `planned_on`, of the whole plan.
        wishes: of `plan_data.wishes`.
    """
    on: dict[str, list[Mapping[str, Any]]] = {}
    for wish in wishes:
        on.setdefault(wish["section_key"], []).append(wish)
    return {
        int(rank): ", ".join(
            sorted({
                _decision(wish, int(year), str(treatment), planned.get(key, ()))
                for key in keys
                for wish in on.get(key, ())
            })
        )
        for rank, year, treatment, keys in projects[["rank", "year", "treatment", "section_keys"]].itertuples(
            index=False
        )
    }  # fmt: skip


def _decision(wish: Mapping[str, Any], year: int, treatment: str, planned: Sequence[tuple[int, str]]) -> str:
    """A wish beside a project on its section."""
    if wish["kind"] == WishKind.PIN:
        if (wish["year"], wish["treatment"]) == (year, treatment):
            return "pinned"
        return (
            "pin is another project"
            if (wish["year"], wish["treatment"]) in planned
            else "pin not in this plan"
        )
    if wish["kind"] == WishKind.FORBID:
        hit = wish["year"] in (None, year) and wish["treatment"] in (None, treatment)
        return "forbidden" if hit else "something else forbidden"
    return WISH_WORDS[wish["kind"]]


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
