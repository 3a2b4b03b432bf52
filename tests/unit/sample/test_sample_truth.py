"""The sample's truth as a surveyor's: by hand on plain drawings, and against what true masks measure."""

from collections import defaultdict

import numpy as np
import pytest

from engine.condition import condition_index
from engine.distress import Quantity, measure_ground
from engine.sample import SAMPLE_SEED, SamplePhoto, SampleSurvey, sample_surveys
from engine.sample_cracks import AREA_PATTERNS, Course, CrackPattern
from engine.sample_photos import WIDTH_PX
from engine.sample_truth import SampleTruth, picture_truth, pooled
from engine.vocabulary import DistressType, Severity

SHAPE = (500, 1000)  # 1 m by 2 m at 2 mm/px


@pytest.fixture(scope="module")
def surveys() -> list[SampleSurvey]:
    return sample_surveys(SAMPLE_SEED)


def line(x0: float, y0: float, x1: float, y1: float, width_mm: float = 6.0) -> Course:
    """From and to in metres, 2 mm/px, a vertex every 5 mm or so."""
    count = 2 + int(np.hypot(x1 - x0, y1 - y0) / 0.005)
    points = np.column_stack([np.linspace(x0, x1, count), np.linspace(y0, y1, count)]) * 500 - 0.5
    return Course(points, np.full(count, width_mm / 2))


def truth_of(pattern: CrackPattern, *courses: Course) -> SampleTruth:
    return picture_truth("S", pattern, courses, SHAPE, gsd_mm_per_px=2.0, resurfaced=False)


def test_single_cracks_by_their_own_direction_width_and_length_in_the_picture() -> None:
    truth = truth_of(
        CrackPattern.TRANSVERSE,
        line(-0.5, 0.5, 1.5, 0.5),  # 1.5 m of it within
        line(0.2, 0.9, 1.2, 0.9, width_mm=12),
        line(1.8, 0.2, 1.8, 0.8),
        line(0.3, 0.2, 0.5, 0.35, width_mm=4),  # 0.25 m: no direction of its own
    )
    amounts = {(one.kind, one.severity): one.length_m for one in truth.quantities}
    assert amounts == pytest.approx({
        (DistressType.TRANSVERSE, Severity.LOW): 1.75,
        (DistressType.TRANSVERSE, Severity.MEDIUM): 1.0,
        (DistressType.LONGITUDINAL, Severity.LOW): 0.6,
    })  # fmt: skip
    assert (truth.pattern, truth.severity) == (CrackPattern.TRANSVERSE, Severity.LOW)
    assert truth.density_m_per_m2 == pytest.approx(3.35 / 2)
    assert truth.mean_width_mm == pytest.approx((1.5 * 6 + 1 * 12 + 0.6 * 6 + 0.25 * 4) / 3.35)
    # A band of 0.3 m along 0.6 m, and round its ends.
    assert truth.cracked_area_m2 == pytest.approx(0.3 * 0.6 + np.pi * 0.15**2, rel=0.01)
    assert truth.condition_index == condition_index(truth.quantities, 2.0).value < 100


def grid(pieces: tuple[int, int], side_m: float, at: tuple[float, float], width_mm: float) -> list[Course]:
    across, down = pieces
    x, y = at
    rows = [line(x, y + i * side_m, x + across * side_m, y + i * side_m, width_mm) for i in range(down + 1)]
    return rows + [
        line(x + i * side_m, y, x + i * side_m, y + down * side_m, width_mm) for i in range(across + 1)
    ]


@pytest.mark.parametrize(
    ("width_mm", "severity"), [(6.0, Severity.MEDIUM), (14.0, Severity.HIGH)], ids=["network", "spalled"]
)
def test_a_network_counts_by_area_and_is_graded_by_its_pattern(width_mm: float, severity: Severity) -> None:
    truth = truth_of(CrackPattern.ALLIGATOR, *grid((6, 4), 0.1, (0.5, 0.3), width_mm))
    assert truth.network_area_m2 == pytest.approx(0.6 * 0.4, rel=0.08)
    assert truth.severity is severity
    assert truth.cracked_area_m2 == truth.network_area_m2
    assert truth.hpms_cracking_percent == 12
    assert truth.length_m == pytest.approx(6 * 0.4 + 0.4 + 5 * 0.6)


