"""One survey: its jobs, the preflight of its photos, and the start of the analysis."""

import pandas as pd
import streamlit as st

from app import actions, data
from app.components.choose import query_id
from app.components.job_progress import watch_jobs
from app.components.messages import empty_state, plain, show_error
from app.components.network_map import draw_map
from app.components.spreadsheet import to_csv
from app.components.text import words
from app.identity import current_actor
from engine.errors import EngineError
from engine.vocabulary import ImageFlag, Refusal

REMARKS = {
    ImageFlag.NO_POSITION: "No position: give a track, or photos with GPS",
    ImageFlag.OFF_NETWORK: "Off the network: counted in no section",
    ImageFlag.BLURRED: "Blurred: thin cracks may be missed",
    ImageFlag.DARK: "Dark: cracks may be missed",
    ImageFlag.POSITION_INTERPOLATED: "Position between two track points",
    ImageFlag.TIME_IN_FUTURE: "Time in the future: check the camera's clock",
    ImageFlag.OUTSIDE_TRACK: "Taken before or after the track",
}


def remark(code: str) -> str:
    return REMARKS[ImageFlag(code)] if code in set(ImageFlag) else words(code)


def counts(files: pd.DataFrame) -> None:
    held = files["remarks"].map(set)
    refused = files["status"] == "refused"
    duplicates = held.map(lambda codes: Refusal.DUPLICATE.value in codes)
    cells = st.columns(7)
    shown = [
        ("Accepted", int((~refused).sum()), "Stored, and ready to be analysed"),
        ("Refused", int((refused & ~duplicates).sum()), "Kept out; the table says why and what to do"),
        ("Duplicates", int(duplicates.sum()), "The same bytes again: stored once"),
        *(
            (words(flag), int(held.map(lambda codes, flag=flag: flag.value in codes).sum()), REMARKS[flag])
            for flag in (ImageFlag.NO_POSITION, ImageFlag.OFF_NETWORK, ImageFlag.BLURRED, ImageFlag.DARK)
        ),
    ]
    for cell, (label, count, meaning) in zip(cells, shown, strict=True):
        cell.metric(label, f"{count:,}", border=True, help=meaning)


def file_table(files: pd.DataFrame, survey_id: int) -> None:
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
    )


def start_analysis(survey_id: int, totals: dict[str, int], active: bool) -> None:
    waiting = totals["photos"] - totals["analysed"]
    text = "Start the analysis" if not totals["analysed"] else f"Analyse the other {waiting:,} photos"
    start, add, see = st.columns([1.4, 1, 1])
    if start.button(
        text, type="primary", icon=":material/play_arrow:", disabled=active or not waiting, width="stretch"
    ):
        try:
            actions.request_analysis(current_actor(), survey_id)
            st.rerun()
        except EngineError as problem:
            show_error(problem)
    where = {"survey": str(survey_id)}
    if add.button("Add photos", icon=":material/upload:", disabled=active, width="stretch"):
        st.switch_page("views/new_survey.py", query_params=where)
    if see.button("See the map", icon=":material/map:", disabled=not totals["analysed"], width="stretch"):
        st.switch_page("views/network_map.py", query_params=where)


def draw() -> None:
    survey_id = query_id("survey")
    surveys = data.surveys().set_index("id")
    if survey_id not in surveys.index:
        st.title("Survey")
        empty_state("There is no such survey", "Choose one in the list of surveys.")
        st.page_link("views/surveys.py", label="Surveys", icon=":material/photo_camera:")
        return
    survey = surveys.loc[survey_id]
    st.page_link("views/surveys.py", label="Surveys", icon=":material/arrow_back:")
    st.title(plain(survey["name"]))
    gsd = (
        "no GSD: results in pixels"
        if pd.isna(survey["gsd_mm_per_px"])
        else f"GSD {survey['gsd_mm_per_px']:g} mm/px"
    )
    network = "no road network" if pd.isna(survey["network"]) else plain(survey["network"])
    day = "no date" if pd.isna(survey["surveyed_on"]) else f"{survey['surveyed_on']:%Y-%m-%d}"
    st.caption(f"{day} · {network} · {gsd}")
    active = watch_jobs(survey_id, place="survey", limit=3)
    version = data.version_of(survey_id)
    totals = data.survey_totals(survey_id, version)
    if not totals["photos"] and not totals["refused"]:
        if not active:
            empty_state("No photos yet", "Upload the survey's photos, or import a folder on the server.")
            if st.button("Add photos", type="primary", icon=":material/upload:"):
                st.switch_page("views/new_survey.py", query_params={"survey": str(survey_id)})
        return
    st.subheader("Check of the photos")
    files = data.preflight(survey_id, version)
    counts(files)
    start_analysis(survey_id, totals, active)
    bounds = data.photo_bounds(survey_id, version)
    if bounds:
        picked = draw_map(
            bounds,
            key=f"preflight-{survey_id}-{totals['photos']}",
            network_id=None if pd.isna(survey["network_id"]) else int(survey["network_id"]),
            survey_id=survey_id,
            statuses=True,
            height=400,
        )
        if picked and picked[0] == "photo":
            st.switch_page("views/photo.py", query_params={"photo": str(picked[1])})
    file_table(files, survey_id)


draw()
