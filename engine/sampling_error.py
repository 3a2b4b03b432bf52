"""A section's interval: its photos' intervals and the error of looking at some places only (torch-free)."""

import math
from dataclasses import dataclass

CONFIDENCE = 0.9
"""As the photos' intervals are made for nine in ten."""


@dataclass(frozen=True)
class PhotoSums:
    """Sums over a section's photos of x, the surveyed area, and y, the crack area or length on it.

    Attributes:
        photos: their number, >= 1.
        x, y: sums, x > 0.
        xx, xy, yy: sums of the products.
        y_low, y_high: sums of the ends of the photos' intervals of y.
    """

    photos: int
    x: float
    y: float
    xx: float
    xy: float
    yy: float
    y_low: float
    y_high: float


def sampling_half_width(sums: PhotoSums, surveyed_share: float | None = None) -> float | None:
    """Half width of the 90 % interval of y / x that comes from having photographed some places only.

    The ratio estimator's variance, n / (n - 1) * sum((y - R x)^2) / (sum x)^2 with R = sum y / sum x, and
    Student's t with n - 1 degrees of freedom, times the root of the share that was not looked at (the finite
    population's correction): photos of all of it leave no error of sampling.

    Args:
        sums: of the section's photos.
        surveyed_share: of the section, 0 to 1; None where it is not known, which is taken as small.

    Source: Cochran, Sampling Techniques (1977), chapters 2 and 6.

    Returns:
        None for a single photo, which says nothing of the places between.
    """
    if sums.photos < 2:
        return None
    from scipy.special import stdtrit  # of no use to a page that only reads queries

    ratio = sums.y / sums.x
    # The three sums nearly cancel where all photos are alike.
    residual = max(0.0, sums.yy - 2 * ratio * sums.xy + ratio**2 * sums.xx)
    error = math.sqrt(sums.photos / (sums.photos - 1) * residual) / sums.x
    error *= math.sqrt(max(0.0, 1 - (surveyed_share or 0.0)))
    return float(stdtrit(sums.photos - 1, (1 + CONFIDENCE) / 2)) * error


def section_interval(sums: PhotoSums, surveyed_share: float | None = None) -> tuple[float, float]:
    """Ends of the interval of y / x: 0 <= low <= y / x <= high.

    The photos share one network, which errs on all of them alike: their intervals are added linearly, and
    do not shrink with their number. Which places were photographed has nothing to do with that: the two
    parts are combined in quadrature.

    Args:
        sums: of the section's photos.
        surveyed_share: of the section, 0 to 1; None where it is not known.
    """
    ratio = sums.y / sums.x
    sampled = sampling_half_width(sums, surveyed_share) or 0.0
    below = max(0.0, ratio - sums.y_low / sums.x)
    above = max(0.0, sums.y_high / sums.x - ratio)
    return max(0.0, ratio - math.hypot(below, sampled)), ratio + math.hypot(above, sampled)
