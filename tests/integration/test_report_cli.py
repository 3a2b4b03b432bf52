"""`pavescope report`: from a folder of photos and a GIS file to the PDF, and again without doing it twice."""

import json
from pathlib import Path

import geopandas as gpd
import pytest
from pypdf import PdfReader
from sqlalchemy import func, select
from typer.testing import CliRunner

from app.cli import app
from db.models import AnalysisResult, Network, Plan, Survey
from db.session import reading
from engine.errors import SettingsError
from engine.sample import SAMPLE_SEED, sample_surveys
from engine.sample_network import make_sample_network

PHOTOS = 3


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Photos of the sample with their positions, and its network as a GIS file."""
    folder = tmp_path / "Ring road 2025"
    folder.mkdir()
    for photo in sample_surveys(SAMPLE_SEED)[1].photos[:PHOTOS]:
        (folder / photo.name).write_bytes(photo.render())
    records = make_sample_network(SAMPLE_SEED)
    columns = {
        "section_key": [record.section_key for record in records],
        "road": [record.road for record in records],
    }
    lines = gpd.GeoDataFrame(columns, geometry=[record.geometry for record in records], crs=4326)
    lines.to_file(tmp_path / "Town roads.gpkg")
    return folder


@pytest.mark.usefixtures("sqlite_database")
def test_photos_become_a_report_and_nothing_is_done_twice(files: Path, tmp_path: Path) -> None:
    out, said = tmp_path / "council.pdf", tmp_path / "said.json"
    words = ["report", str(files), "--network", str(tmp_path / "Town roads.gpkg"), "--gsd", "2"]
    words += ["--budget", "100000", "--out", str(out), "--json", str(said)]
    for _ in range(2):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.exception or done.output
    told = json.loads(said.read_text())
    assert (told["network"], told["survey"]) == ("Town roads", "Ring road 2025")
    text = " ".join(page.extract_text() for page in PdfReader(out).pages)
    assert "Town roads" in text and "Ring road 2025" in text and told["plan"] in text
    with reading() as session:
        for table, count in ((Network, 1), (Survey, 1), (Plan, 1), (AnalysisResult, PHOTOS)):
            assert session.scalar(select(func.count()).select_from(table)) == count, table


@pytest.mark.usefixtures("sqlite_database")
def test_without_a_camera_it_is_refused_before_anything_is_kept(files: Path, tmp_path: Path) -> None:
    words = ["report", str(files), "--network", str(tmp_path / "Town roads.gpkg"), "--out", "x.pdf"]
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, SettingsError) and "--ahead" in error.remedy
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(Survey)) == 0
