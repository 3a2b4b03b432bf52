import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from engine.metrics import Counts, count_pixels, sweep_thresholds

masks = array_shapes(min_dims=2, max_dims=2, max_side=12).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)


def line(column: int) -> np.ndarray:
    mask = np.zeros((10, 20), bool)
    mask[:, column] = True
    return mask


def test_values_by_hand():
    predicted = np.zeros((4, 6), bool)
    truth = np.zeros((4, 6), bool)
    predicted[0, 0:4] = True
    truth[0, 2:5] = True
    counts = count_pixels(predicted, truth, tolerance_px=1)
    assert counts == Counts(predicted=4, truth=3, hits=2, near_predicted=3, near_truth=3)
    assert (counts.precision, counts.recall) == (0.5, pytest.approx(2 / 3))
    assert counts.f1 == pytest.approx(4 / 7)
    assert counts.iou == pytest.approx(2 / 5)
    assert (counts.tolerant_precision, counts.tolerant_recall) == (0.75, 1.0)
    assert counts.tolerant_f1 == pytest.approx(6 / 7)


@pytest.mark.parametrize(("shift", "tolerant"), [(0, 1.0), (1, 1.0), (2, 1.0), (3, 0.0)])
def test_tolerance_forgives_two_pixels_and_no_more(shift, tolerant):
    counts = count_pixels(line(5), line(5 + shift), 2.0)
    assert counts.tolerant_f1 == tolerant
    assert counts.f1 == (1.0 if shift == 0 else 0.0)


def test_tolerance_is_euclidean():
    a, b = np.zeros((5, 5), bool), np.zeros((5, 5), bool)
    a[1, 1] = b[3, 3] = True  # 2.83 px apart, 2 px by either axis
    assert count_pixels(a, b, 2.0).tolerant_f1 == 0.0
    assert count_pixels(a, b, 2.9).tolerant_f1 == 1.0


def test_counts_are_pooled_not_averaged():
    big = count_pixels(np.ones((10, 10), bool), np.ones((10, 10), bool))
    wrong = count_pixels(np.ones((1, 1), bool), np.zeros((1, 1), bool))
    assert (big + wrong).precision == pytest.approx(100 / 101)


def test_nothing_there_and_nothing_said_is_perfect():
    nothing = np.zeros((3, 3), bool)
    assert count_pixels(nothing, nothing).f1 == 1.0 and count_pixels(nothing, nothing).iou == 1.0
    assert count_pixels(~nothing, nothing).f1 == 0.0 and count_pixels(nothing, ~nothing).tolerant_f1 == 0.0


@settings(max_examples=60, deadline=None)
@given(masks)
def test_laws(pair):
    predicted, truth = pair
    counts = count_pixels(predicted, truth, 2.0)
    back = count_pixels(truth, predicted, 2.0)
    assert (counts.precision, counts.recall) == (back.recall, back.precision)
    assert counts.tolerant_precision == back.tolerant_recall
    assert 0 <= counts.iou <= counts.f1 <= 1
    assert counts.f1 <= counts.tolerant_f1 + 1e-12
    assert counts.iou == pytest.approx(counts.f1 / (2 - counts.f1))
    strict = count_pixels(predicted, truth, 0.0)
    assert strict.near_predicted == strict.hits == strict.near_truth


def test_sweep_predicts_from_the_threshold_on():
    probability = np.array([[0.2, 0.5, 0.9]], np.float32)
    truth = np.array([[False, True, True]])
    low, mid, high = sweep_thresholds(probability, truth, [0.1, 0.5, 0.95])
    assert (low.predicted, mid.predicted, high.predicted) == (3, 2, 0)
    assert mid.f1 == 1.0
