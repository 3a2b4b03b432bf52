"""Forward camera of a survey without targets: direction from paint and flow, height from the lane's width.

Lines along the road meet in the vanishing point, which with the focal length gives pitch and yaw; how the
road flows between successive frames gives the same point again, and the tilt of the horizon. The lane's width
gives the height. The focal length comes from how far the flow says the camera went, against the positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.camera_profiles import ForwardProfile
from engine.errors import CalibrationError
from engine.lane_markings import LaneLine, find_lane_lines, meeting_point
from engine.lane_polygon import LaneEdges, lane_edges, straighten
from engine.road_camera import RoadView, camera_of, focal_from_flow
from engine.road_flow import RoadMotion, RoadStep, road_motion, road_step, step_towards

Floats = NDArray[np.float64]
MOST_FRAMES, MOST_PAIRS = 60, 80
LEAST_FRAMES, LEAST_PAIRS = 3, 5
LONGEST_STEP_M = 15.0
# Half of the picture's width is seen under 26.6 degrees: a usual survey camera, where nothing is known.
ASSUMED_FOCAL_SHARE = 1.0
TRIMMED_SHARE = 0.15
LEAST_SIGMA_PX = 0.2
# What looks like paint on bare pavement agrees with itself in no frame but its own.
LARGEST_HEIGHT_SIGMA_SHARE = 0.2


@dataclass(frozen=True)
class SelfCalibration:
    """A camera profile that a survey's own frames gave.

    Attributes:
        profile: the camera and its lane.
        uncertainty: one sigma by the name of the profile's value, by resampling frames; values that were
            given or assumed are left out.
        frames_used: frames with lane markings that were used.
        pairs_used: pairs of successive frames whose flow was used.
        notes: what was assumed and what cannot be told apart.
    """

    profile: ForwardProfile
    uncertainty: dict[str, float]
    frames_used: int
    pairs_used: int
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return {
            "profile": self.profile.as_dict(),
            "uncertainty": dict(self.uncertainty),
            "frames_used": self.frames_used,
            "pairs_used": self.pairs_used,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class _Seen:
    """What the frames showed: paint of each frame, flow and metres driven of each pair.

    shifts: (pairs, 4) shift in u at `origin` (x, y, tilt), and what it changes by each of these three.
    """

    lines: list[tuple[LaneLine, ...]]
    edges: LaneEdges
    motions: list[RoadMotion | None]
    metres: Floats
    shifts: Floats
    origin: Floats


def self_calibrate(
    frames: Sequence[NDArray[np.uint8]],
    *,
    lane_width_m: float = 3.6,
    focal_px: float | None = None,
    chainages_m: Sequence[float | None] | None = None,
    runs: Sequence[int] | None = None,
    centre_px: tuple[float, float] | None = None,
    k1: float = 0.0,
    k2: float = 0.0,
    resamples: int = 100,
    seed: int = 0,
) -> SelfCalibration:
    """Calibrate a forward camera from frames of one survey.

    At most `MOST_FRAMES` frames are searched for paint and `MOST_PAIRS` pairs of successive frames for flow.

    Args:
        frames: uint8 (H, W, 3) RGB of one camera, in driving order.
        lane_width_m: between the edges of the paint that face the lane.
        focal_px: where known (`engine.focal_length`); else from flow and chainages, else assumed.
        chainages_m: position of each frame along the road, None where unknown; their differences are used.
        runs: number of the run of successive frames that each belongs to; flow is sought within runs only.
            None: all are one.
        centre_px: principal point; None: the picture's centre.
        k1, k2: radial lens distortion where known; the frames are straightened first.
        resamples: draws of frames for the uncertainty.
        seed: of these draws.

    Raises:
        CalibrationError: too few frames, no paint on both sides or none that agrees, or values that make no
            sense.
    """
    known = _check(frames, lane_width_m, focal_px, chainages_m, centre_px, k1, k2)
    if runs is not None and len(runs) != len(frames):
        raise CalibrationError(
            f"There are {len(runs)} numbers of runs for {len(frames)} frames.", "Give one for each frame."
        )
    if focal_px is not None and (k1 or k2):
        frames = [straighten(frame, focal_px, known.centre, k1, k2) for frame in frames]
    seen = _look(frames, chainages_m, runs)
    profile, measured = _solve(seen, known)
    values = replace(profile, k1=k1, k2=k2, centre_px=centre_px)
    uncertainty = _uncertainty(seen, known, profile, resamples, seed)
    if not measured:
        uncertainty.pop("focal_px", None)
    if len(_fitting(seen)) < LEAST_PAIRS:
        uncertainty.pop("roll_deg", None)
    used = np.isfinite(seen.edges.points_left[:, 0]) | np.isfinite(seen.edges.points_right[:, 0])
    sigma_m = uncertainty.get("height_m", np.inf if resamples > 1 else 0.0)
    if used.sum() < LEAST_FRAMES or sigma_m > LARGEST_HEIGHT_SIGMA_SHARE * profile.height_m:
        raise CalibrationError(
            f"Lane markings in {used.sum()} of {len(seen.lines)} frames do not agree: a height of "
            f"{profile.height_m:.1f} m would be uncertain by {sigma_m:.1f} m.",
            "Choose frames with paint on both sides of the lane, or enter the camera by four points.",
        )
    return SelfCalibration(
        profile=values,
        uncertainty=uncertainty,
        frames_used=int(used.sum()),
        pairs_used=len(_fitting(seen)),
        notes=_notes(seen, known, profile.focal_px, measured),
    )


def _uncertainty(
    seen: _Seen, known: RoadView, profile: ForwardProfile, resamples: int, seed: int
) -> dict[str, float]:
    """One sigma of each value: draws of frames, and how far paint and flow disagree."""
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        try:
            drawn.append(_solve(_resampled(seen, generator), known)[0])
        except CalibrationError:
            continue  # a draw of frames without both edges
    if len(drawn) < 2:
        return {}
    spread = _method_spread(seen, known, profile)
    return {
        name: float(np.hypot(np.std([getattr(camera, name) for camera in drawn]), spread.get(name, 0.0)))
        for name in _VALUES
    }


_VALUES = ("pitch_deg", "roll_deg", "yaw_deg", "height_m", "focal_px", "lane_left_m", "lane_right_m")


def _check(
    frames: Sequence[NDArray[np.uint8]],
    lane_width_m: float,
    focal_px: float | None,
    chainages_m: Sequence[float | None] | None,
    centre_px: tuple[float, float] | None,
    k1: float,
    k2: float,
) -> RoadView:
    if len(frames) < LEAST_FRAMES:
        raise CalibrationError(
            f"{len(frames)} frames are too few to calibrate a camera.",
            f"Choose {LEAST_FRAMES} or more of one camera, better 30, or enter it by four points.",
        )
    shapes = {frame.shape for frame in frames}
    if len(shapes) > 1 or len(next(iter(shapes))) != 3:
        raise CalibrationError(
            f"The frames have different sizes: {', '.join(str(shape) for shape in sorted(shapes))}.",
            "Choose colour photos of one camera.",
        )
    if not 1.0 <= lane_width_m <= 20.0:
        raise CalibrationError(f"lane_width_m is {lane_width_m:g}.", "Give the lane's width, 1 to 20 m.")
    if chainages_m is not None and len(chainages_m) != len(frames):
        raise CalibrationError(
            f"There are {len(chainages_m)} chainages for {len(frames)} frames.", "Give one for each frame."
        )
    if focal_px is not None and not focal_px > 0:
        raise CalibrationError(
            f"focal_px is {focal_px:g}.", "Give the focal length in pixels, or leave it out."
        )
    if (k1 or k2) and focal_px is None:
        raise CalibrationError("focal_px is missing.", "k1 and k2 need it; give both or none.")
    height, width = frames[0].shape[:2]
    centre = centre_px or ((width - 1) / 2, (height - 1) / 2)
    return RoadView(width, height, centre, lane_width_m, focal_px)


def _look(
    frames: Sequence[NDArray[np.uint8]],
    chainages_m: Sequence[float | None] | None,
    runs: Sequence[int] | None,
) -> _Seen:
    """Search a sample of frames for paint and a sample of pairs for flow."""
    sample = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), MOST_FRAMES)).round().astype(int))
    lines = [find_lane_lines(frames[index]) for index in sample]
    point = meeting_point(lines)
    edges = lane_edges([find_lane_lines(frames[index], vanishing_point=point) for index in sample], point)
    pairs = []
    for index in range(len(frames) - 1):
        if runs is not None and runs[index] != runs[index + 1]:
            continue
        distance = np.nan
        if chainages_m is not None:
            first, second = chainages_m[index], chainages_m[index + 1]
            if first is not None and second is not None:
                distance = abs(second - first)
                if not 0 < distance <= LONGEST_STEP_M:
                    continue
        pairs.append((index, distance))
    picked: Any = (
        np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), MOST_PAIRS)).round().astype(int))
        if pairs
        else []
    )
    steps, motions, metres = [], [], []
    for index, distance in (pairs[pick] for pick in picked):
        step = road_step(frames[index], frames[index + 1], point, (edges.left, edges.right))
        if step is not None:
            steps.append(step)
            motions.append(road_motion(step, point))
            metres.append(distance)
    seen = _Seen(lines, edges, motions, np.array(metres), np.empty((0, 4)), np.array([*point, 0.0]))
    best, tilt = _direction(seen)
    origin = np.array([*best, tilt])
    table = [
        _shifts(step, origin) for step, distance in zip(steps, metres, strict=True) if np.isfinite(distance)
    ]
    shifts = np.full((len(steps), 4), np.nan)
    if table:
        shifts[np.isfinite(metres)] = table
    return replace(seen, shifts=shifts, origin=origin)


def _shifts(step: RoadStep, origin: Floats) -> Floats:
    """Shift in u at a direction, and its slopes: draws of frames move the direction by little."""
    base = step_towards(step, (origin[0], origin[1]), origin[2])
    slopes = []
    for axis, size in enumerate((5.0, 5.0, 0.01)):
        moved = origin.copy()
        moved[axis] += size
        slopes.append((step_towards(step, (moved[0], moved[1]), moved[2]) - base) / size)
    return np.array([base, *slopes])


def _fitting(seen: _Seen) -> list[RoadMotion]:
    return [motion for motion in seen.motions if motion is not None]


def _edge_points(edges: LaneEdges) -> list[tuple[Floats, Floats]]:
    return list(zip(edges.points_left, edges.points_right, strict=True))


def _resampled(seen: _Seen, generator: np.random.Generator) -> _Seen:
    """Frames and pairs drawn with replacement."""
    frames = generator.integers(0, len(seen.lines), len(seen.lines))
    pairs = generator.integers(0, max(1, len(seen.motions)), len(seen.motions))
    edges = replace(
        seen.edges, points_left=seen.edges.points_left[frames], points_right=seen.edges.points_right[frames]
    )
    return replace(
        seen,
        lines=[seen.lines[index] for index in frames],
        edges=edges,
        motions=[seen.motions[index] for index in pairs],
        metres=seen.metres[pairs],
        shifts=seen.shifts[pairs],
    )


def _trimmed_mean(values: Sequence[float]) -> tuple[float, float]:
    """Mean without the outer values, and its standard error.

    Jolts turn the camera to and fro: over successive pairs their mean is nought, their median need not be.
    """
    ordered = np.sort(np.asarray(values))
    cut = int(TRIMMED_SHARE * len(ordered))
    kept = ordered[cut : len(ordered) - cut]
    return float(kept.mean()), float(kept.std() / np.sqrt(len(kept)) / (1 - 2 * TRIMMED_SHARE)) if len(
        kept
    ) > 1 else 0.0


def _directions(seen: _Seen) -> list[tuple[float, float, float, float]]:
    """(x, y, sigma x, sigma y) of the vanishing point from paint, and from flow where enough of it fits."""
    used = [frame for frame in seen.lines if frame]
    x, y = meeting_point(used)
    # Leave a tenth out: how far the point depends on which frames are in.
    parts = []
    for part in range(10):
        some = [frame for index, frame in enumerate(used) if index % 10 != part]
        if some:
            parts.append(meeting_point(some, (x, y)))
    sigma = np.maximum(np.std(parts, axis=0) * 3.0, LEAST_SIGMA_PX) if len(parts) > 1 else np.ones(2)
    found = [(x, y, float(sigma[0]), float(sigma[1]))]
    motions = _fitting(seen)
    if len(motions) >= LEAST_PAIRS:
        flow_x, sigma_x = _trimmed_mean([motion.x_px for motion in motions])
        flow_y, sigma_y = _trimmed_mean([motion.y_px for motion in motions])
        found.append((flow_x, flow_y, max(sigma_x, LEAST_SIGMA_PX), max(sigma_y, LEAST_SIGMA_PX)))
    return found


def _direction(seen: _Seen) -> tuple[Floats, float]:
    """Vanishing point, paint and flow weighed by certainty, and tilt of the horizon (0 without flow)."""
    table = np.array(_directions(seen))
    weights = 1 / table[:, 2:] ** 2
    point: Floats = (table[:, :2] * weights).sum(axis=0) / weights.sum(axis=0)
    motions = _fitting(seen)
    tilt = _trimmed_mean([motion.tilt for motion in motions])[0] if len(motions) >= LEAST_PAIRS else 0.0
    return point, tilt


def _solve(seen: _Seen, known: RoadView) -> tuple[ForwardProfile, bool]:
    """The camera that explains what was seen, and whether the focal length was measured."""
    point, tilt = _direction(seen)
    focal, measured = known.focal_px, False
    if focal is None:
        metres = _metres_per_shift(seen, point, tilt)
        focal = None if metres is None else focal_from_flow(seen.edges, known, point, tilt, metres)
        measured = focal is not None
    focal = focal or ASSUMED_FOCAL_SHARE * known.width_px
    return camera_of(seen.edges, known, point, tilt, focal), measured


def _metres_per_shift(seen: _Seen, point: Floats, tilt: float) -> float | None:
    """Metres driven for a shift of 1 in u, from the pairs with known distances; None for too few."""
    off = np.array([point[0], point[1], tilt]) - seen.origin
    shifts = seen.shifts[:, 0] + seen.shifts[:, 1:] @ off
    good = np.isfinite(shifts) & (shifts > 0) & np.isfinite(seen.metres)
    if good.sum() < LEAST_PAIRS:
        return None
    # Sum by sum: positions are rounded or late by a metre or two, which sums forgive and ratios do not.
    return float(seen.metres[good].sum() / shifts[good].sum())


def _notes(seen: _Seen, known: RoadView, focal_px: float, measured: bool) -> tuple[str, ...]:
    """What was assumed, and what cannot be told apart."""
    notes = []
    if known.focal_px is not None:
        notes.append("The focal length was given.")
    elif measured:
        notes.append("The focal length comes from the flow between frames and the distances driven.")
    else:
        notes.append(
            f"The focal length was assumed to be {focal_px:.0f} px (the picture's width): neither it nor "
            "enough distances between overlapping frames were given. It trades off against pitch and height: "
            "widths across the lane hold, lengths along it do not. Give it, or the field of view."
        )
    pairs = len(_fitting(seen))
    if pairs < LEAST_PAIRS:
        notes.append(
            f"Roll was taken as 0: the flow of {pairs} pairs of successive frames could be followed, "
            f"{LEAST_PAIRS} are needed. Pitch and yaw come from lane markings alone."
        )
    else:
        paint, flow = _directions(seen)
        apart = np.hypot(paint[0] - flow[0], paint[1] - flow[1])
        notes.append(
            f"Vanishing point of the paint ({paint[0]:.0f}, {paint[1]:.0f}) px, of the flow ({flow[0]:.0f}, "
            f"{flow[1]:.0f}) px: {apart:.0f} px apart; their weighted mean is used."
        )
    notes.append(
        f"The height follows from a lane of {known.lane_width_m:g} m between the paint's inner edges."
    )
    notes.append("The principal point and square pixels are taken as given, the road as a plane.")
    return tuple(notes)


def _method_spread(seen: _Seen, known: RoadView, profile: ForwardProfile) -> dict[str, float]:
    """Half of the difference that paint alone and flow alone would make, by value."""
    directions = _directions(seen)
    if len(directions) < 2:
        return {}
    _point, tilt = _direction(seen)
    first, second = (
        camera_of(seen.edges, known, np.array(direction[:2]), tilt, profile.focal_px)
        for direction in directions
    )
    names = ("pitch_deg", "yaw_deg", "height_m", "lane_left_m", "lane_right_m")
    return {name: abs(getattr(first, name) - getattr(second, name)) / 2 for name in names}
