"""What the check of a survey's files found, as figures and as a table."""

import pandas as pd
import streamlit as st

from app import data
from app.components.spreadsheet import to_csv
from app.components.text import words
from engine.vocabulary import ImageFlag, Refusal

REMARKS: dict[str, str] = {
    ImageFlag.NO_POSITION: "No position: give a track, or photos with GPS",
    ImageFlag.OFF_NETWORK: "Off the network: counted in no section",
    ImageFlag.BLURRED: "Blurred: thin cracks may be missed",
    ImageFlag.DARK: "Dark: cracks may be missed",
    ImageFlag.POSITION_INTERPOLATED: "Other photos of the same GPS second: spread along the way",
    ImageFlag.TIME_IN_FUTURE: "Time in the future: check the camera's clock",
    ImageFlag.OUTSIDE_TRACK: "Taken before or after the track",
}


def remark(code: str) -> str:
    return REMARKS.get(code, words(code))


def preflight_counts(files: pd.DataFrame) -> None:
    held = files["remarks"].map(set)
    refused = files["status"] == "refused"
    duplicates = held.map(lambda codes: Refusal.DUPLICATE.value in codes)
    cells = st.container(horizontal=True)
    shown = [
        ("Accepted", int((~refused).sum()), "Stored, and ready to be analysed"),
        ("Refused", int((refused & ~duplicates).sum()), "Kept out; the table says why and what to do"),
        ("Duplicates", int(duplicates.sum()), "The same bytes again: stored once"),
        *(
            (words(flag), int(held.map(lambda codes, flag=flag: flag.value in codes).sum()), REMARKS[flag])
            for flag in (ImageFlag.NO_POSITION, ImageFlag.OFF_NETWORK, ImageFlag.BLURRED, ImageFlag.DARK)
        ),
    ]
    for label, count, meaning in shown:
        cells.metric(label, f"{count:,}", border=True, help=meaning)


def preflight_table(files: pd.DataFrame, survey_id: int) -> None:
    table = files.assign(remark=[", ".join(remark(code) for code in codes) for codes in files["remarks"]])
    if "reason" in table:
        table["remark"] = table["reason"].fillna(table["remark"])
    table["status"] = table["status"].map(words).replace("Ok", "Ready")
    present = list(table["status"].value_counts().index)
    picked = st.pills(
        "Show",
        present,
        selection_mode="multi",
        key=f"filter-{survey_id}",
        format_func=lambda status: f"{status} ({(table['status'] == status).sum():,})",
    )
    shown = table[table["status"].isin(picked)] if picked else table
    columns = [
        name
        for name in (
            "name",
            "status",
            "remark",
            "remedy",
            "section",
            "captured_at",
            "latitude",
            "longitude",
            "position_source",
        )
        if name in shown
    ]
    st.dataframe(
        shown.head(data.SHOWN_ROWS),
        hide_index=True,
        height=360,
        placeholder="",
        column_order=columns,
        column_config={
            "name": st.column_config.TextColumn("File", width="medium"),
            "status": "Status",
            "remark": st.column_config.TextColumn("Remark", width="large"),
            "remedy": st.column_config.TextColumn("What to do", width="medium"),
            "section": "Section",
            "captured_at": st.column_config.DatetimeColumn("Time (UTC)", format="YYYY-MM-DD HH:mm:ss"),
            "latitude": st.column_config.NumberColumn("Latitude", format="%.6f"),
            "longitude": st.column_config.NumberColumn("Longitude", format="%.6f"),
            "position_source": "Position from",
        },
    )
    st.download_button(
        f"Download as CSV ({len(shown):,} files)",
        lambda: to_csv(shown[columns]),
        file_name=f"preflight-{survey_id}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
