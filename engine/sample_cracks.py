"""Where the sample's cracks run: courses of five patterns, growing between surveys (torch-free)."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from engine.synthesis import crack_network

Points = npt.NDArray[np.float64]

# Courses begin and end this far outside the picture, so that its edge shows no crack's end.
MARGIN_PX = 30.0


class CrackPattern(StrEnum):
    """What kind of cracking a sample section shows."""

    NONE = "none"
    LONGITUDINAL = "longitudinal"
    TRANSVERSE = "transverse"
    DIAGONAL = "diagonal"
    ALLIGATOR = "alligator"
    BLOCK = "block"


AREA_PATTERNS = frozenset({CrackPattern.ALLIGATOR, CrackPattern.BLOCK})


@dataclass(frozen=True)
class Course:
    """One drawn piece of crack: (N, 2) of x, y in pixels and its width at each point."""

    points_px: Points
    widths_px: Points


def crack_courses(
    seed: list[int],
    pattern: CrackPattern,
    height_px: int,
    width_px: int,
    *,
    extent: float,
    mean_width_px: float,
) -> list[Course]:
    """The cracks of one place; a larger extent shows the same ones, longer, and more of them.

    Args:
        seed: of the place.
        pattern: what to draw; image y is the lane's direction.
        height_px: rows of the picture.
        width_px: columns.
        extent: 0 (nothing) to 1 (all cracks in full length).
        mean_width_px: mean over the length of all courses, > 0.
    """
    if pattern is CrackPattern.NONE or extent <= 0:
        return []
    if pattern in AREA_PATTERNS:
        edges = _network(tuple(seed), pattern, height_px, width_px)
        lines = list(edges[: max(3, round(len(edges) * extent))])
    else:
        rng = np.random.default_rng(seed)
        lines = [_grown(line, extent) for line in _single_lines(rng, pattern, height_px, width_px)]
    tapers = pattern not in AREA_PATTERNS
    widths = [_widths(np.random.default_rng([*seed, i]), line, tapers) for i, line in enumerate(lines)]
    mean = np.average([float(width.mean()) for width in widths], weights=[_length(line) for line in lines])
    return [Course(line, width * mean_width_px / mean) for line, width in zip(lines, widths, strict=True)]


def _single_lines(
    rng: np.random.Generator, pattern: CrackPattern, height_px: int, width_px: int
) -> list[Points]:
    """Full courses of one main crack, a second one, and a branch; the later ones shorter."""
    high, wide, out = float(height_px), float(width_px), MARGIN_PX
    count = int(rng.integers(2, 4))
    lines = []
    at = rng.uniform(0.25, 0.45)
    for number in range(count):
        lean = rng.normal(0, 0.04)
        where = (at + number * rng.uniform(0.2, 0.28)) % 0.9 + 0.05
        if pattern is CrackPattern.LONGITUDINAL:
            ends = np.array([[where * wide, high + out], [(where + lean) * wide, -out]])
        elif pattern is CrackPattern.TRANSVERSE:
            ends = np.array([[-out, where * high], [wide + out, (where + lean) * high]])
        else:
            run = high * np.array([rng.uniform(0.8, 1.2), 1.0])
            middle = np.array([where * wide, 0.5 * high])
            ends = np.array([middle - 0.6 * run, middle + 0.6 * run])
        if rng.random() < 0.5:
            ends = ends[::-1]
        line = _jagged(rng, ends)
        lines.append(line if number == 0 else line[: max(8, round(len(line) * rng.uniform(0.35, 0.8)))])
    root = lines[0][round(len(lines[0]) * rng.uniform(0.25, 0.5))]
    ahead = np.diff(lines[0][[0, -1]], axis=0)[0]
    turn = rng.choice([-1, 1]) * rng.uniform(0.5, 0.9)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    lines.append(_jagged(rng, np.array([root, root + rotation @ ahead * rng.uniform(0.15, 0.3)])))
    return lines


def _jagged(rng: np.random.Generator, ends: Points) -> Points:
    """A crack's course between two ends: it wanders, and breaks around stones."""
    run = ends[1] - ends[0]
    length = float(np.hypot(*run))
    share = np.linspace(0, 1, max(8, round(length / 6)))
    normal = np.array([-run[1], run[0]]) / length
    push = np.zeros(len(share))
    for wave_px, sway_px in ((180.0, 11.0), (55.0, 5.0), (16.0, 1.8)):
        knots = rng.normal(0, sway_px, max(3, round(length / wave_px) + 1))
        push += np.interp(share, np.linspace(0, 1, len(knots)), knots)
    # From its first end on, so that a branch begins on its crack.
    push -= push[0]
    course: Points = ends[0] + share[:, None] * run + push[:, None] * normal
    return course


def _grown(line: Points, extent: float) -> Points:
    return line[: max(4, round(len(line) * extent))]


@lru_cache(maxsize=128)
def _network(
    seed: tuple[int, ...], pattern: CrackPattern, height_px: int, width_px: int
) -> tuple[Points, ...]:
    """Cell edges of a band along the lane, the nearest to its heart first; both surveys take theirs."""
    rng = np.random.default_rng(seed)
    if pattern is CrackPattern.ALLIGATOR:
        cell_px, band_px, tries = rng.uniform(62, 85), rng.uniform(300, 420), 3
    else:
        cell_px, band_px, tries = rng.uniform(210, 270), 4.0 * width_px, 10
    heart = np.array([rng.uniform(0.35, 0.65) * width_px, rng.uniform(0.35, 0.65) * height_px])
    stretch = np.array([1.0, 0.6])  # it spreads along the wheel path first
    best: list[Points] = []
    for _ in range(tries):  # some patches lie in a corner, or lack many edges: take the fullest
        edges = [_coarser(edge) for edge in crack_network(rng, height_px, width_px, cell_px=cell_px)]
        inside = [edge for edge in edges if abs(edge[:, 0].mean() - heart[0]) < band_px / 2]
        if sum(map(_length, inside)) > sum(map(_length, best)):
            best = inside
    away = [float(np.hypot(*((edge.mean(axis=0) - heart) * stretch))) for edge in best]
    return tuple(best[i] for i in np.argsort(away, kind="stable"))


def _coarser(edge: Points) -> Points:
    """Without bends closer than 8 px: no picture shows them, and the true length would count them."""
    count = max(2, round(_length(edge) / 8) + 1)
    coarser: Points = edge[np.linspace(0, len(edge) - 1, count).round().astype(int)]
    return coarser


def _widths(rng: np.random.Generator, line: Points, tapers: bool) -> Points:
    """Relative width along a course, mean near 1; thin towards the end it grows from."""
    share = np.linspace(0, 1, len(line))
    knots = rng.normal(0, 0.22, max(3, len(line) // 9))
    widths = rng.uniform(0.8, 1.2) * np.exp(np.interp(share, np.linspace(0, 1, len(knots)), knots))
    if tapers:
        widths *= np.clip((1 - share) / 0.15, 0.3, 1)
    return np.asarray(widths, np.float64)


def _length(line: Points) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())
