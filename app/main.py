"""The frame around every page: navigation, and one place where unforeseen errors become words."""

import logging
import secrets
from pathlib import Path

import streamlit as st

from app.components.messages import show_error
from engine.errors import EngineError

log = logging.getLogger(__name__)
STATIC = Path(__file__).parent / "static"

PAGES = {
    "Monitor": [
        st.Page("views/network_map.py", title="Network map", icon=":material/map:", default=True),
        st.Page("views/sections.py", title="Sections", url_path="sections", icon=":material/table_rows:"),
        st.Page("views/change.py", title="Change", url_path="change", icon=":material/compare:"),
        st.Page("views/section.py", title="Section", url_path="section", visibility="hidden"),
        st.Page("views/photo.py", title="Photo", url_path="photo", visibility="hidden"),
    ],
    "Plan": [
        st.Page("views/priorities.py", title="Priorities", url_path="priorities", icon=":material/flag:"),
        st.Page("views/plan.py", title="Plan", url_path="plan", icon=":material/event_note:"),
        st.Page(
            "views/treatments.py", title="Treatments", url_path="treatments", icon=":material/construction:"
        ),
        st.Page("views/reports.py", title="Reports", url_path="reports", icon=":material/description:"),
    ],
    "Survey": [
        st.Page("views/surveys.py", title="Surveys", url_path="surveys", icon=":material/photo_camera:"),
        st.Page("views/new_survey.py", title="New survey", url_path="new-survey", icon=":material/upload:"),
        st.Page("views/survey.py", title="Survey", url_path="survey", visibility="hidden"),
    ],
    "Models": [
        st.Page("views/adapt.py", title="Adapt", url_path="adapt", icon=":material/tune:"),
        st.Page("views/models.py", title="Models", url_path="models", icon=":material/neurology:"),
        st.Page("views/audit.py", title="Audit", url_path="audit", icon=":material/rule:"),
    ],
    "Set up": [
        st.Page("views/networks.py", title="Road networks", url_path="networks", icon=":material/route:"),
        st.Page("views/profiles.py", title="Cameras", url_path="cameras", icon=":material/linked_camera:"),
        st.Page(
            "views/benchmarks.py", title="Benchmarks", url_path="benchmarks", icon=":material/leaderboard:"
        ),
        st.Page("views/jobs.py", title="Jobs", url_path="jobs", icon=":material/pending_actions:"),
        st.Page("views/guide.py", title="Help", url_path="help", icon=":material/help:"),
    ],
}

st.set_page_config(page_title="Pavescope", page_icon=str(STATIC / "icon.svg"), layout="wide")
st.html(
    "<style>.stMainBlockContainer{padding:2.4rem 2.6rem 3rem}"
    "h1{font-size:1.9rem!important;padding:0 0 .4rem!important}"
    "h3{font-size:1.15rem!important;padding:.6rem 0 .2rem!important}</style>"
)
st.logo(STATIC / "logo.svg", size="large")
# All of them: a page behind "View more" is a page that nobody finds.
page = st.navigation(PAGES, expanded=True)
with st.sidebar:
    st.caption("One local engineer: nobody signs in.")
try:
    page.run()
except EngineError as problem:
    show_error(problem)
except Exception:
    reference = secrets.token_hex(3)
    log.exception("page %s failed, reference %s", page.url_path or "map", reference)
    st.error(
        f"This page could not be drawn (reference {reference}). Nothing was changed. Reload it; if it "
        "happens again, give the reference to whoever looks after the server: the cause is in its log."
    )
