"""The settings of an analysis in plain words, with units, for the report's appendix."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Words = Callable[[Any], str]


def in_unit(unit: str) -> Words:
    """Writes a number with its unit."""
    gap = "" if unit in ("", "°") else " "
    return lambda value: f"{value:g}{gap}{unit}"


def _of(whole: str) -> Words:
    return lambda value: f"{_per_cent(value)} of {whole}"


def _per_cent(value: float) -> str:
    return f"{100 * value:g} %"


def _no_less(value: float) -> str:
    return f"± {100 * value:.3g} % or more"


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _side(metres: float) -> str:
    return f"{abs(metres):g} m {'left' if metres < 0 else 'right'} of the camera"


def _points(corners: Sequence[Sequence[float]]) -> str:
    return "; ".join(f"{x:g}, {y:g}" for x, y in corners) + " px"


LOOKS = {"downward": "straight down", "forward": "ahead along the road"}
LABELS: dict[str, dict[str, tuple[str, Words]]] = {
    "Finding cracks": {
        "threshold": ("A pixel is a crack from a probability of", _per_cent),
        "working_scale": ("Photos are looked at in a size of", _of("their own")),
        "tile_px": ("Side of the square pieces a photo is cut into", in_unit("px")),
        "overlap_px": ("Overlap of neighbouring pieces", in_unit("px")),
        "flips": ("Average over mirror images of each photo", _yes),
        "bf16": ("Faster arithmetic (bfloat16) where the processor has it", _yes),
        "potholes": ("Potholes looked for", _yes),
    },
    "90 % intervals": {
        "agreement.band": ("Threshold moved up and down by", in_unit("in log-odds")),
        "agreement.area_floor": ("Interval of a photo’s crack area", _no_less),
        "agreement.length_floor": ("Interval of a photo’s crack length", _no_less),
        "agreement.covered": ("Trial measurements that lay in their intervals", _per_cent),
        "agreement.photos": ("Photos with cracks that this was learnt from", in_unit("photos")),
    },
    "Camera": {
        "camera.kind": (
            "It looks",
            lambda kind: LOOKS.get(kind, str(kind)),
        ),
        "width_px": ("Width of its photos", in_unit("px")),
        "height_px": ("Height of its photos", in_unit("px")),
        "gsd_mm_per_px": ("Ground sampling distance (GSD)", in_unit("mm a pixel")),
        "height_m": ("Height above the road", in_unit("m")),
        "pitch_deg": ("Pitch, below the horizon", in_unit("°")),
        "roll_deg": ("Roll, clockwise from behind", in_unit("°")),
        "yaw_deg": ("Yaw, to the right of the lane", in_unit("°")),
        "turn_deg": ("Photos turned by", in_unit("°")),
        "focal_mm": ("Focal length", in_unit("mm")),
        "focal_px": ("Focal length", in_unit("px")),
        "sensor_width_mm": ("Width of the sensor", in_unit("mm")),
        "k1": ("Lens distortion k1 (Brown)", in_unit("")),
        "k2": ("Lens distortion k2 (Brown)", in_unit("")),
        "centre_px": ("Principal point", lambda point: _points([point])),
        "lane_left_m": ("Left edge of the lane", _side),
        "lane_right_m": ("Right edge of the lane", _side),
        "lane_polygon_px": ("Corners of the lane in the photo", _points),
        "near_m": ("Nothing nearer is used than", in_unit("m")),
        "largest_gsd_mm_per_px": ("Nothing coarser is used than", in_unit("mm a pixel")),
    },
    "Severity": {
        "severity_standard": ("Standard", str),
        "severity_standard.name": ("Standard", str),
        "severity_standard.low_below_mm": ("Low: mean width of the crack under", in_unit("mm")),
        "severity_standard.high_above_mm": ("High: mean width of the crack over", in_unit("mm")),
        "severity_standard.spalled_above_mm": ("Alligator cracks count as spalled over", in_unit("mm")),
        "severity_standard.spalled_share_high": (
            "Alligator cracking is high where spalled on",
            _of("its length or more"),
        ),
        "severity_standard.largest_gsd_mm_per_px": (
            "No severity is told from a GSD over",
            in_unit("mm a pixel"),
        ),
    },
}
"""Part -> setting -> (label, how its value is written). Those of a camera are by their own name."""
UNITS = {"_mm_per_px": "mm a pixel", "_deg": "°", "_mm": "mm", "_px": "px", "_m": "m", "_percent": "%"}
"""Ends of names that tell the unit."""
TOLD_ABOVE = ("measurement_version",)
"""The table of the provenance has it."""
OTHER = "Other"


def settings_in_words(settings: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(part, label, value with its unit) of each setting that was given, in the order of `LABELS`.

    Args:
        settings: as saved with the results. What is not known here, of a later version, say, comes last
            with its name as words.
    """
    values = {
        name.removeprefix("camera.parameters."): value
        for name, value in _flat(settings, "")
        if name not in TOLD_ABOVE
    }
    rows = []
    for part, labels in LABELS.items():
        for name, (label, words) in labels.items():
            if name in values:
                rows.append((part, label, _written(values.pop(name), words)))
    return rows + [(OTHER, *_unknown(name, value)) for name, value in values.items()]


def _flat(settings: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    """Names and values, those inside others with a dot; what was not given is left out."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        elif value is not None:
            yield f"{before}{key}", value


def _written(value: Any, words: Words) -> str:
    try:
        return words(value)
    except (TypeError, ValueError):
        return plain(value)


def _unknown(name: str, value: Any) -> tuple[str, str]:
    end = next((end for end in UNITS if name.endswith(end)), "")
    label = re.sub(r"[._\s]+", " ", name.removesuffix(end)).strip()
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return label[:1].upper() + label[1:], in_unit(UNITS[end])(value) if end and number else plain(value)


def plain(value: Any) -> str:
    """A value of any kind without brackets and quotes."""
    if isinstance(value, bool):
        return _yes(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(one) for one in value)
    return "not given" if value is None else str(value)
