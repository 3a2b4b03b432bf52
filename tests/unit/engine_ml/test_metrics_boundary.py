import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.spatial.distance import directed_hausdorff

from engine.errors import SettingsError
from engine.metrics_boundary import distance_to, hausdorff_px

masks = array_shapes(min_dims=2, max_dims=2, max_side=12).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)


def line(column: int, height: int = 10) -> np.ndarray:
    mask = np.zeros((height, 20), bool)
    mask[:, column] = True
    return mask


def test_values_by_hand():
    assert hausdorff_px(line(5), line(9)) == 4.0
    stray = line(5)
    stray[0, 17] = True  # one stray pixel decides the distance, not its 95th percentile
    assert hausdorff_px(stray, line(5)) == 12.0
    assert hausdorff_px(line(5, 100), line(7, 100), 95) == 2.0
    many = line(5, 100)
    many[0, 17] = True
    assert hausdorff_px(many, line(5, 100)) == 12.0
    assert hausdorff_px(many, line(5, 100), 95) == 0.0


def test_an_empty_side():
    nothing = np.zeros((10, 20), bool)
    assert hausdorff_px(nothing, nothing) == 0.0
    assert hausdorff_px(nothing, line(3)) == hausdorff_px(line(3), nothing) == float("inf")
    assert hausdorff_px(line(3), nothing, 95) == float("inf")


@pytest.mark.parametrize("percentile", [-1, 100.5])
def test_percentiles_end_at_100(percentile):
    with pytest.raises(SettingsError, match="percentile"):
        hausdorff_px(line(1), line(2), percentile)


def naive(predicted: np.ndarray, truth: np.ndarray, percentile: float) -> float:
    points, targets = np.argwhere(predicted), np.argwhere(truth)
    gaps = np.linalg.norm(points[:, None] - targets[None], axis=2)
    return max(np.percentile(gaps.min(axis=1), percentile), np.percentile(gaps.min(axis=0), percentile))


@settings(max_examples=80, deadline=None)
@given(masks, st.integers(0, 6), st.integers(0, 6))
def test_laws(pair, down, right):
    predicted, truth = pair
    found, found95 = hausdorff_px(predicted, truth), hausdorff_px(predicted, truth, 95)
    assert found == hausdorff_px(truth, predicted)
    assert 0 <= found95 <= found
    assert (found == 0) == np.array_equal(predicted, truth)
    moved = [np.pad(mask, ((down, 3), (right, 5))) for mask in pair]
    assert hausdorff_px(*moved) == found and hausdorff_px(*moved, 95) == found95
    if predicted.any() and truth.any():
        points, targets = np.argwhere(predicted), np.argwhere(truth)
        scipys = max(directed_hausdorff(points, targets)[0], directed_hausdorff(targets, points)[0])
        assert found == pytest.approx(scipys, rel=1e-5)
        assert found95 == pytest.approx(naive(predicted, truth, 95), rel=1e-5)


def test_distance_is_euclidean_and_infinite_to_nothing():
    mask = np.zeros((4, 5), bool)
    mask[0, 0] = True
    assert distance_to(mask)[3, 4] == 5.0
    assert np.isinf(distance_to(np.zeros((2, 2), bool))).all()
