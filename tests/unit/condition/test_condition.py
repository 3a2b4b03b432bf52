"""The crack-only condition index against published numbers, and what must always hold of it."""

import json
import math
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.condition import (
    FAIR_INDEX,
    FORMULAS,
    GOOD_INDEX,
    ConditionIndex,
    allowed_deducts,
    condition_index,
    correct_deducts,
    grade_of,
    hpms_class,
    hpms_cracking_percent,
    is_at_best,
    paser_action,
    paser_of,
    rating_of,
    sample_units_needed,
    unified_crack_index,
)
from engine.deducts import FAMILIES, GRADES, DeductFamily, corrected_deduct, deduct_value
from engine.errors import SettingsError
from engine.vocabulary import DistressType, Severity

LOW, MEDIUM, HIGH = GRADES
ALLIGATOR, BLOCK, LINEAR = DeductFamily.ALLIGATOR, DeductFamily.BLOCK, DeductFamily.LINEAR
# (lowest, highest) deduct at 1, 5, 10, 30 and 100 % in the open fits of D6433's figures.
PUBLISHED = {
    (ALLIGATOR, LOW): [(11, 12), (25, 26), (32, 34), (45, 47), (62, 62)],
    (ALLIGATOR, MEDIUM): [(22, 22), (38, 39), (46, 47), (60, 61), (78, 78)],
    (ALLIGATOR, HIGH): [(31, 31), (52, 53), (61, 63), (76, 76), (91, 92)],
    (BLOCK, LOW): [(0, 1), (5, 6), (8, 9), (16, 17), (26, 28)],
    (BLOCK, MEDIUM): [(2, 3), (10, 12), (16, 18), (27, 29), (42, 44)],
    (BLOCK, HIGH): [(6, 8), (21, 21), (30, 31), (47, 49), (72, 72)],
    (LINEAR, LOW): [(2, 2), (11, 12), (17, 18), (28, 29)],
    (LINEAR, MEDIUM): [(9, 10), (22, 24), (30, 31), (45, 45)],
    (LINEAR, HIGH): [(19, 20), (44, 45), (60, 62), (88, 89)],
}
# (lowest, highest) corrected deduct at totals of 40, 60, 80 and 100.
CORRECTED = {
    2: [(29, 29), (44, 44), (58, 58), (70, 70)],
    3: [(24, 24), (38, 38), (51, 51), (63, 63)],
    4: [(19, 19), (32, 33), (45, 46), (57, 58)],
    5: [(16, 17), (29, 29), (41, 41), (52, 52)],
}


@dataclass(frozen=True)
class Amount:
    """A quantity as the measurement gives it."""

    kind: DistressType
    severity: Severity | None
    length_m: float = 0.0
    area_m2: float = 0.0


@pytest.mark.parametrize("curve", PUBLISHED)
def test_deducts_lie_in_the_published_ranges(curve: tuple[DeductFamily, Severity]) -> None:
    for density, (lowest, highest) in zip((1, 5, 10, 30, 100), PUBLISHED[curve], strict=False):
        assert lowest - 0.05 <= deduct_value(*curve, density) <= highest + 0.05


@pytest.mark.parametrize("q", CORRECTED)
def test_corrected_deducts_lie_in_the_published_ranges(q: int) -> None:
    for total, (lowest, highest) in zip((40, 60, 80, 100), CORRECTED[q], strict=True):
        assert lowest - 1e-9 <= corrected_deduct(total, q) <= highest + 1e-9


def test_published_single_readings() -> None:
    assert deduct_value(ALLIGATOR, MEDIUM, 0.64) == pytest.approx(17, abs=1)
    assert corrected_deduct(45, 2) == pytest.approx(33, abs=1)
    # A worked D6433 sample: alligator low on 0.52 % costs 7.9, high on 0.56 % costs 23.4.
    assert deduct_value(ALLIGATOR, LOW, 0.52) == pytest.approx(7.9, abs=1)
    assert deduct_value(ALLIGATOR, HIGH, 0.56) == pytest.approx(23.4, abs=1)


def test_a_published_correction() -> None:
    """Five deducts, of which 5.77 may count: 48, 23, 18, 6 and 0.77 x 5; together 60."""
    standard, capped = correct_deducts([5.0, 6.0, 48.0, 23.0, 18.0, 5.0])
    assert standard.highest == 48.0 and standard.allowed == pytest.approx(5.77, abs=0.01)
    assert standard.steps[0].deducts[-1] == pytest.approx(3.88, abs=0.01)
    assert standard.greatest == pytest.approx(60, abs=1)
    assert [step.q for step in standard.steps] == [6, 5, 4, 3, 2, 1]
    assert capped is None


points = st.lists(st.floats(0.1, 100), min_size=1, max_size=9)


