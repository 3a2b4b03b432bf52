"""The layout for pavement management systems: codes, grades, and nothing passed off as low."""

import csv
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import SettingsError
from jobs.export.data import QUANTITY_COLUMNS, ExportData
from jobs.export.inspections import write_inspections
from tests.unit.export.made_up import made_up_export


def with_quantities(*lines: tuple[str, int, str, str, int, float, float]) -> ExportData:
    found = pd.DataFrame(lines, columns=list(QUANTITY_COLUMNS)).astype(QUANTITY_COLUMNS)
    return replace(made_up_export(), quantities=found)


def files(data: ExportData, folder: Path) -> tuple[list[dict[str, str]], list[dict[str, str]], str]:
    write_inspections(data, folder / "inspections.zip")
    with zipfile.ZipFile(folder / "inspections.zip") as archive:
        graded, ungraded = (
            list(csv.DictReader(archive.read(f"{name}.csv").decode("utf-8-sig").splitlines()))
            for name in ("inspections", "ungraded")
        )
        return graded, ungraded, archive.read("README.txt").decode()


def of(lines: list[dict[str, Any]], section: str) -> list[tuple[str, ...]]:
    names = ("DistressCode", "Severity", "Quantity", "QuantityUnits")
    return [tuple(line.get(name, "") for name in names) for line in lines if line["SectionID"] == section]


def test_cracks_of_one_code_and_grade_are_one_line_in_the_standards_units(tmp_path: Path) -> None:
    graded, ungraded, readme = files(
        with_quantities(
            ("S1", 1, "longitudinal", "low", 2, 3.0, 0.1),
            ("S1", 1, "transverse", "low", 1, 1.5, 0.1),
            ("S1", 1, "diagonal", "medium", 1, 2.25, 0.1),
            ("S1", 1, "alligator", "high", 1, 9.0, 0.75),
            ("S1", 1, "block", "medium", 1, 9.0, 1.25),
            ("S1", 1, "pothole", "medium", 3, 0.0, 0.5),
        ),
        tmp_path,
    )
    assert of(graded, "S1") == [
        ("1", "H", "0.75", "m2"), ("3", "M", "1.25", "m2"), ("10", "L", "4.5", "m"), ("10", "M", "2.25", "m"),
        ("13", "M", "3", "count"),
    ]  # fmt: skip
    first = graded[1]
    assert {line["SampleSize"] for line in graded if line["SectionID"] == "S1"} == {"60"}
    assert first["InspectionDate"] == "2026-05-04" and first["SampleSizeUnits"] == "m2"
    assert not ungraded and "not an" not in readme.split("\n")[0]


def test_what_cannot_be_graded_is_never_low_and_never_no_distress(tmp_path: Path) -> None:
    graded, ungraded, _ = files(
        with_quantities(
            ("S1", 1, "longitudinal", "not_measurable", 4, 7.0, 0.1),
            ("S1", 1, "pothole", "not_measurable", 1, 0.0, 0.4),
            ("S1", 1, "crack", "not_measurable", 2, 0.2, 0.1),
        ),
        tmp_path,
    )
    assert of(graded, "S1") == []
    assert [line["DistressCode"] for line in ungraded] == ["10", "13", ""]
    assert [(line["Quantity"], line["QuantityUnits"]) for line in ungraded] == [
        ("7", "m"), ("1", "count"), ("0.2", "m"),
    ]  # fmt: skip
    assert all(line["Why"] for line in ungraded) and "depth" in ungraded[1]["Why"]
    nothing = [line for line in graded if line["SectionID"] == "S2"]
    assert [line["Distress"] for line in nothing] == ["No distress found"]


def test_a_sample_says_how_much_of_it_is_not_graded(tmp_path: Path) -> None:
    graded, _, _ = files(
        with_quantities(
            ("S1", 1, "transverse", "low", 1, 2.0, 0.1),
            ("S1", 1, "block", "not_measurable", 1, 3.0, 1.0),
        ),
        tmp_path,
    )
    assert [line["UngradedDistresses"] for line in graded if line["SectionID"] == "S1"] == ["1"]


