from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from engine.errors import SettingsError
from engine.metrics import (
    COUNT_MEASURES,
    LOWER_IS_BETTER,
    Counts,
    count_pixels,
    pool,
    score_image,
    sweep_thresholds,
)
from engine.metrics_classes import class_ious, confusion_matrix, mean_iou

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
    assert counts == Counts(predicted=4, truth=3, hits=2, near_predicted=3, near_truth=3, pixels=24)
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


def test_formulas_and_tabled_variants_by_hand():
    counts = Counts(predicted=4, truth=3, hits=2, pixels=24)
    assert counts.dice == pytest.approx(4 / 7)
    assert counts.background_iou == pytest.approx(19 / 22)
    assert counts.miou == pytest.approx((2 / 5 + 19 / 22) / 2)
    assert counts.hamming_px == 3
    assert counts.xor == pytest.approx(3 / 24)
    assert counts.xor_over_truth == pytest.approx(1.0)
    assert counts.hm_tabled == pytest.approx(3 / 5)


def test_tabled_xor_leaves_the_range_of_the_printed_one():
    counts = Counts(predicted=80, truth=1, hits=1, pixels=100)
    assert counts.xor_over_truth == 79 and counts.xor == 0.79
    assert Counts(predicted=1, pixels=9).xor_over_truth == float("inf")
    assert Counts(pixels=9).xor_over_truth == 0


def test_a_mask_of_cracks_only_has_no_background_to_miss():
    full = np.ones((3, 3), bool)
    assert count_pixels(full, full).miou == 1.0
    assert count_pixels(~full, full).miou == 0.0


@settings(max_examples=60, deadline=None)
@given(masks)
def test_laws_of_overlap(pair):
    predicted, truth = pair
    counts, back = count_pixels(predicted, truth), count_pixels(truth, predicted)
    for name in ("dice", "iou", "background_iou", "miou", "xor", "hamming_px", "hm_tabled"):
        assert getattr(counts, name) == pytest.approx(getattr(back, name))
    for name in ("dice", "iou", "background_iou", "miou", "xor", "hm_tabled"):
        assert 0 <= getattr(counts, name) <= 1
    assert counts.dice == pytest.approx(counts.f1)
    assert counts.xor == pytest.approx(np.mean(predicted != truth))
    assert counts.hamming_px == (predicted != truth).sum()
    inverse = count_pixels(~predicted, ~truth)
    assert counts.background_iou == pytest.approx(inverse.iou)
    assert counts.miou == pytest.approx(inverse.miou)
    padded = count_pixels(np.pad(predicted, 3), np.pad(truth, 3))
    assert padded.iou == counts.iou and padded.tolerant_f1 == pytest.approx(counts.tolerant_f1)


def naive_tolerant(predicted, truth, tolerance_px):
    """Share of predicted pixels with a true one in reach, by comparing every pair."""
    points, targets = np.argwhere(predicted), np.argwhere(truth)
    if not len(points):
        return 1.0 if not len(targets) else 0.0
    if not len(targets):
        return 0.0
    gaps = np.linalg.norm(points[:, None] - targets[None], axis=2).min(axis=1)
    return float((gaps <= tolerance_px).mean())


@settings(max_examples=60, deadline=None)
@given(masks, st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.0]))
def test_tolerant_measures_agree_with_comparing_every_pair(pair, tolerance_px):
    predicted, truth = pair
    counts = count_pixels(predicted, truth, tolerance_px)
    assert counts.tolerant_precision == pytest.approx(naive_tolerant(predicted, truth, tolerance_px))
    assert counts.tolerant_recall == pytest.approx(naive_tolerant(truth, predicted, tolerance_px))


@settings(max_examples=60, deadline=None)
@given(masks, st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.0]), st.integers(0, 2**32 - 1))
def test_sweep_is_counting_at_each_threshold(pair, tolerance_px, seed):
    counted, truth = pair
    probability = np.random.default_rng(seed).random(truth.shape, np.float32)
    thresholds = [0.0, 0.3, 0.7, 1.0]
    found = sweep_thresholds(probability, truth, thresholds, tolerance_px)
    assert found == [count_pixels(probability >= t, truth, tolerance_px) for t in thresholds]
    for threshold, counts in zip(
        thresholds, sweep_thresholds(probability, truth, thresholds, tolerance_px, counted), strict=True
    ):
        whole = count_pixels((probability >= threshold) & counted, truth & counted, tolerance_px)
        assert counts == replace(whole, pixels=int(counted.sum()))


def two_images():
    truth = np.zeros((1, 4), bool)
    truth[0, :2] = True
    low = np.array([[0.3, 0.3, 0.1, 0.1]], np.float32)  # perfect at 0.2 only
    high = np.array([[0.9, 0.9, 0.6, 0.1]], np.float32)  # perfect at 0.8 only
    return [score_image(p, truth, 0.5, 0.0, thresholds=(0.2, 0.8)) for p in (low, high)]


