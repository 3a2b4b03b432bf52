"""Lane markings in forward photos: bright bars row by row, straight lines through them, where these meet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.errors import CalibrationError

Floats = NDArray[np.float64]
WORKING_WIDTH_PX = 1024
# Widths of painted bars that are looked for, in pixels of the working width.
BAR_WIDTHS_PX = (3, 5, 9, 15, 25, 41)
LEAST_CONTRAST = 8.0
NOISE_MULTIPLE = 5.0
# Above this share of the height there may be sky and trees rather than road; where the vanishing point is
# known, the road begins a little below it.
TOP_SHARE = 0.2
LARGEST_SLOPE = 3.0
LINE_TOLERANCE_PX = 3.0
MOST_LINES = 8
LEAST_RUN_SHARE = 0.05
REACH_PX = 48
_ROW_STEP = 2


@dataclass(frozen=True)
class LaneLine:
    """A painted line in a photo: x = slope * y + offset, for its centre and both of its edges.

    Attributes:
        centre, left, right: (slope, offset in px) of the centre line and of the edges.
        top_px, bottom_px: rows between which paint was seen.
        rows_share: share of the photo's rows on which paint was seen (0 to 1].
        contrast: median difference to the pavement beside it (grey levels).
        spread_px: spread of the paint's centres around the straight line (px).
    """

    centre: tuple[float, float]
    left: tuple[float, float]
    right: tuple[float, float]
    top_px: float
    bottom_px: float
    rows_share: float
    contrast: float
    spread_px: float


@dataclass(frozen=True)
class VanishingPoint:
    """Where lines along the road meet in the photo.

    Attributes:
        x_px, y_px: the point; it may lie outside of the photo.
        x_sigma_px, y_sigma_px: one sigma of the point, by resampling frames; nan for a single frame.
        frames: number of frames that contributed.
    """

    x_px: float
    y_px: float
    x_sigma_px: float
    y_sigma_px: float
    frames: int


@dataclass(frozen=True)
class _Bars:
    """Points where a row is brighter than both sides: centres, edges and contrast."""

    x: Floats
    y: Floats
    left: Floats
    right: Floats
    contrast: Floats


def find_lane_lines(
    image: NDArray[np.uint8], *, vanishing_point: tuple[float, float] | None = None
) -> tuple[LaneLine, ...]:
    """Straight painted lines of a photo, the longest first.

    Args:
        image: uint8 (H, W, 3) RGB, or (H, W) grey.
        vanishing_point: (x, y) px where known: only lines towards it are looked for, and shorter ones count.
    """
    scale = min(1.0, WORKING_WIDTH_PX / image.shape[1])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    height = small.shape[0]
    target = None
    if vanishing_point is not None:
        target = ((vanishing_point[0] + 0.5) * scale - 0.5, (vanishing_point[1] + 0.5) * scale - 0.5)
    top = TOP_SHARE * height if target is None else max(0.0, target[1] + 0.1 * height)
    bars = _bars(small, round(top))
    least_rows = (0.12 if target is None else 0.06) * height
    left_over = np.ones(len(bars.x), bool)
    lines = []
    for _ in range(MOST_LINES):
        start = _strongest(bars, left_over, height, target)
        if start is None:
            break
        members = left_over & (np.abs(bars.x - start[0] * bars.y - start[1]) < 3 * LINE_TOLERANCE_PX)
        fitted = _fit(bars, members, target)
        taken = left_over & (np.abs(bars.x - start[0] * bars.y - start[1]) < 4 * LINE_TOLERANCE_PX)
        if fitted is not None:
            near = np.abs(bars.x - fitted[0] * bars.y - fitted[1])
            taken |= left_over & (near < 2 * LINE_TOLERANCE_PX)
            members = left_over & (near < LINE_TOLERANCE_PX)
            rows = np.unique(bars.y[members])
            if len(rows) * _ROW_STEP >= least_rows and _longest_run(rows) >= LEAST_RUN_SHARE * height:
                lines.append(_line(bars, members, fitted, height, scale, target))
        left_over &= ~taken
    return tuple(sorted(lines, key=lambda line: -line.rows_share))


def _longest_run(rows: Floats) -> float:
    """Rows of the longest stretch without gaps: a dash of paint is whole, lines in texture are not."""
    ends = np.flatnonzero(np.diff(rows) > 2 * _ROW_STEP)
    starts = np.concatenate(([0], ends + 1))
    stops = np.concatenate((ends, [len(rows) - 1]))
    return float((rows[stops] - rows[starts]).max()) + _ROW_STEP


def _bars(image: NDArray[Any], top: int) -> _Bars:
    """Points of every second row that are brighter, or yellower, than both sides."""
    colour = image.astype(np.float32)
    channels: list[NDArray[Any]]
    if colour.ndim == 2:
        channels = [colour]
    else:
        # Grey without blue: white and yellow paint both stand out; yellowness is for pale pavement.
        red, green, blue = cv2.split(colour)
        channels = [(red + green) / 2, cv2.min(red, green) - blue]
    found = [_bars_of_channel(cv2.blur(channel, (3, 3)), top) for channel in channels]
    best = found[0]
    if len(found) == 2 and found[1][0].size:
        # A point of yellow counts where the grey picture has none beside it.
        seen: NDArray[Any] = np.zeros(image.shape[:2], np.uint8)
        seen[best[1].astype(int), best[0].astype(int)] = 1
        seen = cv2.dilate(seen, np.ones((3, 2 * max(BAR_WIDTHS_PX) // 2 + 1), np.uint8))
        new = seen[found[1][1].astype(int), found[1][0].astype(int)] == 0
        joined: list[Floats] = [
            np.concatenate((first, second[new])) for first, second in zip(best, found[1], strict=True)
        ]
        return _Bars(*joined)
    return _Bars(*best)


def _bars_of_channel(channel: NDArray[Any], top: int) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Centres x, rows y, left and right edges, contrast."""
    width = channel.shape[1]
    response = np.zeros_like(channel)
    for bar in BAR_WIDTHS_PX:
        mean = cv2.blur(channel, (bar, 1), borderType=cv2.BORDER_REPLICATE)
        side = bar + bar // 4 + 1
        padded = cv2.copyMakeBorder(mean, 0, 0, side, side, cv2.BORDER_REPLICATE)
        difference = mean - np.maximum(padded[:, :width], padded[:, 2 * side :])
        np.maximum(response, difference, out=response)
    noise = 1.4826 * float(np.median(np.abs(response - np.median(response))))
    highest = cv2.dilate(response, np.ones((1, 25), np.uint8))
    is_peak = (response >= highest) & (response > max(LEAST_CONTRAST, NOISE_MULTIPLE * noise))
    is_peak[:top] = False
    keep = np.zeros_like(is_peak)
    keep[::_ROW_STEP] = True
    y, x = np.nonzero(is_peak & keep)
    contrast = response[y, x].astype(np.float64)
    right = _edge(channel, x, y, contrast, 1)
    left = _edge(channel, x, y, contrast, -1)
    good = np.isfinite(left) & np.isfinite(right)
    centre = (left + right) / 2
    return centre[good], y[good].astype(np.float64), left[good], right[good], contrast[good]


