"""The audit's statistics against hand-computed values and simulated populations whose truth is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.audit import (
    MIN_PREDICTED_PX,
    Box,
    JudgedTile,
    allocate,
    count_predicted,
    draw_tiles,
    effective_size,
    measure,
    record_hash,
    stratify,
    tile_grid,
    verify_record,
    weighted_share,
    wilson_interval,
    window_around,
)
from engine.errors import SettingsError
from engine.vocabulary import AuditAnswer

sides = st.integers(32, 1500)
sizes_of_strata = st.dictionaries(st.integers(0, 3), st.integers(1, 3000), min_size=1)


@given(sides, sides, st.integers(32, 600))
def test_tiles_part_a_photo(width: int, height: int, tile: int) -> None:
    covered = np.zeros((height, width), np.int32)
    for box in tile_grid(width, height, tile):
        assert 1 <= box.width_px <= tile and 1 <= box.height_px <= tile
        covered[box.top_px : box.top_px + box.height_px, box.left_px : box.left_px + box.width_px] += 1
        window = window_around(box, width, height)
        assert 0 <= window.left_px <= box.left_px and 0 <= window.top_px <= box.top_px
        assert box.left_px + box.width_px <= window.left_px + window.width_px <= width
        assert box.top_px + box.height_px <= window.top_px + window.height_px <= height
    assert (covered == 1).all()


def test_a_small_photo_is_one_tile_and_absurd_sides_are_refused() -> None:
    assert tile_grid(200, 100, 256) == [Box(0, 0, 200, 100)]
    assert [box.width_px for box in tile_grid(300, 100, 256)] == [150, 150]
    for side in (0, -256, 10**9):
        with pytest.raises(SettingsError, match="tile"):
            tile_grid(200, 100, side)


def test_predicted_pixels_are_counted_per_tile() -> None:
    mask = np.zeros((64, 64), bool)
    mask[:3, :40] = True
    assert count_predicted(mask, tile_grid(64, 64, 32)).tolist() == [96, 24, 0, 0]


def test_strata_are_nothing_and_terciles_of_density() -> None:
    predicted = np.array([0, MIN_PREDICTED_PX - 1, MIN_PREDICTED_PX, 30, 60, 90, 200, 400])
    assert stratify(predicted, np.full(8, 1000)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    # The same pixels on a smaller tile are denser.
    assert stratify(np.array([50, 50]), np.array([1000, 100])).tolist() == [1, 3]
    assert stratify(np.array([0, 0]), np.array([10, 10])).tolist() == [0, 0]


@given(sizes_of_strata, st.integers(8, 2000))
def test_the_allocation_is_whole_within_the_strata_and_floored(sizes: dict[int, int], tiles: int) -> None:
    drawn = allocate(sizes, tiles)
    assert sum(drawn.values()) == min(tiles, sum(sizes.values()))
    for stratum, size in sizes.items():
        assert min(size, max(1, tiles // 6)) <= drawn[stratum] <= size


def test_the_allocation_is_proportional_above_the_floor() -> None:
    assert allocate({0: 9000, 1: 350, 2: 350, 3: 300}, 60) == {0: 30, 1: 10, 2: 10, 3: 10}
    assert allocate({0: 400, 1: 200, 2: 200, 3: 200}, 100) == {0: 40, 1: 20, 2: 20, 3: 20}
    for tiles in (7, 2001):
        with pytest.raises(SettingsError, match="sample"):
            allocate({0: 100}, tiles)


def test_a_draw_repeats_with_its_seed_never_repeats_a_tile_and_hides_the_strata() -> None:
    strata = np.repeat([0, 1, 2, 3], [500, 40, 40, 40])
    first = draw_tiles(strata, 60, seed=7)
    assert first == draw_tiles(strata, 60, seed=7) != draw_tiles(strata, 60, seed=8)
    assert len(set(first)) == 60
    assert np.bincount(strata[first]).tolist() == [30, 10, 10, 10]
    # Where a tile stands in the order says nothing: over many draws each place sees stratum 0 half the time.
    shares = np.mean([strata[draw_tiles(strata, 60, seed)] == 0 for seed in range(400)], axis=0)
    assert shares.min() > 0.35 and shares.max() < 0.65


@given(st.floats(0, 1), st.floats(0, 1e5))
def test_wilson_stays_in_bounds_holds_the_share_and_is_symmetric(share: float, size: float) -> None:
    low, high = wilson_interval(share, size)
    assert 0 <= low <= share <= high <= 1
    mirrored = wilson_interval(1 - share, size)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_wilson_against_hand_computed_values() -> None:
    assert wilson_interval(0.5, 10) == pytest.approx((0.23659, 0.76341), abs=1e-5)
    assert wilson_interval(1.0, 10) == pytest.approx((10 / (10 + 3.841459), 1.0), abs=1e-6)
    assert wilson_interval(0.0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("size", [20, 60, 300])
def test_wilson_holds_the_truth_at_about_the_nominal_rate(share: float, size: int) -> None:
    """Exactly, over the binomial distribution: Wilson's lowest coverage for these is above 0.91."""
    rate = 0.0
    for seen in range(size + 1):
        low, high = wilson_interval(seen / size, size)
        if low <= share <= high:
            rate += math.comb(size, seen) * share**seen * (1 - share) ** (size - seen)
    assert 0.91 <= rate <= 0.985


