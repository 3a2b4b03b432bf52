"""How sure a photo's crack area and crack length are: an interval from the network's own agreement.

Predicting every photo under flips and at other scales would cost five times the analysis. So that is done
once for each survey and checkpoint, on a sample: it tells how far the numbers move when nothing but the
view changes, and how wide a band of thresholds moves them as far. Every photo is then measured at the two
ends of that band on its own probability map: the interval is wide where the network is unsure.

What it covers is the network's disagreement with itself. An error that it makes alike in every view (a
crack that it never sees, a joint that it always takes for one) is not in it: that is what labels and
audits are for.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from engine.errors import EngineError
from engine.measurement import MIN_LENGTH_PX, USUAL, CrackMeasurement, Limits, measure_cracks

if TYPE_CHECKING:
    from engine.inference import InferenceSettings
    from engine.models.base import CrackModel

Probability = npt.NDArray[np.float32]
Photo = npt.NDArray[np.uint8]

COVERED = 0.9
"""Share of the sample's varied measurements that the intervals must hold."""
VARIED_SCALES = (0.8, 1.25)
FLIPS = ((slice(None), slice(None, None, -1)), (slice(None, None, -1), slice(None)),
         (slice(None, None, -1), slice(None, None, -1)))  # fmt: skip
BANDS = (0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
"""Half widths that are tried, in logits: 1 reaches from 0.27 to 0.73 round a threshold of 0.5."""
CROP_WORKING_PX = 448
CROP_PX = 1280
"""Greatest sides of a sample photo's middle, as the network sees it and in its own pixels."""


@dataclass(frozen=True)
class Agreement:
    """What the sample of a survey taught; saved with every result that has an interval.

    Attributes:
        band: half width of the band of thresholds, in logits.
        area_floor: a photo's crack area is never surer than this, relative.
        length_floor: nor its crack length.
        covered: share of the sample's varied measurements that the intervals held, 0 to 1.
        photos: photos of the sample in which any view showed a crack.
    """

    band: float
    area_floor: float
    length_floor: float
    covered: float
    photos: int


@dataclass(frozen=True)
class Interval:
    """Ends of a photo's intervals; the density's are None without a ground sampling distance."""

    crack_area_ratio_low: float
    crack_area_ratio_high: float
    crack_density_m_per_m2_low: float | None
    crack_density_m_per_m2_high: float | None


@dataclass(frozen=True)
class _Extent:
    """Crack pixels and crack length of a photo, before any unit."""

    area_px: float
    length_px: float


def band_ends(threshold: float, band: float) -> tuple[float, float]:
    """The thresholds that lie `band` logits below and above one, each in (0, 1)."""
    middle = min(max(threshold, 1e-3), 1 - 1e-3)
    logit = np.log(middle / (1 - middle))
    return float(1 / (1 + np.exp(band - logit))), float(1 / (1 + np.exp(-band - logit)))


def crack_pixels(mask: npt.NDArray[np.bool_], min_length_px: float = MIN_LENGTH_PX) -> int:
    """Pixels of a mask (H, W) without specks; never fewer in a mask that holds another.

    Unlike `measure_cracks` it takes a speck by the diagonal of its box, which can only grow with it.
    """
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    boxes = stats[1:]
    long = np.hypot(boxes[:, cv2.CC_STAT_WIDTH], boxes[:, cv2.CC_STAT_HEIGHT]) >= min_length_px
    return int(boxes[long, cv2.CC_STAT_AREA].sum())


def _extent(probability: Probability, threshold: float, limits: Limits = USUAL) -> _Extent:
    mask = probability >= threshold
    # The length is measured as the one that is shown; which pieces count depends on their widths too.
    length_px = measure_cracks(mask, probability, limits=limits).crack_length_px
    return _Extent(crack_pixels(mask, limits.min_length_px), length_px)


def _around(value: float, ends: Sequence[float], floor: float) -> tuple[float, float]:
    """The range of a value and its ends, and no narrower than the floor (relative)."""
    return (
        max(0.0, min(value, *ends, value * (1 - floor))),
        max(value, *ends, value * (1 + floor)),
    )


def measure_interval(
    probability: Probability, measured: CrackMeasurement, threshold: float, agreement: Agreement
) -> Interval:
    """A photo's intervals of crack area and crack density.

    Args:
        probability: float32 (H, W) in [0, 1].
        measured: what was measured on it, over the whole picture, at the threshold.
        threshold: probability from which a pixel is a crack.
        agreement: of the survey and the checkpoint.

    Returns:
        Intervals that hold the measured values. Both ends are measured: the area grows with the band, the
        length mostly does (cracks that merge may lose some).
    """
    ends = [_extent(probability, end, measured.limits) for end in band_ends(threshold, agreement.band)]
    area = _around(measured.crack_pixels, [end.area_px for end in ends], agreement.area_floor)
    length = _around(measured.crack_length_px, [end.length_px for end in ends], agreement.length_floor)
    pixels = max(measured.surveyed_pixels, 1)
    gsd = measured.gsd_mm_per_px
    m_per_m2 = None if gsd is None else 1000 / gsd / pixels
    return Interval(
        crack_area_ratio_low=area[0] / pixels,
        crack_area_ratio_high=min(1.0, area[1] / pixels),
        crack_density_m_per_m2_low=None if m_per_m2 is None else length[0] * m_per_m2,
        crack_density_m_per_m2_high=None if m_per_m2 is None else length[1] * m_per_m2,
    )


def sample_agreement(
    model: "CrackModel",
    images: Sequence[Photo],
    settings: "InferenceSettings",
    threshold: float,
    on_tile: Callable[[int, int], None] | None = None,
) -> Agreement:
    """Learn from a sample of a survey how far its numbers move when only the view changes.

    Each photo's middle is predicted as it is, in its three mirror images, and at 0.8 and 1.25 times the
    working scale.

    Args:
        model: the network that will be used.
        images: a sample, each uint8 (H, W, 3); about a dozen.
        settings: how the survey is predicted.
        threshold: probability from which a pixel is a crack.
        on_tile: see `predict_probability_map`; may raise `CancelledError` to stop.

    Raises:
        EngineError: no images.
    """
    if not images:
        raise EngineError("There is no image to learn the agreement from.", "Give at least one.")
    plain: list[Probability] = []
    varied: list[list[_Extent]] = []
    for image in images:
        views = _views(model, _middle(image, settings.working_scale or 1.0), settings, on_tile)
        plain.append(next(views))
        varied.append([_extent(view, threshold) for view in views])
    step = (lambda: on_tile(0, 0)) if on_tile else (lambda: None)
    return _choose(plain, varied, threshold, step)


def _middle(image: Photo, scale: float) -> Photo:
    side = min(CROP_PX, round(CROP_WORKING_PX / scale))
    top, left = (max(0, size - side) // 2 for size in image.shape[:2])
    return image[top : top + side, left : left + side]


def _views(
    model: "CrackModel",
    image: Photo,
    settings: "InferenceSettings",
    on_tile: Callable[[int, int], None] | None,
) -> Iterator[Probability]:
    """Probability maps of one image, all in its own frame: plain, three flips, two scales."""
    from engine.inference import predict_probability_map

    yield predict_probability_map(model, image, settings, on_tile)
    for flip in FLIPS:
        seen = predict_probability_map(model, np.ascontiguousarray(image[flip]), settings, on_tile)
        yield np.ascontiguousarray(seen[flip])
    for factor in VARIED_SCALES:
        scale = min(8.0, max(0.01, factor * (settings.working_scale or 1.0)))
        yield predict_probability_map(model, image, replace(settings, working_scale=scale), on_tile)


def _choose(
    plain: Sequence[Probability],
    varied: Sequence[Sequence[_Extent]],
    threshold: float,
    on_step: Callable[[], None],
) -> Agreement:
    """The narrowest band at whose ends `COVERED` of the varied measurements lie; both area and length must.

    The floors are the middle (median) relative change: no photo is surer than the usual one. Where not
    even the widest band covers enough, they become the change that covers them.
    """
    found = [(_extent(map_, threshold), map_, views) for map_, views in zip(plain, varied, strict=True)]
    # Photos in which no view shows anything agree about nothing.
    found = [each for each in found if each[0].area_px or any(view.area_px for view in each[2])]
    if not found:
        return Agreement(BANDS[0], 0.0, 0.0, 1.0, 0)
    area = _changes([(view.area_px, own.area_px) for own, _, views in found for view in views])
    length = _changes([(view.length_px, own.length_px) for own, _, views in found for view in views])
    floors = float(np.quantile(area, 0.5)), float(np.quantile(length, 0.5))
    covered = 0.0
    for band in BANDS:
        covered = _covered(found, threshold, band, floors, on_step)
        if covered >= COVERED:
            return Agreement(band, *floors, covered, len(found))
    floors = float(np.quantile(area, COVERED)), float(np.quantile(length, COVERED))
    covered = _covered(found, threshold, BANDS[-1], floors, on_step)
    return Agreement(BANDS[-1], *floors, covered, len(found))


def _changes(pairs: Sequence[tuple[float, float]]) -> list[float]:
    """Relative changes of (varied, own) values; those from nothing are none that a share could cover."""
    return [abs(view - own) / own for view, own in pairs if own] or [0.0]


def _covered(
    found: Sequence[tuple[_Extent, Probability, Sequence[_Extent]]],
    threshold: float,
    band: float,
    floors: tuple[float, float],
    on_step: Callable[[], None],
) -> float:
    """Share of the varied measurements whose area and length both lie in the photo's intervals."""
    inside = []
    for own, probability, views in found:
        on_step()
        ends = [_extent(probability, end) for end in band_ends(threshold, band)]
        low_px2, high_px2 = _around(own.area_px, [end.area_px for end in ends], floors[0])
        low_px, high_px = _around(own.length_px, [end.length_px for end in ends], floors[1])
        inside += [
            low_px2 <= view.area_px <= high_px2 and low_px <= view.length_px <= high_px for view in views
        ]
    return float(np.mean(inside))
