"""Excel and CSV exports, opened by other readers."""

import csv
import zipfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from engine.plan_words import SCENARIO_NAMES
from jobs.export.fields import FIELDS, field
from jobs.export.gis import write_shapefile
from jobs.export.inspections import write_inspections
from jobs.export.rows import OWN_WORDS, TABLES, heading, meaning_of, rows_of
from jobs.export.tables import write_csv, write_excel, write_sections_csv
from tests.unit.export.made_up import HOSTILE, made_up_export
from tests.unit.export.planned_network import planned_network

SHEETS = [
    "Summary", "Sections", "Projects", "Year plan", "Scenarios", "Distresses", "Photos", "Sample units",
    "Method",
]  # fmt: skip
RUN = ("=", "+", "-", "@", "\t", "\r")


def workbook(path: Path, **more: Any) -> Any:
    write_excel(made_up_export(**more), path / "book.xlsx")
    return openpyxl.load_workbook(path / "book.xlsx")


def records(sheet: Any) -> list[dict[str, Any]]:
    head, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_every_topic_has_a_sheet_with_typed_cells_filters_and_units_in_its_head(tmp_path: Path) -> None:
    book, data = workbook(tmp_path), made_up_export()
    assert [sheet for sheet in SHEETS if sheet != "Scenarios"] == book.sheetnames
    for name, frame in (("Sections", data.sections), ("Photos", data.photos), ("Projects", data.projects)):
        sheet = book[name]
        assert sheet.freeze_panes == "B2"
        assert sheet.auto_filter.ref == f"A1:{sheet.cell(1, sheet.max_column).column_letter}{len(frame) + 1}"
        assert sheet.max_row == len(frame) + 1
    sections = records(book["Sections"])
    expected = data.sections.iloc[1]
    assert sections[1]["Crack density (m/m²)"] == pytest.approx(expected["crack_density_m_per_m2"])
    assert sections[1]["Condition index (0-100)"] == 70.5
    assert sections[1]["Lanes"] == 2 and sections[1]["Planned year"] == 2028
    assert sections[1]["Start longitude (degrees)"] == pytest.approx(expected.geometry.coords[0][0])
    assert sections[3]["Condition index (0-100)"] is None
    currency = (data.plan or {}).get("currency") or ""
    assert records(book["Projects"])[0][heading("cost", currency)] == 98_765.25
    taken = records(book["Photos"])[1]["Captured at (UTC)"]
    assert taken == datetime(2026, 5, 4, 9, 0, 1)
    said = {row[0]: row[1] for row in book["Summary"].iter_rows(values_only=True)}
    assert said["Checkpoint SHA-256"] == data.provenance["checkpoint_sha256"]
    assert said["Surveyed on"] == datetime(2026, 5, 4) and said["Photos"] == len(data.photos)


def test_the_years_and_the_scenarios_are_those_of_the_plan(tmp_path: Path) -> None:
    data = planned_network(3, 3)
    assert data.plan is not None
    write_excel(data, tmp_path / "book.xlsx")
    book = openpyxl.load_workbook(tmp_path / "book.xlsx")
    assert book.sheetnames == SHEETS
    currency = data.plan["currency"]
    years = records(book["Year plan"])
    assert [year["Year"] for year in years] == [year["year"] for year in data.plan["cost_by_year"]]
    assert sum(year[f"Cost ({currency})"] for year in years) == pytest.approx(data.plan["total_cost"])
    last = data.plan["condition_by_year"][-1]
    assert years[-1]["Average index (0-100)"] == pytest.approx(last["average"])
    scenarios = records(book["Scenarios"])
    assert [one["Scenario"] for one in scenarios[:3]] == ["Do nothing", "Worst first", "This budget"]
    assert {one["Scenario"] for one in scenarios} <= set(SCENARIO_NAMES.values())
    shares = [one["Preventive share of the cost (%)"] for one in scenarios]
    known = [(share, one) for share, one in zip(shares, data.scenarios, strict=True) if share is not None]
    assert known and all(share == pytest.approx(100 * one["preventive_share"]) for share, one in known)
    assert scenarios[0][f"Yearly budget ({currency})"] is None
    assert scenarios[1][f"Yearly budget ({currency})"] == pytest.approx(data.scenarios[1]["yearly_budget"])
    project = records(book["Projects"])[0]
    assert project["Pinned"] is False and isinstance(project["Preventive"], bool)
    assert project[f"Mobilisation ({currency})"] == pytest.approx(data.plan["projects"][0]["mobilisation"])
    assert scenarios[0][f"Total cost ({currency})"] == pytest.approx(data.scenarios[0]["total_cost"])


def test_no_cell_is_a_formula_a_link_or_starts_like_one(tmp_path: Path) -> None:
    book = workbook(tmp_path)
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert all(cell.data_type != "f" and cell.hyperlink is None for cell in cells)
    texts = [cell.value for cell in cells if isinstance(cell.value, str)]
    assert not [text for text in texts if text.startswith(RUN)]
    assert f"'{HOSTILE.replace(chr(7), '')}" in texts


