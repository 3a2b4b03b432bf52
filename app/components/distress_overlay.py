"""Distresses as lines over a photo: one colour for each type, one stroke for each severity."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.components.text import number, words
from engine.geometry import CameraProfile, GroundFrame, to_image
from engine.vocabulary import DistressType, Severity

# After Okabe and Ito: told apart by colour-blind people too, and light enough for dark asphalt.
TYPE_COLOURS = {
    DistressType.LONGITUDINAL: "#56b4e9",
    DistressType.TRANSVERSE: "#f0e442",
    DistressType.DIAGONAL: "#00c292",
    DistressType.BLOCK: "#e69f00",
    DistressType.ALLIGATOR: "#ff5c33",
    DistressType.POTHOLE: "#cc79a7",
    DistressType.CRACK: "#ff00d4",
}
# Stroke width in screen pixels, and its dashes.
SEVERITY_STROKES: dict[Severity | None, tuple[float, str]] = {
    Severity.LOW: (2.4, "7 4"),
    Severity.MEDIUM: (2.8, ""),
    Severity.HIGH: (5.0, ""),
    Severity.NOT_MEASURABLE: (1.4, ""),
    None: (2.4, ""),
}
GRID_STEPS_M = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
GRID_LINES = 9
Points = list[list[float]]


def severity_words(severity: str | None) -> str:
    """`Medium severity`, or plainly that there is none."""
    if severity is None:
        return "No severity"
    if severity == Severity.NOT_MEASURABLE:
        return "Severity not measurable at this GSD"
    return f"{words(severity)} severity"


def _ground_to_frame(points_m: Any, frame: GroundFrame) -> Points:
    """(N, 2) metres on the ground to pixels of the rectified picture."""
    points = np.asarray(points_m, float).reshape(-1, 2)
    scale = 1000 / frame.gsd_mm_per_px
    pixels = np.column_stack([(points[:, 0] - frame.left_m) * scale, (frame.far_m - points[:, 1]) * scale])
    return _rounded(pixels)


def _rounded(points: Any) -> Points:
    found: Points = np.round(np.asarray(points, float).reshape(-1, 2), 1).tolist()
    return found


def _facts(distress: Mapping[str, Any]) -> list[str]:
    """What is known of a distress as a whole, in metres where there are any."""
    if distress["length_m"] is None:
        length = f"{number(distress['length_px'], 0, 'px')} long"
        return [length, f"mean width {number(distress['mean_width_px'], 1, 'px')}"]
    found = [f"{number(distress['length_m'], 2, 'm')} long"] if distress["length_m"] else []
    if distress["mean_width_mm"] is not None:
        found.append(f"mean width {number(distress['mean_width_mm'], 1, 'mm')}")
    if distress["outline_px"] and distress["area_m2"] is not None:
        found.append(f"{number(distress['area_m2'], 2, 'm²')} within its outline")
    if distress["piece_size_m"] is not None:
        found.append(f"pieces of {number(distress['piece_size_m'], 2, 'm')}")
    if distress["zone"] is not None:
        found.append(words(distress["zone"]))
    return found


def overlay_shapes(
    distresses: Sequence[Mapping[str, Any]], frame: GroundFrame | None
) -> list[dict[str, Any]]:
    """What the browser draws of each distress.

    Args:
        distresses: of `app.photo_data.distresses`.
        frame: of the rectified picture; None without metres.

    Returns:
        For each: kind, severity, title, facts, lines and outline in pixels of the photo, ground_lines and
        ground_outline in pixels of the rectified picture (empty without one), widths (mm at each vertex).
    """
    shapes = []
    for distress in distresses:
        on_ground = frame is not None and distress["polylines_m"] is not None
        kind = DistressType(distress["kind"])
        shapes.append(
            {
                "kind": kind.value,
                "severity": distress["severity"],
                "title": words(kind.value) + ("" if kind == DistressType.CRACK else _noun(kind)),
                "grade": severity_words(distress["severity"]) if distress["severity"] else "",
                "facts": _facts(distress),
                "lines": [_rounded(line) for line in distress["polylines_px"]],
                "outline": _rounded(distress["outline_px"] or []),
                "ground_lines": [_ground_to_frame(line, frame) for line in distress["polylines_m"]]
                if frame is not None and on_ground
                else [],
                "ground_outline": _ground_to_frame(distress["outline_m"] or [], frame)
                if frame is not None and on_ground
                else [],
                "widths": distress["widths_mm"] or [],
            }
        )
    return shapes


def _noun(kind: DistressType) -> str:
    return "" if kind == DistressType.POTHOLE else " cracking" if kind in AREAS else " crack"


AREAS = (DistressType.BLOCK, DistressType.ALLIGATOR)


def overlay_legend(distresses: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Types and severities that occur, each with how it is drawn and how often it occurs."""
    kinds = [row["kind"] for row in distresses]
    severities = [row["severity"] for row in distresses]
    return {
        "kinds": [
            {"kind": kind.value, "label": words(kind.value), "colour": colour, "count": kinds.count(kind)}
            for kind, colour in TYPE_COLOURS.items()
            if kind in kinds
        ],
        "severities": [
            {
                "severity": severity,
                "label": "No severity" if severity is None
                else "Not measurable" if severity == Severity.NOT_MEASURABLE else words(severity),
                "width": width,
                "dash": dash,
                "count": severities.count(severity),
            }
            for severity, (width, dash) in SEVERITY_STROKES.items()
            if severity in severities
        ],
    }  # fmt: skip