@given(
    areas=st.lists(st.floats(0.001, 90, allow_nan=False), min_size=1, max_size=6),
    severities=st.lists(st.sampled_from(["low", "medium", "high", "not_measurable"]), min_size=6, max_size=6),
    size_m2=st.floats(0.5, 60),
)
@settings(max_examples=25, deadline=None)
def test_areas_never_cover_more_than_the_sample(
    areas: list[float], severities: list[str], size_m2: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kinds = ("alligator", "block")
    data = with_quantities(
        *(
            ("S1", 1, kinds[n % 2], severity, 1, 2.5, area)
            for n, (area, severity) in enumerate(zip(areas, severities, strict=False))
        ),
        ("S1", 1, "transverse", "low", 1, 99.0, 9.0),
    )
    data.units["surveyed_area_m2"] = size_m2
    graded, ungraded, readme = files(data, tmp_path_factory.mktemp("inspections"))
    of_sample = [line for line in (*graded, *ungraded) if line["SectionID"] == "S1"]
    covered = [float(line["Quantity"]) for line in of_sample if line["DistressCode"] in ("1", "3")]
    assert sum(covered) <= size_m2 + 1e-9
    if sum(round(area, 3) for area in areas) <= size_m2:
        assert sum(covered) == pytest.approx(sum(areas), abs=0.004)
    else:
        assert sum(covered) > size_m2 - 0.01
    assert ("10", "L", "99", "m") in of(graded, "S1") and "lowered in proportion" in readme


def test_the_readme_says_whether_potholes_were_looked_for(tmp_path: Path) -> None:
    data = made_up_export()
    assert "no pothole class" in files(data, tmp_path)[2]
    looked = replace(data, provenance={**data.provenance, "settings": '{"potholes": true}'})
    readme = files(looked, tmp_path)[2]
    assert "other than cracks and potholes are not looked for" in readme and "no pothole class" not in readme


def test_codes_for_asphalt_are_not_given_to_concrete(tmp_path: Path) -> None:
    data = with_quantities(("S1", 1, "transverse", "low", 1, 2.0, 0.1))
    for surface in ("Concrete (JPCP)", "cobblestone", "Béton"):
        data.sections["surface"] = [surface] * 4
        graded, ungraded, _ = files(data, tmp_path)
        assert of(graded, "S1") == [] and len(ungraded) == 1
    data.sections["surface"] = ["asphalt concrete", "macadam (AC)", None, ""]
    assert len(of(files(data, tmp_path)[0], "S1")) == 1


def test_without_a_place_along_the_section_the_section_is_one_sample(tmp_path: Path) -> None:
    graded, _, _ = files(
        with_quantities(
            ("S1", 0, "transverse", "low", 1, 2.0, 0.1), ("S1", 1, "transverse", "low", 1, 1.0, 0.1)
        ),
        tmp_path,
    )
    assert of(graded, "S1") == [("10", "L", "3", "m")]
    assert [line["SampleTo_m"] for line in graded if line["SectionID"] == "S1"] == ["320"]


def test_another_standard_of_severity_is_said(tmp_path: Path) -> None:
    data = made_up_export()
    other = replace(data, provenance={**data.provenance, "severity_standard": "LTPP", "surveyed_on": ""})
    _, _, readme = files(other, tmp_path)
    assert "standard LTPP, not of D6433" in readme and "InspectionDate is empty" in readme


def test_there_are_no_inspections_without_sections_or_metres(tmp_path: Path) -> None:
    data = made_up_export()
    with pytest.raises(SettingsError, match="no network"):
        write_inspections(replace(data, sections=data.sections.iloc[:0]), tmp_path / "a.zip")
    with pytest.raises(SettingsError, match="no results in metres"):
        write_inspections(replace(data, units=data.units.iloc[:0]), tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()
