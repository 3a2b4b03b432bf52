"""The surveyed lane from lane markings: pooled over a survey, refined where a frame's paint is clear."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.camera_profiles import ForwardProfile
from engine.errors import CalibrationError
from engine.geometry import to_ground
from engine.lane_markings import LaneLine, find_lane_lines, vanishing_point
from engine.lens import camera_rotation, distort

Floats = NDArray[np.float64]
LARGEST_SIDEWAYS = 3.0
REMEDY = "Choose frames with an edge line and a centre line, or enter the camera by four points on the road."
# Paint beside the clearest paint of the same frame: weaker than this is a seam, a patch or a seal.
LEAST_CONTRAST_SHARE = 0.2
LEAST_PRESENCE_SHARE = 0.3
LEAST_FRAMES_SHARE = 0.15
WANDER_SHARE = 0.06
# Paint over so much of the photo's rows gives a direction of its own.
LONG_SHARE = 0.3
# The lane's far end, as a share of the rows from the vanishing point to the photo's lower edge.
FAR_SHARE = 0.1


@dataclass(frozen=True)
class LaneEdges:
    """Edges of the paint that face the lane, left and right of the camera, in each frame.

    Sideways position: (x - vanishing x) / (y - vanishing y), the same all along a line of the road.

    Attributes:
        left, right: sideways positions, pooled over the frames.
        points_left, points_right: (N, 2) px, a point of each frame's edge in the middle of its paint; nan
            where the paint was not clear.
        lines_left, lines_right: (slope, offset px) of each frame's edge, None where not clear.
        long_left, long_right: (N,) paint long enough for the edge's own direction.
    """

    left: float
    right: float
    points_left: Floats
    points_right: Floats
    lines_left: tuple[tuple[float, float] | None, ...]
    lines_right: tuple[tuple[float, float] | None, ...]
    long_left: NDArray[np.bool_]
    long_right: NDArray[np.bool_]


@dataclass(frozen=True)
class LanePolygon:
    """The lane in the photos of a survey.

    Attributes:
        polygon_px: (N, 2) the survey's lane: near left, far left, far right, near right; may leave the photo.
            4 corners, more where the lens bends the edges.
        frame_polygons_px: the same for each frame, after its own paint where that is clear.
        frame_clear: (N,) whether the frame shows paint on both sides.
        left_m, right_m: lane edges right of the camera; None without a camera profile.
    """

    polygon_px: Floats
    frame_polygons_px: tuple[Floats, ...]
    frame_clear: NDArray[np.bool_]
    left_m: float | None
    right_m: float | None


def estimate_lane_polygon(profile: ForwardProfile | None, frames: Sequence[NDArray[np.uint8]]) -> LanePolygon:
    """The lane that the camera drives in, from the paint on either side; straight edges.

    Args:
        profile: the camera; without it the vanishing point comes from the paint, and the lane has no metres.
        frames: uint8 (H, W, 3) RGB of one size and one camera.

    Raises:
        CalibrationError: no paint on both sides in any frame.
    """
    point = vanishing_point_of(profile) if profile else None
    if point is None:
        found = vanishing_point(frames, resamples=0)
        point = (found.x_px, found.y_px)
    if profile is not None and (profile.k1 or profile.k2):
        frames = [
            straighten(frame, profile.focal_px, profile.centre, profile.k1, profile.k2) for frame in frames
        ]
    edges = lane_edges([find_lane_lines(frame, vanishing_point=point) for frame in frames], point)
    height = frames[0].shape[0]
    rows = (height - 0.5, max(-0.5, point[1] + FAR_SHARE * (height - point[1])))
    left_m = right_m = None
    if profile is not None:
        # The pooled edges as they cross the photo's lower half, where the paint was measured.
        row = point[1] + 0.7 * (height - point[1])
        places = [(point[0] + sideways * (row - point[1]), row) for sideways in (edges.left, edges.right)]
        left_m, right_m = (float(x) for x in to_ground(profile, _bent(np.array(places), profile))[:, 0])
    pooled = tuple((side, point[0] - side * point[1]) for side in (edges.left, edges.right))
    polygons = [_frame_polygon(edges, index, point, rows) for index in range(len(frames))]
    clear = [
        left is not None and right is not None
        for left, right in zip(edges.lines_left, edges.lines_right, strict=True)
    ]
    return LanePolygon(
        polygon_px=_bent_edges(_corners(pooled[0], pooled[1], rows), profile),
        frame_polygons_px=tuple(_bent_edges(polygon, profile) for polygon in polygons),
        frame_clear=np.array(clear),
        left_m=left_m,
        right_m=right_m,
    )


def straighten(
    frame: NDArray[np.uint8], focal_px: float, centre_px: tuple[float, float], k1: float, k2: float
) -> NDArray[np.uint8]:
    """The frame (H, W, 3) as taken without lens distortion, with the same focal length and centre."""
    matrix = np.array([[focal_px, 0, centre_px[0]], [0, focal_px, centre_px[1]], [0, 0, 1]])
    return cv2.undistort(frame, matrix, np.array([k1, k2, 0.0, 0.0])).astype(np.uint8)


def _bent(points: Floats, profile: ForwardProfile) -> Floats:
    """Points of a straightened photo in the photo as taken; nan where the lens shows nothing."""
    return distort(
        (points - profile.centre) / profile.focal_px, profile.k1, profile.k2
    ) * profile.focal_px + (profile.centre)


def _bent_edges(corners: Floats, profile: ForwardProfile | None) -> Floats:
    """A lane's four corners, or enough points along its edges where the lens bends them."""
    if profile is None or not (profile.k1 or profile.k2):
        return corners
    parts = np.linspace(0, 1, 16)[:, None]
    left = corners[0] + parts * (corners[1] - corners[0])
    right = corners[2] + parts * (corners[3] - corners[2])
    points = _bent(np.concatenate((left, right)), profile)
    return points[np.isfinite(points).all(axis=1)]


