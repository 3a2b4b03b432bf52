"""One place before and after, a divider between them that the reader moves."""

from functools import lru_cache
from typing import Any

import streamlit as st

from app.components.checkpoint_slider import STATIC

HTML = """
<div class="slider">
  <div class="stage">
    <div class="sheet"><img data-part="photo" alt="Later photo" draggable="false">
      <img class="cracks" data-part="second" alt="Cracks of the later photo" draggable="false"></div>
    <div class="half" data-part="left"><div class="sheet">
      <img data-part="before" alt="Earlier photo" draggable="false">
      <img class="cracks" data-part="first" alt="Cracks of the earlier photo" draggable="false"></div></div>
    <div class="half" data-part="right" hidden></div>
    <span class="tag left" data-part="first-name"></span>
    <span class="tag right" data-part="second-name"></span>
    <div class="divider" data-part="divider"><i></i></div>
  </div>
  <div class="bar">
    <label>Divider <input type="range" min="0" max="100" step="0.5" data-part="split"
      aria-label="Divider between before and after"></label>
    <label><input type="checkbox" data-part="cracks"> Cracks</label>
    <span><button data-part="out" title="Zoom out">−</button> <output data-part="zoom"></output>
      <button data-part="in" title="Zoom in">+</button> <button data-part="fit">Fit</button></span>
    <span class="key"><i class="swatch old"></i>crack <i class="swatch"></i>new crack</span>
  </div>
</div>
"""
CSS = """
.swatch.old { background: #ffc400; }
.stage .half img:first-child { background: #1d2630; }
"""


@lru_cache
def _component() -> Any:
    return st.components.v2.component(
        "pavescope_change_slider",
        html=HTML,
        css=(STATIC / "checkpoint_slider.css").read_text(encoding="utf-8") + CSS,
        js=(STATIC / "checkpoint_slider.js").read_text(encoding="utf-8"),
    )


def change_slider(pictures: dict[str, Any], first: str, second: str) -> None:
    """Show a registered pair; the divider's place stays while one leafs through the pairs.

    Args:
        pictures: of `app.change_pictures.pair_pictures`.
        first: name of the earlier survey, left of the divider.
        second: name of the later one.
    """
    _component()(
        key="change-slider",
        data={
            "photo": pictures["after"],
            "before": pictures["before"],
            "first": pictures["before_cracks"],
            "second": pictures["after_cracks"],
            "first_name": first,
            "second_name": second,
            "width": pictures["width"],
            "height": pictures["height"],
        },
    )