def test_best_threshold_of_a_set_and_of_each_image():
    low, high = two_images()
    assert (low.best_f1, high.best_f1) == (1.0, 1.0)
    pooled = pool([low, high])
    # at 0.2: 5 predicted, 4 true, 4 hits; at 0.8: 2 predicted, 4 true, 2 hits
    assert pooled.ods_f1 == pytest.approx(8 / 9) and pooled.ods_threshold == 0.2
    assert pooled.ois_f1 == 1.0
    assert pooled.counts == low.counts + high.counts
    assert pooled.counts.f1 == pytest.approx(2 * 2 / (3 + 4))


def test_means_over_images_are_not_the_pooled_measures():
    pooled = pool(two_images())
    assert pooled.image_means["iou"] == pytest.approx((0 + 2 / 3) / 2)
    assert pooled.counts.iou == pytest.approx(2 / 5)


def test_images_with_one_empty_side_are_told_not_averaged():
    pooled = pool(two_images())  # nothing is predicted in the first
    assert pooled.one_sided_images == 1 and pooled.images == 2
    assert pooled.hausdorff_px == 1.0
    assert np.isnan(pool(two_images()[:1]).hausdorff_px)


def test_measures_have_names():
    image = two_images()[1]
    assert set(COUNT_MEASURES) < set(image.measures())
    assert image.measures()["hausdorff_px"] == image.hausdorff_px == 1.0
    pooled = pool([image]).measures()
    assert set(COUNT_MEASURES) | {"ods_f1", "ois_f1", "hausdorff_px", "hausdorff95_px"} <= set(pooled)
    assert set(image.measures()) >= LOWER_IS_BETTER


def test_pixels_left_out_count_for_nothing():
    rng = np.random.default_rng(3)
    probability, truth = rng.random((12, 12), np.float32), rng.random((12, 12)) < 0.3
    counted = np.zeros((12, 12), bool)
    counted[:, :7] = True
    part = score_image(probability, truth, 0.5, counted=counted)
    assert part == score_image(probability[:, :7], truth[:, :7], 0.5)
    assert part.counts.pixels == 84


@settings(max_examples=40, deadline=None)
@given(masks, st.integers(0, 2**32 - 1))
def test_laws_of_the_sweep(pair, seed):
    _, truth = pair
    probability = np.random.default_rng(seed).random(truth.shape, np.float32)
    scores = score_image(probability, truth, 0.5)
    assert scores.best_f1 >= scores.counts.f1  # 0.5 is one of the sweep
    assert [counts.predicted for counts in scores.sweep] == sorted(
        (counts.predicted for counts in scores.sweep), reverse=True
    )
    pooled = pool([scores, scores])
    assert pooled.ods_f1 == pytest.approx(scores.best_f1) == pooled.ois_f1
    assert pooled.counts.iou == pytest.approx(scores.counts.iou)


def test_what_cannot_be_scored_is_said():
    truth = np.zeros((2, 3), bool)
    with pytest.raises(SettingsError, match="same height and width"):
        score_image(np.zeros((3, 2), np.float32), truth, 0.5)
    with pytest.raises(SettingsError, match="no thresholds"):
        score_image(np.zeros((2, 3), np.float32), truth, 0.5, thresholds=())
    with pytest.raises(SettingsError, match="no scores"):
        pool([])
    one, other = (score_image(np.zeros((2, 3), np.float32), truth, 0.5, thresholds=(t,)) for t in (0.1, 0.2))
    with pytest.raises(SettingsError, match="different thresholds"):
        pool([one, other])


def test_iou_of_several_classes_by_hand():
    truth = np.array([[0, 0, 1, 1], [0, 0, 2, 2]])
    predicted = np.array([[0, 1, 1, 1], [0, 0, 0, 2]])
    confusion = confusion_matrix(predicted, truth, 4)
    assert confusion.tolist() == [[3, 1, 0, 0], [0, 2, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    ious = class_ious(confusion)
    assert ious[:3].tolist() == pytest.approx([3 / 5, 2 / 3, 1 / 2])
    assert np.isnan(ious[3])  # in neither: no part of the mean
    assert mean_iou(confusion) == pytest.approx((3 / 5 + 2 / 3 + 1 / 2) / 3)
    with pytest.raises(SettingsError, match="Class number 2 is not one of 2"):
        confusion_matrix(predicted, truth, 2)
    with pytest.raises(SettingsError, match="-1"):
        confusion_matrix(predicted - 1, truth, 4)


@settings(max_examples=40, deadline=None)
@given(masks)
def test_two_classes_are_crack_and_background(pair):
    predicted, truth = pair
    confusion = confusion_matrix(predicted.astype(np.uint8), truth.astype(np.uint8), 2)
    counts = count_pixels(predicted, truth)
    expected = [counts.background_iou, counts.iou]
    for found, wanted in zip(class_ious(confusion), expected, strict=True):
        assert np.isnan(found) or found == pytest.approx(wanted)
    if not np.isnan(class_ious(confusion)).any():
        assert mean_iou(confusion) == pytest.approx(counts.miou)