def vanishing_point_of(profile: ForwardProfile) -> tuple[float, float] | None:
    """Where lines along the lane meet in the straightened photo (px); None where they do not."""
    ahead = camera_rotation(profile.pitch_deg, profile.roll_deg, profile.yaw_deg)[:, 1]
    if ahead[2] < 0.05:
        return None
    x, y = ahead[:2] / ahead[2] * profile.focal_px + profile.centre
    return float(x), float(y)


def lane_edges(lines: Sequence[Sequence[LaneLine]], meeting: tuple[float, float]) -> LaneEdges:
    """The lane below the camera from the painted lines of a survey's frames.

    Args:
        lines: painted lines of each frame (`find_lane_lines` with the vanishing point).
        meeting: the vanishing point, (x, y) px.

    Raises:
        CalibrationError: no frame with paint on both sides of the camera.
    """
    frames = [_clear(frame, meeting) for frame in lines]
    spacing = _spacing(frames)
    pooled = {side: _pooled(frames, side, WANDER_SHARE * spacing) for side in (-1, 1)}
    chosen = {
        side: [_innermost(frame, side, pooled[side], 0.2 * spacing) for frame in frames] for side in (-1, 1)
    }
    edges: dict[int, list[tuple[float, float] | None]] = {}
    points = {}
    for side, picks in chosen.items():
        edges[side] = [None if line is None else line.left if side > 0 else line.right for line in picks]
        points[side] = np.full((len(picks), 2), np.nan)
        for index, (line, edge) in enumerate(zip(picks, edges[side], strict=True)):
            if line is not None and edge is not None:
                row = (line.top_px + line.bottom_px) / 2
                points[side][index] = (edge[0] * row + edge[1], row)
    places = [(found[:, 0] - meeting[0]) / (found[:, 1] - meeting[1]) for found in (points[-1], points[1])]
    left, right = pooled_edges(places[0], places[1])
    long = {
        side: np.array([line is not None and line.rows_share >= LONG_SHARE for line in picks])
        for side, picks in chosen.items()
    }
    return LaneEdges(
        left,
        right,
        points[-1],
        points[1],
        tuple(edges[-1]),
        tuple(edges[1]),
        long_left=long[-1],
        long_right=long[1],
    )


def pooled_edges(left: Floats, right: Floats) -> tuple[float, float]:
    """Left and right edge over frames: the width of those that show both, placed by all.

    Args:
        left, right: (N,) across the lane in any one unit, nan where a frame does not show the edge.

    Raises:
        CalibrationError: no frame shows both.
    """
    both = np.isfinite(left) & np.isfinite(right)
    if not both.any():
        raise CalibrationError(
            "No frame shows paint on both sides of the lane.",
            REMEDY,
        )
    width = float(np.median((right - left)[both]))
    middles = np.where(
        both, (left + right) / 2, np.where(np.isfinite(left), left + width / 2, right - width / 2)
    )
    middle = float(np.nanmedian(middles))
    return middle - width / 2, middle + width / 2


