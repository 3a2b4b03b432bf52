"""Errors and empty states in plain words."""

import streamlit as st

from engine.errors import EngineError


def plain(text: str) -> str:
    """Text of unknown origin, with nothing in it that Streamlit would read as Markdown or HTML."""
    return "".join(f"\\{char}" if char in r"\`*_{}[]()<>#+-.!|~$:" else char for char in text)


def show_error(problem: EngineError) -> None:
    """What was wrong, and what to do about it."""
    st.error(f"{plain(problem.what)}\n\n**What to do:** {plain(problem.remedy)}")


def empty_state(title: str, what_next: str) -> None:
    """A page without data says why, and which step comes next; buttons follow it."""
    st.subheader(title)
    st.write(what_next)