def grid_step_m(frame: GroundFrame) -> float:
    """A round step that gives at most `GRID_LINES` lines along the longer side."""
    longest = max(frame.right_m - frame.left_m, frame.far_m - frame.near_m)
    return next((step for step in GRID_STEPS_M if longest / step <= GRID_LINES), GRID_STEPS_M[-1])


def ground_grid(profile: CameraProfile, frame: GroundFrame) -> list[dict[str, Any]]:
    """Lines of a metre grid over the surveyed part of the road.

    Returns:
        For each line its label in m, whether it runs across the road, `ground` (pixels of the rectified
        picture) and `photo` (pixels of the photo).
    """
    step = grid_step_m(frame)

    def steps(low: float, high: float) -> list[float]:
        return [
            n * step for n in range(int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9)) + 1)
        ]

    lines = []
    for across, values in (
        (True, steps(frame.near_m, frame.far_m)),
        (False, steps(frame.left_m, frame.right_m)),
    ):
        for value in values:
            ends = (frame.left_m, frame.right_m) if across else (frame.near_m, frame.far_m)
            run = np.linspace(*ends, 25)  # the lens bends lines
            fixed = np.full_like(run, value)
            points = np.column_stack([run, fixed] if across else [fixed, run])
            seen = to_image(profile, points)
            lines.append(
                {
                    "label": f"{value:.2f}".rstrip("0").rstrip(".") if value else "0",
                    "across": across,
                    "ground": _ground_to_frame(points[[0, -1]], frame),
                    "photo": _rounded(seen[np.isfinite(seen).all(axis=1)]),
                }
            )
    return lines


def road_outline(profile: CameraProfile, frame: GroundFrame) -> Points:
    """The rectified rectangle as a closed line in pixels of the photo."""
    corners = [
        (frame.left_m, frame.near_m),
        (frame.left_m, frame.far_m),
        (frame.right_m, frame.far_m),
        (frame.right_m, frame.near_m),
    ]
    sides = [
        np.linspace(start, end, 12) for start, end in zip(corners, [*corners[1:], corners[0]], strict=True)
    ]
    seen = to_image(profile, np.concatenate(sides))
    return _rounded(seen[np.isfinite(seen).all(axis=1)])
