"""Measures cracks on a mask: length, width, area and direction (torch-free).

Length is that of the centre line after a short running mean (pixel steps alone are up to 8 % too long).
Width is read across the centre line, to a fraction of a pixel. docs/guide/measurement.md states the errors,
measured on drawn lines.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import shapely
from scipy.ndimage import map_coordinates

from engine.crack_network import bridges, build_graph, length_of
from engine.errors import SettingsError
from engine.skeleton import centre_lines, smooth

Floats = npt.NDArray[np.float64]

# Step of the walk across a crack; the edge is interpolated within a step.
STEP_PX = 0.5
# Simplified polylines stay this near to the smoothed centre line.
POLYLINE_TOLERANCE_PX = 1.0
MIN_LENGTH_PX = 10.0
# Widths are averaged over this many pixels along the crack before the maximum is taken.
WIDTH_WINDOW_PX = 9
BRIDGE_PX = 12.0
PINHOLE_PX = 12


@dataclass(frozen=True)
class Limits:
    """What counts as a crack.

    Attributes:
        min_length_px: shorter pieces are taken as specks and counted nowhere.
        min_width_px: so are those of a smaller mean width.
        bridge_px: gaps up to this, between ends in line with each other, count as crack length (no area, no
            width); 0: none.
    """

    min_length_px: float = MIN_LENGTH_PX
    min_width_px: float = 0.0
    bridge_px: float = BRIDGE_PX


USUAL = Limits()


@dataclass(frozen=True)
class Branch:
    """A piece of centre line between two ends or junctions.

    Attributes:
        line_px: (N, 2) float of (x, y), about one vertex a pixel, smoothed.
        widths_px: (N,) width at each vertex.
        bridged: whether it only spans a gap between two pieces in line with each other.
    """

    line_px: Floats
    widths_px: Floats
    bridged: bool = False


@dataclass(frozen=True)
class Crack:
    """One connected crack or crack network.

    Attributes:
        length_px: of all its branches, `bridged_length_px` of it across gaps.
        mean_width_px: mean along its length, gaps left out, and so are the median and the 95th percentile;
            max_width_px: greatest mean over 9 px of length.
        area_px: its mask pixels.
        orientation_deg: length-weighted direction, 0 <= d < 180: 0 along image x, 45 rising to the right as
            seen, 90 along image y.
        box_px: (left, top, right, bottom), right and bottom exclusive.
        polylines_px: one (N, 2) float array of (x, y) pixel centres per branch, simplified to 1 px, the
            longest branch first.
        branches: the same branches in the same order, with every vertex and its width.
        nodes: junctions of its centre lines.
        tortuosity: length of its branches / straight distances of their ends, >= 1; 1 for a lone ring.
    """

    length_px: float
    bridged_length_px: float
    mean_width_px: float
    median_width_px: float
    p95_width_px: float
    max_width_px: float
    area_px: int
    orientation_deg: float
    box_px: tuple[int, int, int, int]
    polylines_px: tuple[Floats, ...]
    gsd_mm_per_px: float | None
    branches: tuple[Branch, ...]
    nodes: int
    tortuosity: float

    @property
    def polyline_px(self) -> Floats:
        """The longest branch: (N, 2) of (x, y)."""
        return self.polylines_px[0]

    @property
    def length_m(self) -> float | None:
        """Metres; None without a ground sampling distance."""
        return None if self.gsd_mm_per_px is None else self.length_px * self.gsd_mm_per_px / 1000

    @property
    def mean_width_mm(self) -> float | None:
        """Millimetres; None without a ground sampling distance."""
        return None if self.gsd_mm_per_px is None else self.mean_width_px * self.gsd_mm_per_px

    @property
    def max_width_mm(self) -> float | None:
        """Millimetres; None without a ground sampling distance."""
        return None if self.gsd_mm_per_px is None else self.max_width_px * self.gsd_mm_per_px


@dataclass(frozen=True)
class CrackMeasurement:
    """All cracks of one image; lengths and widths are 0 and the direction None where there are none.

    Attributes:
        crack_pixels: mask pixels of the counted cracks within the surveyed area.
        surveyed_pixels: pixels of the surveyed area.
        mean_width_px: mean along the whole length, bridged gaps left out.
        orientation_deg: as in `Crack`, over all cracks.
        gsd_mm_per_px: ground sampling distance; None keeps all results in pixels.
        cracks: longest first.
        limits: by which they were counted.
    """

    crack_pixels: int
    surveyed_pixels: int
    crack_length_px: float
    mean_width_px: float
    max_width_px: float
    orientation_deg: float | None
    gsd_mm_per_px: float | None
    cracks: tuple[Crack, ...]
    limits: Limits

    @property
    def crack_area_ratio(self) -> float:
        """Crack pixels / surveyed pixels, 0 to 1."""
        return self.crack_pixels / self.surveyed_pixels if self.surveyed_pixels else 0.0

    @property
    def crack_density_per_px(self) -> float:
        """Crack length / surveyed pixels, unit 1/px."""
        return self.crack_length_px / self.surveyed_pixels if self.surveyed_pixels else 0.0

    @property
    def crack_density_m_per_m2(self) -> float | None:
        """Crack length / surveyed area, m/m2; None without a ground sampling distance."""
        return None if self.gsd_mm_per_px is None else self.crack_density_per_px * 1000 / self.gsd_mm_per_px

    @property
    def crack_length_m(self) -> float | None:
        """Metres; None without a ground sampling distance."""
        return None if self.gsd_mm_per_px is None else self.crack_length_px * self.gsd_mm_per_px / 1000

    @property
    def surveyed_area_m2(self) -> float | None:
        """Square metres; None without a ground sampling distance."""
        return None if self.gsd_mm_per_px is None else self.surveyed_pixels * (self.gsd_mm_per_px / 1000) ** 2

    @property
    def mean_width_mm(self) -> float | None:
        """Millimetres; None without a ground sampling distance."""
        return None if self.gsd_mm_per_px is None else self.mean_width_px * self.gsd_mm_per_px

    @property
    def max_width_mm(self) -> float | None:
        """Millimetres; None without a ground sampling distance."""
        return None if self.gsd_mm_per_px is None else self.max_width_px * self.gsd_mm_per_px


def measure_cracks(
    mask: npt.NDArray[np.bool_],
    probability: npt.NDArray[np.float32] | None = None,
    *,
    gsd_mm_per_px: float | None = None,
    surveyed: npt.NDArray[np.bool_] | None = None,
    limits: Limits = USUAL,
) -> CrackMeasurement:
    """Measure the cracks of a mask.

    Args:
        mask: bool (H, W), True on cracks.
        probability: float32 (H, W) in [0, 1]; where given, a crack's edge lies where the probability falls to
            half of that on the centre line, else where the mask ends.
        gsd_mm_per_px: millimetres of ground per pixel, > 0; None: results stay in pixels.
        surveyed: bool (H, W), the area that counts; None: the whole image. Cracks are cut at its edge.
        limits: what counts as a crack.

    Raises:
        SettingsError: shapes differ, or the ground sampling distance is not a positive number.
    """
    for name, other in (("probability map", probability), ("surveyed area", surveyed)):
        if other is not None and other.shape != mask.shape:
            raise SettingsError(
                f"The {name} is {other.shape}, the mask {mask.shape}.", "Give both in one size."
            )
    if gsd_mm_per_px is not None and not 0 < gsd_mm_per_px < np.inf:
        raise SettingsError(
            f"A ground sampling distance of {gsd_mm_per_px} mm/px is not possible.", "Give one over 0."
        )
    mask = mask.astype(bool) if surveyed is None else mask.astype(bool) & surveyed
    cracks = _cracks(mask, probability, gsd_mm_per_px, limits) if mask.any() else []
    cracks = [crack for crack in cracks if crack.mean_width_px >= limits.min_width_px]
    courses = sum((course(branch.line_px) for crack in cracks for branch in crack.branches), 0j)
    lengths = np.array([crack.length_px - crack.bridged_length_px for crack in cracks])
    total = float(lengths.sum())
    widths = np.array([crack.mean_width_px for crack in cracks])
    return CrackMeasurement(
        crack_pixels=sum(crack.area_px for crack in cracks),
        surveyed_pixels=mask.size if surveyed is None else int(np.count_nonzero(surveyed)),
        crack_length_px=sum(crack.length_px for crack in cracks),
        mean_width_px=float(lengths @ widths) / total if total else 0.0,
        max_width_px=max((crack.max_width_px for crack in cracks), default=0.0),
        orientation_deg=direction_deg(courses) if cracks else None,
        gsd_mm_per_px=gsd_mm_per_px,
        cracks=tuple(cracks),
        limits=limits,
    )


def _cracks(
    mask: npt.NDArray[np.bool_],
    probability: npt.NDArray[np.float32] | None,
    gsd_mm_per_px: float | None,
    limits: Limits,
) -> list[Crack]:
    """The cracks, longest first."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    mask = _without_pinholes(mask)
    distance = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    radius_px = distance.astype(np.float32, copy=False)
    branches, pieces = [], []
    for pixels in centre_lines(mask, radius_px):
        line = smooth(pixels)
        reach_px = radius_px[tuple(pixels.T)].astype(np.float64) + 0.5
        width_px = _widths_px(mask.view(np.uint8) if probability is None else probability, line, reach_px)
        branches.append(Branch(line[:, ::-1], width_px))
        pieces.append(int(labels[tuple(pixels.T)].max()))
    joined, groups = _bridged(branches, pieces, limits.bridge_px, limits.min_length_px)
    grouped: dict[int, list[Branch]] = {}
    for branch, group in zip(joined, groups, strict=True):
        grouped.setdefault(group, []).append(branch)
    members: dict[int, set[int]] = {}
    for piece, group in zip(pieces, groups, strict=False):
        members.setdefault(group, set()).add(piece)
    cracks = []
    for group, own in grouped.items():
        own.sort(key=lambda branch: -length_of(branch.line_px))
        crack = _crack(own, stats[sorted(members[group])], gsd_mm_per_px)
        if crack.length_px >= limits.min_length_px:
            cracks.append(crack)
    return sorted(cracks, key=lambda crack: -crack.length_px)


