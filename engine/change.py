"""What changed on a section between two surveys, and whether the change is real (torch-free)."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.camera_profiles import DownwardProfile, read_profile
from engine.condition import condition_index
from engine.errors import CalibrationError
from engine.sampling_error import CONFIDENCE
from engine.vocabulary import CameraKind, DistressType, Severity

PER_SURVEY = frozenset({"agreement", "camera", "working_scale"})
"""Settings that a survey's own camera and photos decide, so that two surveys rarely share them."""
SCALE_APART = 1.25
"""A network that saw one survey's pavement so much larger than the other's finds other cracks in it."""


@dataclass(frozen=True)
class Measured:
    """A section's value in one survey with the ends of its 90 % interval, None where it has none."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Change:
    """Second survey less first.

    Attributes:
        difference: of the values.
        low: end of the difference's 90 % interval, None without intervals.
        high: its other end.
        real: whether the interval leaves out 0; None where that cannot be said.
        reason: in words.
    """

    difference: float
    low: float | None
    high: float | None
    real: bool | None
    reason: str


@dataclass(frozen=True)
class DistressAmount:
    """Amount of one type and severity, as `engine.condition.QuantityLike` wants it."""

    kind: DistressType
    severity: Severity
    length_m: float
    area_m2: float


def section_change(first: Measured, second: Measured) -> Change:
    """The difference second - first with its interval.

    The distances from each value to the end of its interval are added in quadrature (Zou and Donner's MOVER),
    as if the two surveys erred independently. One network errs on both alike, which cancels in part: the
    interval is rather too wide, a change called real rather too rarely.

    Args:
        first: the earlier survey; any unit.
        second: the later one, of the same measure, checkpoint and settings (`why_not_comparable`).

    Source: Zou and Donner, Statistics in Medicine 27 (2008) 1693.
    """
    difference = second.value - first.value
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Change(difference, None, None, None, "No interval: one photo, or an analysis without one.")
    below = math.hypot(second.value - second.low, first.high - first.value)
    above = math.hypot(second.high - second.value, first.value - first.low)
    low, high = difference - below, difference + above
    real = low > 0 or high < 0
    reason = (
        f"The {CONFIDENCE:.0%} interval of the difference leaves out 0."
        if real
        else f"Within what two surveys of an unchanged section may differ by ({CONFIDENCE:.0%} interval)."
    )
    return Change(difference, low, high, real, reason)


def real_by_chance(sections: int) -> float:
    """How many of so many unchanged sections would be called changed, at most on average."""
    return sections * (1 - CONFIDENCE)


def index_interval(
    quantities: Iterable[Mapping[str, Any]], surveyed_area_m2: float, density: Measured
) -> Measured:
    """The crack-only condition index with the interval of the crack density carried through its curves.

    All amounts are scaled by the ends of the density's interval. A section without cracks is worth, at worst,
    as much low longitudinal cracking as its interval allows.

    Args:
        quantities: {kind, severity, length_m, area_m2, ...} as a section's roll-up stores them.
        surveyed_area_m2: > 0.
        density: crack density in m/m2 with its interval.

    Returns:
        0 to 100; no ends where the density has none.
    """
    found = [
        DistressAmount(
            DistressType(line["kind"]), Severity(line["severity"]), line["length_m"], line["area_m2"]
        )
        for line in quantities
    ]
    value = condition_index(found, surveyed_area_m2).value
    if density.low is None or density.high is None:
        return Measured(value)

    def at(end: float) -> float:
        if density.value > 0:
            part = end / density.value
            scaled = [
                replace(
                    line, length_m=line.length_m * part, area_m2=min(surveyed_area_m2, line.area_m2 * part)
                )
                for line in found
            ]
        else:
            length_m = end * surveyed_area_m2
            scaled = [DistressAmount(DistressType.LONGITUDINAL, Severity.LOW, length_m, 0.0)]
        return condition_index(scaled, surveyed_area_m2).value

    return Measured(value, min(value, at(density.high)), max(value, at(density.low)))


def why_not_comparable(
    first_checkpoint: str, second_checkpoint: str, first: Mapping[str, Any], second: Mapping[str, Any]
) -> str | None:
    """Why a difference may come from the two analyses and not from the road; None if it may not.

    What a survey's camera and photos decide may differ, as long as the network saw the pavement about
    as large in both.

    Args:
        first_checkpoint: content hash, or another unambiguous name, of the earlier analysis' checkpoint.
        second_checkpoint: of the later one's.
        first: settings of the earlier analysis, as saved with its results; more may be added.
        second: of the later one.
    """
    if first_checkpoint != second_checkpoint:
        return "They were analysed with different checkpoints."
    cameras = [settings.get("camera") for settings in (first, second)]
    if (cameras[0] is None) != (cameras[1] is None):
        return "Only one of them was laid on the ground: the other is known in pixels."
    names = (first.keys() | second.keys()) - PER_SURVEY
    different = sorted(name for name in names if first.get(name) != second.get(name))
    if different:
        shown = ", ".join(name.replace("_", " ") for name in different)
        return f"They were analysed with different settings: {shown}."
    scales = [settings.get("working_scale") or 1.0 for settings in (first, second)]
    apart = scales[1] / scales[0] / _photo_gsd_ratio(cameras[0] or {}, cameras[1] or {})
    if not 1 / SCALE_APART <= apart <= SCALE_APART:
        times = max(apart, 1 / apart)
        return f"The network saw one survey's pavement {times:.1f} times as large as the other's."
    return None


def _photo_gsd_ratio(first: Mapping[str, Any], second: Mapping[str, Any]) -> float:
    """GSD of the later camera's photos / that of the earlier one's; 1 where it is not known."""
    if first.get("kind") != second.get("kind"):
        return 1.0
    before, after = _photo_gsd(first), _photo_gsd(second)
    return after / before if before and after else 1.0


def _photo_gsd(camera: Mapping[str, Any]) -> float | None:
    """Ground sampling distance of the photos as taken, in mm/px; None where it is not known.

    A forward camera's changes with the distance, at each distance as height / focal length. Its profile's
    `gsd_mm_per_px` is that of the rectified picture, which the network never sees.
    """
    parameters = camera.get("parameters", {})
    if camera.get("kind") == CameraKind.FORWARD:
        height_m, focal_px = parameters.get("height_m"), parameters.get("focal_px")
        return 1000 * height_m / focal_px if height_m and focal_px else None
    try:
        profile = read_profile(CameraKind.DOWNWARD, parameters)
    except CalibrationError:  # a survey's own GSD, without a profile
        known: float | None = parameters.get("gsd_mm_per_px")
        return known
    return profile.gsd if isinstance(profile, DownwardProfile) else None
