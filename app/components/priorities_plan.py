"""Which plan the page of priorities shows, how it stands, and whether it keeps what people decided since."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.components.choose import query_id
from app.components.messages import plain
from app.components.plan_money import money, money_in_full, short_money
from app.components.priorities_rows import honoured, plan_years, wish_words
from app.components.text import number
from engine.vocabulary import WishKind

SHOWN_REASONS = 5


def choose_plan(plans: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """A selector of the survey's plans that reads and writes `?plan=`; the newest by default."""
    if len(plans) == 1:
        st.selectbox("Plan", [plans[0]["name"]], disabled=True)
        return plans[0]
    ids = [int(plan["id"]) for plan in plans]
    # The id tells apart what was made of the same request within a minute: a list needs unlike entries.
    names = {
        plan["id"]: f"{plan['name']} · {plan['created_at']:%Y-%m-%d %H:%M} · no. {plan['id']}"
        for plan in plans
    }
    asked = query_id("plan")
    start = ids.index(asked) if asked is not None and asked in names else 0
    chosen = st.selectbox("Plan", ids, index=start, format_func=lambda plan: names[plan])
    if chosen != asked and (asked is not None or chosen != ids[0]):
        st.query_params["plan"] = str(chosen)
    return plans[ids.index(chosen)]


def link_to_plan(survey_id: int, label: str) -> None:
    """A button that leads to the page that makes plans."""
    if st.button(label, type="primary", icon=":material/event_note:"):
        st.switch_page("views/plan.py", query_params={"survey": str(survey_id)})


def plan_head(listed: Mapping[str, Any], made: Mapping[str, Any], projects: int, unplanned: int) -> None:
    """What the plan is: its money, years, and how much of the network it treats.

    Args:
        listed: its line of `plan_data.plans`; made: of `priorities_data.plan_summary`.
        projects: how many; unplanned: sections without one.
    """
    request, result = made["request"], made["result"]
    currency, years = str(request["currency"]), plan_years(made)
    budget = request["yearly_budget"]
    told = [
        f"Made {listed['created_at']:%Y-%m-%d %H:%M} UTC by {plain(listed['by'] or 'somebody who left')}",
        f"{years[0]} to {years[-1]}",
        "no limit of money" if budget is None else f"{money(budget, currency)} a year",
        "" if request["strategy"] == "optimal" else f"strategy: {request['strategy']}, not the best plan",
    ]
    st.caption(" · ".join(part for part in told if part))
    if listed["stale"]:
        st.warning(
            "Out of date: this plan was made from another analysis than the one this survey shows now. Its "
            "conditions and costs are those of then. Make the plan again, or show the other analysis on the "
            "survey's page."
        )
    # Not columns: amounts of money would be cut off in narrow ones.
    cells = st.container(horizontal=True)
    first = result["cost_by_year"][0]
    now, last = result["condition_now"], result["condition_by_year"][-1]
    whole, of_first = result["total_cost"], first["cost"]
    for label, value, under, more in (
        ("Projects", f"{projects:,}", f"{unplanned:,} section{'s'[: unplanned != 1]} without one", None),
        (f"Cost {years[0]} to {years[-1]}", short_money(whole, currency), "",
         plain(money_in_full(whole, currency))),
        (f"Of it in {first['year']}", short_money(of_first, currency), "",
         plain(money_in_full(of_first, currency))),
        ("Mean condition index", f"{now['average']:.0f} → {last['average']:.0f}",
         f"without a plan {number(result['without_plan'][-1]['average'], 0)}",
         f"By length, at the start of {years[0]} and at the end of {years[-1]}."),
    ):  # fmt: skip
        cells.metric(
            label, value, delta=under or None, delta_color="off", delta_arrow="off", border=True,
            height="stretch", help=more,
        )  # fmt: skip


def answers_of(
    wishes: Sequence[Mapping[str, Any]],
    planned: Mapping[str, Sequence[tuple[int, str]]],
    made: Mapping[str, Any],
    blind: Collection[str],
) -> tuple[dict[tuple[str, str], str], list[str]]:
    """(section key, kind) -> what the plan makes of a decision; and those that it does not keep, in words.

    Args:
        wishes: of `plan_data.wishes`; planned: of `priorities_rows.planned_on`.
        made: of `priorities_data.plan_summary`; blind: keys of sections without a condition index.
    """
    answers, open_ones = {}, []
    for wish in wishes:
        key = wish["section_key"]
        kept, said = honoured(wish, planned.get(key, ()), made)
        if wish["kind"] == WishKind.PIN and key in blind:
            kept, said = True, "not surveyed, so no plan can take it up"
        answers[key, str(wish["kind"])] = said
        if not kept:
            what = "pinned" if wish["kind"] == WishKind.PIN else "forbidden"
            open_ones.append(f"{wish_words(wish)} {what} on {key}: {said}")
    return answers, open_ones


def wishes_note(count: int, open_ones: Sequence[str], survey_id: int) -> None:
    """Say whether the shown plan keeps all decisions, and what to do where it does not.

    Args:
        count: pins and bans of the network.
        open_ones: what the plan does not keep, or keeps though it was taken back, in words.
    """
    if not open_ones:
        if count:
            all_of = "the one pin or ban that there is" if count == 1 else f"all {count:,} pins and bans"
            st.caption(f"This plan keeps {all_of}.")
        return
    said = [f"- {plain(one)}" for one in open_ones[:SHOWN_REASONS]]
    if len(open_ones) > SHOWN_REASONS:
        said.append(f"- and {len(open_ones) - SHOWN_REASONS:,} more")
    many = "decisions have" if len(open_ones) > 1 else "decision has"
    st.warning(
        f"{len(open_ones):,} {many} changed since this plan was made. Make the plan again to honour what "
        "people decided; until then the list is the old one.\n\n" + "\n".join(said)
    )
    link_to_plan(survey_id, "Make the plan again")


def comments_of(wishes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Comments by section key, with those of pins and bans."""
    found: dict[str, list[str]] = {}
    for wish in wishes:
        if wish["comment"]:
            found.setdefault(wish["section_key"], []).append(wish["comment"])
    return {key: "; ".join(comments) for key, comments in found.items()}


def first_ids(links: pd.DataFrame) -> dict[int, int]:
    """Id of each project's first section, by rank; `links` of `priorities_rows.project_links`."""
    head = links.drop_duplicates("rank")
    return dict(zip(head["rank"].astype(int), head["id"].astype(int), strict=True))
