"""How much of a lane is cracked: by tiles, and as area with visible cracks (torch-free)."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from engine.errors import SettingsError

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Side of the tiles of the Unified Crack Index.
TILE_M = 0.3
# A longitudinal crack in a wheel path counts as an area of this width (one foot).
BAND_M = 0.3
# Areas are counted on a grid of this, or of the picture's pixels where those are larger.
GRID_M = 0.02


def count_tiles(
    mask: Mask, *, gsd_mm_per_px: float, surveyed: Mask | None = None, tile_m: float = TILE_M
) -> tuple[int, int]:
    """Tiles with a crack, and all tiles; those less than half surveyed are left out (Unified Crack Index).

    Args:
        mask: bool (H, W) of the counted cracks.
        gsd_mm_per_px: ground sampling distance, > 0.
        surveyed: bool (H, W); None: all. The tiles begin at its upper left corner.
        tile_m: side of a tile, > 0.

    Raises:
        SettingsError: a side that is no positive length.
    """
    if not 0 < tile_m < np.inf:
        raise SettingsError(f"Tiles of {tile_m} m are not possible.", "Give a side over 0.")
    side = max(1, round(tile_m * 1000 / gsd_mm_per_px))
    whole = np.ones(mask.shape, bool) if surveyed is None else surveyed
    if not whole.any():
        return 0, 0
    top, left = int(whole.any(axis=1).argmax()), int(whole.any(axis=0).argmax())
    starts = [np.arange(0, length, side) for length in (mask.shape[0] - top, mask.shape[1] - left)]

    def per_tile(values: Mask) -> npt.NDArray[np.int64]:
        rows = np.add.reduceat(values[top:, left:], starts[0], axis=0, dtype=np.int64)
        sums: npt.NDArray[np.int64] = np.add.reduceat(rows, starts[1], axis=1)
        return sums

    counts = per_tile(whole) * 2 >= side**2
    return int(np.count_nonzero((per_tile(mask & whole) > 0) & counts)), int(np.count_nonzero(counts))


def cracked_area_m2(
    outlines: Sequence[Floats],
    wheel_path_lines: Sequence[Floats],
    *,
    shape: tuple[int, int],
    gsd_mm_per_px: float,
    surveyed: Mask | None = None,
) -> float:
    """Area with visible cracks: within outlines, and 0.3 m wide along lines; what overlaps counts once.

    Args:
        outlines: rings (N, 2) of x, y in pixels round networks of cracks.
        wheel_path_lines: (N, 2) centre lines of longitudinal cracks in the wheel paths.
        shape: rows and columns of the picture.
        gsd_mm_per_px: ground sampling distance, > 0.
        surveyed: bool (H, W), what counts; None: all.

    Source: HPMS cracking percent (23 CFR 490.311) divides it by the surveyed area; departs: networks outside
        the wheel paths count too, since the lane's marking may be unknown.
    """
    scale = min(1.0, gsd_mm_per_px / 1000 / GRID_M)
    rows, columns = (max(1, round(size * scale)) for size in shape)
    canvas = np.zeros((rows, columns), np.uint8)

    def on_grid(line: Floats) -> npt.NDArray[np.int32]:
        return np.round((line + 0.5) * scale - 0.5).astype(np.int32)

    for outline in outlines:
        cv2.fillPoly(canvas, [on_grid(outline)], (1,))
    thickness = max(1, round(BAND_M * 1000 / gsd_mm_per_px * scale))
    cv2.polylines(canvas, [on_grid(line) for line in wheel_path_lines], False, (1,), thickness)
    if surveyed is not None:
        canvas[
            cv2.resize(surveyed.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) < 0.5
        ] = 0
    share = np.count_nonzero(canvas) / canvas.size
    return float(share * shape[0] * shape[1] * (gsd_mm_per_px / 1000) ** 2)
