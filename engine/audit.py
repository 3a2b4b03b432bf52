"""The blind audit: a stratified random sample of tiles, and what people's answers measure.

Torch-free and pure; `app.audit_actions` stores what is drawn and answered.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import SettingsError
from engine.vocabulary import AuditAnswer

# A piece 10 px long and 2 px wide: what `engine.measurement` drops as a speck is no prediction here either.
MIN_PREDICTED_PX = 20
NOTHING_PREDICTED = 0
STRATUM_WORDS = (
    "nothing predicted",
    "least dense third of the tiles with a prediction",
    "middle third of the tiles with a prediction",
    "densest third of the tiles with a prediction",
)
TILES, MIN_TILES, MAX_TILES = 60, 8, 2000
TILE_PX, MIN_TILE_PX, MAX_TILE_PX = 256, 32, 4096
Z_95 = 1.959963984540054  # 0.975 quantile of the normal distribution


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of a photo in its own pixels, as it is shown (turned by EXIF orientation)."""

    left_px: int
    top_px: int
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class JudgedTile:
    """What a tile of a sample needs to be counted.

    Attributes:
        stratum: index into `STRATUM_WORDS`.
        stratum_tiles: tiles of that stratum in the population.
        answer: the blind answer, or None.
        accepted: whether what the model drew was accepted, or None.
        missed: whether the model missed cracks that a person sees, or None.
    """

    stratum: int
    stratum_tiles: int
    answer: AuditAnswer | None
    accepted: bool | None = None
    missed: bool | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share with its 95 % interval, all in [0, 1].

    Attributes:
        value: None where no tile tells of it; the interval is then [0, 1].
        low: lower end.
        high: upper end.
        tiles: sample tiles that the share is of.
        effective_tiles: Kish's effective size of these tiles.
    """

    value: float | None
    low: float
    high: float
    tiles: int
    effective_tiles: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What a sample measured. Tiles answered "unsure" are counted, and left out of every share.

    Attributes:
        precision: of the tiles that the model calls cracked, those that people call cracked.
        recall: of the tiles that people call cracked, those that the model calls cracked.
        accept_rate: of the tiles with a prediction, those in which people accepted what was drawn.
        missed_rate: of all tiles, those in which people saw cracks that were not drawn.
        judged: tiles answered crack or no crack.
        unsure: tiles answered unsure.
    """

    precision: Estimate
    recall: Estimate
    accept_rate: Estimate
    missed_rate: Estimate
    judged: int
    unsure: int


def tile_grid(width_px: int, height_px: int, tile_px: int) -> list[Box]:
    """Part a photo into tiles row by row: each pixel is in one tile, no side is longer than `tile_px`.

    Raises:
        SettingsError: `tile_px` is outside `MIN_TILE_PX` to `MAX_TILE_PX`.
    """
    if not MIN_TILE_PX <= tile_px <= MAX_TILE_PX:
        raise SettingsError(
            f"A tile of {tile_px} px is not possible.", f"Give {MIN_TILE_PX} to {MAX_TILE_PX} px."
        )

    def edges(length_px: int) -> list[int]:
        parts = math.ceil(length_px / tile_px)
        return [round(length_px * part / parts) for part in range(parts + 1)]

    columns, rows = edges(width_px), edges(height_px)
    return [
        Box(left, top, right - left, bottom - top)
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]


