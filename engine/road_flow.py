"""How the road moves between two successive forward frames: direction of travel, distance and tilt.

Below the horizon take t = sideways / rows below the horizon and u = 1 / rows below the horizon. For a flat
road and a camera that moves along it, a step of d metres shifts the whole picture in the (t, u) plane by one
and the same u, whatever the focal length: d = K u with K fixed by focal length, height and pitch.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

Floats = NDArray[np.float64]
COLUMNS, ROWS = 128, 384
# Part of the rows (near to far) that is looked for in the next frame; farther rows are too coarse to match.
BAND = (0.5, 0.85)
# Rows below the horizon, as a share of the photo's lowest row's: farther road is too coarse.
FAR_SHARE = 0.2
LEAST_CORRELATION = 0.25
LEAST_PATCH_CORRELATION = 0.4
LEAST_LEAD = 0.05
WORST_FIT_PX = 3.0
LARGEST_TILT = 0.2
MARGIN = 8


@dataclass(frozen=True)
class RoadStep:
    """What moved between two frames.

    Attributes:
        step: shift in u (1/px): the distance driven, up to one constant of the camera.
        points_before, points_after: (N, 2) px, the same places of the road in both frames.
        correlation: of the match [-1, 1].
    """

    step: float
    points_before: Floats
    points_after: Floats
    correlation: float


@dataclass(frozen=True)
class RoadMotion:
    """What fits one step.

    Attributes:
        x_px, y_px: the point travelled towards.
        tilt: of the horizon, radians clockwise.
        step: shift in u (1/px).
        error_px: median distance to the places matched.
    """

    x_px: float
    y_px: float
    tilt: float
    step: float
    error_px: float


def road_step(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    vanishing_point: tuple[float, float],
    lane: tuple[float, float],
) -> RoadStep | None:
    """Match the pavement between the lane's edges in two successive frames.

    Args:
        before, after: uint8 (H, W, 3) RGB; `after` lies ahead of `before`.
        vanishing_point: (x, y) px.
        lane: sideways positions of the lane's edges.

    Returns:
        None where the pavement shows too little to match, or the frames do not overlap.
    """
    inset = 0.08 * (lane[1] - lane[0])
    sideways = np.linspace(lane[0] + inset, lane[1] - inset, COLUMNS)
    height = before.shape[0]
    near = height - 1 - vanishing_point[1]
    far = max(-vanishing_point[1], FAR_SHARE * near) + 1.0
    inverse = np.linspace(1 / near, 1 / far, ROWS)
    first = _texture(before, vanishing_point, sideways, inverse)
    second = _texture(after, vanishing_point, sideways, inverse)
    top, bottom = round(BAND[0] * ROWS), round(BAND[1] * ROWS)
    pattern = first[top:bottom, MARGIN:-MARGIN]
    scores = cv2.matchTemplate(second, pattern, cv2.TM_CCOEFF_NORMED)
    # The road comes nearer: only shifts towards smaller u.
    scores = scores[:top]
    row, column = np.unravel_index(int(np.argmax(scores)), scores.shape)
    best = float(scores[row, column])
    others = scores.max(axis=1)
    others[max(0, row - 8) : row + 9] = -1
    if best < LEAST_CORRELATION or best - float(others.max()) < LEAST_LEAD or row == 0:
        return None
    size = inverse[1] - inverse[0]
    pairs = _patches(first, second, top - int(row), bottom, (int(row) - top, int(column) - MARGIN))
    if len(pairs) < 4:
        return None
    table = np.array(pairs)
    # A pixel is worth the less in u the nearer the road is.
    worth = (inverse[0] + table[:, 0] * size) ** -4
    step = -_weighted_median(table[:, 2], worth) * float(size)

    def points(rows: Floats, columns: Floats) -> Floats:
        below = 1 / (inverse[0] + rows * size)
        across = sideways[0] + columns * (sideways[1] - sideways[0])
        return np.column_stack((vanishing_point[0] + across * below, vanishing_point[1] + below))

    return RoadStep(
        step=step,
        points_before=points(table[:, 0], table[:, 1]),
        points_after=points(table[:, 0] + table[:, 2], table[:, 1] + table[:, 3]),
        correlation=best,
    )


def _texture(
    image: NDArray[np.uint8], vanishing_point: tuple[float, float], sideways: Floats, inverse: Floats
) -> NDArray[np.float32]:
    """The lane in the (u, t) plane without slow shades and stripes along the road."""
    grey = (
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        if image.ndim == 3
        else image.astype(np.float32)
    )
    below = 1 / inverse
    x = (vanishing_point[0] + sideways[None, :] * below[:, None]).astype(np.float32)
    y = np.broadcast_to((vanishing_point[1] + below)[:, None], x.shape).astype(np.float32)
    # Near rows are passed over in strides: take them from a smaller picture.
    stride = (inverse[1] - inverse[0]) * below**2
    flat = np.zeros(x.shape, np.float32)
    for level in (1, 2, 4, 8):
        use = (stride >= level if level > 1 else np.ones_like(stride, bool)) & (
            stride < 2 * level if level < 8 else True
        )
        if use.any():
            small = cv2.resize(grey, None, fx=1 / level, fy=1 / level, interpolation=cv2.INTER_AREA)
            flat[use] = cv2.remap(
                small,
                (x[use] + 0.5) / level - 0.5,
                (y[use] + 0.5) / level - 0.5,
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
    fine = cv2.GaussianBlur(flat, (0, 0), 2.0) - cv2.GaussianBlur(flat, (0, 0), 10.0)
    fine = fine - np.median(fine, axis=0, keepdims=True)
    strength = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 16.0)) + 0.5
    texture: NDArray[np.float32] = np.clip(fine / strength, -3, 3).astype(np.float32)
    return texture


def _patches(
    first: NDArray[np.float32], second: NDArray[np.float32], top: int, bottom: int, shift: tuple[int, int]
) -> list[tuple[float, float, float, float]]:
    """(row, column, shift in rows, shift in columns) of small patches around the common shift."""
    pairs = []
    columns = np.linspace(MARGIN, COLUMNS - MARGIN, 4).astype(int)
    rows = np.linspace(top, bottom, max(4, (bottom - top) // 40 + 1)).astype(int)
    for upper, lower in pairwise(rows):
        for left, right in pairwise(columns):
            reach = 10
            y0, x0 = upper + shift[0] - reach, left + shift[1] - reach
            y1, x1 = lower + shift[0] + reach, right + shift[1] + reach
            y0, x0 = max(y0, 0), max(x0, 0)
            window = second[y0 : min(y1, ROWS), x0 : min(x1, COLUMNS)]
            pattern = first[upper:lower, left:right]
            if window.shape[0] < pattern.shape[0] + 4 or window.shape[1] < pattern.shape[1] + 2:
                continue
            scores = cv2.matchTemplate(window, pattern, cv2.TM_CCOEFF_NORMED)
            row, column = np.unravel_index(int(np.argmax(scores)), scores.shape)
            inside = 0 < row < scores.shape[0] - 1 and 0 < column < scores.shape[1] - 1
            if not inside or scores[row, column] < LEAST_PATCH_CORRELATION:
                continue
            down = _vertex(scores[row - 1 : row + 2, column])
            across = _vertex(scores[row, column - 1 : column + 2])
            pairs.append(
                (
                    (upper + lower - 1) / 2,
                    (left + right - 1) / 2,
                    y0 + row + down - upper,
                    x0 + column + across - left,
                )
            )
    return pairs


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    running = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(running, running[-1] / 2)])


def _vertex(three: NDArray[Any]) -> float:
    """Where the parabola through three values has its top, in [-0.5, 0.5]."""
    bend = float(three[0] - 2 * three[1] + three[2])
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (three[0] - three[2]) / bend, -0.5, 0.5))


def road_motion(step: RoadStep, vanishing_point: tuple[float, float]) -> RoadMotion | None:
    """Direction of travel, step and tilt of the horizon that explain how a flat road moved.

    The places in the first photo are exact, those in the second are measured: their distance to the model is
    made small (crossing the lines of flow instead pulls the point towards the road).

    Returns:
        None where nothing fits to a few pixels.
    """
    before, after = step.points_before, step.points_after
    size = np.array([100.0, 100.0, 0.02, step.step])
    start = np.array([vanishing_point[0], vanishing_point[1], 0.0, step.step]) / size

    def residuals(values: Floats) -> Floats:
        x, y, tilt, shift = values * size
        from_point = before - (x, y)
        below = from_point[:, 1] * np.cos(tilt) - from_point[:, 0] * np.sin(tilt)
        grown = 1 / np.maximum(1 - shift * below, 0.05)
        return np.asarray((from_point * grown[:, None] + (x, y) - after).ravel())

    found = least_squares(residuals, start, loss="soft_l1", f_scale=1.0, max_nfev=60)
    error = float(np.median(np.abs(residuals(found.x))))
    x, y, tilt, shift = found.x * size
    reach = float(np.ptp(before[:, 1])) + float(np.mean(before[:, 1])) - vanishing_point[1]
    far_off = np.hypot(x - vanishing_point[0], y - vanishing_point[1]) > 0.5 * reach
    if not found.success or error > WORST_FIT_PX or far_off or abs(tilt) > LARGEST_TILT or shift <= 0:
        return None
    return RoadMotion(float(x), float(y), float(tilt), float(shift), error)


def step_towards(step: RoadStep, vanishing_point: tuple[float, float], tilt: float) -> float:
    """Shift in u (1/px) for a known vanishing point and tilt, however the camera turned between the frames.

    Args:
        step: what moved.
        vanishing_point: (x, y) px.
        tilt: of the horizon (radians, clockwise).

    Returns:
        nan where nothing fits.
    """
    from_point = step.points_before - vanishing_point
    below = from_point[:, 1] * np.cos(tilt) - from_point[:, 0] * np.sin(tilt)
    size = np.array([10.0, 10.0, step.step])

    def residuals(values: Floats) -> Floats:
        turn_x, turn_y, shift = values * size
        grown = 1 / np.maximum(1 - shift * below, 0.05)
        model = from_point * grown[:, None] + vanishing_point + (turn_x, turn_y)
        return np.asarray((model - step.points_after).ravel())

    found = least_squares(residuals, np.array([0.0, 0.0, 1.0]), loss="soft_l1", f_scale=1.0, max_nfev=60)
    error = float(np.median(np.abs(residuals(found.x))))
    return float(found.x[2] * step.step) if found.success and error < WORST_FIT_PX else float("nan")
