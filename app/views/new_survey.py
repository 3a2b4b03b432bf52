"""Make a survey, or add photos to one: where they are, how they were taken, then check them."""

from pathlib import Path
from typing import Any

import streamlit as st

from app import actions, data, uploads
from app.components.analysis_choice import profile_options
from app.components.choose import query_id
from app.components.messages import plain, show_error
from app.components.upload import upload_photos, upload_token
from app.identity import current_actor
from engine.camera_profiles import GSD_RANGE_MM_PER_PX
from engine.errors import EngineError, SettingsError

NO_NETWORK = "No network yet"


def facts() -> dict[str, Any]:
    """Ask what the survey is; returns the arguments of `actions.SurveyForm`."""
    st.subheader("1 · The survey")
    name, network, day = st.columns([2, 2, 1])
    networks = list(data.networks()["name"])
    given: dict[str, Any] = {"name": name.text_input("Name", placeholder="BR-290, May 2026", max_chars=200)}
    chosen = network.selectbox(
        "Road network",
        [*networks, NO_NETWORK],
        help="Photos are placed on its sections. Import one under Road networks.",
    )
    given["network"] = None if chosen == NO_NETWORK else chosen
    given["surveyed_on"] = day.date_input("Date, optional", value=None, format="YYYY-MM-DD")
    day.caption("Empty: the day the photos were taken")
    profile, camera, gsd = st.columns(3)
    given["profile"] = (
        profile.text_input(
            "Camera and mounting",
            placeholder="Basler ace, rear, 2.1 m, straight down",
            help="For the record.",
            max_chars=100,
        )
        or None
    )
    options = profile_options()
    given["camera_profile_id"] = camera.selectbox(
        "Camera profile",
        list(options),
        format_func=options.__getitem__,
        help="How the camera sees the road: with it results are in metres. Make one on the page Cameras, now "
        "or once the photos are here. It counts before the ground sampling distance.",
    )
    finest, coarsest = GSD_RANGE_MM_PER_PX
    given["gsd_mm_per_px"] = gsd.number_input(
        "Ground sampling distance (mm per pixel), optional",
        min_value=finest,
        max_value=coarsest,
        value=None,
        step=0.1,
        placeholder="Empty: results stay in pixels",
        help="How many millimetres of road one pixel covers, for a camera that looks straight down: "
        "photographed width "
        "in mm divided by the photo's width in pixels. Leave it empty for a forward-looking camera.",
    )
    return given


def positions(known_offset_s: float | None) -> tuple[Any, float]:
    """Ask for a track; returns the uploaded file or None, and the clock offset in seconds.

    A survey that exists has its clock offset already.
    """
    st.subheader("3 · Positions" if known_offset_s is None else "Positions")
    st.caption(
        "Photos that carry GPS need nothing here. For others, give the track of the vehicle: it is "
        "matched by time."
    )
    track, clock = st.columns([2, 1])
    given = track.file_uploader("Track (GPX or CSV), optional", type=["gpx", "csv"])
    offset_s = clock.number_input(
        "Clock offset (s)",
        value=known_offset_s or 0.0,
        disabled=known_offset_s is not None,
        step=1.0,
        format="%.1f",
        help="Added to the camera's time before it is looked up in the track. The camera is 12 s slow: "
        "give 12.",
    )
    return given, float(offset_s)


def start(survey_id: int | None, form: dict[str, Any], token: str, folder: str, track: Any) -> None:
    """Create the survey where it is new, and queue the check of its photos."""
    actor = current_actor()
    if folder:
        source = Path(folder).expanduser()
        if not source.is_absolute() or not source.exists():
            raise SettingsError(f"{folder} is not a folder or file on the server.", "Give its full path.")
    else:
        source = uploads.finish_upload(token)
    if survey_id is None:
        survey_id = actions.create_survey(actor, actions.SurveyForm(**form))
    stored = uploads.keep_track(token, track.name, track.getvalue()) if track else None
    actions.request_import(actor, survey_id, source, stored, track.name if track else None)
    st.switch_page("views/survey.py", query_params={"survey": str(survey_id)})


def draw() -> None:
    survey = data.survey(query_id("survey"))
    survey_id = None if survey is None else int(survey["id"])
    form: dict[str, Any] = {}
    if survey is not None:
        st.title(f"Add photos to {plain(survey['name'])}")
    else:
        st.title("New survey")
        form = facts()
    st.subheader("2 · Photos" if survey is None else "Photos")
    token = upload_token()
    arrived = upload_photos(token)
    folder = st.text_input(
        "Or a folder or zip on the server",
        placeholder="/srv/surveys/2026-05-br290",
        help="For large surveys: nothing is sent through the browser.",
    ).strip()
    track, offset_s = positions(None if survey is None else survey["clock_offset_s"])
    form["clock_offset_s"] = offset_s
    st.divider()
    st.caption(
        "The check reads every file before any computing: what is refused and why, which photos have no "
        "position, "
        "lie off the network, are blurred or dark. You then decide whether to start the analysis."
    )
    ready = bool(arrived or folder) and (survey_id is not None or bool(form["name"].strip()))
    if st.button("Check photos", type="primary", icon=":material/fact_check:", disabled=not ready):
        try:
            start(survey_id, form, token, folder, track)
        except EngineError as problem:
            show_error(problem)
    if not ready:
        st.caption("Give a name and some photos first." if survey_id is None else "Choose some photos first.")


draw()
