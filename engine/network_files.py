"""Opens an agency's GIS file: which layer, which coordinate system (torch-free).

Only GeoJSON, GeoPackage and shapefile are read, each through its own GDAL driver: no `/vsi` paths, no URLs,
no VRT, no file that another driver would claim by its content.
"""

import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import shapely

from engine.centreline import WGS84
from engine.errors import NetworkFileError

FORMATS = (
    "GeoJSON (.geojson, .json), GeoPackage (.gpkg), "
    "shapefile (.shp with its .shx, .dbf and .prj, or all of them in a .zip)"
)
MAX_SECTIONS = 200_000
MAX_UNZIPPED_BYTES = 2_000_000_000
# A longer "section" shows that metres were read as degrees.
LONGEST_SECTION_M = 500_000.0


@dataclass(frozen=True)
class RoadLayer:
    """One layer of a GIS file in WGS84.

    Attributes:
        frame: its features, rows numbered from 0.
        layer: its name; layers: those of the file that may hold lines.
        crs: what the file says of its coordinate system; empty where it says nothing and degrees were taken.
    """

    frame: gpd.GeoDataFrame
    layer: str
    layers: tuple[str, ...]
    crs: str


def read_layer(path: Path, name: str, layer: str | None = None) -> RoadLayer:
    """Read one layer and turn it into WGS84.

    Args:
        path: a local file; its type is taken from its content and its ending.
        name: what to call the file in messages.
        layer: which one; None is the first that may hold lines.

    Raises:
        NetworkFileError: wrong type, unreadable, no such layer, no feature, or a coordinate system that is
            neither stated nor plainly degrees.
    """
    if str(path).startswith("/vsi") or not path.is_file():
        raise NetworkFileError(
            f"{name} is not a file on this computer.", "Give the path of a local GIS file."
        )
    with tempfile.TemporaryDirectory(prefix="pavescope-network-") as folder:
        source = _source(path, Path(folder), name)
        try:
            names, chosen = _layers(source, name, layer)
            info = pyogrio.read_info(source, layer=chosen, force_feature_count=True)
            if info["features"] > MAX_SECTIONS:
                raise NetworkFileError(
                    f"{name} holds {info['features']} features, more than {MAX_SECTIONS}.",
                    "Split the network by district and import each part.",
                )
            frame = gpd.read_file(source, layer=chosen, engine="pyogrio", on_invalid="ignore")
        except (RuntimeError, ValueError, shapely.GEOSException) as error:
            raise NetworkFileError(
                f"{name} cannot be read: {str(error).replace(source, name)}.",
                "Open it in a GIS, export it again, and import that file.",
            ) from error
    if not isinstance(frame, gpd.GeoDataFrame) or frame.empty:
        raise NetworkFileError(
            f"{name} holds no feature with a geometry.", "Export the layer that holds the roads."
        )
    crs = "" if frame.crs is None else str(frame.crs.name)
    return RoadLayer(_to_wgs84(frame.reset_index(drop=True), name), chosen, names, crs)


def _layers(source: str, name: str, asked: str | None) -> tuple[tuple[str, ...], str]:
    """Names of the layers that may hold lines, and the one to read."""
    found = [(str(layer), kind) for layer, kind in pyogrio.list_layers(source)]
    lines = [layer for layer, kind in found if kind is None or "LineString" in kind or kind == "Unknown"]
    # A layer of another kind is read too when it is all there is, to say what it holds.
    names = tuple(lines or [layer for layer, _ in found[:1]])
    if not names:
        raise NetworkFileError(f"{name} holds no layer.", "Export the road centrelines and import that file.")
    if asked is not None and asked not in names:
        raise NetworkFileError(f"{name} has no layer {asked!r}.", f"Choose one of: {', '.join(names)}.")
    return names, asked or names[0]