def _frame_polygon(
    edges: LaneEdges, index: int, point: tuple[float, float], rows: tuple[float, float]
) -> Floats:
    """The lane of one frame: its own edges, else its other edge and the survey's width, else the survey's."""
    width = edges.right - edges.left
    own = []
    sides = (
        (edges.lines_left, edges.points_left, edges.long_left),
        (edges.lines_right, edges.points_right, edges.long_right),
    )
    for lines, points, long in sides:
        line = lines[index]
        if line is not None and not long[index]:
            # A short dash gives the place; the direction is the survey's.
            x, y = points[index]
            slope = float((x - point[0]) / (y - point[1]))
            line = (slope, point[0] - slope * point[1])
        own.append(line)
    left, right = own
    if left is None and right is None:
        left = (edges.left, point[0] - edges.left * point[1])
    if left is None and right is not None:
        left = (right[0] - width, right[1] + width * point[1])
    if right is None and left is not None:
        right = (left[0] + width, left[1] - width * point[1])
    return _corners(left, right, rows) if left and right else np.empty((0, 2))


def _corners(left: tuple[float, float], right: tuple[float, float], rows: tuple[float, float]) -> Floats:
    near, far = rows
    return np.array(
        [
            (left[0] * near + left[1], near),
            (left[0] * far + left[1], far),
            (right[0] * far + right[1], far),
            (right[0] * near + right[1], near),
        ]
    )


def _sideways(line: tuple[float, float], row: float, meeting: tuple[float, float]) -> float:
    return (line[0] * row + line[1] - meeting[0]) / (row - meeting[1])


def _clear(frame: Sequence[LaneLine], meeting: tuple[float, float]) -> list[tuple[float, LaneLine]]:
    """Lines of one frame with their sideways positions, faint ones left out."""
    best = max((line.contrast for line in frame), default=0.0)
    clear = []
    for line in frame:
        row = (line.top_px + line.bottom_px) / 2
        if row <= meeting[1] or line.contrast < LEAST_CONTRAST_SHARE * best:
            continue
        sideways = _sideways(line.centre, row, meeting)
        if abs(sideways) < LARGEST_SIDEWAYS:
            clear.append((sideways, line))
    return clear


def _spacing(frames: Sequence[Sequence[tuple[float, LaneLine]]]) -> float:
    """A first guess of the lane's width in sideways positions."""
    widths = []
    for frame in frames:
        left = [sideways for sideways, _ in frame if sideways < 0]
        right = [sideways for sideways, _ in frame if sideways > 0]
        if left and right:
            widths.append(min(right) - max(left))
    if not widths:
        raise CalibrationError(
            "No frame shows lane markings on both sides of the camera.",
            REMEDY,
        )
    return float(np.median(widths))


def _pooled(frames: Sequence[Sequence[tuple[float, LaneLine]]], side: int, spread: float) -> float:
    """Sideways position of the nearest line on this side (-1 left, 1 right) that enough frames show."""
    grid = np.arange(0.0, LARGEST_SIDEWAYS, spread / 4)
    presence = np.zeros_like(grid)
    for frame in frames:
        places = [abs(sideways) for sideways, _ in frame if sideways * side > 0]
        if places:
            kernel = np.exp(-0.5 * ((grid[:, None] - np.array(places)[None, :]) / spread) ** 2)
            presence += kernel.max(axis=1)
    if presence.max() < LEAST_FRAMES_SHARE * len(frames):
        raise CalibrationError(
            f"Too few frames show paint {'left' if side < 0 else 'right'} of the camera in one place.", REMEDY
        )
    enough = LEAST_PRESENCE_SHARE * presence.max()
    peaks = np.flatnonzero(
        (presence >= enough)
        & (presence >= np.concatenate(([0.0], presence[:-1])))
        & (presence > np.concatenate((presence[1:], [0.0])))
    )
    return side * float(grid[peaks[0] if peaks.size else int(np.argmax(presence))])


def _innermost(
    frame: Sequence[tuple[float, LaneLine]], side: int, pooled: float, reach: float
) -> LaneLine | None:
    """The paint beside the lane in one frame; of a double line the nearer one."""
    near = [(sideways, line) for sideways, line in frame if abs(sideways - pooled) < reach]
    if not near:
        return None
    clearest = max(line.contrast for _, line in near)
    strong = [found for found in near if found[1].contrast >= 0.5 * clearest]
    return min(strong, key=lambda found: side * found[0])[1]
