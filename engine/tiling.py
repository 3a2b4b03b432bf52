"""Plan tiles over an image and blend their answers with bounded memory (torch-free).

Instead of two full-size accumulators, only the strip of rows that later tiles can still touch is kept in
float; finished rows go straight into the result.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.errors import SettingsError

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Tile:
    """A square (smaller only where the image is) at `top`, `left` of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


def tile_starts(length_px: int, tile_px: int, overlap_px: int) -> list[int]:
    """Where tiles begin along one side so that they cover it and overlap by at least `overlap_px`.

    The tiles are spread evenly, so the last is as large as the first.

    Raises:
        SettingsError: lengths that cannot be covered.
    """
    if length_px < 1 or tile_px < 1 or not 0 <= overlap_px < tile_px:
        raise SettingsError(
            f"Tiles of {tile_px} px with {overlap_px} px overlap cannot cover {length_px} px.",
            "Choose a tile of at least 1 px and an overlap smaller than it.",
        )
    if length_px <= tile_px:
        return [0]
    count = -(-(length_px - overlap_px) // (tile_px - overlap_px))
    return [round(i * (length_px - tile_px) / (count - 1)) for i in range(count)]


def plan_tiles(height_px: int, width_px: int, tile_px: int, overlap_px: int) -> list[list[Tile]]:
    """Rows of tiles, from top to bottom, each from left to right.

    Raises:
        SettingsError: see `tile_starts`.
    """
    tall, wide = min(tile_px, height_px), min(tile_px, width_px)
    return [
        [Tile(top, left, tall, wide) for left in tile_starts(width_px, tile_px, overlap_px)]
        for top in tile_starts(height_px, tile_px, overlap_px)
    ]


def blend_window(length_px: int, overlap_px: int) -> FloatArray:
    """Weights along one side of a tile: 1 inside, falling linearly over the overlap, never 0; (length,)."""
    distance = np.minimum(np.arange(length_px), np.arange(length_px)[::-1]) + 1.0
    return np.minimum(distance / (overlap_px + 1), 1.0).astype(np.float32)


class StripBlender:
    """Weighted mean of overlapping tiles, built row of tiles by row of tiles.

    Memory besides the result: two float32 strips as tall as one tile.

    Args:
        height_px: rows of the image.
        width_px: columns of the image.
        overlap_px: overlap of the tiles that will come.
    """

    def __init__(self, height_px: int, width_px: int, overlap_px: int) -> None:
        self.result: FloatArray = np.zeros((height_px, width_px), np.float32)
        self._overlap_px = overlap_px
        self._top = 0
        self._sum = np.zeros((0, width_px), np.float32)
        self._weight = np.zeros((0, width_px), np.float32)

    def start_row(self, top: int, height: int) -> None:
        """Rows above `top` are final from now on; make room for tiles of `height` there."""
        self._flush(top)
        missing = height - len(self._sum)
        if missing > 0:
            blank = np.zeros((missing, self.result.shape[1]), np.float32)
            self._sum = np.concatenate([self._sum, blank])
            self._weight = np.concatenate([self._weight, blank])

    def add(self, tile: Tile, values: FloatArray) -> None:
        """Add the answer (tile.height, tile.width) for a tile of the row that was started."""
        weight = np.outer(
            blend_window(tile.height, self._overlap_px), blend_window(tile.width, self._overlap_px)
        )
        rows = slice(tile.top - self._top, tile.top - self._top + tile.height)
        columns = slice(tile.left, tile.left + tile.width)
        self._sum[rows, columns] += weight * values
        self._weight[rows, columns] += weight

    def finish(self) -> FloatArray:
        """The blended result (H, W)."""
        self._flush(len(self.result))
        return self.result

    def _flush(self, top: int) -> None:
        ready = min(top - self._top, len(self._sum))
        if ready > 0:
            np.divide(
                self._sum[:ready],
                self._weight[:ready],
                out=self.result[self._top : self._top + ready],
                where=self._weight[:ready] > 0,
            )
            self._sum, self._weight = self._sum[ready:].copy(), self._weight[ready:].copy()
        self._top = top


def _batches(row: Sequence[Tile], batch: int) -> Iterator[Sequence[Tile]]:
    for first in range(0, len(row), batch):
        yield row[first : first + batch]


def predict_tiled(
    image: npt.NDArray[np.uint8],
    predict: Callable[[npt.NDArray[np.uint8]], FloatArray],
    *,
    tile_px: int,
    overlap_px: int,
    batch: int = 1,
    on_tile: Callable[[int, int], None] | None = None,
) -> FloatArray:
    """Run `predict` over tiles of an image and blend the answers.

    Args:
        image: uint8 (H, W, 3).
        predict: (B, h, w, 3) uint8 -> (B, h, w) float32.
        tile_px: side of a tile.
        overlap_px: least overlap of neighbours.
        batch: tiles predicted at a time, all of one row.
        on_tile: called with tiles done and tiles in all; may raise to stop.

    Returns:
        float32 (H, W).

    Raises:
        SettingsError: see `tile_starts`.
    """
    height, width = image.shape[:2]
    rows = plan_tiles(height, width, tile_px, overlap_px)
    total, done = sum(map(len, rows)), 0
    blender = StripBlender(height, width, overlap_px)
    for row in rows:
        blender.start_row(row[0].top, row[0].height)
        for tiles in _batches(row, batch):
            crops = [image[t.top : t.top + t.height, t.left : t.left + t.width] for t in tiles]
            for tile, values in zip(tiles, predict(np.stack(crops)), strict=True):
                blender.add(tile, values)
            done += len(tiles)
            if on_tile is not None:
                on_tile(done, total)
    return blender.finish()
