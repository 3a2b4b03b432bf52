"""Treatments as data: what is read back, and what is refused with which words."""

from dataclasses import replace

import pytest

from engine.errors import SettingsError
from engine.treatment_sets import BLANK_METRIC, TREATMENT_SETS, US_CITY_AVERAGES
from engine.treatments import (
    Treatment,
    check_costs,
    check_treatments,
    treatments_from_csv,
    treatments_from_rows,
    treatments_to_csv,
)
from engine.vocabulary import DistressType, Severity

SEAL = Treatment("Seal", 2.5, "crack_m", 4, slope_factor=0.5)


@pytest.mark.parametrize("name", TREATMENT_SETS)
def test_a_ready_set_survives_csv(name: str) -> None:
    treatments = TREATMENT_SETS[name]
    check_treatments(treatments)
    assert treatments_from_csv(treatments_to_csv(treatments)) == treatments


def test_costs_are_those_published_and_every_row_says_its_source() -> None:
    costs = {treatment.name: treatment.unit_cost for treatment in US_CITY_AVERAGES}
    assert costs["Crack seal"] == 0.36
    assert 17 <= (costs["Mill and overlay"] or 0) <= 21
    assert 121 <= (costs["Reconstruction"] or 0) <= 156
    assert all("assumed" in treatment.source for treatment in US_CITY_AVERAGES)
    seal = US_CITY_AVERAGES[0]
    assert DistressType.ALLIGATOR in seal.excluded_kinds


def test_a_set_without_costs_says_what_to_enter() -> None:
    with pytest.raises(SettingsError, match=r"Row 1 \(Crack seal\) has no unit cost. Enter .* per crack_m"):
        check_costs(BLANK_METRIC)
    check_costs([replace(treatment, unit_cost=0.0) for treatment in BLANK_METRIC])


def test_all_fields_survive_csv_of_a_spreadsheet() -> None:
    whole = Treatment(
        name='Überzug, 4 cm; "dünn"',
        unit_cost=12.25,
        unit="m2",
        life_years=9,
        index_min=40.5,
        index_max=70,
        kinds=(DistressType.TRANSVERSE, DistressType.BLOCK),
        severities=(Severity.MEDIUM, Severity.HIGH),
        density_min_percent=0.5,
        density_max_percent=40,
        functional_classes=("local", "collector"),
        surfaces=("asphalt",),
        aadt_min=10,
        aadt_max=5000,
        excluded_kinds=(DistressType.POTHOLE,),
        excluded_over_percent=1.5,
        reset_index=92,
        slope_factor=0.75,
        min_project_m=120,
        mobilisation_cost=4000,
        preventive=True,
        source="own bids of 2025",
    )
    text = treatments_to_csv([whole, SEAL])
    assert treatments_from_csv(text) == (whole, SEAL)
    assert treatments_from_csv("\ufeff" + text.replace("\n", "\r\n")) == (whole, SEAL)
    semicolons = "name;unit_cost;unit;life_years;slope_factor\nSeal;2.5;crack_m;4;0.5\n;;;;\n"
    assert treatments_from_csv(semicolons) == (SEAL,)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"life_years": 0}, r"Row 2 \(Other\): life_years is 0. Enter a number from 1 to 60"),
        ({"unit_cost": -3.0}, r"Row 2 \(Other\): unit_cost is -3.0. Enter a number from 0"),
        ({"unit_cost": float("nan")}, r"Row 2 \(Other\): unit_cost is nan"),
        ({"unit": "acre"}, r"Row 2 \(Other\): unit 'acre' is not known. Use one of m2, yd2"),
        ({"index_min": 90.0, "index_max": 20.0}, "index_min 90 is over index_max 20. Swap"),
        ({"density_min_percent": 9, "density_max_percent": 5}, "density_min_percent 9 is over .*5. Swap"),
        ({"slope_factor": 1.0}, "has no effect. Enter a reset_index"),
        ({"slope_factor": 1.2}, "slope_factor is 1.2. Enter a number from 0 to 1"),
        ({"name": " "}, "name is empty"),
        ({"name": "seal"}, "same name as row 1"),
        ({"name": "=HYPERLINK(1)"}, "spreadsheet formula"),
        ({"surfaces": ("asphalt", "=HYPERLINK(1)")}, "spreadsheet formula"),
        ({"aadt_min": 10, "aadt_max": 5}, "aadt_min 10 is over"),
    ],
)
def test_bad_values_name_the_row_and_the_remedy(change: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        check_treatments([SEAL, replace(SEAL, **({"name": "Other"} | change))])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no list of treatments"),
        ("a,b\n1,2\n", "columns missing: name, unit_cost"),
        ("name,unit_cost,unit,life_years,colour\nx,1,m2,3,red\n", "columns: name.*colour"),
        ("name,unit_cost,unit,life_years\n", "holds no treatment"),
        ("name,unit_cost,unit,life_years\nx,1,m2\n", r"Row 1 \(x\) has more or fewer cells"),
        ("name,unit_cost,unit,life_years\nx,1,m2,3,4\n", r"Row 1 \(x\) has more or fewer cells"),
        ("name,unit_cost,unit,life_years\nx,1,m2,\n", r"Row 1 \(x\): life_years is empty"),
        ("name,unit_cost,unit,life_years\nx,1,m2,2.5\n", r"Row 1 \(x\): life_years is 2.5. Enter a whole"),
        ('name,unit_cost,unit,life_years\nx,"1,5",m2,2\n', "unit_cost is '1,5', no number.*decimal point"),
        ("name,unit_cost,unit,life_years,kinds\nx,1,m2,2,rutting\n", "kinds: 'rutting'.*Use crack, longi"),
        ("name,unit_cost,unit,life_years,preventive\nx,1,m2,2,perhaps\n", "preventive is 'perhaps'"),
        ("name,unit_cost,unit,life_years\nx,1e999,m2,2\n", "unit_cost is inf"),
    ],
)
def test_bad_files_say_where_and_what_to_do(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        treatments_from_csv(text)


@pytest.mark.parametrize("cell", ["nan", "NaN", "inf", "-inf", "Infinity", "None"])
def test_a_cost_that_is_no_finite_number_is_not_taken_for_one_not_entered(cell: str) -> None:
    with pytest.raises(
        SettingsError, match=r"Row 1 \(x\): unit_cost is .*Enter .*, or leave the cell empty\."
    ):
        treatments_from_csv(f"name,unit_cost,unit,life_years,slope_factor\nx,{cell},m2,3,0.5\n")


@pytest.mark.parametrize("column", ["reset_index", "aadt_max", "min_project_m", "kinds"])
def test_nan_in_a_file_is_no_empty_cell(column: str) -> None:
    with pytest.raises(SettingsError, match=rf"Row 1 \(x\): {column}"):
        treatments_from_csv(f"name,unit_cost,unit,life_years,slope_factor,{column}\nx,1,m2,3,0.5,nan\n")


def test_an_empty_cost_is_not_entered_yet() -> None:
    (read,) = treatments_from_csv("name,unit_cost,unit,life_years,slope_factor\nx, ,m2,3,0.5\n")
    assert read.unit_cost is None


def test_rows_of_an_editor_may_hold_numbers_and_gaps() -> None:
    row = {"name": "Seal", "unit_cost": 2.5, "unit": "crack_m", "life_years": 4.0, "slope_factor": 0.5}
    assert treatments_from_rows([row | {"reset_index": float("nan"), "aadt_max": None}]) == (SEAL,)
    assert treatments_from_rows([row | {"unit_cost": float("nan")}])[0].unit_cost is None
