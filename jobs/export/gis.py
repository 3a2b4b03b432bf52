"""Exports for GIS: GeoPackage, shapefile and GeoJSON (KML: `jobs.export.kml`).

All are in WGS84 (EPSG:4326) and say what they were made from and with.
"""

import csv
import io
import json
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyogrio
import shapely

from engine.errors import SettingsError
from jobs.export.data import CRS, ExportData
from jobs.export.fields import field, short_names
from jobs.export.layers import (
    Layer,
    chunks,
    clean_provenance,
    export_layers,
    plain_value,
    provenance_text,
    records,
    text_columns,
    whole_file,
    write_layer,
)
from jobs.export.progress import Progress, no_progress
from jobs.export.styles import layer_style, qml, sld
from jobs.export.zips import member

DBF_LIMIT_BYTES = 2 * 1024**3
DBF_TEXT_BYTES = 254
DECIMALS = 7
"""Of degrees: a centimetre, as RFC 7946 advises."""
# As QGIS itself makes it.
STYLE_TABLE = """
CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
    f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
    useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT,
    update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
)"""
# The GeoPackage standard's extension "Schema": what each column means.
COLUMN_TABLES = """
CREATE TABLE gpkg_data_columns (
    table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT,
    mime_type TEXT, constraint_name TEXT, CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
    CONSTRAINT gdc_tn UNIQUE (table_name, name)
);
CREATE TABLE gpkg_data_column_constraints (
    constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT, min NUMERIC,
    min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT,
    CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value)
);
CREATE TABLE IF NOT EXISTS gpkg_extensions (
    table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL,
    scope TEXT NOT NULL, CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name)
);"""
SCHEMA_EXTENSION = "http://www.geopackage.org/spec121/#extension_schema"


def write_geopackage(data: ExportData, path: Path, progress: Progress = no_progress) -> None:
    """Layers sections, photos, distresses (distress_points) and projects with their styles for QGIS.

    The table `provenance` and the file's metadata say what it was made from; `gpkg_data_columns` what the
    columns mean.
    """
    provenance = clean_provenance(data.provenance)
    layers = export_layers(data)
    with whole_file(path) as unfinished:
        for layer, done in _parts(layers):
            progress(done, f"Writing {layer.name}")
            written = write_layer(
                unfinished,
                layer.name,
                chunks(layer),
                "GPKG",
                layer.geometry,
                # Programs of before 2024 warn of newer versions.
                dataset_options={"VERSION": "1.3"},
                layer_options={"DESCRIPTION": layer.about, "IDENTIFIER": layer.name},
                dataset_metadata=provenance if done == 0 else None,
            )
            _follow(layer, written, layers, done, progress)
        table = pd.DataFrame({"key": list(provenance), "value": list(provenance.values())})
        pyogrio.write_dataframe(table, unfinished, layer="provenance", driver="GPKG")
        with closing(sqlite3.connect(unfinished)) as connection, connection:
            _add_styles(connection, layers)
            _describe_columns(connection, layers)
    progress(1.0, "Written")


def _parts(layers: Sequence[Layer]) -> Iterator[tuple[Layer, float]]:
    """Each layer with the part of all rows that come before it, 0 for the first alone."""
    total, before = sum(len(layer.frame) for layer in layers) + len(layers), 0
    for layer in layers:
        yield layer, before / total
        before += len(layer.frame) + 1


def _follow(
    layer: Layer, written: Iterator[int], layers: Sequence[Layer], done: float, progress: Progress
) -> None:
    total, rows = sum(len(each.frame) for each in layers) + len(layers), 0
    for count in written:
        rows += count
        progress(done + rows / total, f"Writing {layer.name}: {rows:,} of {len(layer.frame):,}")


def _add_styles(connection: sqlite3.Connection, layers: Sequence[Layer]) -> None:
    connection.execute(STYLE_TABLE)
    connection.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id)"
        " VALUES ('layer_styles', 'attributes', 'layer_styles', 'Map styles for QGIS', 0)"
    )
    for layer in layers:
        years = layer.frame["year"].tolist() if layer.name == "projects" else ()
        style = layer_style(layer.name, lines=layer.lines, years=years)
        geometry = connection.execute(
            "SELECT column_name FROM gpkg_geometry_columns WHERE table_name = ?", (layer.name,)
        ).fetchone()[0]
        connection.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column,"
            " styleName, styleQML, styleSLD, useAsDefault, description, owner, ui)"
            " VALUES ('', '', ?, ?, ?, ?, ?, 1, ?, '', NULL)",
            (layer.name, geometry, style.name, qml(style), sld(style, layer.name), style.description),
        )


def _describe_columns(connection: sqlite3.Connection, layers: Sequence[Layer]) -> None:
    connection.executescript(COLUMN_TABLES)
    for table in ("gpkg_data_columns", "gpkg_data_column_constraints"):
        connection.execute(
            "INSERT INTO gpkg_extensions VALUES (?, NULL, 'gpkg_schema', ?, 'read-write')",
            (table, SCHEMA_EXTENSION),
        )
    for layer in layers:
        for column in _columns(layer):
            _, unit, about = field(column)
            described = f"{about} ({unit})" if unit else about
            connection.execute(
                "INSERT INTO gpkg_data_columns (table_name, column_name, description) VALUES (?, ?, ?)",
                (layer.name, column, described),
            )