def _edge(
    channel: NDArray[Any], x: NDArray[np.intp], y: NDArray[np.intp], contrast: Floats, step: int
) -> Floats:
    """Where the brightness falls to half of the bar's contrast, in parts of a pixel; else nan."""
    reach = np.arange(REACH_PX + 1)
    columns = np.clip(x[:, None] + step * reach[None, :], 0, channel.shape[1] - 1)
    profile = channel[y[:, None], columns]
    level = (profile[:, 0] - contrast / 2)[:, None]
    below = profile < level
    first = np.argmax(below, axis=1)
    found = below.any(axis=1) & (first > 0)
    rows = np.arange(len(x))
    inner, outer = profile[rows, np.maximum(first - 1, 0)], profile[rows, first]
    part = (inner - level[:, 0]) / np.maximum(inner - outer, 1e-6)
    return np.where(found, x + step * (first - 1 + part), np.nan)


def _strongest(
    bars: _Bars, use: NDArray[np.bool_], height: int, target: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Slope and offset with the most rows of paint: a Hough vote in slope and position."""
    if use.sum() < 8:
        return None
    x, y = bars.x[use], bars.y[use]
    if target is not None:
        sideways = (x - target[0]) / (y - target[1])
        fits = np.abs(sideways) < LARGEST_SLOPE
        if fits.sum() < 8:
            return None
        # Bins as wide as the tolerance at half of the height below the vanishing point.
        size = LINE_TOLERANCE_PX / (height * (1 + TOP_SHARE) / 2 - min(target[1], 0.0))
        bins = np.round((sideways[fits] + LARGEST_SLOPE) / size).astype(int)
        votes = np.bincount(bins).astype(float)
        votes = np.convolve(votes, np.ones(3), "same")
        slope = float(np.argmax(votes) * size - LARGEST_SLOPE)
        return (slope, target[0] - slope * target[1])
    slopes = np.linspace(-LARGEST_SLOPE, LARGEST_SLOPE, 241)
    # Position at the middle row, so that slope and position are nearly independent.
    middle = 0.6 * height
    at = x[None, :] - slopes[:, None] * (y[None, :] - middle)
    size = 2 * LINE_TOLERANCE_PX
    low = float(at.min())
    columns = np.floor((at - low) / size).astype(int)
    count = int(columns.max()) + 2
    votes = np.bincount(
        (np.arange(len(slopes))[:, None] * count + columns).ravel(), minlength=len(slopes) * count
    )
    table = votes.reshape(len(slopes), count)
    table = table + np.roll(table, 1, axis=1)
    row, column = np.unravel_index(int(np.argmax(table)), table.shape)
    slope = float(slopes[row])
    return slope, float(low + column * size) - slope * middle


def _fit(
    bars: _Bars, members: NDArray[np.bool_], target: tuple[float, float] | None
) -> tuple[float, float] | None:
    """A straight line through the members' centres; short ones are tied to the vanishing point."""
    chosen = members.copy()
    line = None
    for tolerance in (2 * LINE_TOLERANCE_PX, LINE_TOLERANCE_PX, LINE_TOLERANCE_PX):
        if chosen.sum() < 6:
            return None
        line = _straight(bars.x[chosen], bars.y[chosen], target)
        chosen = members & (np.abs(bars.x - line[0] * bars.y - line[1]) < tolerance)
    return line


def _straight(x: Floats, y: Floats, target: tuple[float, float] | None) -> tuple[float, float]:
    """Least squares; with a target the line also passes near it, the less so the longer the line."""
    if target is not None:
        # One made-up point at the target, worth a twentieth of the paint.
        pull = max(1.0, 0.05 * len(x))
        x, y = np.append(x, target[0]), np.append(y, target[1])
        weight = np.append(np.ones(len(x) - 1), pull**0.5)
    else:
        weight = np.ones(len(x))
    middle = float(np.average(y, weights=weight))
    matrix = np.column_stack((y - middle, np.ones(len(y)))) * weight[:, None]
    slope, at_middle = np.linalg.lstsq(matrix, x * weight, rcond=None)[0]
    return float(slope), float(at_middle - slope * middle)


def _line(
    bars: _Bars,
    members: NDArray[np.bool_],
    centre: tuple[float, float],
    height: int,
    scale: float,
    target: tuple[float, float] | None,
) -> LaneLine:
    """The line with its edges, in pixels of the full photo."""
    y = bars.y[members]
    edges = []
    for side in (bars.left[members], bars.right[members]):
        line = _straight(side, y, target)
        off = np.abs(side - line[0] * y - line[1])
        near = off <= max(1.0, 2.5 * float(np.median(off)))
        edges.append(_straight(side[near], y[near], target))

    def full(line: tuple[float, float]) -> tuple[float, float]:
        # Pixel centres at whole numbers in both pictures.
        return line[0], (line[1] + 0.5 + line[0] * (0.5 * scale - 0.5)) / scale - 0.5

    return LaneLine(
        centre=full(centre),
        left=full(edges[0]),
        right=full(edges[1]),
        top_px=float(y.min()) / scale,
        bottom_px=float(y.max()) / scale,
        rows_share=min(1.0, len(np.unique(y)) * _ROW_STEP / height),
        contrast=float(np.median(bars.contrast[members])),
        spread_px=float(np.std(bars.x[members] - centre[0] * y - centre[1])) / scale,
    )


def meeting_point(
    lines: Sequence[Sequence[LaneLine]], start: tuple[float, float] | None = None
) -> tuple[float, float]:
    """The point nearest to the lines of all frames, outliers left out.

    Args:
        lines: lines of each frame.
        start: a first guess (x, y) px; without it, the crossing that the most crossings lie near.

    Raises:
        CalibrationError: no two lines of any frame cross above their paint.
    """
    if start is None:
        start = _commonest_crossing(lines)
    every = [line for frame in lines for line in frame]
    slopes = np.array([line.centre[0] for line in every])
    offsets = np.array([line.centre[1] for line in every])
    weights = np.array([line.rows_share for line in every])
    point = np.array(start)
    matrix = np.column_stack((np.ones(len(every)), -slopes)) / np.hypot(1, slopes)[:, None]
    values = offsets / np.hypot(1, slopes)
    scale = 0.1 * float(np.median([line.bottom_px for line in every]))
    for _ in range(12):
        off = matrix @ point - values
        belief = weights / (1 + (off / scale) ** 2) ** 2
        system = matrix.T @ (matrix * belief[:, None])
        if np.linalg.cond(system) > 1e9:
            break
        point = np.linalg.solve(system, matrix.T @ (values * belief))
        near = np.abs(matrix @ point - values)
        near = near[near < 3 * scale]
        scale = max(2.0, min(scale, 2.0 * 1.4826 * float(np.median(near)) if near.size else scale))
    return float(point[0]), float(point[1])


def _commonest_crossing(lines: Sequence[Sequence[LaneLine]]) -> tuple[float, float]:
    crossings: list[tuple[float, float, float]] = []
    reach = 1.0
    for frame in lines:
        for i, first in enumerate(frame):
            for second in frame[i + 1 :]:
                turn = first.centre[0] - second.centre[0]
                if abs(turn) < 0.3:
                    continue
                y = (second.centre[1] - first.centre[1]) / turn
                if y < min(first.top_px, second.top_px):
                    weight = min(first.rows_share, second.rows_share)
                    crossings.append((first.centre[0] * y + first.centre[1], y, weight))
                    reach = max(reach, first.bottom_px)
    if not crossings:
        raise CalibrationError(
            "No two lane markings that meet in the distance were found in these frames.",
            "Choose frames of a straight, marked stretch, or enter the camera by four points on the road.",
        )
    table = np.array(crossings)[:4000]
    centres = table[np.linspace(0, len(table) - 1, min(len(table), 400)).astype(int)]
    distance = np.hypot(centres[:, None, 0] - table[None, :, 0], centres[:, None, 1] - table[None, :, 1])
    score = (table[None, :, 2] / (1 + (distance / (0.04 * reach)) ** 2)).sum(axis=1)
    best = centres[int(np.argmax(score))]
    return float(best[0]), float(best[1])


def vanishing_point(
    frames: Sequence[NDArray[np.uint8]], *, resamples: int = 100, seed: int = 0
) -> VanishingPoint:
    """Where the lane markings of a survey's frames meet; the camera is taken as fixed to the vehicle.

    Args:
        frames: uint8 (H, W, 3) RGB of one size.
        resamples: draws of frames for the uncertainty.
        seed: of these draws.

    Raises:
        CalibrationError: no frames, or no two markings that meet.
    """
    return vanishing_point_of_lines(
        [find_lane_lines(frame) for frame in frames], resamples=resamples, seed=seed
    )


def vanishing_point_of_lines(
    lines: Sequence[Sequence[LaneLine]], *, resamples: int = 100, seed: int = 0
) -> VanishingPoint:
    """As `vanishing_point`, from lines that were found before."""
    used = [frame for frame in lines if len(frame) >= 2]
    point = meeting_point(used)
    draws = []
    generator = np.random.default_rng(seed)
    if len(used) > 1:
        for _ in range(resamples):
            chosen = generator.integers(0, len(used), len(used))
            draws.append(meeting_point([used[index] for index in chosen], point))
    sigma = np.std(draws, axis=0) if draws else np.full(2, np.nan)
    return VanishingPoint(point[0], point[1], float(sigma[0]), float(sigma[1]), len(used))
