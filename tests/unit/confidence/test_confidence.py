"""A photo's interval: order, growth with the band, and what the network's doubt does to it."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.checkpoints import load_checkpoint
from engine.confidence import (
    BANDS,
    COVERED,
    Agreement,
    Interval,
    band_ends,
    crack_pixels,
    measure_interval,
    sample_agreement,
)
from engine.distress import measure_ground
from engine.errors import CancelledError, EngineError
from engine.images import load_image
from engine.inference import InferenceSettings, predict_probability_map
from engine.measurement import CrackMeasurement, measure_cracks
from engine.models.base import CrackModel
from engine.sample import SAMPLE_SEED, sample_surveys
from engine.scale import spread_sample
from tests.benchmarks.interval_coverage import BASE, GSD_MM_PER_PX

PLAIN = InferenceSettings(working_scale=1.0, device="cpu")
THRESHOLD = 0.5


def doubtful_map(seed: int, size: int = 96) -> npt.NDArray[np.float32]:
    """Blurred lines of any strength on a faint haze."""
    rng = np.random.default_rng(seed)
    drawn = np.zeros((size, size), np.float32)
    for _ in range(rng.integers(0, 4)):
        ends = rng.integers(0, size, (2, 2)).tolist()
        cv2.line(drawn, ends[0], ends[1], float(rng.uniform(0.3, 1)), int(rng.integers(2, 6)))
    haze = rng.uniform(0, 0.15, (size, size)).astype(np.float32)
    return np.clip(cv2.GaussianBlur(drawn, (0, 0), rng.uniform(0.5, 3)) * 1.3 + haze, 0, 1)


def measured_at(probability: npt.NDArray[np.float32]) -> CrackMeasurement:
    return measure_cracks(probability >= THRESHOLD, probability, gsd_mm_per_px=2.0)


def interval_of(probability: npt.NDArray[np.float32], agreement: Agreement) -> Interval:
    return measure_interval(probability, measured_at(probability), THRESHOLD, agreement)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 5), st.floats(0, 0.5))
def test_the_ends_are_in_order_around_the_measured_values(seed: int, band: float, floor: float) -> None:
    probability = doubtful_map(seed)
    measured = measured_at(probability)
    found = interval_of(probability, Agreement(band, floor, floor, 0.9, 5))
    assert 0 <= found.crack_area_ratio_low <= measured.crack_area_ratio <= found.crack_area_ratio_high <= 1
    low, density, high = (
        found.crack_density_m_per_m2_low,
        measured.crack_density_m_per_m2,
        found.crack_density_m_per_m2_high,
    )
    assert low is not None and density is not None and high is not None
    assert 0 <= low <= density + 1e-12 and density <= high + 1e-12


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 4), st.floats(0, 4), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_wider_band_or_floor_never_narrows_the_area(
    seed: int, band: float, more: float, floor: float, higher: float
) -> None:
    probability = doubtful_map(seed)
    narrow = interval_of(probability, Agreement(band, floor, 0.0, 0.9, 5))
    wide = interval_of(probability, Agreement(band + more, floor + higher, 0.0, 0.9, 5))
    assert wide.crack_area_ratio_low <= narrow.crack_area_ratio_low
    assert wide.crack_area_ratio_high >= narrow.crack_area_ratio_high


@given(st.floats(0, 1), st.floats(0, 6))
def test_the_band_holds_its_threshold(threshold: float, band: float) -> None:
    low, high = band_ends(threshold, band)
    middle = min(max(threshold, 1e-3), 1 - 1e-3)
    assert 0 < low <= middle + 1e-12 and middle - 1e-12 <= high < 1


@pytest.mark.parametrize("seed", range(8))
def test_pixels_are_nearly_those_of_the_measurement(seed: int) -> None:
    probability = doubtful_map(seed, 160)
    mask = probability >= THRESHOLD
    measured = measured_at(probability)
    # Specks are told by another measure; a mask has few of them.
    assert crack_pixels(mask) == pytest.approx(measured.crack_pixels, rel=0.05, abs=30)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("gsd_mm_per_px", [0.5, 2.0])
def test_without_doubt_both_ends_are_the_density_that_is_shown(seed: int, gsd_mm_per_px: float) -> None:
    probability = doubtful_map(seed, 160)
    # Bridges, and what counts as a crack, are those of the ground: at 0.5 mm/px from 50 px on.
    measured = measure_ground(
        probability >= THRESHOLD, probability, gsd_mm_per_px=gsd_mm_per_px, surveyed=None, lane_px=None
    ).measurement
    found = measure_interval(probability, measured, THRESHOLD, Agreement(0.0, 0.0, 0.0, 1.0, 5))
    ends = found.crack_density_m_per_m2_low, found.crack_density_m_per_m2_high
    assert ends == pytest.approx((measured.crack_density_m_per_m2,) * 2)


def test_a_sure_map_has_a_narrow_interval_and_an_unsure_one_a_wide_one() -> None:
    line = np.zeros((120, 120), np.float32)
    cv2.line(line, (10, 60), (110, 60), 1.0, 5)
    unsure = 0.6 * line + 0.3 * np.roll(line, 12, axis=0)
    one = Agreement(1.0, 0.0, 0.0, 0.9, 5)
    certain, doubtful = interval_of(line, one), interval_of(unsure.astype(np.float32), one)
    assert certain.crack_area_ratio_low == certain.crack_area_ratio_high > 0
    assert doubtful.crack_area_ratio_low == 0
    assert doubtful.crack_area_ratio_high > 1.5 * certain.crack_area_ratio_high


def test_where_nothing_is_found_the_interval_reaches_up_to_what_is_suspected() -> None:
    faint = np.zeros((120, 120), np.float32)
    cv2.line(faint, (10, 60), (110, 60), 0.4, 5)
    found = interval_of(faint, Agreement(1.0, 0.1, 0.1, 0.9, 5))
    assert found.crack_area_ratio_low == 0 < found.crack_area_ratio_high
    assert (found.crack_density_m_per_m2_high or 0) > 0


def test_without_a_ground_sampling_distance_there_is_no_density_interval() -> None:
    probability = doubtful_map(3)
    measured = measure_cracks(probability >= THRESHOLD, probability)
    found = measure_interval(probability, measured, THRESHOLD, Agreement(1.0, 0.1, 0.1, 0.9, 5))
    assert found.crack_density_m_per_m2_low is found.crack_density_m_per_m2_high is None


class DarkIsCrack(CrackModel):
    """Sees the same in every view but for resampling; with `lean`, more in what lies to the right."""

    last_features = torch.nn.Identity()
    lean = 0.0

    def forward_padded(self, image: Tensor) -> Tensor:
        across = torch.linspace(-1, 1, image.shape[-1])
        return 8 * (self.lean * across - image.mean(dim=1, keepdim=True))


def leaning_network(lean: float) -> DarkIsCrack:
    model = DarkIsCrack()
    model.lean = lean
    return model


def cracked_photo(seed: int) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    photo = rng.normal(150, 6, (160, 200, 3))
    ends = rng.integers(20, 140, (2, 2)).tolist()
    cv2.line(photo, ends[0], ends[1], (90.0, 90.0, 90.0), 5)
    return np.clip(cv2.GaussianBlur(photo, (0, 0), 1.5), 0, 255).astype(np.uint8)


def test_a_network_that_agrees_with_itself_gets_a_narrower_band_than_one_that_does_not() -> None:
    photos = [cracked_photo(seed) for seed in range(6)]
    steady = sample_agreement(DarkIsCrack(), photos, PLAIN, THRESHOLD)
    leaning = sample_agreement(leaning_network(0.4), photos, PLAIN, THRESHOLD)
    assert steady.photos == leaning.photos == 6
    assert steady.covered >= COVERED
    assert (steady.band, steady.area_floor) < (leaning.band, leaning.area_floor)
    assert steady.area_floor < leaning.area_floor


def test_the_same_sample_gives_the_same_agreement() -> None:
    photos = [cracked_photo(seed) for seed in range(3)]
    first, second = (sample_agreement(leaning_network(0.1), photos, PLAIN, THRESHOLD) for _ in range(2))
    assert first == second


def test_photos_without_a_crack_in_any_view_agree_about_nothing() -> None:
    blank = [np.full((100, 120, 3), 160, np.uint8)] * 3
    assert sample_agreement(DarkIsCrack(), blank, PLAIN, THRESHOLD) == Agreement(BANDS[0], 0, 0, 1, 0)


def test_no_photo_teaches_nothing() -> None:
    with pytest.raises(EngineError, match="no image"):
        sample_agreement(DarkIsCrack(), [], PLAIN, THRESHOLD)


def test_the_sample_can_be_cancelled_between_predictions() -> None:
    def stop(done: int, total: int) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        sample_agreement(DarkIsCrack(), [cracked_photo(0)], PLAIN, THRESHOLD, on_tile=stop)


def test_on_drawn_roads_the_density_intervals_hold_the_truth_more_often_than_not() -> None:
    """Ten photos at half size, to be quick; all of the sample at full size: docs/guide/measurement.md."""
    model, card = load_checkpoint(BASE)
    how = InferenceSettings(threshold=card.threshold, working_scale=0.5, device="cpu")
    photos = spread_sample(sample_surveys(SAMPLE_SEED)[1].photos, 10)
    images = [load_image(photo.render()) for photo in photos]
    agreement = sample_agreement(model, images[::3], how, card.threshold)
    held = 0
    for photo, image in zip(photos, images, strict=True):
        probability = predict_probability_map(model, image, how)
        measured = measure_cracks(probability >= card.threshold, probability, gsd_mm_per_px=GSD_MM_PER_PX)
        found = measure_interval(probability, measured, card.threshold, agreement)
        low, high = found.crack_density_m_per_m2_low, found.crack_density_m_per_m2_high
        assert low is not None and high is not None
        held += low <= photo.truth.density_m_per_m2 <= high
    assert any(photo.truth.density_m_per_m2 > 0 for photo in photos)
    assert held > len(photos) / 2
