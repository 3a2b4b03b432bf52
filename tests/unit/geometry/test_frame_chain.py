"""Chained photos: each metre once, gaps stay gaps, whichever way the road was driven."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.frame_chain import Extent, chain_extents, travel_directions

VIEW = (2.5, 6.5)


def road_parts(
    chainages: list[float], directions: list[int], extents: list[Extent | None]
) -> list[tuple[float, float]]:
    """Chainages from and to of what each photo counts."""
    return sorted(
        tuple(sorted((at + way * extent[0], at + way * extent[1])))  # type: ignore[misc]
        for at, way, extent in zip(chainages, directions, extents, strict=True)
        if extent is not None
    )


def union_length(parts: list[tuple[float, float]]) -> float:
    total, reached = 0.0, -np.inf
    for start, end in sorted(parts):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


chainages = st.lists(st.integers(0, 4000).map(lambda centimetres: centimetres / 50), min_size=1, max_size=25)
views = st.sampled_from([VIEW, (-0.8, 0.8), (-1.0, 3.0), (0.5, 30.0)])


@settings(max_examples=200, deadline=None)
@given(chainages, st.sampled_from([1, -1]), views)
def test_each_metre_counts_once_and_none_is_lost(at: list[float], way: int, view: Extent) -> None:
    ways = [way] * len(at)
    extents = chain_extents(at, ways, view)
    parts = road_parts(at, ways, extents)
    whole = road_parts(at, ways, [view] * len(at))
    counted = sum(end - start for start, end in parts)
    assert union_length(parts) == pytest.approx(counted, abs=1e-6)
    # Shreds of less than a centimetre may go.
    assert counted == pytest.approx(union_length(whole), abs=0.01 * len(at))
    for extent in extents:
        assert extent is None or (view[0] - 1e-9 <= extent[0] < extent[1] <= view[1] + 1e-9)


@settings(max_examples=50, deadline=None)
@given(chainages, views)
def test_the_nearest_photo_counts(at: list[float], view: Extent) -> None:
    extents = chain_extents(at, [1] * len(at), view)
    for place, extent in zip(at, extents, strict=True):
        if extent is None:
            continue
        middle = place + sum(extent) / 2
        rivals = [abs(middle - other) for other in at if view[0] <= middle - other <= view[1]]
        assert abs(middle - place) == pytest.approx(min(rivals))


def test_close_photos_hand_over_and_distant_ones_leave_a_gap() -> None:
    extents = chain_extents([100.0, 102.0, 150.0], [1, 1, 1], VIEW)
    assert extents == [pytest.approx((2.5, 4.5)), pytest.approx(VIEW), pytest.approx(VIEW)]


def test_looking_down_photos_meet_halfway() -> None:
    assert chain_extents([10.0, 11.0], [1, 1], (-0.8, 0.8)) == [
        pytest.approx((-0.8, 0.5)),
        pytest.approx((-0.5, 0.8)),
    ]


def test_driven_towards_lower_chainage() -> None:
    extents = chain_extents([102.0, 100.0], [-1, -1], VIEW)
    assert extents == [pytest.approx((2.5, 4.5)), pytest.approx(VIEW)]
    assert road_parts([102.0, 100.0], [-1, -1], extents) == [
        pytest.approx((93.5, 97.5)),
        pytest.approx((97.5, 99.5)),
    ]


def test_both_directions_are_two_lanes() -> None:
    # What one counts ahead of 100 and the other behind 109 is the same stretch.
    assert chain_extents([100.0, 109.0], [1, -1], VIEW) == [VIEW, VIEW]


def test_of_photos_at_one_place_the_first_counts() -> None:
    assert chain_extents([50.0, 50.0, 52.0], [1, 1, 1], VIEW) == [
        pytest.approx((2.5, 4.5)),
        None,
        pytest.approx(VIEW),
    ]


def test_a_photo_of_unknown_place_counts_all_it_shows() -> None:
    assert chain_extents([None, 50.0, None], [1, 1, 1], VIEW) == [VIEW, pytest.approx(VIEW), VIEW]
    assert chain_extents([], [], VIEW) == []


@pytest.mark.parametrize("way", [1, -1])
def test_in_a_sharp_curve_only_what_the_straight_lane_covers_counts(way: int) -> None:
    at = [float(place) for place in range(0, 100, 4)]
    radius_m = 30.0
    noise = np.random.default_rng(3).normal(0, 1.0, len(at))
    turned = [
        float(np.degrees(max(0.0, place - 50) / radius_m) + extra)
        for place, extra in zip(at, noise, strict=True)
    ]
    headings: list[float | None] = [(350 + heading + (180 if way < 0 else 0)) % 360 for heading in turned]
    extents = chain_extents(at, [way] * len(at), (1.0, 8.0), headings)
    parts = road_parts(at, [way] * len(at), extents)
    assert union_length(parts) == pytest.approx(sum(end - start for start, end in parts))
    last = extents[-1] if way > 0 else extents[18]
    assert last is not None
    # d^2 / 2R = 0.3 m
    assert last[1] == pytest.approx(np.sqrt(0.6 * radius_m), rel=0.15)
    alone = chain_extents([at[2]], [way], (1.0, 8.0), [headings[2]])
    assert alone == [(1.0, 8.0)]
    straight = extents[0] if way < 0 else extents[2]
    assert straight is not None


def test_headings_of_the_other_direction_are_no_curve() -> None:
    at = [0.0, 20.0, 5.0, 15.0, 10.0]
    extents = chain_extents(at, [1, -1, 1, -1, 1], (2.0, 4.0), [90.0, 270.0, 90.0, 270.0, 90.0])
    assert extents == [pytest.approx((2.0, 4.0))] * 5


def test_direction_from_the_order_of_photos() -> None:
    there_and_back = [1.0, 20.0, 20.0, 30.0, None, 20.0, 1.0]
    assert travel_directions(there_and_back) == [1, 1, 1, 1, 1, -1, -1]
    assert travel_directions([None, 9.0, 8.0]) == [-1, -1, -1]
    assert travel_directions([5.0, None]) == [1, 1]
    assert travel_directions([]) == []
    assert travel_directions([30.0, 20.0, 10.0, 40.0, 30.0, 20.0]) == [-1] * 6, "two passes"
    assert travel_directions([0.0, 10.0, 20.0, 10.0, 0.0, 10.0]) == [1, 1, 1, -1, -1, 1]


JITTERED: list[float | None] = [0, 5, 10, 10.2, 9.9, 10.1, 15, 20]


@pytest.mark.parametrize("headings", [None, [90.0] * 8])
@pytest.mark.parametrize("way", [1, -1])
def test_a_step_back_is_no_turn(way: int, headings: list[float | None] | None) -> None:
    at = [None if place is None else way * place for place in JITTERED]
    ways = travel_directions(at)
    assert ways == [way] * 8
    extents = chain_extents(at, ways, (4.0, 16.0), headings)
    assert sum(extent[1] - extent[0] for extent in extents if extent) == pytest.approx(32.0)
    assert extents[0] is not None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 12), st.floats(-1, 1), st.booleans()),
        min_size=2,
        max_size=30,
    ),
    st.sampled_from([1, -1]),
    st.booleans(),
)
def test_jitter_turns_no_photo_and_counts_no_metre_twice(
    steps: list[tuple[float, float, bool]], way: int, with_headings: bool
) -> None:
    at: list[float | None] = []
    headings: list[float | None] = []
    place = 0.0
    for step, jitter, stands in [(20.0, 0.0, False), *steps, (20.0, 0.0, False)]:
        place += 0.0 if stands else step
        at.append(way * (place + jitter))
        headings.append(90.0 if way > 0 else 270.0)
    headings = headings if with_headings else [None] * len(at)
    ways = travel_directions(at, headings, [90.0] * len(at))
    assert ways == [way] * len(at)
    known = [place for place in at if place is not None]
    parts = road_parts(known, ways, chain_extents(known, ways, (4.0, 16.0)))
    assert sum(end - start for start, end in parts) == pytest.approx(union_length(parts))


def test_headings_tell_both_directions_in_any_order() -> None:
    at = [0.0, 40.0, 10.0, 30.0, 20.0, 20.0]
    looks = [350.0, 170.0, 10.0, 200.0, None, 180.0]
    line = [0.0, 0.0, 0.0, 5.0, 0.0, 0.0]
    # What has no heading goes where chainage does.
    assert travel_directions(at, looks, line)[:4] == [1, -1, 1, -1]
    assert travel_directions(at, [90.0] * 6, line) == travel_directions(at), "across the road says nothing"
    assert travel_directions([20.0, 10.0], [0.0, 0.0], [0.0, 0.0]) == [1, 1]


def test_headings_of_a_standing_vehicle_are_noise() -> None:
    at = [0.0, 10.0, 20.0, 20.2, 19.9, 20.1, 22.0, 30.0, 40.0]
    looks: list[float | None] = [0.0, 0.0, 0.0, 180.0, 0.0, 180.0, 0.0, 0.0, 0.0]
    assert travel_directions(at, looks, [0.0] * 9) == [1] * 9