def test_kish_counts_equal_weights_fully_and_unequal_ones_less() -> None:
    assert effective_size([3.0] * 25) == pytest.approx(25)
    assert effective_size([1, 1, 2]) == pytest.approx(16 / 6)
    assert effective_size([]) == 0


def test_a_weighted_share_by_hand() -> None:
    found = weighted_share([True, False, False], [2.0, 1.0, 1.0])
    assert found.value == pytest.approx(0.5)
    assert found.effective_tiles == pytest.approx(16 / 6)
    assert (found.low, found.high) == wilson_interval(0.5, 16 / 6)
    nothing = weighted_share([], [])
    assert (nothing.value, nothing.low, nothing.high) == (None, 0.0, 1.0)


def judged(stratum: int, tiles: int, answer: AuditAnswer | None, **more: bool) -> JudgedTile:
    return JudgedTile(stratum, tiles, answer, **more)


def test_figures_by_hand() -> None:
    """100 tiles without and 20 with a prediction: 2 of 4 and 9 of 10 cracked, one tile unsure."""
    crack, none = AuditAnswer.CRACK, AuditAnswer.NONE
    tiles = [
        *(judged(0, 100, crack, accepted=False, missed=True) for _ in range(2)),
        *(judged(0, 100, none, accepted=True, missed=False) for _ in range(2)),
        judged(0, 100, AuditAnswer.UNSURE),
        *(judged(2, 20, crack, accepted=True, missed=False) for _ in range(9)),
        judged(2, 20, none, accepted=False, missed=False),
    ]
    figures = measure(tiles)
    assert figures.precision.value == pytest.approx(0.9)
    assert (figures.precision.low, figures.precision.high) == wilson_interval(0.9, 10)
    # 18 found of 18 + 50
    assert figures.recall.value == pytest.approx(18 / 68)
    assert figures.recall.low < 18 / 68 < figures.recall.high
    assert figures.accept_rate.value == pytest.approx(0.9)  # the tiles without a prediction are not in it
    assert figures.missed_rate.value == pytest.approx(50 / 120)
    assert (figures.judged, figures.unsure, figures.recall.tiles) == (14, 1, 11)


@pytest.mark.parametrize(
    ("tiles", "precision", "recall"),
    [
        ([], None, None),
        ([judged(0, 50, AuditAnswer.UNSURE)], None, None),
        ([judged(0, 50, AuditAnswer.NONE)], None, None),
        ([judged(0, 50, AuditAnswer.CRACK)], None, 0.0),
        ([judged(1, 50, AuditAnswer.CRACK)], 1.0, 1.0),
        ([judged(1, 50, AuditAnswer.NONE), judged(0, 50, AuditAnswer.CRACK)], 0.0, 0.0),
        ([judged(1, 50, AuditAnswer.CRACK), judged(0, 50, AuditAnswer.UNSURE)], 1.0, None),
    ],
)
def test_figures_of_next_to_nothing(
    tiles: list[JudgedTile], precision: float | None, recall: float | None
) -> None:
    figures = measure(tiles)
    assert (figures.precision.value, figures.recall.value) == (precision, recall)
    assert 0 <= figures.recall.low <= figures.recall.high <= 1


