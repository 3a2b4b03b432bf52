"""A picture with lines of the road on it, and points that a person drags to where they belong."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

STATIC = Path(__file__).parent.parent / "static"
HTML = """
<div class="profile-picture">
  <div class="stage" data-part="stage">
    <img data-part="picture" alt="" draggable="false">
    <svg data-part="lines"></svg>
    <div class="loupe" data-part="loupe"><i></i></div>
    <p class="lost" data-part="lost" role="alert"></p>
  </div>
</div>
"""


@lru_cache
def _component() -> Any:
    return st.components.v2.component(
        "pavescope_profile_picture",
        html=HTML,
        css=(STATIC / "profile_picture.css").read_text(encoding="utf-8"),
        js=(STATIC / "profile_picture.js").read_text(encoding="utf-8"),
    )


def profile_picture(
    address: str,
    size_px: tuple[int, int],
    *,
    key: str,
    alt: str,
    lines: Sequence[dict[str, Any]] = (),
    points: Sequence[tuple[float, float]] | None = None,
    on_points: Callable[[list[list[float]]], None] | None = None,
    tallest: str = "60vh",
) -> None:
    """Draw a picture of this server.

    Args:
        address: path of the picture.
        size_px: its width and height, which lines and points refer to.
        key: of the component on its page.
        alt: what the picture shows.
        lines: each with points, and where wanted colour, width, dash, closed, fill, label.
        points: draggable, numbered from 1; None for a picture that is only looked at.
        on_points: called with all points after one was moved, before the page is drawn again.
        tallest: CSS height that the picture is fitted into.
    """

    def moved() -> None:
        found = st.session_state[key].moved
        if on_points is not None and found and len(found) == len(points or ()):
            on_points(found)

    _component()(
        key=key,
        data={
            "address": address,
            "width": size_px[0],
            "height": size_px[1],
            "alt": alt,
            "lines": list(lines),
            "points": None if points is None else [list(point) for point in points],
            "tallest": tallest,
        },
        on_moved_change=moved,
    )