@settings(deadline=None, max_examples=60)
@given(points)
def test_a_cap_counts_where_one_costs_more_than_the_standard(deducts: list[float]) -> None:
    """Every cap, tenth by tenth, corrected by the standard's own rule with the cap as highest deduct."""
    standard, capped = correct_deducts(deducts)
    assert standard.allowed == allowed_deducts(standard.highest)
    costs = [standard.greatest]
    for tenth in range(1, round(standard.highest * 10)):
        lowered = [min(value, tenth / 10) for value in deducts]
        costs.append(correct_deducts(lowered)[0].greatest)
    assert (capped or standard).greatest == pytest.approx(max(costs), abs=1e-6)
    if capped is not None:
        assert capped.highest < standard.highest and capped.greatest > standard.greatest
        assert capped.allowed == pytest.approx(allowed_deducts(capped.highest))


def test_linear_cracking_stops_at_30_percent() -> None:
    for severity in GRADES:
        assert deduct_value(LINEAR, severity, 30) == pytest.approx(deduct_value(LINEAR, severity, 90))


def test_lengths_are_counted_in_feet_per_hundred_square_feet() -> None:
    found = condition_index([Amount(DistressType.LONGITUDINAL, LOW, length_m=100.0)], 400.0)
    feet, square_feet = 100 / 0.3048, 400 / 0.3048**2
    assert found.deducts[0].density_percent == pytest.approx(100 * feet / square_feet)
    assert found.deducts[0].quantity == pytest.approx(100.0)


def test_longitudinal_transverse_and_diagonal_are_one_distress() -> None:
    lines = [DistressType.LONGITUDINAL, DistressType.TRANSVERSE, DistressType.DIAGONAL]
    split = condition_index([Amount(kind, MEDIUM, length_m=10.0) for kind in lines], 300.0)
    whole = condition_index([Amount(lines[0], MEDIUM, length_m=30.0)], 300.0)
    assert len(split.deducts) == 1
    assert split.value == pytest.approx(whole.value)


densities = st.floats(0.0, 150.0)
families = st.sampled_from(list(DeductFamily))


@given(families, st.sampled_from(GRADES), densities, densities)
def test_more_density_never_costs_less(
    family: DeductFamily, severity: Severity, one: float, other: float
) -> None:
    less, more = sorted((one, other))
    assert 0 <= deduct_value(family, severity, less) <= deduct_value(family, severity, more) <= 100


@given(families, densities)
def test_worse_severity_never_costs_less(family: DeductFamily, density: float) -> None:
    points = [deduct_value(family, severity, density) for severity in GRADES]
    assert points == sorted(points)


@given(st.floats(0, 400), st.floats(0, 400), st.integers(1, 12))
def test_correction_rises_with_the_total_and_falls_with_q(one: float, other: float, q: int) -> None:
    less, more = sorted((one, other))
    assert 0 <= corrected_deduct(less, q) <= corrected_deduct(more, q) <= 100
    assert corrected_deduct(more, q + 1) <= corrected_deduct(more, q) <= more + 1e-9


amounts = st.builds(
    Amount,
    st.sampled_from(list(FAMILIES)),
    st.sampled_from(GRADES),
    st.floats(0, 200),
    st.floats(0, 300),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(amounts, max_size=12), amounts)
def test_more_distress_never_raises_the_index(before: list[Amount], more: Amount) -> None:
    first, second = condition_index(before, 300.0), condition_index([*before, more], 300.0)
    assert 0 <= second.value <= first.value + 1e-6 <= 100 + 1e-6


def test_more_of_the_worst_never_raises_the_index_where_m_pushes_others_out() -> None:
    """D6433 as it stands gives this road three points more for more of its worst cracking."""
    road = [
        Amount(DistressType.ALLIGATOR, MEDIUM, area_m2=8.3),
        Amount(DistressType.ALLIGATOR, HIGH, area_m2=29.6),
        Amount(DistressType.BLOCK, LOW, area_m2=3.0),
        Amount(DistressType.LONGITUDINAL, LOW, length_m=0.2),
        Amount(DistressType.LONGITUDINAL, HIGH, length_m=8.6),
    ]
    values = []
    for extra in range(0, 70, 2):
        worse = replace(road[1], area_m2=29.6 + extra)
        values.append(condition_index([road[0], worse, *road[2:]], 100.0).value)
    assert values == sorted(values, reverse=True)


def test_no_cracking_is_a_hundred() -> None:
    found = condition_index([], 50.0)
    assert (found.value, found.value_low, found.rating, found.paser, found.action) == (
        100.0, 100.0, "good", 10, "none",
    )  # fmt: skip
    assert found.correction.steps == () and found.capped is None


def test_the_index_is_a_hundred_less_the_greatest_corrected_deduct() -> None:
    found = condition_index(
        [Amount(DistressType.ALLIGATOR, MEDIUM, area_m2=30.0), Amount(DistressType.BLOCK, LOW, area_m2=60.0)],
        300.0,
    )
    steps = found.correction.steps
    assert [step.q for step in steps] == [2, 1]
    assert steps[1].deducts == (found.deducts[0].points, 2.0)
    assert found.value == pytest.approx(100 - max(step.corrected for step in steps))
    assert "upper bound" in found.notes[0]
    assert json.loads(json.dumps(found.as_dict()))["deducts"][0] == {
        "family": "alligator", "severity": "medium", "quantity": 30.0, "density_percent": 10.0,
        "points": pytest.approx(46.5, abs=0.01),
    }  # fmt: skip


