"""The layers of an export, made ready for writers of GIS files."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from engine.spreadsheets import plain_text
from jobs.export.data import CRS, ExportData

CHUNK_ROWS = 50_000
"""Rows written at once: bounds memory, and how long a cancellation waits."""


@dataclass(frozen=True)
class Layer:
    """A table whose features are all of one kind.

    Attributes:
        name: sections, photos, distresses, distress_points or projects.
        frame: clean texts; features without a place have no geometry.
        geometry: "LineString", "MultiLineString" or "Point".
        about: one sentence.
    """

    name: str
    frame: gpd.GeoDataFrame
    geometry: str
    about: str

    @property
    def lines(self) -> bool:
        return self.geometry != "Point"


def export_layers(data: ExportData) -> list[Layer]:
    """Sections, photos, distresses and projects, each also where it is empty.

    Distresses whose course is not known on the ground are points; beside lines they get a layer
    `distress_points` of their own, since programs expect one kind of geometry in a layer.
    """
    distresses = _ready(data.distresses)
    lines = distresses.geometry.geom_type.isin(["LineString", "MultiLineString"]).to_numpy()
    layers = [
        Layer("sections", _ready(data.sections), "LineString", "Road sections with condition and plan."),
        Layer("photos", _ready(data.photos), "Point", "Where photos were taken, and what they show."),
    ]
    if lines.all() or not lines.any():
        geometry = "Point" if len(lines) and not lines.any() else "MultiLineString"
        layers.append(Layer("distresses", distresses, geometry, "Distresses found, where they lie."))
    else:
        layers += [
            Layer(
                "distresses", distresses[lines], "MultiLineString", "Distresses found, as lines on the road."
            ),
            Layer(
                "distress_points", distresses[~lines], "Point", "Distresses found, of which a point is known."
            ),
        ]
    layers.append(Layer("projects", _ready(data.projects), "MultiLineString", "Projects of the plan."))
    return layers


def _ready(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """A copy in WGS84 with clean texts and without empty geometries, which not all formats know."""
    table = pd.DataFrame(frame.drop(columns=frame.geometry.name))
    for column in text_columns(table):
        table[column] = pd.Series(
            [plain_text(value) if isinstance(value, str) else None for value in table[column]],
            index=table.index,
            dtype=object,
        )
    shapes = frame.geometry.to_numpy()
    shapes = np.where(shapely.is_empty(shapes), None, shapes)
    return gpd.GeoDataFrame(table, geometry=gpd.GeoSeries(shapes, index=table.index), crs=frame.crs).to_crs(
        CRS
    )


def text_columns(table: pd.DataFrame) -> list[str]:
    """Columns of texts, by either of pandas' types for them."""
    return [
        str(name)
        for name, dtype in table.dtypes.items()
        if pd.api.types.is_object_dtype(dtype) or isinstance(dtype, pd.StringDtype)
    ]


def chunks(layer: Layer) -> Iterator[gpd.GeoDataFrame]:
    """The layer's rows in pieces; of an empty layer one piece without rows."""
    for start in range(0, max(1, len(layer.frame)), CHUNK_ROWS):
        yield layer.frame.iloc[start : start + CHUNK_ROWS]


def write_layer(
    path: Path, name: str, pieces: Iterator[gpd.GeoDataFrame], driver: str, geometry: str, **options: Any
) -> Iterator[int]:
    """Append a new layer to a file, yielding after each piece how many rows it had.

    Args:
        geometry: type of all features; single ones become multiple ones where it says so.
        options: of `pyogrio.write_dataframe`, for the first piece.
    """
    append = False
    for piece in pieces:
        pyogrio.write_dataframe(
            piece,
            path,
            layer=name,
            driver=driver,
            geometry_type=geometry,
            promote_to_multi=geometry.startswith("Multi"),
            append=append,
            **(options if not append else {}),
        )
        append = True
        yield len(piece)


def plain_value(value: Any) -> Any:
    """A table's cell as JSON knows it: None where there is no value."""
    if value is None or value is pd.NA or (isinstance(value, float) and not np.isfinite(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


def records(frame: gpd.GeoDataFrame) -> Iterator[dict[str, Any]]:
    """The rows' values without geometry."""
    names = [name for name in frame.columns if name != frame.geometry.name]
    for row in zip(*(frame[name] for name in names), strict=True):
        yield {name: plain_value(value) for name, value in zip(names, row, strict=True)}


def clean_provenance(provenance: Mapping[str, str]) -> dict[str, str]:
    """Provenance whose texts every format can hold."""
    return {plain_text(key): plain_text(str(value)) for key, value in provenance.items()}


def provenance_text(provenance: Mapping[str, str]) -> str:
    """Provenance as lines of `key: value`."""
    lines = []
    for key, value in clean_provenance(provenance).items():
        inner = " ".join(value.split("\n")) if key != "notes" else value.replace("\n", "\n  ")
        lines.append(f"{key}: {inner}".rstrip())
    return "\n".join(lines) + "\n"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path in a folder of its own; the file written there takes the place of `path` at the end.

    Its name is ours, since GDAL reads meaning into names.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        unfinished = Path(folder) / f"export{path.suffix if path.suffix.isascii() else ''}"
        yield unfinished
        unfinished.replace(path)
