"""Reads an agency's road network from a GIS file (torch-free).

Only GeoJSON, GeoPackage and shapefile are read, each through its own GDAL driver: no `/vsi` paths, no URLs,
no VRT, no file that another driver would claim by its content.
"""

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pyproj import Geod
from shapely.geometry import LineString, MultiLineString

from engine.errors import NetworkFileError
from engine.network_columns import SectionColumns, chainage_unit_m, match_columns

WGS84 = Geod(ellps="WGS84")
FORMATS = (
    "GeoJSON (.geojson, .json), GeoPackage (.gpkg), "
    "shapefile (.shp with its .shx, .dbf and .prj, or all of them in a .zip)"
)
MAX_SECTIONS = 200_000
MAX_UNZIPPED_BYTES = 2_000_000_000
MAX_VERTICES = 10_000
MIN_LENGTH_M = 0.1
# A longer "section" shows that metres were read as degrees.
LONGEST_SECTION_M = 500_000.0
# Drawn lines cut corners; more than this is a mistake in the chainage or in the drawing.
MAX_LENGTH_DIFFERENCE = 0.05


@dataclass(frozen=True)
class SectionRecord:
    """A homogeneous road length.

    Attributes:
        section_key: the agency's own id, unique in its file.
        from_m: chainage where the section begins, metres along the road; to_m where it ends.
        length_m: geodesic length of `geometry`, > 0.
        geometry: WGS84 LineString, longitude first, in the direction of rising chainage.
        direction: of travel against the chainage (ascending, descending, both), or the agency's own word.
        lane: which of them, where a section is one lane.
    """

    section_key: str
    road: str
    from_m: float
    to_m: float
    functional_class: str | None
    surface: str | None
    lanes: int | None
    lane_width_m: float | None
    aadt: int | None
    geometry: LineString
    length_m: float
    direction: str | None = None
    lane: str | None = None


@dataclass(frozen=True)
class NetworkFile:
    """Usable sections in file order, and what was refused or changed, one sentence each."""

    sections: list[SectionRecord]
    problems: list[str]


def geodesic_length_m(line: LineString | MultiLineString) -> float:
    """Length on the WGS84 ellipsoid of a longitude/latitude line."""
    # Not `geometry_length`: it walks over the vertices in Python.
    parts = getattr(line, "geoms", [line])
    return float(sum(WGS84.line_length(*shapely.get_coordinates(part).T) for part in parts))


def read_network(path: Path, *, name: str | None = None) -> NetworkFile:
    """Read road sections from a GIS file, keeping every section that can be used.

    Args:
        path: a local file; its type is taken from its content and its ending.
        name: what to call the file in messages (default: the path's own name).

    Returns:
        At least one section, and the problems met.

    Raises:
        NetworkFileError: the file as a whole cannot be used: wrong type, unreadable, no usable line, or a
            coordinate system that is neither stated nor plainly degrees.
    """
    name = name or path.name
    if str(path).startswith("/vsi") or not path.is_file():
        raise NetworkFileError(
            f"{name} is not a file on this computer.", "Give the path of a local GIS file."
        )
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="pavescope-network-") as folder:
        frame = _read_frame(_source(path, Path(folder), name), name)
    frame = _to_wgs84(frame, name, problems)
    columns = match_columns(frame, problems)
    lines = list(_usable_lines(frame, columns.section_key, problems))
    if not lines:
        raise NetworkFileError(
            f"{name} holds no usable road line. {' '.join(problems[:5])}",
            "Export the road centrelines as lines (LineString) and import that file.",
        )
    return NetworkFile(_sections(lines, columns, problems), problems)


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


