"""A photo under its mask or probability map, with opacity and zoom that answer at once in the browser."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

STATIC = Path(__file__).parent.parent / "static"
HTML = """
<div class="viewer">
  <div class="stage"><div class="sheet">
    <img data-part="original" alt="Survey photo" draggable="false">
    <img data-part="overlay" alt="Cracks found" draggable="false">
    <img data-part="probability" alt="Crack probability" draggable="false">
  </div></div>
  <div class="bar">
    <label><input type="radio" name="layer" value="overlay"> Cracks</label>
    <label><input type="radio" name="layer" value="probability"> Probability</label>
    <label><input type="radio" name="layer" value="none"> Photo only</label>
    <label>Opacity
      <input type="range" min="0" max="100" step="1" data-part="opacity" aria-label="Overlay opacity">
      <output data-part="percent"></output></label>
    <span><button data-part="out" title="Zoom out">−</button> <output data-part="zoom"></output>
      <button data-part="in" title="Zoom in">+</button> <button data-part="fit">Fit</button></span>
    <span class="key" data-part="key-mask"><i class="swatch"></i>crack</span>
    <span class="key" data-part="key-probability">0 <i class="swatch scale"></i> 1 crack probability</span>
  </div>
</div>
"""


@lru_cache
def _component() -> Any:
    return st.components.v2.component(
        "pavescope_photo_viewer",
        html=HTML,
        css=(STATIC / "photo_viewer.css").read_text(encoding="utf-8"),
        js=(STATIC / "photo_viewer.js").read_text(encoding="utf-8"),
    )


def photo_viewer(
    image_id: int, width_px: int, height_px: int, mask_hash: str | None, probability_hash: str | None
) -> None:
    """Show a photo; the choice of layer and opacity stays while one leafs through the road."""
    _component()(
        key="photo-viewer",
        data={
            "base": f"/api/photos/{image_id}",
            "width": width_px,
            "height": height_px,
            "has_mask": mask_hash is not None,
            "has_probability": probability_hash is not None,
            "version": f"{image_id}-{(mask_hash or 'none')[:12]}",
        },
    )
