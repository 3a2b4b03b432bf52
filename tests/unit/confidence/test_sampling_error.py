"""A section's interval: known cases, order, and what more or more varied photos do to it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sampling_error import PhotoSums, sampling_half_width, section_interval

photo = st.tuples(
    st.floats(0.5, 50), st.floats(0, 3), st.floats(0, 1), st.floats(1, 3)
)  # surveyed area, density, low / density, high / density


def sums_of(photos: list[tuple[float, float, float, float]]) -> PhotoSums:
    x, density, low, high = np.array(photos, float).T
    y = density * x
    return PhotoSums(
        len(photos), x.sum(), y.sum(), x @ x, x @ y, y @ y, float((y * low).sum()), float((y * high).sum())
    )


@settings(deadline=None)
@given(st.lists(photo, min_size=1, max_size=12))
def test_the_ends_are_in_order_around_the_estimate(photos: list[tuple[float, float, float, float]]) -> None:
    sums = sums_of(photos)
    low, high = section_interval(sums)
    assert 0 <= low <= sums.y / sums.x <= high


@settings(deadline=None)
@given(photo, st.integers(1, 40))
def test_photos_that_are_alike_leave_the_networks_own_doubt(
    one: tuple[float, float, float, float], count: int
) -> None:
    """It does not shrink with their number: they share one network."""
    _, density, low, high = one
    found = section_interval(sums_of([one] * count))
    assert found == pytest.approx((density * low, density * high), rel=1e-5, abs=1e-9)


@settings(deadline=None)
@given(st.lists(photo, min_size=2, max_size=12))
def test_no_interval_is_narrower_than_the_networks_own_doubt(
    photos: list[tuple[float, float, float, float]],
) -> None:
    sums = sums_of(photos)
    low, high = section_interval(sums)
    assert low <= sums.y_low / sums.x + 1e-9
    assert high >= sums.y_high / sums.x - 1e-9


def test_equal_areas_give_the_textbook_interval_of_a_mean() -> None:
    densities = np.array([0.2, 0.5, 0.3, 0.9])
    sums = sums_of([(2.0, float(density), 1.0, 1.0) for density in densities])
    # Student's t for 90 % and 3 degrees of freedom, from a printed table.
    assert sampling_half_width(sums) == pytest.approx(2.3534 * densities.std(ddof=1) / 2, rel=1e-4)


def test_one_photo_says_nothing_of_the_rest_of_the_section() -> None:
    sums = sums_of([(2.0, 0.4, 0.5, 2.0)])
    assert sampling_half_width(sums) is None
    assert section_interval(sums) == pytest.approx((0.2, 0.8))


def test_nine_in_ten_sections_hold_the_roads_own_mean() -> None:
    """Roads of known mean density, eight photos each, as a network without doubt would see them."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        road = rng.gamma(4, 0.25, 1000)
        some = rng.choice(road, 8, replace=False)
        low, high = section_interval(sums_of([(3.0, float(density), 1.0, 1.0) for density in some]))
        held += low <= road.mean() <= high
    assert 0.85 < held / 400 < 0.95


def test_what_was_looked_at_whole_has_no_error_of_sampling() -> None:
    sums = sums_of([(2.0, density, 0.9, 1.2) for density in (0.2, 0.5, 0.3, 0.9)])
    assert section_interval(sums, 1.0) == pytest.approx((sums.y_low / sums.x, sums.y_high / sums.x))
    # A section's length may be drawn a little shorter than its photos.
    assert section_interval(sums, 1.0 + 1e-9) == pytest.approx(section_interval(sums, 1.0))
    whole = sampling_half_width(sums)
    assert whole is not None and sampling_half_width(sums, 0.75) == pytest.approx(whole / 2)
    assert sampling_half_width(sums, 0.0) == whole


def test_nine_in_ten_sections_that_were_mostly_seen_hold_their_own_mean() -> None:
    """Sections of twelve places, nine of them photographed: the plain interval is wider than it need be."""
    rng = np.random.default_rng(1)
    held, widths = 0, []
    for _ in range(400):
        section = rng.gamma(4, 0.25, 12)
        some = rng.choice(section, 9, replace=False)
        sums = sums_of([(3.0, float(density), 1.0, 1.0) for density in some])
        low, high = section_interval(sums, 9 / 12)
        held += low <= section.mean() <= high
        widths.append((high - low) / np.subtract(*section_interval(sums)[::-1]))
    assert 0.85 < held / 400 < 0.95
    assert np.mean(widths) == pytest.approx(0.5, abs=0.02)