def _columns(layer: Layer) -> list[str]:
    return [str(name) for name in layer.frame.columns if name != layer.frame.geometry.name]


def write_shapefile(data: ExportData, path: Path, progress: Progress = no_progress) -> None:
    """A zip of one shapefile for each layer, `field_map.csv` and `README.txt` with the provenance.

    Raises:
        SettingsError: a layer is larger than the 2 GB that a shapefile may have.
    """
    layers = export_layers(data)
    with whole_file(path) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        folder = unfinished.parent
        cut = {}
        for layer, done in _parts(layers):
            progress(done, f"Writing {layer.name}")
            short, cut[layer.name] = _cut_texts(layer)
            names = short_names(_columns(layer))
            shorter = (
                piece.rename(columns=dict(zip(_columns(layer), names, strict=True)))
                for piece in chunks(short)
            )
            file = folder / f"{layer.name}.shp"
            written = write_layer(
                file,
                layer.name,
                shorter,
                "ESRI Shapefile",
                layer.geometry,
                layer_options={"ENCODING": "UTF-8"},
            )
            _follow(layer, _within_limit(written, file), layers, done, progress)
            for part in sorted(folder.glob(f"{layer.name}.*")):
                with part.open("rb") as source, archive.open(member(part.name), "w", force_zip64=True) as to:
                    shutil.copyfileobj(source, to)
                part.unlink()
        archive.writestr(member("field_map.csv"), _field_map(layers))
        archive.writestr(member("README.txt"), _readme(data, layers, cut))
    progress(1.0, "Written")


def _within_limit(written: Iterator[int], file: Path) -> Iterator[int]:
    for count in written:
        for part in (file, file.with_suffix(".dbf")):
            if part.stat().st_size > DBF_LIMIT_BYTES:
                raise SettingsError(
                    f"The layer {file.stem} is larger than the 2 GB that a shapefile may have.",
                    "Export a GeoPackage instead.",
                )
        yield count


def _cut_texts(layer: Layer) -> tuple[Layer, int]:
    """The layer with texts that a shapefile has room for, and how many were too long."""
    frame, count = layer.frame.copy(deep=False), 0
    for column in text_columns(frame):
        texts = frame[column].tolist()
        shorter = [_cut(text) for text in texts]
        cut = sum(new != old for new, old in zip(shorter, texts, strict=True))
        if cut:
            frame[column] = shorter
            count += cut
    return replace(layer, frame=frame), count


def _cut(text: str | None) -> str | None:
    if text is None or 4 * len(text) <= DBF_TEXT_BYTES:
        return text
    # Half a character at the end is left out.
    return text.encode()[:DBF_TEXT_BYTES].decode("utf-8", "ignore")


def _field_map(layers: Sequence[Layer]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["layer", "field", "column", "unit", "description"])
    for layer in layers:
        columns = _columns(layer)
        for name, column in zip(short_names(columns), columns, strict=True):
            writer.writerow([layer.name, name, column, *field(column)[1:]])
    return out.getvalue().encode("utf-8-sig")


def _readme(data: ExportData, layers: Sequence[Layer], cut: dict[str, int]) -> str:
    lines = [
        "Shapefiles of a pavement survey",
        "",
        *(f"{layer.name}.shp: {len(layer.frame)} features. {layer.about}" for layer in layers),
        "",
        f"Coordinates: {CRS} (WGS84), longitude and latitude in degrees. Texts: UTF-8.",
        "field_map.csv says what the fields mean: a shapefile's names have at most ten letters.",
        f"A text field holds {DBF_TEXT_BYTES} bytes; longer texts are cut. A file may have 2 GB.",
        "The GeoPackage export has none of these limits, and shows its layers in colour.",
        *(f"{count} texts of {name} were cut." for name, count in cut.items() if count),
        "",
        "Provenance",
        provenance_text(data.provenance),
    ]
    return "\n".join(lines)


def write_geojson(data: ExportData, path: Path, progress: Progress = no_progress) -> None:
    """The sections with condition and plan as a FeatureCollection (RFC 7946); provenance is a member of it.

    Longitude comes first; values that are not known are null.
    """
    layer = next(each for each in export_layers(data) if each.name == "sections")
    head = {
        "type": "FeatureCollection",
        "name": layer.name,
        "provenance": clean_provenance(data.provenance),
        "units": {name: field(name)[1] for name in _columns(layer) if field(name)[1]},
    }
    if layer.frame.geometry.notna().any():
        bounds = layer.frame.total_bounds.round(DECIMALS)
        head["bbox"] = [plain_value(edge) for edge in bounds]
    rows = 0
    with whole_file(path) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "features": [')
        for piece in chunks(layer):
            rounded = shapely.transform(piece.geometry.to_numpy(), lambda points: np.round(points, DECIMALS))
            shapes = shapely.to_geojson(rounded)
            for values, shape in zip(records(piece), shapes, strict=True):
                told = json.dumps(values, ensure_ascii=False, allow_nan=False)
                file.write(",\n" if rows else "\n")
                file.write(f'{{"type": "Feature", "geometry": {shape or "null"}, "properties": {told}}}')
                rows += 1
            progress(rows / max(1, len(layer.frame)), f"Writing sections: {rows:,} of {len(layer.frame):,}")
        file.write("\n]}\n")
    progress(1.0, "Written")