def window_around(box: Box, width_px: int, height_px: int) -> Box:
    """A tile with half its side of context on each side, as far as the photo goes."""
    left = max(0, box.left_px - box.width_px // 2)
    top = max(0, box.top_px - box.height_px // 2)
    right = min(width_px, box.left_px + box.width_px + box.width_px // 2)
    bottom = min(height_px, box.top_px + box.height_px + box.height_px // 2)
    return Box(left, top, right - left, bottom - top)


def count_predicted(mask: npt.NDArray[np.bool_], boxes: Sequence[Box]) -> npt.NDArray[np.int64]:
    """Predicted pixels in each box of a mask, bool (H, W)."""
    return np.array(
        [
            np.count_nonzero(
                mask[box.top_px : box.top_px + box.height_px, box.left_px : box.left_px + box.width_px]
            )
            for box in boxes
        ],
        np.int64,
    )


def stratify(predicted_px: npt.NDArray[np.int64], area_px: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Stratum of each tile: 0 below `MIN_PREDICTED_PX`, else 1 to 3 by tercile of predicted density.

    Tiles of equal density share a stratum, so a tercile may be empty.

    Args:
        predicted_px: int (N,).
        area_px: int (N,), positive.
    """
    density = predicted_px / area_px
    something = predicted_px >= MIN_PREDICTED_PX
    if not something.any():
        return np.zeros(len(predicted_px), np.int64)
    edges = np.quantile(density[something], (1 / 3, 2 / 3))
    terciles: npt.NDArray[np.int64] = np.where(something, 1 + np.searchsorted(edges, density), 0)
    return terciles


def allocate(sizes: dict[int, int], tiles: int) -> dict[int, int]:
    """How many tiles to draw from each stratum: a sixth of the sample from each at least, the rest in
    proportion to the strata (Webster's method), never more than a stratum has.

    Args:
        sizes: stratum -> its tiles, each at least 1; at most four strata.
        tiles: size of the sample; all tiles are drawn where the population has no more.

    Raises:
        SettingsError: `tiles` is outside `MIN_TILES` to `MAX_TILES`.
    """
    if not MIN_TILES <= tiles <= MAX_TILES:
        raise SettingsError(
            f"A sample of {tiles} tiles is not possible.", f"Give {MIN_TILES} to {MAX_TILES}."
        )
    drawn = {stratum: min(size, max(1, tiles // 6)) for stratum, size in sizes.items()}
    for _ in range(min(tiles, sum(sizes.values())) - sum(drawn.values())):
        open_ones = [stratum for stratum, size in sizes.items() if drawn[stratum] < size]
        neediest = max(open_ones, key=lambda stratum: sizes[stratum] / (drawn[stratum] + 0.5))
        drawn[neediest] += 1
    return drawn


def draw_tiles(strata: npt.NDArray[np.int64], tiles: int, seed: int) -> list[int]:
    """Indices of a stratified random sample without replacement, in random order.

    The order tells nothing of the strata: who judges a tile must not guess what the model said.

    Args:
        strata: int (N,), from `stratify`.
        tiles: size of the sample, see `allocate`.
        seed: of the draw; the same seed draws the same sample.
    """
    rng = np.random.default_rng(seed)
    names, sizes = np.unique(strata, return_counts=True)
    drawn = allocate({int(name): int(size) for name, size in zip(names, sizes, strict=True)}, tiles)
    chosen = [
        int(index)
        for stratum, count in drawn.items()
        for index in rng.choice(np.flatnonzero(strata == stratum), count, replace=False)
    ]
    return [chosen[place] for place in rng.permutation(len(chosen))]


def wilson_interval(share: float, size: float) -> tuple[float, float]:
    """95 % score interval of a share that was seen in `size` independent trials.

    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), z = 1.96. The size may be an effective one, not whole.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    if size <= 0:
        return 0.0, 1.0
    square = Z_95 * Z_95 / size
    middle = share + square / 2
    half = Z_95 * math.sqrt(share * (1 - share) / size + square / (4 * size))
    low, high = (middle - half) / (1 + square), (middle + half) / (1 + square)
    # Rounding must not push an end past the share itself.
    return max(0.0, min(low, share)), min(1.0, max(high, share))


def effective_size(weights: Sequence[float]) -> float:
    """Kish's effective sample size n / deff = (Σw)² / Σw², with the design effect deff = n Σw² / (Σw)².

    Source: L. Kish, Survey Sampling, 1965, chapter 11.7.
    """
    squares = sum(weight * weight for weight in weights)
    return sum(weights) ** 2 / squares if squares else 0.0


def weighted_share(flags: Sequence[bool], weights: Sequence[float]) -> Estimate:
    """Share of the flagged, weighted, with Wilson's interval at Kish's effective size."""
    total = sum(weights)
    size = effective_size(weights)
    if total <= 0:
        return Estimate(None, 0.0, 1.0, len(flags), size)
    share = min(1.0, sum(weight for flag, weight in zip(flags, weights, strict=True) if flag) / total)
    low, high = wilson_interval(share, size)
    return Estimate(share, low, high, len(flags), size)


def measure(tiles: Sequence[JudgedTile]) -> Figures:
    """Precision and recall of tiles, accept and missed rates, for the whole population of tiles.

    A tile of stratum h stands for N_h / n_h tiles: those of its stratum by those of them that were judged.
    A stratum of which all drawn tiles were unsure is left out. Intervals are Wilson's (1927) at Kish's
    effective size (1965); that of recall is `_recall`'s.
    """
    judged = [tile for tile in tiles if tile.answer in (AuditAnswer.CRACK, AuditAnswer.NONE)]
    counts: dict[int, int] = {}
    for tile in judged:
        counts[tile.stratum] = counts.get(tile.stratum, 0) + 1

    def share(of: Sequence[JudgedTile], flags: Sequence[bool]) -> Estimate:
        return weighted_share(flags, [tile.stratum_tiles / counts[tile.stratum] for tile in of])

    def cracked(of: Sequence[JudgedTile]) -> Estimate:
        return share(of, [tile.answer == AuditAnswer.CRACK for tile in of])

    predicted = [tile for tile in judged if tile.stratum != NOTHING_PREDICTED]
    rest = [tile for tile in judged if tile.stratum == NOTHING_PREDICTED]
    precision = cracked(predicted)
    sizes = {tile.stratum: tile.stratum_tiles for tile in tiles}
    unpredicted_tiles = sizes.pop(NOTHING_PREDICTED, 0)
    seen = sum(tile.answer == AuditAnswer.CRACK for tile in judged)
    reviewed = [tile for tile in judged if tile.missed is not None]
    drawn_on = [tile for tile in predicted if tile.accepted is not None]
    return Figures(
        precision=precision,
        recall=_recall(precision, sum(sizes.values()), cracked(rest), unpredicted_tiles, seen),
        accept_rate=share(drawn_on, [bool(tile.accepted) for tile in drawn_on]),
        missed_rate=share(reviewed, [bool(tile.missed) for tile in reviewed]),
        judged=len(judged),
        unsure=sum(tile.answer == AuditAnswer.UNSURE for tile in tiles),
    )


def _recall(
    precision: Estimate, predicted_tiles: int, overlooked: Estimate, unpredicted_tiles: int, seen: int
) -> Estimate:
    """Recall N₁p / (N₁p + N₀m), where p of the N₁ tiles with a prediction and m of the N₀ others are cracked.

    The interval joins Wilson's of p and of m by the method of variance estimates recovery for a ratio
    (Donner and Zou, Closed-form confidence intervals for functions of the normal mean and standard
    deviation, 2012). Wilson's interval of the weighted share itself is not used: where no cracked tile was
    drawn among many tiles without a prediction, it takes recall for nearly certain. Over eight simulated
    surveys and 60 tiles it held the truth in 22 to 99 % of the audits; this one does in 86 to 97 %. The
    effective size given is the smaller of the two.
    """
    found, lost = predicted_tiles * (precision.value or 0.0), unpredicted_tiles * (overlooked.value or 0.0)
    unknown = (predicted_tiles and precision.value is None) or (
        unpredicted_tiles and overlooked.value is None
    )
    if unknown or found + lost == 0:
        return Estimate(None, 0.0, 1.0, seen, 0.0)
    if not predicted_tiles or not unpredicted_tiles:
        value = 0.0 if not predicted_tiles else 1.0
        return Estimate(value, value, value, seen, float(seen))
    least, most = _ratio_interval(overlooked, precision)
    odds = unpredicted_tiles / predicted_tiles
    value = found / (found + lost)
    low = 0.0 if math.isinf(most) else 1 / (1 + odds * most)
    return Estimate(
        value, min(low, value), max(1 / (1 + odds * least), value), seen,
        min(precision.effective_tiles, overlooked.effective_tiles),
    )  # fmt: skip


def _ratio_interval(above: Estimate, below: Estimate) -> tuple[float, float]:
    """Interval of a ratio of two independent shares; the upper end may be infinite.

    Source: Donner and Zou 2012, with the lower end's fraction turned so that nothing cancels.
    """
    p, m = below.value or 0.0, above.value or 0.0
    low_term = above.low * (2 * m - above.low)
    high_term = above.high * (2 * m - above.high)
    root = math.sqrt(max(0.0, (m * p) ** 2 - low_term * below.high * (2 * p - below.high)))
    least = low_term / (m * p + root) if m * p + root > 0 else 0.0
    base = below.low * (2 * p - below.low)
    if base <= 0:
        return least, math.inf
    return least, (m * p + math.sqrt(max(0.0, (m * p) ** 2 - high_term * base))) / base


def canonical_json(record: dict[str, Any]) -> bytes:
    """The one way a record is written for its hash: keys in order, no spaces, UTF-8, finite numbers only."""
    return json.dumps(
        record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def record_hash(record: dict[str, Any]) -> str:
    """SHA-256 of a record's canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(record)).hexdigest()


def verify_record(record: dict[str, Any], expected_hash: str) -> bool:
    """Whether a record is still the one that the hash was made of."""
    return record_hash(record) == expected_hash
