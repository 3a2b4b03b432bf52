"""One tile after the other: first the blind answer, then what the model drew."""

from typing import Any

import streamlit as st

from app import audit_actions, audit_data
from app.components.audit_tile import audit_tile
from app.components.choose import query_id
from app.components.messages import show_error
from app.identity import current_actor
from engine.audit import MIN_PREDICTED_PX, NOTHING_PREDICTED
from engine.errors import EngineError
from engine.vocabulary import AuditAnswer

ANSWERS = {"c": AuditAnswer.CRACK, "n": AuditAnswer.NONE, "u": AuditAnswer.UNSURE}
ANSWER_WORDS = {
    AuditAnswer.CRACK: "Crack",
    AuditAnswer.NONE: "No crack",
    AuditAnswer.UNSURE: "Unsure",
}
PROBLEM, TURN = "audit-problem", "audit-turn"
BIG_BUTTONS = (
    "<style>.st-key-audit-answers .stButton button{min-height:3.6rem}"
    ".st-key-audit-answers .stButton button p{font-size:1.15rem}</style>"
)


def tile_to_judge(tiles: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The tile that the address asks for, else the first that waits; None where none does."""
    asked = query_id("tile")
    wanted = [tile for tile in tiles if tile["position"] == asked]
    return next(iter(wanted or filter(audit_data.is_open, tiles)), None)


def judge(tile: dict[str, Any], tiles: list[dict[str, Any]]) -> None:
    """Draw a tile with its question; the answer is saved before the page is drawn again."""
    done = sum(not audit_data.is_open(other) for other in tiles)
    st.progress(done / len(tiles), f"{done} of {len(tiles)} tiles are done")
    if problem := st.session_state.pop(PROBLEM, None):
        show_error(problem)
    blind = tile["answer"] not in audit_data.JUDGED
    # Once no tile waits the figures are shown: what is unsure then stays so.
    settled = tile["answer"] == AuditAnswer.UNSURE and done == len(tiles)
    keys = [] if settled else ["c", "n", "u"] if blind else ["a", "r", "m"]
    keys += ["b"] if tile["position"] > 1 else []
    waiting = [other["id"] for other in tiles if audit_data.is_open(other) and other["id"] != tile["id"]]
    left, right = st.columns([2.3, 1], gap="medium")
    with left:
        audit_tile(
            tile,
            shows_model=not blind,
            next_tile=next(iter(waiting), None),
            turn=st.session_state.setdefault(TURN, 0),
            keys=keys,
            on_key=lambda key: _press(tile, key),
        )
    with right, st.container(key="audit-answers"):
        st.html(BIG_BUTTONS)
        st.caption(f"Tile {tile['position']} of {len(tiles)}")
        if settled:
            st.subheader("You were unsure of this tile.")
            st.caption("No tile waits any more and the figures are shown: another answer would not be blind.")
        elif blind:
            _ask_blind(tile)
        else:
            _ask_review(tile)
        back, onward = st.columns(2)
        _button(back, tile, "b", "Back (B)", disabled="b" not in keys)
        if query_id("tile") is not None:
            label = "To the open tile" if waiting else "To the figures"
            onward.button(label, on_click=_leave_tile, width="stretch")


def _ask_blind(tile: dict[str, Any]) -> None:
    st.subheader("Is there a crack inside the frame?")
    for key, answer in ANSWERS.items():
        _button(st, tile, key, f"{ANSWER_WORDS[answer]} ({key.upper()})", chosen=tile["answer"] == answer)
    st.caption(
        "The model's answer is shown after yours is saved, and yours can then no longer be changed. "
        "A tile you are unsure of is counted, and left out of the figures; you may come back to it as long "
        "as a tile waits."
    )


def _ask_review(tile: dict[str, Any]) -> None:
    yours = ANSWER_WORDS[AuditAnswer(tile["answer"])].lower()
    if tile["stratum"] == NOTHING_PREDICTED:
        st.subheader("The model found no crack here. Is that right?")
        found = f"fewer than {MIN_PREDICTED_PX} pixels, which count as none" if tile["predicted_px"] else ""
        st.markdown(f"Your answer: **{yours}**." + (f" It marked {found}." if found else ""))
    else:
        st.subheader("Has the model drawn the cracks where they are?")
        st.markdown(f"Your answer: **{yours}**. It marked {tile['predicted_px']:,} pixels.")
    missed = _missed_key(tile)
    overlooked = tile["answer"] == AuditAnswer.CRACK and tile["stratum"] == NOTHING_PREDICTED
    st.session_state.setdefault(missed, overlooked if tile["missed"] is None else tile["missed"])
    st.toggle("Missed cracks (M)", key=missed, help="There are cracks in the frame that it did not mark.")
    _button(st, tile, "a", "Accept (A)", chosen=tile["accepted"] is True)
    _button(st, tile, "r", "Reject (R)", chosen=tile["accepted"] is False)
    st.caption("The next tile follows by itself.")


def _button(
    place: Any, tile: dict[str, Any], key: str, label: str, *, chosen: bool = False, disabled: bool = False
) -> None:
    place.button(
        label,
        key=f"audit-{key}-{tile['id']}",
        on_click=_press,
        args=(tile, key),
        type="primary" if chosen else "secondary",
        disabled=disabled,
        width="stretch",
    )


def _missed_key(tile: dict[str, Any]) -> str:
    return f"audit-missed-{tile['id']}"


def _leave_tile() -> None:
    st.query_params.pop("tile", None)


def _press(tile: dict[str, Any], key: str) -> None:
    """Do what a button or its key says; a refusal is shown when the page is drawn."""
    st.session_state[TURN] += 1
    missed = _missed_key(tile)
    try:
        if key in ANSWERS:
            audit_actions.answer_tile(current_actor(), tile["id"], ANSWERS[key])
            if ANSWERS[key] == AuditAnswer.UNSURE:
                _leave_tile()
        elif key in ("a", "r"):
            audit_actions.review_tile(
                current_actor(), tile["id"], accepted=key == "a", missed=bool(st.session_state.get(missed))
            )
            _leave_tile()
        elif key == "m":
            st.session_state[missed] = not st.session_state.get(missed)
        else:
            st.query_params["tile"] = str(tile["position"] - 1)
    except EngineError as problem:
        st.session_state[PROBLEM] = problem
