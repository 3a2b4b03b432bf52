"""Reads an agency's road network from a GIS file and checks it section by section (torch-free)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry import LineString, MultiLineString

from engine.centreline import WGS84 as WGS84
from engine.centreline import cut_centreline, geodesic_lengths_m
from engine.centreline import geodesic_length_m as geodesic_length_m
from engine.errors import NetworkFileError
from engine.network_columns import SectionColumns, chainage_unit_m, match_columns
from engine.network_files import LONGEST_SECTION_M, MAX_SECTIONS, read_layer

LINE_TYPES = (shapely.GeometryType.LINESTRING, shapely.GeometryType.MULTILINESTRING)
MAX_VERTICES = 10_000
MIN_LENGTH_M = 0.1
# Drawn lines cut corners; more than this is a mistake in the chainage or in the drawing.
MAX_LENGTH_DIFFERENCE = 0.05
# Chainages are rounded; sections that share more than this lie side by side or one is wrong.
OVERLAP_M = 1.0


class FindingKind(StrEnum):
    """What the check of a file did about what it found."""

    REFUSED = "refused"
    CHANGED = "changed"
    NOTED = "noted"


@dataclass(frozen=True)
class Finding:
    """One thing that the check noticed.

    Attributes:
        section: the id it is about; None for the file as a whole.
        text: what is said of that section, or a sentence about the file.
    """

    kind: FindingKind
    section: str | None
    text: str

    def __str__(self) -> str:
        return self.text if self.section is None else f"Section {self.section} {self.text}"


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
    """What a file holds.

    Attributes:
        sections: the usable ones, in file order.
        findings: what was refused, changed or only noticed.
        features: in the layer, usable or not.
        columns: attribute of a section -> the file's column that it was taken from, None where there is none.
        file_columns: all columns of the layer.
        crs: the file's coordinate system; empty where none is stated and degrees were taken.
        layer: the one that was read; layers: all that may hold lines.
    """

    sections: list[SectionRecord]
    findings: list[Finding]
    features: int
    columns: dict[str, str | None]
    file_columns: tuple[str, ...]
    crs: str
    layer: str
    layers: tuple[str, ...]

    @property
    def problems(self) -> list[str]:
        """The findings, one sentence each."""
        return [str(finding) for finding in self.findings]


def read_network(
    path: Path,
    *,
    name: str | None = None,
    columns: Mapping[str, str | None] | None = None,
    chainage_unit: str | None = None,
    layer: str | None = None,
    cut_every_m: float | None = None,
) -> NetworkFile:
    """Read road sections from a GIS file, keeping every section that can be used.

    Args:
        path: a local file; its type is taken from its content and its ending.
        name: what to call the file in messages (default: the path's own name).
        columns: attribute (of `network_columns.FIELDS`) -> column of the file, None for none; those not named
            are found by their usual names.
        chainage_unit: of `network_columns.UNITS_M`; None asks the column's name, then the lines' lengths.
        layer: of a file with several; None is the first that may hold lines.
        cut_every_m: cut each line from its start into sections of this length, 10 to 100,000.

    Returns:
        At least one section, and the findings.

    Raises:
        NetworkFileError: the file as a whole cannot be used: wrong type, unreadable, no usable line, or a
            coordinate system that is neither stated nor plainly degrees.
        SettingsError: `cut_every_m` is outside its range.
    """
    name = name or path.name
    read = read_layer(path, name, layer)
    notes: list[str] = []
    if not read.crs:
        notes.append(
            "No coordinate system is stated; the coordinates are plainly degrees, so WGS84 was taken."
        )
    if len(read.layers) > 1:
        others = ", ".join(other for other in read.layers if other != read.layer)
        notes.append(f"Only the layer {read.layer} was read; the file also holds: {others}.")
    found = match_columns(read.frame, notes, name, columns, chainage_unit)
    findings = [Finding(FindingKind.NOTED, None, note) for note in notes]
    lines = list(_usable_lines(read.frame, found.section_key, cut_every_m, findings))
    if not lines:
        said = " ".join(str(finding) for finding in findings[:5])
        raise NetworkFileError(
            f"{name} holds no usable road line. {said}",
            "Export the road centrelines as lines (LineString) and import that file.",
        )
    if len(lines) > MAX_SECTIONS:
        raise NetworkFileError(
            f"{name} makes {len(lines):,} sections, more than {MAX_SECTIONS:,}.",
            "Cut into longer sections, or split the network by district and import each part.",
        )
    return NetworkFile(
        _sections(lines, found, cut_every_m is not None, findings),
        findings,
        features=len(read.frame),
        columns=found.names,
        file_columns=tuple(
            str(column) for column in read.frame.columns if column != read.frame.geometry.name
        ),
        crs=read.crs,
        layer=read.layer,
        layers=read.layers,
    )


def _usable_lines(
    frame: gpd.GeoDataFrame, keys: "pd.Series[str]", cut_every_m: float | None, findings: list[Finding]
) -> Iterator[tuple[int, int, LineString]]:
    """Yield (row, part, line); part is 0 for a whole feature and 1, 2, ... for the pieces of a broken one."""
    geometries = np.asarray(frame.geometry.values, dtype=object)
    for row, (key, geometry, refusal) in enumerate(
        zip(keys.tolist(), geometries, _refusals(geometries), strict=True)
    ):
        if refusal:
            findings.append(Finding(FindingKind.REFUSED, key, f"refused: {refusal}."))
            continue
        pieces = [geometry] if geometry.geom_type == "LineString" else _joined(geometry)
        if not pieces:
            findings.append(Finding(FindingKind.REFUSED, key, "refused: all its parts have no length."))
        if len(pieces) > 1:
            text = f"has gaps: it was split into {len(pieces)} sections."
            findings.append(Finding(FindingKind.CHANGED, key, text))
        for part, piece in enumerate(pieces, start=1):
            for line in [piece] if cut_every_m is None else cut_centreline(piece, cut_every_m):
                thin = _thinned(line)
                if thin is not line:
                    text = f"had {len(line.coords):,} vertices: simplified to {len(thin.coords):,}."
                    findings.append(Finding(FindingKind.CHANGED, key, text))
                yield row, part if len(pieces) > 1 else 0, thin


def _joined(line: MultiLineString) -> list[LineString]:
    """The parts of a line, joined where they touch, without those of no length."""
    merged = shapely.line_merge(line)
    return [part for part in getattr(merged, "geoms", [merged]) if geodesic_length_m(part) >= MIN_LENGTH_M]


def _refusals(geometries: npt.NDArray[np.object_]) -> list[str | None]:
    """Why each feature's geometry cannot be a section, or None."""
    reasons: list[str | None] = [None] * len(geometries)

    def refuse(rows: npt.NDArray[np.int64], why: str) -> None:
        for row in rows:
            reasons[row] = reasons[row] or why

    refuse(
        np.flatnonzero(shapely.is_missing(geometries) | shapely.is_empty(geometries)), "it has no geometry"
    )
    for row in np.flatnonzero(~np.isin(shapely.get_type_id(geometries), LINE_TYPES)):
        reasons[row] = reasons[row] or f"it is a {geometries[row].geom_type}, roads are lines"
    points, of_row = shapely.get_coordinates(geometries, return_index=True)
    refuse(np.unique(of_row[~np.isfinite(points).all(axis=1)]), "a coordinate is not a finite number")
    outside = of_row[(np.abs(points) > (180, 90)).any(axis=1)]
    refuse(
        np.unique(outside),
        "a coordinate lies outside the globe (latitude and longitude swapped, or not degrees)",
    )
    rows = np.array([row for row, reason in enumerate(reasons) if reason is None], dtype=np.int64)
    lengths_m = geodesic_lengths_m(geometries[rows])
    refuse(rows[lengths_m < MIN_LENGTH_M], "its length is zero")
    for row in np.flatnonzero(lengths_m >= LONGEST_SECTION_M):
        reasons[rows[row]] = f"it is {lengths_m[row] / 1000:.0f} km long, no section is"
    return reasons


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
    lines: list[tuple[int, int, LineString]], columns: SectionColumns, cut: bool, findings: list[Finding]
) -> list[SectionRecord]:
    rows = [row for row, _, _ in lines]
    table = pd.DataFrame({"row": rows, "part": [part for _, part, _ in lines]})
    table["line"] = [line for _, _, line in lines]
    table["length_m"] = geodesic_lengths_m([line for _, _, line in lines])
    table["key"] = columns.section_key.to_numpy()[rows]
    for name in ("road", "direction", "lane"):
        table[name] = np.array(getattr(columns, name), dtype=object)[rows]
    _set_chainage(table, columns, findings)
    if cut:
        several = table.groupby("row")["row"].transform("size") > 1
        chainage = [f"-{round(from_m):06d}" for from_m in table["from_m"]]
        table["key"] += np.where(several, chainage, "")
    else:
        table.loc[table["part"] > 0, "key"] += "/" + table["part"].astype(str)
    _set_unique_keys(table, findings)
    _note_crossings_and_overlaps(table, findings)
    values = (table[name].tolist() for name in ("row", "key", "road", "from_m", "to_m", "length_m", "line"))
    return [
        SectionRecord(
            section_key=key,
            road=road,
            from_m=from_m,
            to_m=to_m,
            functional_class=columns.functional_class[row],
            surface=columns.surface[row],
            lanes=columns.lanes[row],
            lane_width_m=columns.lane_width_m[row],
            aadt=columns.aadt[row],
            geometry=line,
            length_m=length_m,
            direction=columns.direction[row],
            lane=columns.lane[row],
        )
        for row, key, road, from_m, to_m, length_m, line in zip(*values, strict=True)
    ]


