"""GIS files and overlays of an analysed survey with a plan, from the database and storage."""

import csv
import io
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import insert, select, update
from typer.testing import CliRunner

from app import identity
from app.cli import app
from db.models import AnalysisResult, Distress, SurveyImage
from db.plan_store import newest_plan
from db.session import reading, transaction
from db.storage import get_storage
from engine.errors import EngineError
from engine.vocabulary import ExportFormat
from jobs.export import make_export
from jobs.export.overlays import stored_overlays
from tests.unit.web.measured import UNSURVEYED, WEAR, Measured, fill_measured
from tests.unit.web.rows import png

both = pytest.mark.usefixtures("database")
one = pytest.mark.usefixtures("sqlite_database")


def export(measured: Measured, format: ExportFormat, folder: Path) -> Path:
    with reading() as session:
        agency = identity.current_actor().agency_id
        plan = newest_plan(session, agency, measured.survey)
        plan_id = None if plan is None else plan.id
        return make_export(session, agency, measured.survey, format, plan_id=plan_id, folder=folder)[0]


def give_crack(measured: Measured, count: int) -> list[int]:
    """The first photos get a horizontal crack in mask and table; returns their ids."""
    mask = np.zeros((48, 64), np.uint8)
    mask[20:23, 5:60] = 255
    with transaction() as session:
        photos = session.scalars(
            select(SurveyImage.id).where(SurveyImage.survey_id == measured.survey).order_by(SurveyImage.id)
        ).all()[:count]
        session.execute(
            update(AnalysisResult)
            .where(AnalysisResult.image_id.in_(photos))
            .values(mask_hash=get_storage().put(png(mask)))
        )
        results = session.scalars(select(AnalysisResult.id).where(AnalysisResult.image_id.in_(photos)))
        crack = {
            "kind": "transverse", "severity": "low", "length_px": 55.0, "mean_width_px": 3.0,
            "max_width_px": 3.0, "area_px": 165, "polylines_px": [[[5, 21], [59, 21]]],
        }  # fmt: skip
        session.execute(insert(Distress), [{"result_id": result, **crack} for result in results])
    return list(photos)


@both
def test_a_geopackage_holds_the_network_and_the_plan(tmp_path: Path) -> None:
    measured = fill_measured()
    planned = ["plan", "County", "--survey", "County 2025", "--budget", "300000", "--years", "3"]
    ended = CliRunner().invoke(app, [*planned, "--draws", "0", "--name", "Three years"])
    assert ended.exit_code == 0, ended.exception or ended.output
    path = export(measured, ExportFormat.GEOPACKAGE, tmp_path)

    sections = gpd.read_file(path, layer="sections").set_index("section_key")
    assert set(sections.index) == {*WEAR, UNSURVEYED}
    assert sections.crs.to_epsg() == 4326
    assert sections["condition_class"].isna().tolist() == [key == UNSURVEYED for key in sections.index]
    # Surveyed sections are where the survey's photos are.
    photos = gpd.read_file(path, layer="photos")
    assert len(photos) == 19 * len(WEAR)
    lines = sections.to_crs(25832).geometry
    for key, found in photos.to_crs(25832).groupby("section_key"):
        assert found.distance(lines[key]).max() < 10, key
    projects = gpd.read_file(path, layer="projects").to_crs(25832)
    assert len(projects) >= 1
    for project in projects.itertuples():
        keys = project.section_keys.split("; ")
        assert sections.loc[keys, "planned_year"].tolist() == [project.year] * len(keys)
        assert sections.loc[keys, "planned_cost"].sum() == pytest.approx(project.cost)
        assert project.geometry.length == pytest.approx(lines[keys].length.sum())
    provenance = gpd.read_file(path, layer="provenance").set_index("key")["value"]
    assert provenance["plan"] == "Three years"
    assert provenance["checkpoint_sha256"] == "c" * 64
    assert provenance["network"] == "County"


@one
@pytest.mark.parametrize("format", [ExportFormat.SHAPEFILE, ExportFormat.GEOJSON, ExportFormat.KML])
def test_a_survey_without_a_plan_is_exported_too(tmp_path: Path, format: ExportFormat) -> None:
    path = export(fill_measured(), format, tmp_path)
    inside = f"/vsizip/{path}/sections.shp" if format == ExportFormat.SHAPEFILE else path
    layer = "Sections" if format == ExportFormat.KML else None
    assert len(gpd.read_file(inside, layer=layer)) == len(WEAR) + 1


@both
def test_overlays_show_the_cracks_and_name_what_is_gone(tmp_path: Path) -> None:
    measured = fill_measured()
    cracked = give_crack(measured, 4)
    with transaction() as session:
        gone = session.get_one(SurveyImage, cracked[1]).content_hash
        damaged = update(AnalysisResult).where(AnalysisResult.image_id == cracked[3])
        session.execute(damaged.values(mask_hash=get_storage().put(b"no picture")))
    get_storage().delete(gone)
    path = export(measured, ExportFormat.OVERLAYS, tmp_path)

    with zipfile.ZipFile(path) as archive:
        listed = list(csv.DictReader(io.StringIO(archive.read("index.csv").decode("utf-8-sig"))))
        rows = {int(row["photo_id"]): row for row in listed}
        with Image.open(io.BytesIO(archive.read(rows[cracked[0]]["file"]))) as image:
            drawn = np.asarray(image.convert("RGB")).astype(int)
    assert len(rows) == 19 * len(WEAR)
    assert {key for key, row in rows.items() if row["file"]} == {cracked[0], cracked[2]}
    assert "is no longer in storage" in rows[cracked[1]]["problem"]
    assert "crack mask cannot be read" in rows[cracked[3]]["problem"]
    # Yellow, as transverse cracks are.
    crack, road = drawn[21, 15:50].mean(axis=0), drawn[35:45].mean(axis=(0, 1))
    assert crack[0] - crack[2] > 50 > np.ptp(road)


@one
def test_another_agency_gets_no_overlay(tmp_path: Path) -> None:
    measured = fill_measured()
    photo = give_crack(measured, 1)[0]
    with reading() as session:
        agency = identity.current_actor().agency_id
        assert stored_overlays(session, agency)(photo).startswith(b"\xff\xd8")
        with pytest.raises(EngineError, match="no longer in the survey"):
            stored_overlays(session, agency + 1)(photo)