def _without_pinholes(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Holes of a few pixels filled: thinning would run round each of them. Their area is not counted."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).view(np.uint8), connectivity=4)
    small = stats[:, 4] <= PINHOLE_PX
    # What the picture's edge cuts is no hole.
    bottom, right = mask.shape
    small &= (stats[:, 0] > 0) & (stats[:, 1] > 0)
    small &= (stats[:, 0] + stats[:, 2] < right) & (stats[:, 1] + stats[:, 3] < bottom)
    small[0] = False
    return mask | small[labels] if small.any() else mask


def _bridged(
    branches: list[Branch], pieces: list[int], bridge_px: float, min_length_px: float
) -> tuple[list[Branch], list[int]]:
    """The branches with a bridge for each gap after them, and the crack that each belongs to."""
    groups = np.array(pieces, np.int64)
    widths = np.array([float(branch.widths_px.mean()) for branch in branches])
    if bridge_px <= 0 or not len(branches):
        return branches, pieces
    graph = build_graph([branch.line_px for branch in branches], widths)
    added = []
    for ends, one, other in bridges(graph, widths, groups, bridge_px, min_length_px):
        added.append((Branch(ends, np.array([widths[one], widths[other]]), bridged=True), one))
        groups[groups == groups[other]] = groups[one]
    joined = [*branches, *(bridge for bridge, _ in added)]
    return joined, [*groups.tolist(), *(int(groups[one]) for _, one in added)]


def _crack(branches: list[Branch], stats: npt.NDArray[Any], gsd_mm_per_px: float | None) -> Crack:
    """One crack of branches, the longest first, and the (left, top, width, height, area) of its pieces."""
    drawn = [branch for branch in branches if not branch.bridged]
    weights = np.concatenate([vertex_lengths(branch.line_px) for branch in drawn])
    widths = np.concatenate([branch.widths_px for branch in drawn])
    bridged = sum(length_of(branch.line_px) for branch in branches if branch.bridged)
    length = float(weights.sum())
    graph = build_graph(
        [branch.line_px for branch in branches], [float(b.widths_px.mean()) for b in branches]
    )
    chords = sum(float(np.hypot(*(branch.line_px[-1] - branch.line_px[0]))) for branch in branches)
    left, top = stats[:, :2].min(axis=0).tolist()
    right, bottom = (stats[:, :2] + stats[:, 2:4]).max(axis=0).tolist()
    median, p95 = weighted_quantiles(widths, weights, (0.5, 0.95))
    return Crack(
        length_px=length + bridged,
        bridged_length_px=bridged,
        mean_width_px=float(weights @ widths) / length,
        median_width_px=median,
        p95_width_px=p95,
        max_width_px=max(float(running_mean(branch.widths_px).max()) for branch in drawn),
        area_px=int(stats[:, 4].sum()),
        orientation_deg=direction_deg(sum((course(branch.line_px) for branch in branches), 0j)),
        box_px=(left, top, right, bottom),
        polylines_px=tuple(_simplified(branch.line_px) for branch in branches),
        gsd_mm_per_px=gsd_mm_per_px,
        branches=tuple(branches),
        nodes=int(np.count_nonzero(graph.degree >= 3)),
        tortuosity=max(1.0, (length + bridged) / chords) if chords else 1.0,
    )


def weighted_quantiles(values: Floats, weights: Floats, shares: tuple[float, ...]) -> list[float]:
    """Values that these shares of the total weight do not exceed."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    place = np.searchsorted(reached, np.array(shares) * reached[-1])
    return [float(value) for value in values[order[np.minimum(place, len(order) - 1)]]]


def vertex_lengths(line: Floats) -> Floats:
    """Length that each vertex of a line stands for: half of both its steps, (N, 2) -> (N,)."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    weights: Floats = (np.append(steps, 0.0) + np.insert(steps, 0, 0.0)) / 2
    return weights


def running_mean(values: Floats) -> Floats:
    """Means over 9 neighbours, or over all where there are fewer."""
    window = min(WIDTH_WINDOW_PX, len(values))
    means: Floats = np.convolve(values, np.full(window, 1 / window), mode="valid")
    return means


def _simplified(line: Floats) -> Floats:
    # Rounded, from the first vertex on: the same crack elsewhere keeps the same vertices.
    from_first = shapely.simplify(shapely.linestrings(np.round(line - line[0], 6)), POLYLINE_TOLERANCE_PX)
    simple: Floats = shapely.get_coordinates(from_first) + line[0]
    return simple


def course(line: Floats) -> complex:
    """Sum of an (x, y) line's steps with doubled angles, since a line has no front."""
    steps = np.diff(line, axis=0)
    # Image rows count downwards.
    angles = np.arctan2(-steps[:, 1], steps[:, 0])
    return complex(np.sum(np.hypot(*steps.T) * np.exp(2j * angles)))


def direction_deg(course: complex) -> float:
    """Direction of a course, 0 <= d < 180."""
    # Rounding keeps -1e-17 degrees from becoming 180.
    return float(round(np.degrees(np.angle(course)) / 2, 6) % 180)


def _widths_px(values: npt.NDArray[np.generic], line: Floats, reach_px: Floats) -> Floats:
    """Width across a centre line (N, 2) of (row, column), at most twice `reach_px`: (N,)."""
    tangent = np.gradient(line, axis=0)
    tangent /= np.maximum(np.hypot(*tangent.T), 1e-9)[:, None]
    normal = tangent[:, ::-1] * [1.0, -1.0]
    level = np.maximum(map_coordinates(values, line.T, order=1, output=np.float64) / 2, 1e-3)
    return _edge_px(values, line, normal, level, reach_px) + _edge_px(values, line, -normal, level, reach_px)


def _edge_px(
    values: npt.NDArray[np.generic], line: Floats, normal: Floats, level: Floats, reach_px: Floats
) -> Floats:
    """Distance from each point along its normal to where `values` falls to `level`, at most `reach_px`."""
    edge = reach_px.copy()
    active = np.arange(len(line))
    before = 2 * level
    for step in range(1, int(reach_px.max() / STEP_PX) + 2):
        at = line[active] + normal[active] * (step * STEP_PX)
        here = map_coordinates(values, at.T, order=1, output=np.float64)
        out = here < level[active]
        crossed = active[out]
        drop = before[out] - here[out]
        within = (before[out] - level[crossed]) / np.maximum(drop, 1e-9)
        edge[crossed] = np.minimum((step - 1 + within) * STEP_PX, reach_px[crossed])
        active, before = active[~out], here[~out]
        if not len(active):
            break
    return edge
