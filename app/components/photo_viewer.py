"""A photo, as taken or laid on the road, under what was found; all that one moves answers in the browser."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from app.components.distress_overlay import (
    TYPE_COLOURS,
    ground_grid,
    overlay_legend,
    overlay_shapes,
    road_outline,
)
from app.photo_data import GroundView
from engine.geometry import DownwardProfile

STATIC = Path(__file__).parent.parent / "static"
HTML = """
<div class="viewer">
  <div class="bar top">
    <span class="views" role="radiogroup" aria-label="View">
      <label><input type="radio" name="view" value="photo"><span>Photo as taken</span></label>
      <label><input type="radio" name="view" value="ground"><span>Rectified</span></label>
    </span>
    <label><input type="checkbox" data-part="grid"> Grid</label>
    <label data-part="road-label"><input type="checkbox" data-part="road"> Surveyed road</label>
    <span class="zoom"><button data-part="out" title="Zoom out">−</button> <output data-part="zoom"></output>
      <button data-part="in" title="Zoom in">+</button> <button data-part="fit">Fit</button></span>
  </div>
  <div class="stage"><div class="sheet">
    <img data-part="original" alt="Survey photo" draggable="false">
    <img data-part="overlay" alt="Cracks found" draggable="false">
    <img data-part="probability" alt="Crack probability" draggable="false">
    <svg data-part="lines" aria-label="Distresses found"></svg>
  </div>
  <p class="lost" data-part="lost" role="alert"></p>
  <div class="bar-m" data-part="scale"><i></i><output></output></div>
  <div class="tip" data-part="tip"></div></div>
  <div class="bar">
    <label><input type="radio" name="layer" value="lines"> Distresses</label>
    <label><input type="radio" name="layer" value="overlay"> Crack pixels</label>
    <label><input type="radio" name="layer" value="probability"> Probability</label>
    <label><input type="radio" name="layer" value="none"> Photo only</label>
    <label>Opacity
      <input type="range" min="0" max="100" step="1" data-part="opacity" aria-label="Overlay opacity">
      <output data-part="percent"></output></label>
    <span class="key" data-part="key-mask"><i class="swatch"></i>crack</span>
    <span class="key" data-part="key-probability">0 <i class="swatch scale"></i> 1 crack probability</span>
  </div>
  <div class="legend" data-part="legend"></div>
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
    photo: Mapping[str, Any], distresses: Sequence[Mapping[str, Any]], view: GroundView | None
) -> None:
    """Show a photo; the choice of view, layer, types and opacity stays while one leafs through the road.

    Args:
        photo: of `app.photo_data.photo`.
        distresses: of `app.photo_data.distresses`.
        view: the ground plane; None where the result is in pixels only.
    """
    frame = None if view is None else view.frame
    # Only a camera that looks straight down has one scale all over its photo.
    flat = view is not None and isinstance(view.profile, DownwardProfile)
    mask_hash, probability_hash = photo["mask_hash"], photo["probability_hash"]
    _component()(
        key="photo-viewer",
        data={
            "base": f"/api/photos/{photo['id']}",
            "version": f"{photo['id']}-{photo['result_id']}-{(mask_hash or 'none')[:12]}",
            "photo": {
                "width": photo["width_px"],
                "height": photo["height_px"],
                "m_per_px": photo["gsd_mm_per_px"] / 1000 if flat else None,
            },
            "ground": None if frame is None else {
                "width": frame.width_px,
                "height": frame.height_px,
                "m_per_px": frame.gsd_mm_per_px / 1000,
            },
            "shapes": overlay_shapes(distresses, frame),
            "legend": overlay_legend(distresses),
            "colours": {kind.value: colour for kind, colour in TYPE_COLOURS.items()},
            "grid": [] if view is None else ground_grid(view.profile, view.frame),
            "road": [] if view is None else road_outline(view.profile, view.frame),
            "has_mask": mask_hash is not None,
            "has_probability": probability_hash is not None,
        },
    )  # fmt: skip
