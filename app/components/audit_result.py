"""What an audit measured, its signature, and its record to keep."""

import json
from typing import Any

import pandas as pd
import streamlit as st

from app import audit_actions, audit_data
from app.audit_record import METHOD, STATEMENT, figures_of, strata_of
from app.components.messages import plain, show_error
from app.components.spreadsheet import to_csv
from app.components.text import MISSING, number
from app.identity import current_actor
from engine.audit import verify_record
from engine.errors import EngineError

FIGURES = {
    "precision": ("Precision", "of the tiles the model calls cracked, those that people call cracked"),
    "recall": ("Recall", "of the tiles people call cracked, those that the model calls cracked"),
    "accept_rate": ("Accepted", "of the tiles with a prediction, those in which what was drawn was accepted"),
    "missed_rate": ("Missed cracks", "of all tiles, those with cracks that were not drawn"),
}

MODEL_FACTS = ("stratum", "stratum_tiles", "predicted_px")  # what the model found in a tile


def show_result(sample: dict[str, Any], tiles: list[dict[str, Any]]) -> None:
    """A finished sample: figures, then the signature or the signed record."""
    record = sample["record"]
    figures = record["figures"] if record else figures_of(tiles)
    strata = record["strata"] if record else strata_of(tiles)
    st.subheader("What was measured")
    st.table(figure_table(figures).set_index("Figure"), border="horizontal")
    st.caption(
        f"{figures['judged']} tiles were judged; {figures['unsure']} were unsure and are in no figure. "
        f"{plain(STATEMENT)}"
    )
    with st.expander("Strata and method"):
        st.dataframe(stratum_table(strata), hide_index=True)
        st.write(plain(record["method"] if record else METHOD))
    if record:
        _signed(sample)
    else:
        _sign(sample)
    _downloads(sample, tiles)


def figure_table(figures: dict[str, Any]) -> pd.DataFrame:
    """Figure, value, interval, tiles, and what it is of."""
    rows = []
    for name, (label, meaning) in FIGURES.items():
        found = figures[name]
        value = MISSING if found["value"] is None else number(found["value"] * 100, 1, "%")
        interval = f"{found['low'] * 100:.1f} to {found['high'] * 100:.1f} %"
        rows.append((label, value, MISSING if found["value"] is None else interval, found["tiles"], meaning))
    return pd.DataFrame(rows, columns=["Figure", "Value", "95 % interval", "Tiles", "Meaning"])


def stratum_table(strata: list[dict[str, Any]]) -> pd.DataFrame:
    """How the sample was drawn and answered, stratum by stratum."""
    names = {
        "what": "Tiles",
        "population_tiles": "in the photos",
        "sample_tiles": "in the sample",
        "crack": "crack",
        "none": "no crack",
        "unsure": "unsure",
    }
    return pd.DataFrame(strata)[list(names)].rename(columns=names)


def tile_table(tiles: list[dict[str, Any]], *, signed: bool) -> pd.DataFrame:
    """The tiles to download; before the signature nothing of what the model found in unsure ones."""
    table = pd.DataFrame(tiles).drop(columns=["id", "photo_width_px", "photo_height_px"])
    if signed:
        return table
    counts = table[list(MODEL_FACTS)].astype("Int64")
    return table.assign(**counts.where(table["answer"].isin(audit_data.JUDGED)))


def _sign(sample: dict[str, Any]) -> None:
    st.subheader("Sign")
    st.write(
        "Signing closes this audit: neither answers nor figures can be changed afterwards. The record "
        "holds your name, the time, the checkpoint, the figures and every answer."
    )
    with st.form("audit-sign", border=False):
        name, go = st.columns([3, 1], vertical_alignment="bottom")
        full_name = name.text_input("Your full name", max_chars=200)
        signed = go.form_submit_button("Sign", type="primary", icon=":material/draw:", width="stretch")
    if signed:
        try:
            audit_actions.sign_sample(current_actor(), sample["id"], full_name)
            st.rerun()
        except EngineError as problem:
            show_error(problem)


def _signed(sample: dict[str, Any]) -> None:
    st.subheader("Signed")
    at = f"{sample['signed_at']:%Y-%m-%d %H:%M} UTC"
    checkpoint = sample["record"]["checkpoint"]
    st.markdown(
        f"By **{plain(sample['signed_name'])}** on {at}, for checkpoint **{plain(checkpoint['name'])}** "
        f"(SHA-256 `{checkpoint['content_hash'][:16]}…`)."
    )
    if verify_record(sample["record"], sample["record_hash"]):
        st.success(f"The record is unchanged: its SHA-256 is {sample['record_hash']}.")
    else:
        st.error("The record was changed after it was signed: its SHA-256 is another. Do not rely on it.")


def _downloads(sample: dict[str, Any], tiles: list[dict[str, Any]]) -> None:
    record, table = st.columns(2)
    record.download_button(
        "Record (JSON)",
        json.dumps(
            {"sha256": sample["record_hash"], "record": sample["record"]}, indent=2, ensure_ascii=False
        ),
        f"audit-{sample['id']}.json",
        "application/json",
        icon=":material/download:",
        on_click="ignore",
        disabled=sample["record"] is None,
        width="stretch",
    )
    table.download_button(
        "Tiles (CSV)",
        to_csv(tile_table(tiles, signed=sample["record"] is not None)),
        f"audit-{sample['id']}-tiles.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        width="stretch",
    )
