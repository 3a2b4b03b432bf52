"""The network by condition: the figures, the map, and the sections with the worst first."""

import pandas as pd
import streamlit as st

from app import data
from app.components.choose import bounds_of, choose_survey
from app.components.figures import measure_figure
from app.components.first_steps import first_steps
from app.components.job_progress import follow_survey, is_active
from app.components.messages import empty_state
from app.components.network_map import AREA_SHARE, DENSITY, INTERVAL, WHOLE_PICTURE, Measure, draw_map
from app.components.text import interval, number


def figures(table: pd.DataFrame, totals: dict[str, int], measure: Measure) -> None:
    seen = table[table["images"] > 0]
    weights = seen["images"] if seen["surveyed_area_m2"].isna().any() else seen["surveyed_area_m2"]
    cells = st.container(horizontal=True)
    cells.metric(
        "Length with photos",
        number(seen["length_m"].sum() / 1000, 1, "km"),
        border=True,
        height="stretch",
        help="Whole length of the sections on which at least one photo lies.",
    )
    waiting = totals["photos"] - totals["analysed"] - totals["failed"]
    cells.metric(
        "Photos",
        f"{totals['photos']:,}",
        border=True,
        height="stretch",
        help=f"{totals['analysed']:,} analysed, {waiting:,} not yet, {totals['failed']:,} failed",
    )
    weighted = "Weighted by the pavement area that was photographed."
    measure_figure(cells, f"Mean {measure.caption.lower()}", measure, measure.mean(seen, weights), weighted)
    cells.metric(
        "Sections with data",
        number(100 * len(seen) / len(table) if len(table) else None, 0, "%"),
        border=True,
        height="stretch",
        help=f"{len(seen):,} of {len(table):,} sections of the network",
    )


def section_list(table: pd.DataFrame, measure: Measure, survey_id: int) -> None:
    st.subheader("Sections, worst first")
    shown = table.sort_values(measure.column, ascending=False, na_position="last").reset_index(drop=True)
    low, high = measure.ends
    shown["interval"] = [
        interval(*ends, measure.digits) for ends in zip(shown[low], shown[high], strict=True)
    ]
    largest = float(shown[measure.column].max()) if shown[measure.column].notna().any() else 1.0
    chosen = st.dataframe(
        shown,
        hide_index=True,
        key=f"sections-{survey_id}",
        on_select="rerun",
        selection_mode="single-row",
        placeholder="–",
        height=min(420, 38 + 35 * max(1, len(shown))),
        column_order=[
            "road",
            "section_key",
            "from_m",
            "to_m",
            measure.column,
            "interval",
            "images",
            "functional_class",
            "aadt",
        ],
        column_config={
            "road": "Road",
            "section_key": "Section",
            "from_m": st.column_config.NumberColumn("From (m)", format="%,d"),
            "to_m": st.column_config.NumberColumn("To (m)", format="%,d"),
            measure.column: st.column_config.ProgressColumn(
                f"{measure.caption} ({measure.unit})",
                format=f"%.{measure.digits}f",
                min_value=0,
                max_value=largest,
                width="medium",
            ),
            "interval": st.column_config.TextColumn("Interval", help=INTERVAL),
            "images": st.column_config.NumberColumn("Photos", format="%d"),
            "functional_class": "Class",
            "aadt": st.column_config.NumberColumn("Vehicles per day", format="%,d"),
        },
    )
    if rows := chosen["selection"]["rows"]:
        open_section(survey_id, int(shown["id"].iloc[rows[0]]))


def open_section(survey_id: int, section_id: int) -> None:
    st.switch_page("views/section.py", query_params={"survey": str(survey_id), "section": str(section_id)})


def draw() -> None:
    st.title("Network map")
    surveys = data.surveys()
    if surveys.empty:
        first_steps()
        return
    chooser, note = st.columns([1, 2], vertical_alignment="bottom")
    with chooser:
        survey_id = choose_survey(surveys)
    version = data.version_of(survey_id)
    table = data.section_table(survey_id, version)
    chosen = data.survey(survey_id)
    network_id = chosen["network_id"] if chosen else None
    measure = DENSITY if data.measure_is_density(survey_id, version) else AREA_SHARE
    totals = data.survey_totals(survey_id, version)
    with note:
        if not totals["analysed"] and is_active(survey_id):
            st.info("The sections take their colour as the photos are analysed.")
        elif not totals["analysed"]:
            st.info("This survey has no results yet. Open it to check its photos and start the analysis.")
        elif measure is AREA_SHARE:
            st.info(
                "In pixels: no GSD. Without a ground sampling distance lengths cannot be told in metres, "
                f"so the map shows the cracked area. {WHOLE_PICTURE}"
            )
    follow_survey(survey_id, version)
    figures(table, totals, measure)
    bounds = bounds_of(table) or data.photo_bounds(survey_id, version)
    if bounds is None:
        empty_state("Nothing to draw", "The survey has no road network and no photo with a position.")
        return
    worst = table[measure.column].max()
    picked = draw_map(
        bounds,
        key=f"network-{survey_id}",
        version=version,
        network_id=network_id,
        survey_id=survey_id,
        measure=measure,
        largest=0.0 if pd.isna(worst) else float(worst),
    )
    if picked and picked[0] == "section":
        open_section(survey_id, picked[1])
    elif picked:
        st.switch_page("views/photo.py", query_params={"photo": str(picked[1])})
    if len(table):
        section_list(table, measure, survey_id)
    if st.button("Open this survey", icon=":material/photo_camera:"):
        st.switch_page("views/survey.py", query_params={"survey": str(survey_id)})


draw()