def _read_frame(source: str, name: str) -> gpd.GeoDataFrame:
    try:
        layers = pyogrio.list_layers(source)
        lines = [layer for layer, kind in layers if kind is None or "LineString" in kind or kind == "Unknown"]
        # A layer of another kind is read too when it is all there is, to say what it holds.
        layer = lines[0] if lines else layers[0][0] if len(layers) else None
        if layer is None:
            raise NetworkFileError(
                f"{name} holds no layer.", "Export the road centrelines and import that file."
            )
        info = pyogrio.read_info(source, layer=layer, force_feature_count=True)
        if info["features"] > MAX_SECTIONS:
            raise NetworkFileError(
                f"{name} holds {info['features']} features, more than {MAX_SECTIONS}.",
                "Split the network by district and import each part.",
            )
        frame = gpd.read_file(source, layer=layer, engine="pyogrio", on_invalid="ignore")
    except (RuntimeError, ValueError, shapely.GEOSException) as error:
        raise NetworkFileError(
            f"{name} cannot be read: {str(error).replace(source, name)}.",
            "Open it in a GIS, export it again, and import that file.",
        ) from error
    if not isinstance(frame, gpd.GeoDataFrame) or frame.empty:
        raise NetworkFileError(
            f"{name} holds no feature with a geometry.", "Export the layer that holds the roads."
        )
    return frame.reset_index(drop=True)


def _to_wgs84(frame: gpd.GeoDataFrame, name: str, problems: list[str]) -> gpd.GeoDataFrame:
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
    problems.append(
        "No coordinate system is stated; the coordinates are plainly degrees, so WGS84 was taken."
    )
    return frame.set_crs(4326)


def _plainly_degrees(frame: gpd.GeoDataFrame) -> bool:
    bounds = frame.geometry.bounds.to_numpy()
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    if not len(bounds) or np.abs(bounds[:, [0, 2]]).max() > 180 or np.abs(bounds[:, [1, 3]]).max() > 90:
        return False
    _, _, diagonal_m = WGS84.inv(*bounds.T)
    return bool(diagonal_m.max() < LONGEST_SECTION_M)


def _usable_lines(
    frame: gpd.GeoDataFrame, keys: "pd.Series[str]", problems: list[str]
) -> Iterator[tuple[int, int, LineString]]:
    """Yield (row, part, line); part is 0 for a whole feature and 1, 2, ... for the pieces of a broken one."""
    for row, geometry in enumerate(frame.geometry):
        who = f"Section {keys.iloc[row]}"
        refusal = _refusal(geometry)
        if refusal:
            problems.append(f"{who} refused: {refusal}.")
            continue
        merged = shapely.line_merge(geometry) if geometry.geom_type == "MultiLineString" else geometry
        pieces = [p for p in getattr(merged, "geoms", [merged]) if geodesic_length_m(p) >= MIN_LENGTH_M]
        if not pieces:
            problems.append(f"{who} refused: its length is zero.")
        if len(pieces) > 1:
            problems.append(f"{who} has gaps: it was split into {len(pieces)} sections.")
        for part, piece in enumerate(pieces, start=1):
            line = _thinned(piece)
            if line is not piece:
                problems.append(f"{who} had {len(piece.coords)} vertices: simplified to {len(line.coords)}.")
            yield row, part if len(pieces) > 1 else 0, line


def _refusal(geometry: shapely.Geometry | None) -> str | None:
    """Why a feature's geometry cannot be a section, or None."""
    if geometry is None or geometry.is_empty:
        return "it has no geometry"
    if geometry.geom_type not in {"LineString", "MultiLineString"}:
        return f"it is a {geometry.geom_type}, roads are lines"
    coordinates = shapely.get_coordinates(geometry)
    if not np.isfinite(coordinates).all():
        return "a coordinate is not a finite number"
    longitude, latitude = np.abs(coordinates).max(axis=0)
    if longitude > 180 or latitude > 90:
        return "a coordinate lies outside the globe (latitude and longitude swapped, or not degrees)"
    length_m = geodesic_length_m(geometry)
    if length_m >= LONGEST_SECTION_M:
        return f"it is {length_m / 1000:.0f} km long, no section is"
    return None


def _thinned(line: LineString) -> LineString:
    """A line of at most `MAX_VERTICES`, as near as possible to the given one."""
    if len(line.coords) <= MAX_VERTICES:
        return line
    points = shapely.get_coordinates(line)
    # Simplification is slow on millions of vertices: first keep one per step along the line.
    travelled = np.concatenate([[0.0], np.hypot(*np.diff(points, axis=0).T).cumsum()])
    bins = (travelled / travelled[-1] * 20 * MAX_VERTICES).astype(np.int64)
    keep = np.concatenate([[True], np.diff(bins) > 0])
    keep[-1] = True
    line, tolerance_deg = LineString(points[keep]), 1e-6
    while len(line.coords) > MAX_VERTICES:
        line, tolerance_deg = line.simplify(tolerance_deg, preserve_topology=False), tolerance_deg * 2
    return line