def test_what_does_not_fit_into_a_sheet_is_said(tmp_path: Path) -> None:
    data = made_up_export()
    write_excel(data, tmp_path / "book.xlsx", most_rows=4)
    book = openpyxl.load_workbook(tmp_path / "book.xlsx")
    assert book["Photos"].max_row == 4
    left_out = [row[1] for row in book["Summary"].iter_rows(values_only=True) if row[0] == "Left out"]
    assert any(text.startswith("The sheet Photos holds the first 3 of 6 rows") for text in left_out)


def test_without_results_and_plan_there_are_heads_only(tmp_path: Path) -> None:
    book = workbook(tmp_path, empty=True, planned=False)
    assert book["Sections"].max_row == 1 and book["Distresses"].max_row == 1
    assert "Year plan" not in book.sheetnames


def test_maps_and_tables_explain_columns_alike() -> None:
    assert not set(OWN_WORDS) & set(FIELDS)
    assert field("benefit_cost")[1:] == ("per 1,000 of cost", "benefit for each 1,000 of cost")
    assert heading("later_cost", "USD") == "Later cost (USD)" and heading("fixed") == "Pinned"


def test_every_column_is_explained() -> None:
    for columns in TABLES.values():
        for column in columns:
            assert meaning_of(column), column
    heads = [heading(column) for column in TABLES["sections"]]
    assert len(set(heads)) == len(heads)


def test_csv_files_hold_the_same_values_with_units_in_the_names(tmp_path: Path) -> None:
    data = made_up_export()
    write_csv(data, tmp_path / "tables.zip")
    with zipfile.ZipFile(tmp_path / "tables.zip") as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {
            "README.txt", "sections.csv", "projects.csv", "distresses.csv", "photos.csv",
        }  # fmt: skip
        readme = archive.read("README.txt").decode()
        assert archive.read("sections.csv").startswith(b"\xef\xbb\xbf")
        for name in ("sections", "projects", "distresses", "photos"):
            with archive.open(f"{name}.csv") as file:
                table = pd.read_csv(file, encoding="utf-8-sig")
            frame = getattr(data, name)
            assert len(table) == len(frame) and list(table) == list(TABLES[name])
            for column in table.select_dtypes("number"):
                if column in frame and frame[column].notna().any():
                    expected = frame[column].astype("float64")
                    assert table[column].astype("float64").tolist() == pytest.approx(
                        expected.tolist(), nan_ok=True
                    )
    assert data.provenance["checkpoint_sha256"] in readme and "EPSG:4326" in readme
    assert "crack_density_m_per_m2: crack length / surveyed area [m/m2]" in readme


@pytest.mark.parametrize("write", [write_csv, write_shapefile, write_inspections])
def test_members_of_zips_are_of_today_and_readable_by_all(tmp_path: Path, write: Any) -> None:
    write(made_up_export(), tmp_path / "file.zip")
    with zipfile.ZipFile(tmp_path / "file.zip") as archive:
        members = archive.infolist()
    assert len(members) > 2
    for info in members:
        assert info.external_attr >> 16 == 0o100644, info.filename
        assert abs(datetime.now() - datetime(*info.date_time)).total_seconds() < 3600


def test_no_text_of_a_csv_starts_like_a_formula(tmp_path: Path) -> None:
    data = made_up_export()
    write_csv(data, tmp_path / "tables.zip")
    with zipfile.ZipFile(tmp_path / "tables.zip") as archive:
        for name in ("sections", "projects", "photos"):
            rows = csv.reader(archive.read(f"{name}.csv").decode("utf-8-sig").splitlines())
            texts = [cell for row in rows for cell in row if cell and not _number(cell)]
            assert not [text for text in texts if text.startswith(RUN)]


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_the_sections_alone_carry_their_provenance_in_each_row(tmp_path: Path) -> None:
    data = made_up_export()
    write_sections_csv(data, tmp_path / "sections.csv")
    table = pd.read_csv(tmp_path / "sections.csv", encoding="utf-8-sig")
    assert len(table) == len(data.sections)
    assert set(table["checkpoint_sha256"]) == {data.provenance["checkpoint_sha256"]}
    assert set(table["crs"]) == {"EPSG:4326"}


def test_progress_is_told_for_every_part_and_may_stop_the_work(tmp_path: Path) -> None:
    said: list[float] = []
    data = made_up_export()
    write_excel(data, tmp_path / "book.xlsx", lambda done, doing: said.append(done))
    assert said == sorted(said) and said[-1] <= 1

    def stop(done: float, doing: str) -> None:
        raise KeyboardInterrupt

    for write in (write_excel, write_csv):
        with pytest.raises(KeyboardInterrupt):
            write(data, tmp_path / "stopped", stop)


def test_rows_come_in_parts_without_a_loss() -> None:
    data = made_up_export()
    many = pd.concat([data.distresses] * 4000, ignore_index=True)
    parts = list(rows_of(replace(data, distresses=many), "distresses"))
    assert len(parts) > 1 and sum(len(part) for part in parts) == len(many)
    assert parts[0][0] == parts[-1][-len(data.distresses)]