@st.composite
def samples(draw: st.DrawFn) -> list[JudgedTile]:
    tiles = []
    for stratum in range(4):
        size = draw(st.integers(0, 5000))
        for _ in range(min(size, draw(st.integers(1, 8)))):
            flags = draw(st.tuples(st.booleans(), st.booleans()))
            tiles.append(JudgedTile(stratum, size, draw(st.sampled_from(AuditAnswer)), *flags))
    return tiles


@given(samples())
def test_every_estimate_lies_in_its_interval_within_0_and_1(tiles: list[JudgedTile]) -> None:
    figures = measure(tiles)
    for found in (figures.precision, figures.recall, figures.accept_rate, figures.missed_rate):
        assert 0 <= found.low <= found.high <= 1
        assert found.value is None or found.low <= found.value <= found.high
        assert found.effective_tiles <= len(tiles) + 1e-9


def population(seed: int, tiles: list[int], rates: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Stratum and truth of every tile, shuffled."""
    rng = np.random.default_rng(seed)
    strata = np.repeat(range(4), tiles)
    truth = np.concatenate(
        [rng.permutation(np.arange(n) < round(n * rate)) for n, rate in zip(tiles, rates, strict=True)]
    )
    order = rng.permutation(len(strata))
    return strata[order], truth[order]


POPULATIONS = [
    ([900, 33, 33, 34], [0.05, 0.6, 0.9, 1.0]),
    ([900, 33, 33, 34], [0.02, 0.6, 0.9, 1.0]),
    ([500, 167, 167, 166], [0.1, 0.5, 0.8, 0.9]),
    ([900, 100, 100, 100], [0.3, 0.7, 0.9, 0.95]),
    ([3000, 300, 300, 300], [0.1, 0.2, 0.3, 0.5]),
]


@pytest.mark.parametrize(("tiles", "rates"), POPULATIONS)
def test_the_estimates_are_unbiased_and_their_intervals_hold_the_truth(
    tiles: list[int], rates: list[float]
) -> None:
    strata, cracked = population(1, tiles, rates)
    predicted = strata > 0
    truth = {
        "precision": cracked[predicted].mean(),
        "recall": cracked[predicted].sum() / cracked.sum(),
        "missed_rate": (cracked & ~predicted).mean(),
    }
    found: dict[str, list[float]] = {name: [] for name in truth}
    held = dict.fromkeys(truth, 0)
    rounds = 400
    for seed in range(rounds):
        figures = measure(
            [
                JudgedTile(
                    int(strata[i]),
                    tiles[strata[i]],
                    AuditAnswer.CRACK if cracked[i] else AuditAnswer.NONE,
                    accepted=bool(cracked[i]),
                    missed=bool(cracked[i] and not predicted[i]),
                )
                for i in draw_tiles(strata, 60, seed)
            ]
        )
        for name in truth:
            estimate = getattr(figures, name)
            found[name].append(estimate.value)
            held[name] += estimate.low <= truth[name] <= estimate.high
    for name in ("precision", "missed_rate"):  # recall is a ratio: unbiased only as samples grow
        error = np.mean(found[name]) - truth[name]
        assert abs(error) < 4 * np.std(found[name]) / math.sqrt(rounds), name
    for name, times in held.items():
        assert times / rounds >= 0.9, name


def test_recall_of_a_large_sample_is_near_the_truth() -> None:
    tiles = [6000, 700, 700, 700]
    strata, cracked = population(2, tiles, [0.05, 0.5, 0.8, 0.95])
    sample = [
        JudgedTile(int(strata[i]), tiles[strata[i]], AuditAnswer.CRACK if cracked[i] else AuditAnswer.NONE)
        for i in draw_tiles(strata, 2000, seed=3)
    ]
    recall = measure(sample).recall
    assert recall.value == pytest.approx(cracked[strata > 0].sum() / cracked.sum(), abs=0.03)
    assert recall.high - recall.low < 0.1


def test_a_records_hash_does_not_depend_on_the_order_and_notices_any_change() -> None:
    record = {"survey": "Straße", "figures": {"recall": 0.1, "precision": 1.0}, "tiles": [1, 2]}
    again = {"tiles": [1, 2], "figures": {"precision": 1.0, "recall": 0.1}, "survey": "Straße"}
    made = record_hash(record)
    assert verify_record(again, made) and len(made) == 64
    assert not verify_record({**record, "figures": {"recall": 0.2, "precision": 1.0}}, made)
    assert not verify_record({**record, "tiles": [2, 1]}, made)
    with pytest.raises(ValueError, match="JSON"):
        record_hash({"value": math.nan})
