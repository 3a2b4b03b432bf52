"""GIS exports of a made-up survey, opened by GDAL, SQLite and XML and JSON parsers."""

import csv
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from PIL import Image

from engine.errors import EngineError, SettingsError
from engine.project_table import PROJECT_COLUMNS
from jobs.export import gis, layers
from jobs.export.data import DISTRESS_COLUMNS, PHOTO_COLUMNS, SECTION_COLUMNS
from jobs.export.fields import FIELDS, LONGEST_NAME, short_names
from jobs.export.gis import write_geojson, write_geopackage, write_shapefile
from jobs.export.kml import write_kml
from jobs.export.overlays import draw_overlay, write_overlays
from jobs.export.styles import TYPE_COLOURS, rgb
from tests.unit.export.made_up import HOSTILE, PROVENANCE, SHA, made_up_export

CLEAN = HOSTILE.replace("\x07", "")
LAYERS = {
    "sections": SECTION_COLUMNS,
    "photos": PHOTO_COLUMNS,
    "distresses": DISTRESS_COLUMNS,
    "projects": PROJECT_COLUMNS,
}
KML = "{http://www.opengis.net/kml/2.2}"
OGC = "{http://www.opengis.net/ogc}"
WRITERS: tuple[tuple[Callable[..., None], str], ...] = (
    (write_geopackage, "gpkg"),
    (write_shapefile, "zip"),
    (write_geojson, "geojson"),
    (write_kml, "kml"),
)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gpkg") / "out.gpkg"
    write_geopackage(made_up_export(), path)
    return path


def rows(path: Path, statement: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement, values).fetchall()


def assert_same_values(read: pd.DataFrame, written: pd.DataFrame) -> None:
    for column in written.columns.drop("geometry"):
        for found, given in zip(read[column], written[column], strict=True):
            if pd.isna(given):
                assert pd.isna(found), column
            elif isinstance(given, str):
                assert found == given.replace("\x07", ""), column
            else:
                assert found == pytest.approx(given), column


def test_a_geopackage_has_all_values_of_each_layer_in_wgs84(package: Path) -> None:
    data = made_up_export(with_points=False)
    write_geopackage(data, package.with_name("lines.gpkg"))
    for name in LAYERS:
        written = getattr(data, name)
        read = gpd.read_file(package.with_name("lines.gpkg"), layer=name)
        assert read.crs.to_epsg() == 4326
        assert_same_values(read, written)
        for found, given in zip(read.geometry, written.geometry, strict=True):
            assert (found is None and given.is_empty) or shapely.equals(found, given), name


def test_whole_numbers_stay_whole_beside_missing_ones(package: Path) -> None:
    info = pyogrio.read_info(package, layer="sections")
    types = dict(zip(info["fields"], info["dtypes"], strict=True))
    assert types["planned_year"] == types["aadt"] == types["images"] == "int64"
    assert rows(package, "SELECT planned_year, typeof(planned_year) FROM sections") == [
        (None, "null"),
        (2028, "integer"),
        (2027, "integer"),
        (None, "null"),
    ]


def test_distresses_of_two_kinds_of_geometry_get_two_layers(package: Path) -> None:
    lines, points = (gpd.read_file(package, layer=name) for name in ("distresses", "distress_points"))
    assert set(lines.geom_type) == {"MultiLineString"}
    assert set(points.geom_type) == {"Point"}
    assert [*lines["distress_id"], *points["distress_id"]] == [1000, 1001, 1002, 1003]


def test_a_geopackage_says_what_it_was_made_from(package: Path) -> None:
    told = dict(rows(package, "SELECT key, value FROM provenance"))
    assert told == {key: value.replace("\x07", "") for key, value in PROVENANCE.items()}
    kinds = dict(rows(package, "SELECT table_name, data_type FROM gpkg_contents"))
    assert kinds["provenance"] == kinds["layer_styles"] == "attributes"
    metadata = pyogrio.read_info(package, layer="sections")["dataset_metadata"]
    assert metadata["checkpoint_sha256"] == SHA
    assert metadata["survey"] == CLEAN
    about = dict(
        rows(package, "SELECT column_name, description FROM gpkg_data_columns WHERE table_name = 'sections'")
    )
    assert about["crack_density_m_per_m2"] == "crack length / surveyed area (m/m2)"
    assert set(about) == set(SECTION_COLUMNS)


