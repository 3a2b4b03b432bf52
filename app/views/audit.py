"""Audit: people judge a random sample of tiles without the model's answer; measured, signed, kept."""

from typing import Any

import streamlit as st

from app import audit_actions, audit_data, data
from app.components.audit_judging import judge, tile_to_judge
from app.components.audit_result import show_result
from app.components.choose import choose_survey, query_id
from app.components.messages import empty_state, plain, show_error
from app.identity import current_actor
from engine import audit
from engine.errors import EngineError


def introduce(sample: dict[str, Any]) -> str:
    """A line of the choice of samples."""
    state = f"signed by {sample['signed_name']}" if sample["record"] else f"{sample['done']} done"
    if not sample["record"] and sample["done"] == sample["tiles"]:
        state = "not signed yet"
    day = f"{sample['created_at']:%Y-%m-%d %H:%M}"
    return f"Audit {sample['id']}: {sample['tiles']} tiles, {sample['checkpoint']}, {day}, {state}"


def choose_sample(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """A selector that reads and writes `?sample=`; the newest by default."""
    ids = [sample["id"] for sample in samples]
    asked = query_id("sample")
    chosen = st.selectbox(
        "Sample",
        range(len(ids)),
        index=ids.index(asked) if asked in ids else 0,
        format_func=lambda place: introduce(samples[place]),
    )
    if ids[chosen] != asked:
        st.query_params["sample"] = str(ids[chosen])
        st.query_params.pop("tile", None)
    return samples[chosen]


def draw_form(survey_id: int) -> None:
    """Ask for a sample's size and draw it."""
    with st.form(f"audit-draw-{survey_id}", border=False):
        count, side = st.columns(2)
        tiles = count.number_input("Tiles", audit.MIN_TILES, audit.MAX_TILES, audit.TILES)
        tile_px = side.number_input(
            "Tile side (px)",
            audit.MIN_TILE_PX,
            audit.MAX_TILE_PX,
            audit.TILE_PX,
            help="Smaller photos are one tile.",
        )
        may_train = st.checkbox(
            "The agency allows these answers to be used for training",
            help="Off: they only score. Nothing trains on them today either way; the choice is kept.",
        )
        asked = st.form_submit_button("Draw the sample", type="primary", icon=":material/casino:")
    st.caption(
        f"Of more than {audit_actions.MAX_PHOTOS} analysed photos, {audit_actions.MAX_PHOTOS} are chosen by "
        "chance and drawn from. Tiles with a prediction are drawn more often than others, and weighted back."
    )
    if not asked:
        return
    bar = st.progress(0.0, "Counting what the model marked")
    try:
        sample_id = audit_actions.draw_sample(
            current_actor(),
            survey_id,
            tiles=int(tiles),
            tile_px=int(tile_px),
            may_train=may_train,
            on_photo=lambda done, total: bar.progress(done / total, f"{done} of {total} photos read"),
        )
    except EngineError as problem:
        show_error(problem)
        return
    st.query_params["sample"] = str(sample_id)
    st.query_params.pop("tile", None)
    st.rerun()


def show_sample(sample: dict[str, Any]) -> None:
    tiles = audit_data.tiles(current_actor().agency_id, sample["id"])
    tile = None if sample["record"] else tile_to_judge(tiles)
    if tile is not None:
        judge(tile, tiles)
    else:
        show_result(sample, tiles)
        if not sample["record"] and st.button("Back to the last tile", icon=":material/arrow_back:"):
            st.query_params["tile"] = str(len(tiles))
            st.rerun()
    allowed = "may be used for training: the agency allows it" if sample["may_train"] else "only score"
    st.caption(
        f"Tiles of at most {sample['tile_px']} px, seed {sample['seed']}. These answers {allowed}."
        " Nothing trains on them today."
    )


def draw() -> None:
    st.title("Audit")
    surveys = data.surveys()
    analysed = surveys[surveys["checkpoint"].notna()].reset_index(drop=True)
    if analysed.empty:
        empty_state(
            "No analysed survey yet",
            "An audit measures how well cracks were found: people judge random tiles of a survey's photos "
            "without seeing what the model found. Analyse a survey first.",
        )
        st.page_link("views/surveys.py", label="Surveys", icon=":material/photo_camera:")
        return
    which, sampled = st.columns([1, 2])
    with which:
        survey_id = choose_survey(analysed)
    samples = audit_data.samples(current_actor().agency_id, survey_id)
    if not samples:
        empty_state(
            "No audit of this survey yet",
            f"Draw a random sample of tiles from what {plain(_checkpoint(analysed, survey_id))} found. You "
            "judge each tile first without the model's answer and then with it; the figures come with the "
            "margin that a sample has.",
        )
        draw_form(survey_id)
        return
    with sampled:
        sample = choose_sample(samples)
    show_sample(sample)
    with st.expander("Draw another sample"):
        draw_form(survey_id)


def _checkpoint(surveys: Any, survey_id: int) -> str:
    return str(surveys.loc[surveys["id"] == survey_id, "checkpoint"].iloc[0])


draw()