def _sections(
    lines: list[tuple[int, int, LineString]], columns: SectionColumns, problems: list[str]
) -> list[SectionRecord]:
    rows = [row for row, _, _ in lines]
    table = pd.DataFrame({"row": rows, "part": [part for _, part, _ in lines]})
    table["length_m"] = [geodesic_length_m(line) for _, _, line in lines]
    table["road"] = columns.road.to_numpy()[rows]
    table["key"] = columns.section_key.to_numpy()[rows]
    table.loc[table["part"] > 0, "key"] += "/" + table["part"].astype(str)
    _set_chainage(table, columns, problems)
    _set_unique_keys(table, problems)
    chainage = zip(table["from_m"].tolist(), table["to_m"].tolist(), table["length_m"].tolist(), strict=True)
    return [
        SectionRecord(
            section_key=key,
            road=columns.road[row],
            from_m=from_m,
            to_m=to_m,
            functional_class=columns.functional_class[row],
            surface=columns.surface[row],
            lanes=columns.lanes[row],
            lane_width_m=columns.lane_width_m[row],
            aadt=columns.aadt[row],
            geometry=line,
            length_m=length_m,
        )
        for (row, _, line), key, (from_m, to_m, length_m) in zip(
            lines, table["key"].tolist(), chainage, strict=True
        )
    ]


def _set_chainage(table: pd.DataFrame, columns: SectionColumns, problems: list[str]) -> None:
    """Add from_m and to_m: the file's own, shared out over a feature's pieces, else cumulative by road."""
    feature_length_m = table.groupby("row")["length_m"].transform("sum")
    before_m = table.groupby("row")["length_m"].cumsum() - table["length_m"]
    stated_from = columns.chainage_from.to_numpy()[table["row"]]
    stated_to = columns.chainage_to.to_numpy()[table["row"]]
    known = np.isfinite(stated_from) & np.isfinite(stated_to) & (stated_from != stated_to)
    unit_m = columns.chainage_unit_m or chainage_unit_m(
        np.abs(stated_to - stated_from)[known], feature_length_m.to_numpy()[known], problems
    )
    span = (stated_to - stated_from) * unit_m
    cumulative_m = table.groupby("road")["length_m"].cumsum() - table["length_m"]
    table["from_m"] = np.where(known, stated_from * unit_m + span * before_m / feature_length_m, cumulative_m)
    table["to_m"] = np.where(
        known,
        stated_from * unit_m + span * (before_m + table["length_m"]) / feature_length_m,
        cumulative_m + table["length_m"],
    )
    stated_m = np.abs(table["to_m"] - table["from_m"])
    differs = known & (np.abs(stated_m - table["length_m"]) > MAX_LENGTH_DIFFERENCE * table["length_m"])
    if differs.any():
        problems.append(
            f"{int(differs.sum())} of {len(table)} sections are drawn more than {MAX_LENGTH_DIFFERENCE:.0%} "
            "longer or shorter than their from/to chainage says; photos on them get a chainage in proportion."
        )
    if not known.all():
        count = int((~known).sum())
        problems.append(
            f"{count} sections have no from/to chainage: it was counted along each road, in file order."
        )


def _set_unique_keys(table: pd.DataFrame, problems: list[str]) -> None:
    """Number sections that share an id, in order of chainage.

    They are kept, not refused: agencies that give the road's name as the id of each of its sections would
    lose nearly all of their network. Chainage order, not file order: a re-export gets the same keys.
    """
    shared = table[table["key"].duplicated(keep=False)]
    taken = set(table["key"])
    for key, group in shared.sort_values(["from_m", "to_m"], kind="stable").groupby("key", sort=False):
        number = 1
        for row in group.index[1:]:
            while (unique := f"{key}#{(number := number + 1)}") in taken:
                pass
            taken.add(unique)
            table.loc[row, "key"] = unique
        problems.append(f"{len(group)} sections share the id {key}: they were numbered {key}, {key}#2, ...")