def test_pieces_that_the_picture_cuts_belong_to_the_network() -> None:
    drawn = grid((6, 4), 0.5, (-0.25, -0.25), 6.0)
    truth = truth_of(CrackPattern.BLOCK, *drawn)
    assert truth.network_area_m2 == pytest.approx(2.0)
    assert truth.severity is Severity.LOW
    # Without one of its sides two pieces are one: still covered.
    assert truth_of(CrackPattern.BLOCK, *drawn[:-2], drawn[-1]).network_area_m2 == pytest.approx(
        2.0, rel=0.05
    )


def test_lines_that_enclose_nothing_are_low_alligator_cracking() -> None:
    truth = truth_of(CrackPattern.ALLIGATOR, *(line(x, 0.2, x, 0.8) for x in (0.8, 0.9, 1.0)))
    assert truth.severity is Severity.LOW


def test_a_section_is_the_sum_of_its_pictures(surveys: list[SampleSurvey]) -> None:
    nothing = truth_of(CrackPattern.LONGITUDINAL)
    assert (nothing.pattern, nothing.severity, nothing.condition_index) == (CrackPattern.NONE, None, 100)
    own = truth_of(CrackPattern.LONGITUDINAL, line(1, 0, 1, 1))
    section = pooled([nothing, own, own])
    assert section.pattern is CrackPattern.LONGITUDINAL
    assert section.density_m_per_m2 == pytest.approx(2 / 6)
    assert section.mean_width_mm == pytest.approx(6)
    # The index is of the sums, not the mean of indices: deducts are not straight lines.
    assert section.condition_index == condition_index(section.quantities, 6.0).value
    for survey in surveys:
        for truth in survey.section_truths:
            assert sum(one.length_m for one in truth.quantities) == pytest.approx(truth.length_m)
            assert truth.hpms_cracking_percent <= 100
            lengths: dict[str, float] = defaultdict(float)
            for one in truth.quantities:
                lengths[one.kind.value] += one.length_m
            assert not lengths or max(lengths, key=lambda name: lengths[name]) == truth.pattern.value


def test_severities_and_all_patterns_are_there(surveys: list[SampleSurvey]) -> None:
    for survey in surveys:
        told = {(truth.pattern in AREA_PATTERNS, truth.severity) for truth in survey.section_truths}
        assert told >= {(False, Severity.LOW), (False, Severity.MEDIUM), (True, Severity.HIGH), (False, None)}
        assert {truth.pattern for truth in survey.section_truths} == set(CrackPattern)


def test_true_masks_measure_to_the_truth_of_every_section(surveys: list[SampleSurvey]) -> None:
    """The measurement alone, without a network's errors: density, type, severity and index."""
    groups: dict[str, list[SamplePhoto]] = defaultdict(list)
    for photo in surveys[1].photos:
        groups[photo.truth.section_key].append(photo)
    for truth in surveys[1].section_truths:
        found: list[Quantity] = []
        length_m = 0.0
        for photo in groups[truth.section_key]:
            measured = measure_ground(
                photo.truth_mask(), None, gsd_mm_per_px=2.0, surveyed=None, lane_px=(-0.5, WIDTH_PX - 0.5)
            )
            found += measured.quantities
            length_m += measured.measurement.crack_length_m or 0.0
        assert length_m == pytest.approx(truth.length_m, rel=0.1), truth.section_key
        index = condition_index(found, truth.pictured_area_m2).value
        assert index == pytest.approx(truth.condition_index, abs=5), truth.section_key
        lengths: dict[tuple[str, Severity], float] = defaultdict(float)
        for one in found:
            lengths[one.kind.value, one.severity] += one.length_m
        main = max(lengths, key=lambda key: lengths[key]) if lengths else (CrackPattern.NONE, None)
        assert main == (truth.pattern.value, truth.severity), truth.section_key