def _source(path: Path, folder: Path, name: str) -> str:
    """The GDAL dataset name, checked by content so that no other driver can claim the file."""
    with path.open("rb") as file:
        head = file.read(4096)
    ending = path.suffix.lower()
    if not head:
        raise NetworkFileError(f"{name} is empty.", "Export the network again and import that file.")
    if ending in {".geojson", ".json"} and head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        # The prefix keeps GDAL from trying its other drivers: JSON that quotes a VRT would be opened as one.
        return f"GeoJSON:{_plain_link(path, folder, '.geojson')}"
    if ending == ".gpkg" and head.startswith(b"SQLite format 3\x00"):
        return _plain_link(path, folder, ".gpkg")
    if ending == ".shp" and head.startswith(b"\x00\x00\x27\x0a"):
        for part in (".shx", ".dbf", ".prj", ".cpg"):
            sibling = next(
                (s for s in (path.with_suffix(part), path.with_suffix(part.upper())) if s.is_file()), None
            )
            if sibling is not None:
                _plain_link(sibling, folder, part)
        return _shapefile(Path(_plain_link(path, folder, ".shp")), name)
    if ending == ".zip" and head.startswith(b"PK"):
        return _shapefile(_unzip_shapefile(path, folder, name), name)
    raise NetworkFileError(f"{name} is not a network file that can be read.", f"Import one of: {FORMATS}.")


def _plain_link(path: Path, folder: Path, ending: str) -> str:
    # GDAL and pyogrio read meaning into names ('!', ':', '.zip'); a name of our own has none.
    link = folder / f"network{ending}"
    link.symlink_to(path.resolve())
    return str(link)


def _shapefile(path: Path, name: str) -> str:
    missing = [part for part in (".shx", ".dbf") if not path.with_suffix(part).is_file()]
    if missing:
        raise NetworkFileError(
            f"{name} comes without its {' and '.join(missing)} file.",
            "A shapefile is several files: import a zip that holds the .shp, .shx, .dbf and .prj.",
        )
    return str(path)


def _unzip_shapefile(path: Path, folder: Path, name: str) -> Path:
    """Unpack the one shapefile of a zip under names of our own; nothing else is touched."""
    remedy = "Zip the .shp, .shx, .dbf and .prj of one shapefile, without a password, and import that."
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
            shapes = [f for f in members if f.lower().endswith(".shp") and not f.startswith("__MACOSX")]
            if len(shapes) != 1:
                raise NetworkFileError(f"{name} holds {len(shapes)} shapefiles, not one.", remedy)
            stem = shapes[0][:-4]
            budget = MAX_UNZIPPED_BYTES
            for info in members.values():
                part = info.filename[len(stem) :].lower()
                if not info.filename.startswith(stem) or part not in {".shp", ".shx", ".dbf", ".prj", ".cpg"}:
                    continue
                with archive.open(info) as packed, (folder / f"network{part}").open("wb") as unpacked:
                    while block := packed.read(1 << 20):
                        budget -= len(block)
                        if budget < 0:
                            raise NetworkFileError(f"{name} unpacks to more than 2 GB.", remedy)
                        unpacked.write(block)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise NetworkFileError(f"{name} cannot be unpacked: {error}.", remedy) from error
    return folder / "network.shp"


def _to_wgs84(frame: gpd.GeoDataFrame, name: str) -> gpd.GeoDataFrame:
    frame = frame.set_geometry(shapely.force_2d(frame.geometry.values))
    if frame.crs is not None:
        try:
            return frame.to_crs(4326)
        except (RuntimeError, ValueError) as error:
            raise NetworkFileError(
                f"{name} has a coordinate system that cannot be turned into latitude and longitude: {error}.",
                "Export the network in WGS84 (EPSG:4326).",
            ) from error
    if not _plainly_degrees(frame):
        raise NetworkFileError(
            f"{name} does not state its coordinate system (a shapefile does so in its .prj).",
            "Add the .prj file, or export the network in WGS84 (EPSG:4326).",
        )
    return frame.set_crs(4326)


def _plainly_degrees(frame: gpd.GeoDataFrame) -> bool:
    bounds = frame.geometry.bounds.to_numpy()
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    if not len(bounds) or np.abs(bounds[:, [0, 2]]).max() > 180 or np.abs(bounds[:, [1, 3]]).max() > 90:
        return False
    _, _, diagonal_m = WGS84.inv(*bounds.T)
    return bool(diagonal_m.max() < LONGEST_SECTION_M)