def _set_chainage(table: pd.DataFrame, columns: SectionColumns, findings: list[Finding]) -> None:
    """Add from_m and to_m, rising: the file's, shared out over a feature's pieces, else counted by road."""
    notes: list[str] = []
    feature_length_m = table.groupby("row")["length_m"].transform("sum")
    before_m = table.groupby("row")["length_m"].cumsum() - table["length_m"]
    stated_from = columns.chainage_from.to_numpy()[table["row"]]
    stated_to = columns.chainage_to.to_numpy()[table["row"]]
    known = np.isfinite(stated_from) & np.isfinite(stated_to) & (stated_from != stated_to)
    unit_m = columns.chainage_unit_m or chainage_unit_m(
        np.abs(stated_to - stated_from)[known], feature_length_m.to_numpy()[known], notes
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
        notes.append(
            f"{int(differs.sum())} of {len(table)} sections are drawn more than {MAX_LENGTH_DIFFERENCE:.0%} "
            "longer or shorter than their from/to chainage says; photos on them get a chainage in proportion."
        )
    if not known.all():
        count = int((~known).sum())
        notes.append(
            f"{count} sections have no from/to chainage: it was counted along each road, in file order."
        )
    falls = (table["from_m"] > table["to_m"]).to_numpy()
    if falls.any():
        notes.append(
            f"{int(falls.sum())} sections are drawn against their chainage ({_some(table['key'][falls])}): "
            "they were turned round."
        )
        ends = table.loc[falls, ["to_m", "from_m"]].to_numpy()
        table.loc[falls, ["from_m", "to_m"]] = ends
        table.loc[falls, "line"] = table.loc[falls, "line"].map(shapely.reverse)
    findings += [Finding(FindingKind.NOTED, None, note) for note in notes]


def _set_unique_keys(table: pd.DataFrame, findings: list[Finding]) -> None:
    """Number sections that share an id, in order of chainage.

    They are kept, not refused: agencies that give the road's name as the id of each of its sections would
    lose nearly all of their network. Chainage order, not file order: a re-export gets the same keys.
    """
    shared = table[table["key"].duplicated(keep=False)]
    taken = set(table["key"])
    renamed: dict[int, str] = {}
    for key, group in shared.sort_values(["from_m", "to_m"], kind="stable").groupby("key", sort=False):
        number = 1
        for row in group.index[1:]:
            while (unique := f"{key}#{(number := number + 1)}") in taken:
                pass
            taken.add(unique)
            renamed[row] = unique
        text = f"shares its id with {len(group) - 1} more: they were numbered {key}, {key}#2, ..."
        findings.append(Finding(FindingKind.CHANGED, str(key), text))
    if renamed:
        table.loc[list(renamed), "key"] = list(renamed.values())


def _note_crossings_and_overlaps(table: pd.DataFrame, findings: list[Finding]) -> None:
    for key in table["key"][~shapely.is_simple(table["line"].to_numpy())]:
        text = "crosses itself: kept; a photo near the crossing may get the chainage of either pass."
        findings.append(Finding(FindingKind.NOTED, key, text))
    side_by_side = [table[name].fillna("") for name in ("road", "direction", "lane")]
    ordered = table.assign(group=pd.factorize(pd.MultiIndex.from_arrays(side_by_side))[0])
    ordered = ordered.sort_values(["group", "from_m", "to_m"], kind="stable")
    reached_m = ordered.groupby("group")["to_m"].cummax().groupby(ordered["group"]).shift()
    over = ordered["key"][reached_m - ordered["from_m"] > OVERLAP_M]
    if len(over):
        findings.append(
            Finding(
                FindingKind.NOTED,
                None,
                f"{len(over)} sections begin before another of the same road ends ({_some(over)}): "
                "correct their chainage, or give direction or lane where they lie side by side.",
            )
        )


def _some(keys: "pd.Series[str]") -> str:
    """The first three, to look for."""
    return ", ".join(keys.head(3)) + (", ..." if len(keys) > 3 else "")