def _index_of(severity: Severity | None) -> ConditionIndex:
    graded = Amount(DistressType.ALLIGATOR, MEDIUM, area_m2=3.0)
    return condition_index([graded, Amount(DistressType.TRANSVERSE, severity, length_m=30.0)], 300.0)


def test_cracking_without_a_severity_gives_bounds() -> None:
    unknown = _index_of(Severity.NOT_MEASURABLE)
    assert unknown.value == unknown.value_high == pytest.approx(_index_of(LOW).value)
    assert unknown.value_low == pytest.approx(_index_of(HIGH).value)
    assert unknown.not_measurable_share == pytest.approx(3.048 / 4.048)
    assert "75%" in unknown.notes[1] and "low" in unknown.notes[1]
    assert _index_of(None) == unknown
    graded = _index_of(MEDIUM)
    assert graded.value == graded.value_low and graded.not_measurable_share == 0
    assert unknown.value_low <= graded.value <= unknown.value_high


def test_what_no_curve_covers_is_named() -> None:
    found = condition_index(
        [Amount(DistressType.POTHOLE, None, area_m2=1.0), Amount(DistressType.CRACK, None, length_m=9.0)],
        10.0,
    )
    assert found.value == 100.0
    assert set(found.left_out) == {DistressType.POTHOLE, DistressType.CRACK}
    assert "pothole" in found.notes[-1]


@pytest.mark.parametrize("area", [0.0, -1.0, math.nan])
def test_an_index_of_nothing_is_refused(area: float) -> None:
    with pytest.raises(SettingsError):
        condition_index([], area)


def test_words_and_bands() -> None:
    assert [rating_of(index) for index in (85, 84.9, 70, 55, 40, 25, 10, 9.9, 0)] == [
        "good", "satisfactory", "satisfactory", "fair", "poor", "very poor", "serious", "failed", "failed",
    ]  # fmt: skip
    assert [paser_of(index) for index in (100, 95, 94.9, 65, 64.9, 45, 25, 24.9, 0)] == [
        10, 10, 9, 7, 6, 5, 3, 2, 1,
    ]  # fmt: skip
    assert [paser_action(paser) for paser in range(10, 0, -1)] == [
        "none", "none", "crack seal", "crack seal", "preservation", "preservation", "overlay", "overlay",
        "reconstruct", "reconstruct",
    ]  # fmt: skip


def test_sealing_is_not_advised_for_alligator_without_a_word() -> None:
    fatigue = condition_index([Amount(DistressType.ALLIGATOR, LOW, area_m2=12.0)], 300.0)
    seams = condition_index([Amount(DistressType.TRANSVERSE, LOW, length_m=80.0)], 300.0)
    assert fatigue.action == seams.action == "crack seal"
    assert any("sealing does not suit" in note for note in fatigue.notes)
    assert not any("sealing does not suit" in note for note in seams.notes)


def test_allowed_deducts() -> None:
    assert [allowed_deducts(highest) for highest in (100, 2, 0)] == [1.0, 10.0, 10.0]
    assert allowed_deducts(48) == pytest.approx(5.775, abs=0.001)


def test_hpms_percent_is_whole_and_graded_for_asphalt() -> None:
    assert [hpms_cracking_percent(area, 200.0) for area in (0.0, 9.0, 41.0, 500.0)] == [0, 5, 21, 100]
    assert [hpms_class(percent) for percent in (4, 5, 20, 21)] == ["good", "fair", "fair", "poor"]
    assert unified_crack_index(3, 12) == 25.0


def test_sample_size() -> None:
    assert sample_units_needed(30) == math.ceil(30 * 100 / (6.25 * 29 + 100)) == 11
    assert [sample_units_needed(units) for units in (1, 4, 10**6)] == [1, 4, 16]
    assert sample_units_needed(50, spread=0.0) == 5
    assert sample_units_needed(50, spread=20.0) > sample_units_needed(50)


def test_every_measure_names_formula_and_standard() -> None:
    assert all(len(entry) == 2 and all(entry) for entry in FORMULAS.values())


def test_classes_go_by_the_index_before_rounding_and_are_at_best_where_worse_is_possible() -> None:
    assert [grade_of(value, GOOD_INDEX, FAIR_INDEX) for value in (100, 70, 69.96, 55, 54.96, 0)] == [
        "good", "good", "fair", "fair", "poor", "poor",
    ]  # fmt: skip
    assert [grade_of(value, 5, 20) for value in (4, 5, 20, 21)] == ["good", "fair", "fair", "poor"]
    assert grade_of(None, 70, 55) is None and grade_of(math.nan, 70, 55) is None
    assert is_at_best(80, 60) and not is_at_best(80, 79.999) and not is_at_best(40, 10)
    assert not is_at_best(80, None) and not is_at_best(None, 3) and not is_at_best(math.nan, math.nan)
