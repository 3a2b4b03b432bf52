"""One photo under the masks of two checkpoints, a divider between them that the reader moves."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

STATIC = Path(__file__).parent.parent / "static"
HTML = """
<div class="slider">
  <div class="stage">
    <div class="sheet"><img data-part="photo" alt="Survey photo" draggable="false"></div>
    <div class="half cracks" data-part="left"><div class="sheet">
      <img data-part="first" alt="Cracks of the first checkpoint" draggable="false"></div></div>
    <div class="half cracks" data-part="right"><div class="sheet">
      <img data-part="second" alt="Cracks of the second checkpoint" draggable="false"></div></div>
    <span class="tag left" data-part="first-name"></span>
    <span class="tag right" data-part="second-name"></span>
    <div class="divider" data-part="divider"><i></i></div>
  </div>
  <div class="bar">
    <label>Divider <input type="range" min="0" max="100" step="0.5" data-part="split"
      aria-label="Divider between the checkpoints"></label>
    <label><input type="checkbox" data-part="cracks"> Cracks</label>
    <span><button data-part="out" title="Zoom out">−</button> <output data-part="zoom"></output>
      <button data-part="in" title="Zoom in">+</button> <button data-part="fit">Fit</button></span>
    <span class="key"><i class="swatch"></i>crack</span>
  </div>
</div>
"""


@lru_cache
def _component() -> Any:
    return st.components.v2.component(
        "pavescope_checkpoint_slider",
        html=HTML,
        css=(STATIC / "checkpoint_slider.css").read_text(encoding="utf-8"),
        js=(STATIC / "checkpoint_slider.js").read_text(encoding="utf-8"),
    )


def checkpoint_slider(
    comparison_id: int, picture: dict[str, Any], first: str, second: str, *, swapped: bool = False
) -> None:
    """Show a picture of a comparison; the divider's place stays while one leafs through the photos.

    Args:
        comparison_id: the comparison.
        picture: one of `app.checkpoint_data.compared_photos`.
        first: name of the checkpoint shown left of the divider.
        second: name of the one shown right of it.
        swapped: left is the comparison's second checkpoint.
    """
    sides = ("second", "first") if swapped else ("first", "second")
    address = f"/api/comparisons/{comparison_id}/{picture['image_id']}"
    masks = [f"{address}/{side}?v={picture[f'{side}_mask_hash'][:16]}" for side in sides]
    _component()(
        key="checkpoint-slider",
        data={
            "photo": f"/api/photos/{picture['image_id']}/original",
            "first": masks[0],
            "second": masks[1],
            "first_name": first,
            "second_name": second,
            "width": picture["width_px"],
            "height": picture["height_px"],
        },
    )