def test_every_layer_has_a_style_that_fits_its_columns_and_values(package: Path) -> None:
    styled = rows(
        package,
        "SELECT f_table_catalog, f_table_schema, f_table_name, f_geometry_column, useAsDefault, styleQML,"
        " styleSLD, length(styleName) FROM layer_styles WHERE update_time IS NOT NULL",
    )
    assert {row[2] for row in styled} == {*LAYERS, "distress_points"}
    for catalog, schema, layer, geometry, default, qml, sld, name_length in styled:
        assert (catalog, schema, geometry, default) == ("", "", "geom", 1)
        assert name_length <= 30
        read = gpd.read_file(package, layer=layer)
        root = ET.fromstring(qml)
        assert root.findtext("layerGeometryType") == str(int("Line" in read.geom_type.iloc[0]))
        renderer = root.find("renderer-v2")
        assert renderer is not None
        symbols = {symbol.get("name") for symbol in renderer.iter("symbol")}
        categories = {c.get("value"): c.get("symbol") for c in renderer.iter("category")}
        assert symbols >= set(categories.values())
        tested = {name.text for name in ET.fromstring(sld).iter(f"{OGC}PropertyName")}
        attribute = renderer.get("attr")
        if layer == "photos":
            assert (attribute, tested) == (None, set())
            continue
        assert tested == {attribute}
        assert attribute in read.columns
        values = {"" if pd.isna(value) else str(value) for value in read[attribute]}
        assert values <= set(categories)


def test_an_empty_survey_keeps_its_layers_and_columns(tmp_path: Path) -> None:
    data = made_up_export(empty=True)
    write_geopackage(data, tmp_path / "out.gpkg")
    write_shapefile(data, tmp_path / "out.zip")
    for name, columns in LAYERS.items():
        info = pyogrio.read_info(tmp_path / "out.gpkg", layer=name)
        assert (info["features"], list(info["fields"]), info["crs"]) == (0, list(columns), "EPSG:4326")
        info = pyogrio.read_info(f"/vsizip/{tmp_path}/out.zip/{name}.shp")
        assert (info["features"], len(info["fields"])) == (0, len(columns))
    write_geojson(data, tmp_path / "out.geojson")
    assert json.loads((tmp_path / "out.geojson").read_text("utf-8"))["features"] == []
    write_kml(data, tmp_path / "out.kml")
    folders = ET.parse(tmp_path / "out.kml").findall(f".//{KML}Folder")
    assert [folder.findtext(f"{KML}name") for folder in folders] == ["Sections", "Projects"]


def test_large_layers_are_written_in_pieces_without_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "CHUNK_ROWS", 2)
    data = made_up_export()
    seen: list[float] = []
    write_geopackage(data, tmp_path / "out.gpkg", lambda done, _: seen.append(done))
    assert gpd.read_file(tmp_path / "out.gpkg", layer="photos")["photo_id"].tolist() == [*range(100, 106)]
    assert len(seen) > 12
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    write_geojson(data, tmp_path / "out.geojson")
    assert len(json.loads((tmp_path / "out.geojson").read_text("utf-8"))["features"]) == 4


