"""Severities by the named standards."""

import math

import pytest

from engine.errors import SettingsError
from engine.severity import D6433, LTPP, STANDARDS, SeverityStandard, severity_of, standard_from
from engine.vocabulary import DistressType, Severity

LINES = [DistressType.LONGITUDINAL, DistressType.TRANSVERSE, DistressType.DIAGONAL, DistressType.BLOCK]


@pytest.mark.parametrize("kind", LINES)
@pytest.mark.parametrize(
    ("standard", "width_mm", "expected"),
    [
        (D6433, 9.9, Severity.LOW),
        (D6433, 10.0, Severity.MEDIUM),
        (D6433, 75.0, Severity.MEDIUM),
        (D6433, 75.1, Severity.HIGH),
        (LTPP, 5.9, Severity.LOW),
        (LTPP, 19.0, Severity.MEDIUM),
        (LTPP, 19.1, Severity.HIGH),
    ],
)
def test_lines_and_blocks_go_by_mean_width(
    kind: DistressType, standard: SeverityStandard, width_mm: float, expected: Severity
) -> None:
    assert severity_of(kind, mean_width_mm=width_mm, gsd_mm_per_px=1.0, standard=standard) is expected


@pytest.mark.parametrize("kind", list(DistressType))
@pytest.mark.parametrize("gsd", [3.01, math.nan, None])
def test_no_severity_from_a_coarse_or_unknown_gsd(kind: DistressType, gsd: float | None) -> None:
    found = severity_of(kind, mean_width_mm=20.0, gsd_mm_per_px=gsd, piece_size_m=0.3, spalled_share=1.0)
    assert found is Severity.NOT_MEASURABLE


def test_the_coarsest_gsd_still_counts() -> None:
    found = severity_of(DistressType.TRANSVERSE, mean_width_mm=20.0, gsd_mm_per_px=3.0)
    assert found is Severity.MEDIUM


@pytest.mark.parametrize("width_mm", [None, math.nan])
def test_no_severity_without_a_width(width_mm: float | None) -> None:
    found = severity_of(DistressType.LONGITUDINAL, mean_width_mm=width_mm, gsd_mm_per_px=1.0)
    assert found is Severity.NOT_MEASURABLE


@pytest.mark.parametrize("kind", [DistressType.POTHOLE, DistressType.CRACK])
def test_depth_is_not_in_a_photo(kind: DistressType) -> None:
    assert severity_of(kind, mean_width_mm=20.0, gsd_mm_per_px=1.0) is Severity.NOT_MEASURABLE


@pytest.mark.parametrize(
    ("piece_size_m", "spalled_share", "expected"),
    [
        (None, None, Severity.LOW),
        (0.2, None, Severity.MEDIUM),
        (0.2, 0.49, Severity.MEDIUM),
        (0.2, 0.5, Severity.HIGH),
    ],
)
def test_alligator_goes_by_its_pattern(
    piece_size_m: float | None, spalled_share: float | None, expected: Severity
) -> None:
    found = severity_of(
        DistressType.ALLIGATOR,
        mean_width_mm=None,
        gsd_mm_per_px=1.0,
        piece_size_m=piece_size_m,
        spalled_share=spalled_share,
    )
    assert found is expected


def test_an_agencys_own_standard_survives_being_saved() -> None:
    own = SeverityStandard("Ours", 3.0, 12.5, largest_gsd_mm_per_px=1.5)
    assert standard_from(own.as_dict()) == own
    assert all(standard_from(name) == standard for name, standard in STANDARDS.items())
    assert severity_of(LINES[0], mean_width_mm=5, gsd_mm_per_px=1.0, standard=own) is Severity.MEDIUM


@pytest.mark.parametrize(
    "value",
    [
        "D9999",
        {"name": "Ours", "low_below_mm": 5.0},
        {"name": "Ours", "low_below_mm": 5.0, "high_above_mm": 9.0, "colour": "red"},
        {"name": "Ours", "low_below_mm": 9.0, "high_above_mm": 5.0},
        {"name": "Ours", "low_below_mm": -1.0, "high_above_mm": 5.0},
        {"name": "Ours", "low_below_mm": math.nan, "high_above_mm": 5.0},
        {"name": "Ours", "low_below_mm": "5", "high_above_mm": 9.0},
        {"name": "Ours", "low_below_mm": 5.0, "high_above_mm": 9.0, "spalled_share_high": 1.5},
    ],
)
def test_a_standard_that_makes_no_sense_is_refused(value: str | dict[str, object]) -> None:
    with pytest.raises(SettingsError) as refused:
        standard_from(value)
    assert refused.value.remedy
