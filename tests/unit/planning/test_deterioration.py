"""Curves fall, fits find the truth they were drawn from, and what is assumed says so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.curve_table import USUAL, curves_from_csv, curves_to_csv
from engine.deterioration import (
    BANDS,
    Deterioration,
    RepeatedSurvey,
    assumed_curve,
    assumed_rows,
    curves_from_rows,
    find_curve,
    fit_chains,
    fit_curves,
    join_curves,
    rows_from_curves,
)
from engine.errors import SettingsError


@given(
    scale=st.floats(2, 60),
    shape=st.floats(0.5, 4),
    index=st.floats(1, 99.9),
    years=st.floats(0, 20),
)
@settings(max_examples=60, deadline=None)
def test_pavement_only_gets_worse_and_a_year_is_a_year(
    scale: float, shape: float, index: float, years: float
) -> None:
    curve = Deterioration("", "", scale, shape)
    assert curve.index_after(index, 0) == pytest.approx(index, abs=0.05)
    once = curve.index_after(index, 2 * years)
    assert once <= index + 0.05
    assert curve.index_after(curve.index_after(index, years), years) == pytest.approx(float(once), abs=0.3)


def test_a_chain_falls_as_its_probabilities_say() -> None:
    chain = Deterioration("", "", stay=(0.5,) * (BANDS - 1) + (1.0,))
    # From new (100) half of the roads lose a band in a year; new is 5 points over its band's middle.
    assert chain.index_at(0) == pytest.approx(100)
    assert 94 < chain.index_at(1) < 95.5
    assert np.all(np.diff(chain.index_at(np.arange(60))) < 0)
    slower = Deterioration("", "", stay=(0.9,) * (BANDS - 1) + (1.0,))
    assert slower.index_at(10) > chain.index_at(10) + 20


def surveys(curve: Deterioration, count: int, noise: float, seed: int = 0) -> list[RepeatedSurvey]:
    rng = np.random.default_rng(seed)
    before = rng.uniform(40, 95, count)
    years = rng.integers(1, 4, count).astype(float)
    after = curve.index_after(before, years)
    seen = np.clip([before + rng.normal(0, noise, count), after + rng.normal(0, noise, count)], 0, 100)
    return [
        RepeatedSurvey("Arterial", "asphalt", float(a), float(b), float(y))
        for a, b, y in zip(*seen, years, strict=True)
    ]


def test_a_fit_finds_the_speed_and_its_interval_holds_it() -> None:
    truth = Deterioration("arterial", "asphalt", 12.0)
    held = 0
    for seed in range(40):
        (curve,) = fit_curves(surveys(truth, 60, 2.0, seed), seed)
        assert curve.source == "fitted" and curve.pairs > 50
        assert curve.scale_years == pytest.approx(12.0, rel=0.2)
        assert curve.scale_low is not None and curve.scale_high is not None
        held += curve.scale_low <= 12.0 <= curve.scale_high
    assert held >= 28, "a 90 % interval that misses more than 12 of 40 is none"
    assert "12" in curve.described or "11" in curve.described
    assert "60 sections" in curve.described or "fitted from" in curve.described


def test_a_fitted_chain_predicts_the_next_survey() -> None:
    truth = Deterioration("arterial", "asphalt", 12.0)
    (chain,) = fit_chains(surveys(truth, 400, 1.0))
    assert len(chain.stay) == BANDS
    for index in (90.0, 70.0, 50.0):
        assert chain.index_after(index, 3) == pytest.approx(float(truth.index_after(index, 3)), abs=6)


def test_treated_sections_and_too_few_do_not_enter() -> None:
    truth = Deterioration("arterial", "asphalt", 12.0)
    pairs = surveys(truth, 30, 0.5)
    treated = [RepeatedSurvey("arterial", "asphalt", 40, 95, 1)] * 10
    assert fit_curves(pairs + treated)[0].scale_years == pytest.approx(12, rel=0.05)
    assert fit_curves(pairs[:7]) == ()


def test_ageing_that_cannot_be_told_from_none_is_not_fitted() -> None:
    rng = np.random.default_rng(1)
    still = [
        RepeatedSurvey("local", "asphalt", before, float(np.clip(before + rng.normal(0, 4), 0, 100)), 1.0)
        for before in rng.uniform(40, 90, 30)
    ]
    assert fit_curves(still) == (), "a road that lasts for ever is a measurement error"


def test_without_surveys_the_curve_is_marked_as_assumed() -> None:
    assert find_curve((), "arterial", "asphalt").source == "assumed"
    assert "assumed" in assumed_curve(None, None).described
    assert assumed_curve("local", "asphalt").scale_years > assumed_curve("arterial", "asphalt").scale_years


def test_the_most_specific_curve_wins() -> None:
    both = Deterioration("Local", "Chip Seal", 5, source="typed")
    road = Deterioration("local", "", 6, source="typed")
    anything = Deterioration("", "", 7, source="typed")
    curves = (anything, road, both)
    assert find_curve(curves, "local", "chip seal") is both
    assert find_curve(curves, "LOCAL", "asphalt") is road
    assert find_curve(curves, None, None) is anything


@pytest.mark.parametrize(
    "broken",
    [
        {"scale_years": 0.0},
        {"scale_years": float("nan")},
        {"shape": -1.0},
        {"stay": (0.5, 0.5)},
        {"stay": (1.5,) * BANDS},
        {"stay": (1.0,) * BANDS},
    ],
)
def test_broken_curves_are_refused(broken: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="Deterioration of local"):
        Deterioration("local", "asphalt", **broken)  # type: ignore[arg-type]


def test_surveys_without_time_between_are_refused() -> None:
    with pytest.raises(SettingsError, match="0 years apart"):
        fit_curves([RepeatedSurvey("local", "", 80, 70, 0)])
    with pytest.raises(SettingsError, match="index of 170"):
        fit_curves([RepeatedSurvey("local", "", 170, 70, 1)])


def row(road: str | None, surface: str | None, years: object, **other: object) -> dict[str, object]:
    return {"functional_class": road, "surface": surface, "life_years": years, **other}


def test_unedited_rows_change_nothing_and_stay_assumed() -> None:
    rows = assumed_rows(
        [("local", "chip seal"), (None, None), ("arterial", "asphalt"), ("local", "chip seal")]
    )
    assert [(one["functional_class"], one["life_years"]) for one in rows] == [
        (None, 20), ("arterial", 18), ("local", 17.25),
    ]  # fmt: skip
    curves = curves_from_csv(curves_to_csv(rows))
    assert curves == curves_from_rows(rows)
    assert {curve.source for curve in curves} == {"assumed"}
    assert find_curve(curves, "local", "chip seal") == assumed_curve("local", "chip seal")
    everything = curves_from_csv(curves_to_csv(assumed_rows(USUAL)))
    for road in ("arterial", "local", "", "cul-de-sac"):
        for surface in ("asphalt", "chip seal", "concrete", ""):
            used = find_curve(everything, road, surface)
            assert used.scale_years == assumed_curve(road, surface).scale_years, (road, surface)


def test_an_agencys_row_wins_over_what_is_assumed_and_on_its_word_over_what_is_fitted() -> None:
    fitted = Deterioration("local", "asphalt", 12.0, source="fitted", pairs=9)
    rows = curves_from_rows([row("Local", None, "15.5", shape="1.5"), row("", "", 30)])
    assert [(one.scale_years, one.shape, one.source) for one in rows] == [
        (15.5, 1.5, "agency"),
        (30, 2, "agency"),
    ]
    joined = join_curves((fitted,), rows)
    assert find_curve(joined, "local", "asphalt") == fitted
    assert find_curve(joined, "local", "chip seal").scale_years == 15.5
    assert find_curve(joined, "arterial", "asphalt").scale_years == 30
    stubborn = curves_from_rows([row("Local", None, 15.5, over_fitted="yes")])
    assert find_curve(join_curves((fitted,), stubborn), "local", "asphalt").scale_years == 15.5
    same = curves_from_rows([row("local", "asphalt", 15)])
    assert find_curve(join_curves((fitted,), same), "local", "asphalt") == fitted
    assert curves_from_rows(rows_from_curves(stubborn)) == stubborn


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [row("local", None, 15), row("local", None, "soon")],
            r"Row 2 .*\(local, any surface\): life_years is soon",
        ),
        ([row("local", None, "")], "Row 1 .*life_years is empty"),
        ([row("local", None, "inf")], "life_years is inf"),
        ([row("local", None, 15, shape=9)], "shape is 9"),
        ([row("local", None, 15, over_fitted="maybe")], "over_fitted is 'maybe'"),
        ([row("=cmd", None, 15)], "functional_class is too long or broken"),
        ([row("local", "", 15), row("LOCAL", None, 16)], "Row 2 .* is there twice"),
    ],
)
def test_broken_rows_are_named(rows: list[dict[str, object]], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        curves_from_rows(rows)


def test_what_is_no_table_of_curves_is_refused() -> None:
    with pytest.raises(SettingsError, match="columns missing: life_years"):
        curves_from_csv("functional_class,surface\nlocal,\n")
