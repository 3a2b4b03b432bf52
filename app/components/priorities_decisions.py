"""What people decide about a section before it is planned: pin, forbid, comment; who did so, and when."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import plan_actions, priorities_data
from app.components.messages import plain, show_error
from app.components.priorities_rows import wish_words
from app.components.priorities_table import line_table, page_of
from app.identity import current_actor
from engine.errors import EngineError
from engine.vocabulary import WishKind

TITLES = {WishKind.PIN: "Pinned", WishKind.FORBID: "Forbidden", WishKind.COMMENT: "Comment"}
OFFERS = {WishKind.PIN: "Pin a project", WishKind.FORBID: "Forbid", WishKind.COMMENT: "Comment"}
WHAT = {WishKind.PIN: "the pin", WishKind.FORBID: "the ban", WishKind.COMMENT: "the comment"}
HELP = {
    WishKind.PIN: "The next plan does it in that year, whether it is worth it or not, and pays for it first.",
    WishKind.FORBID: "The next plan does not do it. What was planned instead is up to the plan.",
    WishKind.COMMENT: "For people; the plan does not read it. It is in the CSV download.",
}
SAID, DECIDED = "priorities-said", "priorities-decided"
ANY = "Any"


def decisions(
    section: Mapping[Any, Any],
    wishes: Sequence[Mapping[str, Any]],
    answers: Mapping[str, str],
    treatments: Sequence[str],
    years: Sequence[int],
) -> None:
    """The section's decisions with what can be done about them.

    Args:
        section: line of `data.section_table`.
        wishes: of `plan_data.wishes`, those of this section.
        answers: kind -> whether the shown plan keeps it, in words; empty without a plan.
        treatments: names to choose from.
        years: calendar years to choose from.
    """
    if said := st.session_state.pop(SAID, ""):
        st.success(said)
    if not wishes:
        st.write("Nothing is decided here: the plan is free to choose.")
    for wish in wishes:
        _decided(section, wish, answers.get(wish["kind"], ""))
    surveyed = not pd.isna(section["condition_index"])
    offered = [kind for kind in WishKind if surveyed or kind != WishKind.PIN]
    kind = st.segmented_control(
        "Decide",
        offered,
        format_func=lambda each: OFFERS[each],
        # A new one after each decision, so that its form is closed.
        key=f"decide-{section['id']}-{st.session_state.get(DECIDED, 0)}",
        label_visibility="collapsed",
    )
    if not surveyed:
        st.caption("Not surveyed in metres, so no project can be pinned here.")
    if kind is not None:
        _form(section, kind, next((w for w in wishes if w["kind"] == kind), None), treatments, years)
    _history(section)


def _decided(section: Mapping[Any, Any], wish: Mapping[str, Any], answer: str) -> None:
    with st.container(border=True):
        kind = WishKind(wish["kind"])
        text, button = st.columns([3, 1], vertical_alignment="center")
        head = f"**{TITLES[kind]}**" + (f": {plain(wish_words(wish))}" if kind != WishKind.COMMENT else "")
        text.markdown(head + (f" – {plain(answer)}" if answer else ""))
        if wish["comment"]:
            text.write(plain(wish["comment"]))
        text.caption(f"{plain(wish['by'] or 'somebody who left')}, {wish['at']:%Y-%m-%d %H:%M} UTC")
        key = f"remove-{kind}-{section['id']}"
        if button.button(
            "Remove", key=key, help=f"Take {WHAT[kind]} away; that is noted too.", width="stretch"
        ):
            _act(
                f"Removed {WHAT[kind]} on {section['section_key']}.",
                lambda: plan_actions.remove_wish(current_actor(), int(section["id"]), kind),
            )


def _form(
    section: Mapping[Any, Any],
    kind: WishKind,
    before: Mapping[str, Any] | None,
    treatments: Sequence[str],
    years: Sequence[int],
) -> None:
    first = [] if kind == WishKind.PIN else [ANY]
    given: dict[str, Any] = {}
    with st.form(f"form-{kind}-{section['id']}", clear_on_submit=True):
        if kind != WishKind.COMMENT:
            left, right = st.columns([3, 2])
            start = 0 if first else None
            treatment = left.selectbox("Treatment", [*first, *treatments], index=start, placeholder="Choose")
            year = right.selectbox("Year", [*first, *years], index=start, placeholder="Choose")
            given = {
                "treatment": None if treatment == ANY else treatment,
                "year": None if year == ANY else year,
            }
        comment = st.text_area(
            "Comment" if kind == WishKind.COMMENT else "Why (not required)",
            before["comment"] if before and kind == WishKind.COMMENT else "",
            max_chars=plan_actions.LONGEST_COMMENT,
            height=80,
        )
        st.caption(HELP[kind] + (f" It replaces {WHAT[kind]} above." if before else ""))
        label = (
            "Save the comment" if kind == WishKind.COMMENT else f"{OFFERS[kind]} on {section['section_key']}"
        )
        if not st.form_submit_button(label, type="primary"):
            return
    _act(
        f"Saved. {WHAT[kind].capitalize()} on {section['section_key']} stands.",
        lambda: plan_actions.set_wish(current_actor(), int(section["id"]), kind, comment=comment, **given),
    )


def _act(said: str, act: Any) -> None:
    try:
        act()
    except EngineError as problem:
        show_error(problem)
        return
    st.session_state[SAID] = plain(said)
    st.session_state[DECIDED] = st.session_state.get(DECIDED, 0) + 1
    st.rerun()


def _history(section: Mapping[Any, Any]) -> None:
    events = priorities_data.wish_events(int(section["id"]), str(section["section_key"]))
    if not events:
        return
    with st.expander(f"Who decided what here ({len(events)})", icon=":material/history:"):
        for event in events:
            did = f"removed {WHAT[event['kind']]}" if event["removed"] else TITLES[event["kind"]].lower()
            what = plain(wish_words(event))
            more = f" – {plain(event['comment'])}" if event["comment"] else ""
            who = plain(event["by"] or "somebody who left")
            st.caption(f"{event['at']:%Y-%m-%d %H:%M} UTC, {who}: {did} {what}{more}")


def decision_list(
    wishes: Sequence[Mapping[str, Any]],
    answers: Mapping[tuple[str, str], str],
    *,
    key: str,
) -> None:
    """All decisions of the network.

    Args:
        wishes: of `plan_data.wishes`, filtered.
        answers: (section key, kind) -> whether the shown plan keeps it; empty without a plan.
        key: names the table.
    """
    rows = list(wishes)[page_of(len(wishes), key)]
    shown = pd.DataFrame(
        {
            "section": [row["section_key"] for row in rows],
            "kind": [TITLES[row["kind"]] for row in rows],
            "what": [wish_words(row) for row in rows],
            "answer": [answers.get((row["section_key"], row["kind"]), "") for row in rows],
            "comment": [row["comment"] for row in rows],
            "by": [row["by"] or "somebody who left" for row in rows],
            "at": [f"{row['at']:%Y-%m-%d %H:%M}" for row in rows],
        }
    )
    config = {
        "section": "Section",
        "kind": "Decision",
        "what": "What",
        "answer": "In the shown plan",
        "comment": st.column_config.TextColumn("Comment", width="large"),
        "by": "By",
        "at": "When (UTC)",
    }
    line_table(shown, [(int(row["section_id"]), None) for row in rows], config, key=key)
