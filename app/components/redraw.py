"""A page drawn anew by itself, because its data have changed."""

from typing import NoReturn

import streamlit as st


def redraw_page() -> NoReturn:
    """Run the whole page again; for fragments that watch something.

    A click that came meanwhile goes first: `st.rerun` alone would forget which page it asked for.
    """
    st.empty()  # what waits is served where an element is drawn
    st.rerun(scope="app")
