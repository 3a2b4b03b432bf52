"""A tile of an audit, large and with zoom; it says which key was pressed."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from engine.audit import Box, window_around

STATIC = Path(__file__).parent.parent / "static"
KEY = "audit-tile"
HTML = """
<div class="audit">
  <div class="stage" data-part="stage"><div class="sheet" data-part="sheet">
    <img data-part="photo" alt="Tile to judge" draggable="false">
    <img data-part="overlay" alt="Cracks the model found" draggable="false">
    <div class="frame" data-part="frame"></div>
  </div></div>
  <p class="lost" data-part="lost" role="alert"></p>
  <div class="bar">
    <button data-part="out" title="Zoom out (−)">−</button>
    <button data-part="in" title="Zoom in (+)">+</button>
    <button data-part="around">Tile or surroundings (Z)</button>
    <span data-part="model"><i class="swatch"></i>found by the model
      <button data-part="hide"></button></span>
  </div>
</div>
"""


@lru_cache
def _component() -> Any:
    return st.components.v2.component(
        "pavescope_audit_tile",
        html=HTML,
        css=(STATIC / "audit_tile.css").read_text(encoding="utf-8"),
        js=(STATIC / "audit_tile.js").read_text(encoding="utf-8"),
    )


def audit_tile(
    tile: dict[str, Any],
    *,
    shows_model: bool,
    next_tile: int | None,
    turn: int,
    keys: Sequence[str],
    on_key: Callable[[str], None],
) -> None:
    """Draw a tile of `app.audit_data.tiles`.

    Args:
        tile: the tile, with the size of its photo.
        shows_model: whether the model's answer may be asked for.
        next_tile: id of the tile whose photo is loaded ahead, or None.
        turn: differs after each answer; a key counts once a turn.
        keys: lower-case letters that are answers now.
        on_key: called with one of them, before the page is drawn again.
    """
    box = Box(tile["left_px"], tile["top_px"], tile["width_px"], tile["height_px"])
    window = window_around(box, tile["photo_width_px"], tile["photo_height_px"])

    def pressed() -> None:
        said = st.session_state[KEY].pressed
        if said and said["tile"] == tile["id"] and said["turn"] == turn and said["key"] in keys:
            on_key(said["key"])

    _component()(
        key=KEY,
        data={
            "tile": tile["id"],
            "box": [box.left_px - window.left_px, box.top_px - window.top_px, box.width_px, box.height_px],
            "window": [window.width_px, window.height_px],
            "shows_model": shows_model,
            "next": next_tile,
            "turn": turn,
            "keys": list(keys),
        },
        on_pressed_change=pressed,
    )
