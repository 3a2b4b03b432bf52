import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import CancelledError, SettingsError
from engine.tiling import StripBlender, blend_window, plan_tiles, predict_tiled, tile_starts

sides = st.integers(1, 300)


@settings(max_examples=100, deadline=None)
@given(sides, st.integers(1, 90), st.data())
def test_tiles_cover_and_overlap(length, tile, data):
    overlap = data.draw(st.integers(0, tile - 1))
    starts = tile_starts(length, tile, overlap)
    assert starts[0] == 0
    if length <= tile:
        assert starts == [0]
        return
    assert starts[-1] + tile == length
    for here, following in itertools.pairwise(starts):
        assert here < following <= here + tile - overlap


@pytest.mark.parametrize(("length", "tile", "overlap"), [(0, 8, 0), (10, 0, 0), (10, 8, 8), (10, 8, -1)])
def test_impossible_tiles_are_refused(length, tile, overlap):
    with pytest.raises(SettingsError):
        tile_starts(length, tile, overlap)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(4, 32), st.integers(0, 3), st.integers(1, 3))
def test_blending_the_identity_gives_the_image(height, width, tile, overlap, batch):
    rng = np.random.default_rng(height * 100 + width)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    result = predict_tiled(
        image,
        lambda tiles: tiles[..., 0].astype(np.float32),
        tile_px=tile,
        overlap_px=overlap,
        batch=batch,
    )
    np.testing.assert_allclose(result, image[..., 0], atol=1e-3)


def test_overlaps_are_weighted_by_the_distance_to_the_edge():
    rows = plan_tiles(4, 6, 4, 2)
    blender = StripBlender(4, 6, 2)
    blender.start_row(0, 4)
    left, right = rows[0]
    blender.add(left, np.zeros((4, 4), np.float32))
    blender.add(right, np.ones((4, 4), np.float32))
    window = blend_window(4, 2)
    share = window[0] / (window[0] + window[2])
    np.testing.assert_allclose(blender.finish()[1], [0, 0, share, 1 - share, 1, 1], atol=1e-6)


def test_memory_is_the_result_and_a_strip():
    image = np.zeros((4000, 600, 3), np.uint8)

    def predict(tiles):
        return np.zeros(tiles.shape[:3], np.float32)

    tracemalloc.start()
    predict_tiled(image, predict, tile_px=100, overlap_px=10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    result, strip = 4 * 4000 * 600, 4 * 100 * 600
    # full-size accumulators would take three times the result
    assert peak < result + 8 * strip


def test_progress_and_cancel():
    image = np.zeros((50, 50, 3), np.uint8)
    seen = []

    def stop(done, total):
        seen.append((done, total))
        if done == 2:
            raise CancelledError("stop")

    with pytest.raises(CancelledError):
        predict_tiled(
            image, lambda t: np.zeros(t.shape[:3], np.float32), tile_px=20, overlap_px=4, on_tile=stop
        )
    assert seen == [(1, 9), (2, 9)]