@pytest.mark.parametrize(("write", "ending"), WRITERS)
def test_a_stopped_export_leaves_what_was_there(
    tmp_path: Path, write: Callable[..., None], ending: str
) -> None:
    path = tmp_path / f"out.{ending}"
    path.write_text("older")

    def stop(_done: float, _doing: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(made_up_export(), path, stop)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_every_column_has_a_short_name_and_a_meaning() -> None:
    for columns in LAYERS.values():
        assert set(columns) <= set(FIELDS)
        names = short_names(list(columns))
        # None had to be cut or numbered.
        assert names == [FIELDS[column][0] for column in columns]
        assert max(map(len, names)) <= LONGEST_NAME
        assert len({name.lower() for name in names}) == len(names)
    assert short_names(["a_long_name_1", "a_long_name_2", "A_LONG_NAME"]) == [
        "a_long_nam",
        "a_long_na2",
        "A_LONG_NA3",
    ]


def test_shapefiles_hold_the_values_under_the_mapped_names(tmp_path: Path) -> None:
    data = made_up_export()
    path = tmp_path / "out.zip"
    write_shapefile(data, path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.read("sections.cpg").decode().strip() == "UTF-8"
        assert b"WGS_1984" in archive.read("sections.prj")
        readme = archive.read("README.txt").decode()
        mapped = list(csv.DictReader(io.StringIO(archive.read("field_map.csv").decode("utf-8-sig"))))
    for layer, written in (("sections", data.sections), ("photos", data.photos), ("projects", data.projects)):
        fields = {row["field"]: row["column"] for row in mapped if row["layer"] == layer}
        assert list(fields.values()) == list(LAYERS[layer])
        read = gpd.read_file(f"/vsizip/{path}/{layer}.shp")
        assert read.crs.to_epsg() == 4326
        assert_same_values(read.rename(columns=fields), written)
    units = {row["column"]: row["unit"] for row in mapped}
    assert units["crack_density_m_per_m2"] == "m/m2"
    assert SHA in readme
    assert CLEAN in readme
    assert "EPSG:4326" in readme
    assert "2 GB" in readme


def test_texts_too_long_for_a_shapefile_are_counted(tmp_path: Path) -> None:
    data = made_up_export()
    data.projects["reason"] = ["é" * 200, "short"]
    write_shapefile(data, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert "1 texts of projects were cut." in archive.read("README.txt").decode()
    read = gpd.read_file(f"/vsizip/{tmp_path}/out.zip/projects.shp")
    assert read["reason"].tolist() == ["é" * 127, "short"]


def test_a_layer_too_large_for_a_shapefile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gis, "DBF_LIMIT_BYTES", 2000)
    with pytest.raises(SettingsError, match="GeoPackage"):
        write_shapefile(made_up_export(), tmp_path / "out.zip")
    assert list(tmp_path.iterdir()) == []


def test_geojson_is_a_collection_of_sections_with_their_provenance(tmp_path: Path) -> None:
    data = made_up_export()
    path = tmp_path / "out.geojson"
    write_geojson(data, path)
    # Strict: NaN is no JSON.
    told = json.loads(path.read_text("utf-8"), parse_constant=lambda name: pytest.fail(name))
    assert told["type"] == "FeatureCollection"
    assert "crs" not in told  # RFC 7946 allows none
    assert told["provenance"]["checkpoint_sha256"] == SHA
    assert told["units"]["length_m"] == "m"
    assert told["bbox"] == [11.0, 48.0, 11.008, 48.0005]
    first, last = told["features"][0]["properties"], told["features"][3]["properties"]
    assert first["section_key"] == CLEAN
    assert last["condition_index"] is None
    assert last["aadt"] is None
    assert told["features"][1]["properties"]["planned_year"] == 2028
    assert told["features"][1]["geometry"] == {
        "type": "LineString",
        "coordinates": [[11.002, 48.0], [11.003, 48.0005], [11.004, 48.0]],
    }
    read = gpd.read_file(path)
    assert read.crs.to_epsg() == 4326
    assert_same_values(read, data.sections)


def test_kml_is_coloured_by_class_and_year(tmp_path: Path) -> None:
    path = tmp_path / "out.kml"
    write_kml(made_up_export(), path)
    root = ET.parse(path).getroot()
    colours = {s.get("id"): s.findtext(f"{KML}LineStyle/{KML}color") for s in root.iter(f"{KML}Style")}
    folders = root.findall(f".//{KML}Folder")
    used = [
        [place.findtext(f"{KML}styleUrl") for place in folder.findall(f"{KML}Placemark")]
        for folder in folders
    ]
    assert used[0] == ["#sections-good", "#sections-fair", "#sections-poor", "#sections-other"]
    assert used[1] == ["#projects-2027", "#projects-2028"]
    assert {url[1:] for urls in used for url in urls if url} <= set(colours)
    # aabbggrr: pale yellow, as on the pages.
    assert colours["sections-good"] == "ff25e7fd"
    said = root.findtext(f"{KML}Document/{KML}description") or ""
    # Viewers read it as HTML.
    assert SHA in said and "<br>" in said and "<" not in said.replace("<br>", "")
    read = gpd.read_file(path, layer="Sections")
    assert read.crs.to_epsg() == 4326
    assert read["Name"].tolist() == [CLEAN, "S1", "S2", "S3"]
    assert [float(value) for value in read["condition_index"][:3]] == [92.0, 70.5, 31.0]
    line = made_up_export().sections.geometry.iloc[1]
    assert shapely.equals_exact(shapely.force_2d(read.geometry.iloc[1]), line, tolerance=1e-9)
    assert gpd.read_file(path, layer="Projects")["Name"].tolist() == [
        "1. Thin overlay 2027",
        "2. Crack seal 2028",
    ]


def test_overlays_list_the_photos_that_cannot_be_drawn(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (40, 30)).save(picture, "JPEG")

    def overlay(photo_id: int) -> bytes:
        if photo_id == 102:
            raise EngineError("The stored photo is missing.", "Restore it.")
        return picture.getvalue()

    seen: list[float] = []
    path = tmp_path / "out.zip"
    write_overlays(made_up_export(), path, lambda done, _: seen.append(done), overlays=overlay)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        listed = list(csv.DictReader(io.StringIO(archive.read("index.csv").decode("utf-8-sig"))))
        readme = archive.read("README.txt").decode()
        files = {name for name in archive.namelist() if name.endswith(".jpg")}
        for name in files:
            with Image.open(io.BytesIO(archive.read(name))) as image:
                assert image.size == (40, 30)
    assert len(listed) == 6
    assert {row["file"] for row in listed if row["file"]} == files
    assert len(files) == 5
    assert (listed[2]["file"], listed[2]["problem"]) == ("", "The stored photo is missing. Restore it.")
    assert listed[0]["name"] == f"'{CLEAN}"  # no formula
    assert listed[1]["file"] == "overlays/000002_IMG_0001.jpg"
    assert (float(listed[1]["longitude"]), float(listed[1]["latitude"])) == (11.001, 48.0)
    assert listed[5]["longitude"] == ""
    assert "5 of 6" in readme
    assert SHA in readme
    assert seen == sorted(seen)


class Found:
    """A distress as the database has it."""

    kind = "alligator"
    max_width_px = 4.0
    polylines_px = ([[10, 20], [90, 20]],)
    outline_px = None


def test_an_overlay_colours_the_crack_pixels_by_their_distress() -> None:
    photo = np.full((60, 100, 3), 200, np.uint8)
    mask = np.zeros((60, 100), bool)
    mask[19:22, 10:91] = True  # the alligator's
    mask[50:52, 10:91] = True  # of no distress
    drawn = draw_overlay(photo, mask, [Found()])
    colours = {kind.value: np.array(rgb(colour)) for kind, colour in TYPE_COLOURS.items()}
    for place, kind in ((20, "alligator"), (50, "crack")):
        nearest = min(
            colours, key=lambda name: int(np.abs(drawn[place, 50] - colours[name] * 0.65 - 70).sum())
        )
        assert nearest == kind
    assert drawn[18, 50].max() < 100  # the rim
    assert (drawn[35] == 200).all()
    assert (photo == 200).all()


def test_a_thin_crack_survives_when_a_large_photo_is_reduced() -> None:
    photo = np.full((600, 7200, 3), 120, np.uint8)
    mask = np.zeros((600, 7200), bool)
    mask[301, :] = True
    drawn = draw_overlay(photo, mask, [])
    assert drawn.shape == (200, 2400, 3)
    assert (np.abs(drawn[95:106].astype(int) - 120).max(axis=(0, 2)) > 50).all()
