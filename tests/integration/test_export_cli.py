"""`pavescope export`: every format from one command, and errors in plain words."""

import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from app.cli import app
from db.models import AuditEvent
from db.session import reading
from engine.errors import SettingsError
from tests.integration.exports import fill_exported, save_plan
from tests.unit.web.measured import fill_measured

one = pytest.mark.usefixtures("sqlite_database")
SURVEY = "County 2025"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Beside the test's home."""
    made = tmp_path / "out"
    made.mkdir()
    return made


def export(*arguments: object) -> str:
    ended = CliRunner().invoke(app, ["export", SURVEY, *map(str, arguments)])
    assert ended.exit_code == 0, ended.exception or ended.output
    return ended.output


def refusal(*arguments: object) -> str:
    error = CliRunner().invoke(app, ["export", *map(str, arguments)]).exception
    assert isinstance(error, SettingsError), error
    return f"{error.what} {error.remedy}"


@one
def test_tables_layers_and_inspections_with_the_plan_asked_for(folder: Path) -> None:
    filled = fill_exported()
    save_plan(filled, "Small", 20_000.0)
    save_plan(filled, "Large", 500_000.0)
    out = folder / "new folder" / "book.xlsx"
    said = export("--format", "xlsx", "--out", out, "--json", folder / "said.json")
    assert "with the plan 'Large'" in said and "Note: " in said
    facts: dict[str, Any] = json.loads((folder / "said.json").read_text(encoding="utf-8"))
    assert facts["size_bytes"] == out.stat().st_size and facts["provenance"]["plan"] == "Large"
    export("--format", "xlsx", "--out", folder / "small.xlsx", "--plan", "Small")
    bare = folder / "bare.xlsx"
    assert "without a plan" in export("--format", "xlsx", "--out", bare, "--no-plan")
    assert openpyxl.load_workbook(bare)["Projects"].max_row == 1
    bare.unlink()
    assert "Leave one out" in refusal(SURVEY, "--out", bare, "--no-plan", "--plan", "Small")
    large, small = (openpyxl.load_workbook(file)["Projects"].max_row for file in (out, folder / "small.xlsx"))
    assert large > small > 1

    export("--format", "csv", "--out", folder / "sections.csv")
    table = pd.read_csv(folder / "sections.csv", encoding="utf-8-sig")
    assert len(table) == 6 and "'=R1-3" in set(table["section_key"])
    for format in ("csv", "inspections"):
        export("--format", format, "--out", folder / f"{format}.zip")
        with zipfile.ZipFile(folder / f"{format}.zip") as archive:
            assert archive.testzip() is None and "README.txt" in archive.namelist()
    assert sorted(path.name for path in folder.iterdir()) == [
        "csv.zip", "inspections.zip", "new folder", "said.json", "sections.csv", "small.xlsx",
    ]  # fmt: skip
    with reading() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == "export.write")).all()
    assert [event.detail["format"] for event in events] == [
        "xlsx", "xlsx", "xlsx", "csv", "csv", "inspections",
    ]  # fmt: skip


@one
@pytest.mark.parametrize(
    ("format", "name"),
    [("gpkg", "a.gpkg"), ("geojson", "a.geojson"), ("shp", "a.zip"), ("kml", "a.kml"), ("overlays", "o.zip")],
)
def test_layers_and_overlays(folder: Path, format: str, name: str) -> None:
    fill_measured()
    export("--format", format, "--out", folder / name)
    assert (folder / name).stat().st_size > 1000 and len(list(folder.iterdir())) == 1


@one
def test_a_file_is_replaced_only_by_a_whole_one(folder: Path) -> None:
    fill_measured()
    out = folder / "book.xlsx"
    out.write_bytes(b"earlier")
    assert "no plan named 'None such'" in refusal(
        SURVEY, "--out", out, "--format", "xlsx", "--plan", "None such"
    )
    assert out.read_bytes() == b"earlier"
    export("--format", "xlsx", "--out", out)
    assert out.read_bytes().startswith(b"PK")


@one
def test_errors_name_the_remedy(folder: Path) -> None:
    fill_measured()
    assert "pavescope survey list" in refusal("Nowhere", "--out", folder / "a.pdf")
    assert "pdf, xlsx, csv" in refusal(SURVEY, "--format", "doc", "--out", folder / "a.doc")
    assert "A4 or Letter" in refusal(SURVEY, "--paper", "A5", "--out", folder / "a.pdf")
    assert "Name it a.zip" in refusal(SURVEY, "--format", "shp", "--out", folder / "a.shp")
    assert "Name it a.xlsx" in refusal(SURVEY, "--format", "xlsx", "--out", folder / "a.csv")
    assert not list(folder.iterdir())
