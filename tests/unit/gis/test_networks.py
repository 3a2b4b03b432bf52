"""Road networks: each kind of file that is read, each kind of bad one that is refused with its reason."""

import json
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import LineString, MultiLineString, Polygon

import engine.network_files
import engine.networks
from engine.errors import NetworkFileError, SettingsError
from engine.networks import FindingKind, geodesic_length_m, read_network

# Two sections of about 1.1 km each, one after the other, and one across.
EAST = LineString([(7.0, 46.0), (7.0072, 46.0), (7.0144, 46.0)])
EAST_2 = LineString([(7.0144, 46.0), (7.0288, 46.0)])
NORTH = LineString([(7.0144, 46.0), (7.0144, 46.01)])


def frame(lines: list, crs: int | None = 4326, **columns: list) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        columns or {"section_id": [f"S{i}" for i in range(len(lines))]}, geometry=lines, crs=crs
    )


def geojson(path: Path, features: list[tuple[dict, dict]]) -> Path:
    collection = [{"type": "Feature", "properties": p, "geometry": g} for p, g in features]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": collection}))
    return path


def write(table: gpd.GeoDataFrame, folder: Path, kind: str) -> Path:
    if kind == "zip":
        shape = write(table, folder, "shp")
        with zipfile.ZipFile(folder / "roads.zip", "w") as archive:
            for part in folder.glob("roads.*"):
                if part.suffix != ".zip":
                    archive.write(part, f"deep/er/{part.name}")
        shape.unlink()
        return folder / "roads.zip"
    table.to_file(folder / f"roads.{kind}")
    return folder / f"roads.{kind}"


@pytest.mark.parametrize("kind", ["geojson", "gpkg", "shp", "zip"])
@pytest.mark.parametrize("crs", [4326, 32632])
def test_each_format_gives_the_same_sections_whatever_its_coordinate_system(
    tmp_path: Path, kind: str, crs: int
) -> None:
    table = frame([EAST, EAST_2, NORTH], road=["A", "A", "B"], id=["a", "b", "c"], lanes=[2, 2, 1]).to_crs(
        crs
    )
    read = read_network(write(table, tmp_path, kind))
    assert [section.section_key for section in read.sections] == ["a", "b", "c"]
    assert [section.road for section in read.sections] == ["A", "A", "B"]
    assert [section.lanes for section in read.sections] == [2, 2, 1]
    for section, line in zip(read.sections, [EAST, EAST_2, NORTH], strict=True):
        assert np.allclose(section.geometry.coords, line.coords, atol=1e-8)
        assert section.length_m == pytest.approx(geodesic_length_m(line), abs=0.01)
    # No chainage in the file: counted along each road.
    assert [round(section.from_m) for section in read.sections] == [0, round(geodesic_length_m(EAST)), 0]


@pytest.mark.real_data
def test_the_real_highway_is_read_and_its_short_ends_are_noticed(data_dir: Path) -> None:
    read = read_network(data_dir / "dnit_br290" / "centreline.geojson")
    # Its survey begins and ends within a 500 m section.
    assert len(read.problems) == 1
    assert read.problems[0].startswith("2 of 18 sections are drawn more than 5% longer or shorter")
    assert len(read.sections) == 18
    first = read.sections[0]
    assert (first.section_key, first.road, first.from_m, first.to_m) == (
        "BR-290-013000",
        "BR-290",
        13000,
        13500,
    )
    assert (first.functional_class, first.surface, first.lanes, first.lane_width_m, first.aadt) == (
        "arterial", "asphalt", 1, 3.6, 3000,
    )  # fmt: skip


def test_columns_are_found_under_other_names_and_chainage_in_kilometres_is_turned_into_metres(
    tmp_path: Path,
) -> None:
    km = geodesic_length_m(EAST) / 1000
    table = frame(
        [EAST], **{"Route ID": ["N1"], "BEGIN": [12.0], "End": [12.0 + km], "ADT": ["4100"], "Class": ["x"]}
    )
    read = read_network(write(table, tmp_path, "geojson"))
    section = read.sections[0]
    assert (section.road, section.aadt, section.functional_class) == ("N1", 4100, "x")
    assert section.from_m == pytest.approx(12_000)
    assert section.to_m - section.from_m == pytest.approx(section.length_m)
    assert any("kilometres" in problem for problem in read.problems)


def test_senseless_attributes_are_left_out_and_said(tmp_path: Path) -> None:
    table = frame(
        [EAST, NORTH], section_id=["a", "b"], aadt=[-5, 100], lane_width_m=[np.inf, 3.5], lanes=[0, 2]
    )
    read = read_network(write(table, tmp_path, "gpkg"))
    assert [(s.aadt, s.lane_width_m, s.lanes) for s in read.sections] == [(None, None, None), (100, 3.5, 2)]
    assert any("aadt" in problem for problem in read.problems)


def test_shapefile_without_prj_is_taken_when_plainly_degrees_and_refused_otherwise(tmp_path: Path) -> None:
    (tmp_path / "deg").mkdir()
    (tmp_path / "utm").mkdir()
    degrees = write(frame([EAST]), tmp_path / "deg", "shp")
    degrees.with_suffix(".prj").unlink()
    read = read_network(degrees)
    assert len(read.sections) == 1
    assert any("plainly degrees" in problem for problem in read.problems)

    metres = write(frame([EAST]).to_crs(32632), tmp_path / "utm", "shp")
    metres.with_suffix(".prj").unlink()
    with pytest.raises(NetworkFileError, match=r"roads\.shp .*coordinate system.*\.prj"):
        read_network(metres)


def test_small_local_metres_are_not_taken_for_degrees(tmp_path: Path) -> None:
    path = write(frame([LineString([(0, 0), (80, 60)])], crs=None), tmp_path, "shp")
    with pytest.raises(NetworkFileError, match="coordinate system"):
        read_network(path)


def test_shapefile_without_its_index_names_what_is_missing(tmp_path: Path) -> None:
    path = write(frame([EAST]), tmp_path, "shp")
    path.with_suffix(".shx").unlink()
    with pytest.raises(NetworkFileError, match=r"without its \.shx"):
        read_network(path)


def test_polygons_are_refused_and_lines_beside_them_kept(tmp_path: Path) -> None:
    area = Polygon([(7, 46), (7.01, 46), (7.01, 46.01)])
    only = write(frame([area]), tmp_path, "gpkg")
    with pytest.raises(NetworkFileError, match="Polygon, roads are lines"):
        read_network(only)
    read = read_network(write(frame([area, EAST]), tmp_path, "geojson"))
    assert [section.section_key for section in read.sections] == ["S1"]
    assert "Section S0 refused" in " ".join(read.problems)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_coordinate_that_is_no_number_costs_that_section_only(tmp_path: Path, bad: float) -> None:
    read = read_network(write(frame([LineString([(7.0, 46.0), (bad, 46.1)]), EAST]), tmp_path, "gpkg"))
    assert [section.section_key for section in read.sections] == ["S1"]
    assert "S0 refused: a coordinate is not a finite number" in " ".join(read.problems)


def test_swapped_zero_length_and_missing_geometry_are_refused_one_by_one(tmp_path: Path) -> None:
    line = {"type": "LineString", "coordinates": [[7.0, 46.0], [7.01, 46.0]]}
    path = geojson(
        tmp_path / "roads.geojson",
        [
            ({"id": "good"}, line),
            ({"id": "swapped"}, {"type": "LineString", "coordinates": [[46.0, 137.0], [46.0, 137.1]]}),
            ({"id": "zero"}, {"type": "LineString", "coordinates": [[7.0, 46.0], [7.0, 46.0]]}),
            ({"id": "nothing"}, None),
            ({"id": "endless"}, {"type": "LineString", "coordinates": [[7.0, 46.0], [20.0, 46.0]]}),
        ],
    )  # fmt: skip
    read = read_network(path)
    assert [section.section_key for section in read.sections] == ["good"]
    text = " ".join(read.problems)
    for reason in (
        "swapped refused: a coordinate lies outside",
        "zero refused: its length",
        "nothing refused",
        "endless",
    ):
        assert reason in text


def test_sections_that_share_an_id_are_numbered_by_chainage_whatever_the_file_order(tmp_path: Path) -> None:
    far, near = geodesic_length_m(EAST), 0.0
    for order in ([0, 1], [1, 0]):
        lines, starts = [EAST, EAST_2], [near, far]
        table = frame(
            [lines[i] for i in order],
            id=["N1", "N1"],
            from_m=[starts[i] for i in order],
            to_m=[starts[i] + geodesic_length_m(lines[i]) for i in order],
        )
        read = read_network(write(table, tmp_path, "geojson"))
        found = {section.section_key: section.geometry.coords[0][0] for section in read.sections}
        assert found == {"N1": pytest.approx(7.0), "N1#2": pytest.approx(7.0144)}
        assert "Section N1 shares its id with 1 more: they were numbered N1, N1#2, ..." in read.problems


def test_an_id_that_is_already_numbered_is_not_taken_again(tmp_path: Path) -> None:
    read = read_network(write(frame([EAST, EAST_2, NORTH], id=["a", "a", "a#2"]), tmp_path, "geojson"))
    assert len({section.section_key for section in read.sections}) == 3


def test_multilines_are_joined_where_they_touch_and_split_where_they_do_not(tmp_path: Path) -> None:
    touching = MultiLineString([EAST, EAST_2])
    apart = MultiLineString([EAST, LineString([(7.1, 46.0), (7.1144, 46.0)])])
    table = frame([touching, apart], id=["whole", "broken"], from_m=[0.0, 1000.0], to_m=[500.0, 3000.0])
    sections = {
        section.section_key: section for section in read_network(write(table, tmp_path, "gpkg")).sections
    }
    assert set(sections) == {"whole", "broken/1", "broken/2"}
    assert sections["whole"].length_m == pytest.approx(
        geodesic_length_m(EAST) + geodesic_length_m(EAST_2), rel=1e-6
    )
    # The feature's chainage is shared out by length.
    assert sections["broken/1"].from_m == 1000
    assert sections["broken/1"].to_m == pytest.approx(2000, abs=1) == sections["broken/2"].from_m
    assert sections["broken/2"].to_m == 3000


def test_a_self_crossing_line_is_kept_as_it_is(tmp_path: Path) -> None:
    crossing = LineString([(7.0, 46.0), (7.01, 46.01), (7.01, 46.0), (7.0, 46.01)])
    assert not crossing.is_simple
    read = read_network(write(frame([crossing]), tmp_path, "gpkg"))
    assert np.allclose(read.sections[0].geometry.coords, crossing.coords)
    assert read.problems[-1].startswith("Section S0 crosses itself: kept")


def test_a_line_of_a_million_vertices_is_simplified_and_stays_in_place(tmp_path: Path) -> None:
    share = np.linspace(0, 1, 1_000_000)
    points = np.column_stack([7 + 0.02 * share, 46 + 0.002 * np.sin(20 * share)])
    points += np.random.default_rng(0).normal(0, 1e-7, points.shape)
    read = read_network(write(frame([LineString(points)]), tmp_path, "gpkg"))
    line = read.sections[0].geometry
    assert len(line.coords) <= 10_000
    assert np.allclose(line.coords[-1], points[-1], atol=1e-6)
    assert max(line.distance(LineString([p, p]).centroid) for p in points[::50_000]) < 1e-5
    assert any("simplified" in problem for problem in read.problems)


VRT = (
    '<OGRVRTDataSource><OGRVRTLayer name="roads"><SrcDataSource>{}</SrcDataSource></OGRVRTLayer>'
    "</OGRVRTDataSource>"
)


@pytest.mark.parametrize("name", ["roads.vrt", "roads.shp", "roads.gpkg", "roads.geojson"])
def test_a_vrt_is_refused_under_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(VRT.format("/vsicurl/http://169.254.169.254/roads.geojson"))
    with pytest.raises(NetworkFileError, match=f"{name} is not a network file") as refused:
        read_network(path)
    assert "GeoPackage" in refused.value.remedy


def test_geojson_that_quotes_a_vrt_is_read_as_geojson(tmp_path: Path) -> None:
    # GDAL left to itself opens this as a VRT and follows its source.
    line = {"type": "LineString", "coordinates": [[7.0, 46.0], [7.01, 46.0]]}
    text = json.dumps({"type": "FeatureCollection", "note": VRT.format("/etc/passwd").replace('"', "'")})
    text = (
        text[:-1]
        + ', "features": ['
        + json.dumps({"type": "Feature", "properties": {"id": "x"}, "geometry": line})
        + "]}"
    )
    (tmp_path / "roads.geojson").write_text(text)
    assert [s.section_key for s in read_network(tmp_path / "roads.geojson").sections] == ["x"]


@pytest.mark.parametrize(
    "source", ["/vsicurl/http://127.0.0.1/x.geojson", "http://127.0.0.1/x.geojson", "/nowhere.gpkg"]
)
def test_addresses_and_missing_files_are_refused(source: str) -> None:
    with pytest.raises(NetworkFileError, match="is not a file"):
        read_network(Path(source))


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("a.geojson", b"", "is empty"),
        ("a.geojson", b"<html></html>", "not a network file"),
        ("a.geojson", b'{"type": "FeatureCollection", "features": []}', "no feature|no usable|no layer"),
        ("a.geojson", b'{"type": "FeatureCollection", "features": [', "cannot be read"),
        (
            "a.geojson",
            b'{"type": "LineString", "coordinates": [[7, 46], [1e999, 46]]}',
            "not a finite number|number: 1e999",
        ),
        ("a.gpkg", b"SQLite format 3\x00 and then nothing of the kind", "cannot be read"),
        ("a.zip", b"PK\x03\x04 cut off", "cannot be unpacked"),
        ("a.exe", b"MZ", "not a network file"),
    ],
)
def test_unreadable_files_say_their_name_and_cause(
    tmp_path: Path, name: str, content: bytes, cause: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NetworkFileError, match=cause) as refused:
        read_network(tmp_path / name)
    assert name in refused.value.what
    assert str(tmp_path) not in str(refused.value)
    assert refused.value.remedy


def test_an_empty_layer_is_refused(tmp_path: Path) -> None:
    table = frame([EAST])
    table.iloc[:0].to_file(tmp_path / "roads.gpkg")
    with pytest.raises(NetworkFileError, match="no feature"):
        read_network(tmp_path / "roads.gpkg")


def test_the_line_layer_of_a_geopackage_is_found_behind_others(tmp_path: Path) -> None:
    frame([Polygon([(7, 46), (7.01, 46), (7.01, 46.01)])]).to_file(tmp_path / "x.gpkg", layer="areas")
    frame([EAST], id=["the road"]).to_file(tmp_path / "x.gpkg", layer="roads")
    assert [s.section_key for s in read_network(tmp_path / "x.gpkg").sections] == ["the road"]


def test_a_zip_that_points_outside_or_holds_two_networks_writes_nothing_there(tmp_path: Path) -> None:
    shape = write(frame([EAST]), tmp_path, "shp")
    with zipfile.ZipFile(tmp_path / "slip.zip", "w") as archive:
        for part in (".shp", ".shx", ".dbf", ".prj"):
            archive.write(shape.with_suffix(part), f"../../escaped{part}")
    assert len(read_network(tmp_path / "slip.zip").sections) == 1
    assert not list(tmp_path.parent.parent.glob("escaped*"))
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.write(shape, "a.shp")
        archive.write(shape, "b.shp")
    with pytest.raises(NetworkFileError, match="2 shapefiles"):
        read_network(tmp_path / "two.zip")


def test_a_zip_that_unpacks_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(frame([EAST]), tmp_path, "zip")
    monkeypatch.setattr(engine.network_files, "MAX_UNZIPPED_BYTES", 100)
    with pytest.raises(NetworkFileError, match="unpacks to more"):
        read_network(path)


@pytest.mark.parametrize(
    "name", ["a!b.geojson", "zip:..geojson", "http:x.geojson", "`${alert(1)}`.geojson", "a.zip.geojson"]
)
def test_names_that_gdal_would_read_meaning_into_are_only_names(tmp_path: Path, name: str) -> None:
    line = {"type": "LineString", "coordinates": [[7.0, 46.0], [7.01, 46.0]]}
    assert len(read_network(geojson(tmp_path / name, [({"id": 1}, line)])).sections) == 1


def test_the_name_shown_can_differ_from_the_stored_one(tmp_path: Path) -> None:
    (tmp_path / "upload-17.gpkg").write_bytes(b"nothing")
    with pytest.raises(NetworkFileError, match=r"^My roads\.gpkg is not"):
        read_network(tmp_path / "upload-17.gpkg", name="My roads.gpkg")


@pytest.mark.parametrize("bad", ["Infinity", "NaN"])
def test_an_endless_coordinate_in_geojson_costs_that_section_only(tmp_path: Path, bad: str) -> None:
    good = {"type": "LineString", "coordinates": [[7.0, 46.0], [7.01, 46.0]]}
    path = geojson(tmp_path / "roads.geojson", [({"id": "bad"}, good), ({"id": "good"}, good)])
    path.write_text(path.read_text().replace("[7.01, 46.0]", f"[{bad}, 46.0]", 1))
    read = read_network(path)
    assert [section.section_key for section in read.sections] == ["good"]
    assert [f.section for f in read.findings if f.kind == FindingKind.REFUSED] == ["bad"]
    assert "Section bad refused: a coordinate is not a finite number." in read.problems


def test_chosen_columns_and_unit_win_over_the_usual_names(tmp_path: Path) -> None:
    table = frame(
        [EAST], id=["x"], label=["the key"], road=["old name"], rd=["new name"], a=[1.0], b=[2.0], aadt=[7]
    )
    path = write(table, tmp_path, "gpkg")
    columns = {"section_key": "label", "road": "rd", "from": "a", "to": "b", "aadt": None}
    read = read_network(path, columns=columns, chainage_unit="miles")
    section = read.sections[0]
    assert (section.section_key, section.road, section.aadt) == ("the key", "new name", None)
    assert (section.from_m, section.to_m) == pytest.approx((1609.344, 3218.688))
    assert read.columns["road"] == "rd" and read.columns["aadt"] is None
    assert set(read.file_columns) == {"id", "label", "road", "rd", "a", "b", "aadt"}
    for wrong, cause in (({"road": "street"}, "no column 'street'"), ({"colour": "rd"}, "no attribute")):
        with pytest.raises(NetworkFileError, match=cause):
            read_network(path, columns=wrong)
    with pytest.raises(NetworkFileError, match="no unit"):
        read_network(path, chainage_unit="yards")


def test_what_is_no_number_is_named_with_its_section(tmp_path: Path) -> None:
    table = frame(
        [EAST, NORTH, EAST_2], id=["a", "b", "c"], aadt=["many", "120", None], from_m=["km 3", "0", "1"]
    )
    problems = " ".join(read_network(write(table, tmp_path, "geojson")).problems)
    assert "Column aadt: 1 values are not 0 to 1,000,000 and were left out (a: many)." in problems
    assert "Column from_m: 1 chainages are no numbers (a: km 3)." in problems


def test_direction_and_lane_are_read_and_known_words_for_directions_made_one(tmp_path: Path) -> None:
    words = ["Inc.", "DESCENDING", "two-way", "NB", None]
    lines = [EAST, EAST, EAST_2, NORTH, NORTH]
    table = frame(lines, id=[*"abcde"], direction=words, lane=[1, 2, None, None, None])
    sections = read_network(write(table, tmp_path, "gpkg")).sections
    assert [s.direction for s in sections] == ["ascending", "descending", "both", "NB", None]
    assert [s.lane for s in sections] == ["1", "2", None, None, None]


def test_a_section_drawn_against_its_chainage_is_turned_round(tmp_path: Path) -> None:
    table = frame([EAST, EAST_2], id=["a", "b"], from_m=[1100.0, 1100.0], to_m=[0.0, 2200.0])
    read = read_network(write(table, tmp_path, "geojson"))
    assert (read.sections[0].from_m, read.sections[0].to_m) == (0.0, 1100.0)
    assert np.allclose(read.sections[0].geometry.coords, EAST.coords[::-1])
    assert np.allclose(read.sections[1].geometry.coords, EAST_2.coords)
    assert any("drawn against their chainage (a)" in problem for problem in read.problems)


def test_sections_side_by_side_are_noted_unless_direction_or_lane_tells_them_apart(tmp_path: Path) -> None:
    chainage = {"from_m": [0.0, 500.0, 1100.0], "to_m": [1100.0, 1600.0, 2200.0], "id": [*"abc"]}
    lines = [EAST, EAST, EAST_2]
    read = read_network(write(frame(lines, **chainage), tmp_path, "geojson"))
    assert any("2 sections begin before another of the same road ends (b, c)" in p for p in read.problems)
    told = frame(lines, **chainage, direction=["asc", "desc", "asc"])
    assert not any("begin before" in p for p in read_network(write(told, tmp_path, "geojson")).problems)


def test_a_chainage_span_of_zero_is_counted_from_the_line(tmp_path: Path) -> None:
    table = frame([EAST], id=["a"], from_m=[100.0], to_m=[100.0])
    section = read_network(write(table, tmp_path, "geojson")).sections[0]
    assert (section.from_m, section.to_m) == (0.0, pytest.approx(section.length_m))


def test_a_centreline_is_cut_into_sections_of_its_chainage(tmp_path: Path) -> None:
    table = frame([MultiLineString([EAST, EAST_2]), NORTH], id=["N1", "N2"], road=["N1", "N2"], lanes=[2, 1])
    path = write(table.to_crs(32632), tmp_path, "gpkg")
    read = read_network(path, cut_every_m=500)
    keys = [section.section_key for section in read.sections]
    # 2.23 km: the rest of 229 m goes to the piece before; 1.11 km: 111 m likewise.
    assert keys == ["N1-000000", "N1-000500", "N1-001000", "N1-001500", "N2-000000", "N2-000500"]
    lengths = [section.length_m for section in read.sections]
    assert lengths[:3] == pytest.approx([500] * 3, abs=1e-4)
    assert 500 < lengths[3] < 750
    assert [section.lanes for section in read.sections] == [2, 2, 2, 2, 1, 1]
    assert [section.from_m for section in read.sections[:4]] == pytest.approx([0, 500, 1000, 1500], abs=1e-3)
    whole = read_network(path, cut_every_m=3000)
    assert [section.section_key for section in whole.sections] == ["N1", "N2"]
    with pytest.raises(SettingsError, match="every 5 m"):
        read_network(path, cut_every_m=5)


def test_a_cut_centreline_keeps_the_files_chainage(tmp_path: Path) -> None:
    table = frame([EAST], id=["N1"], from_m=[5000.0], to_m=[5000.0 + geodesic_length_m(EAST)])
    sections = read_network(write(table, tmp_path, "geojson"), cut_every_m=500).sections
    assert [section.section_key for section in sections] == ["N1-005000", "N1-005500"]
    assert sections[1].from_m == pytest.approx(5500)


def test_a_cut_line_of_a_million_vertices_keeps_them_all(tmp_path: Path) -> None:
    share = np.linspace(0, 1, 1_000_000)
    points = np.column_stack([7 + 3 * share, 46 + 0.01 * np.sin(60 * share)])
    sections = read_network(write(frame([LineString(points)]), tmp_path, "gpkg"), cut_every_m=1000).sections
    assert sum(len(section.geometry.coords) for section in sections) >= 1_000_000


def test_too_many_pieces_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.networks, "MAX_SECTIONS", 20)
    with pytest.raises(NetworkFileError, match=r"makes \d+ sections, more than 20"):
        read_network(write(frame([EAST, EAST_2]), tmp_path, "gpkg"), cut_every_m=50)


def test_another_layer_can_be_chosen_and_what_was_left_is_told(tmp_path: Path) -> None:
    frame([EAST], id=["road"]).to_file(tmp_path / "x.gpkg", layer="roads")
    frame([NORTH], id=["track"]).to_file(tmp_path / "x.gpkg", layer="tracks")
    read = read_network(tmp_path / "x.gpkg")
    assert (read.layer, read.layers) == ("roads", ("roads", "tracks"))
    assert any("the file also holds: tracks" in problem for problem in read.problems)
    assert read_network(tmp_path / "x.gpkg", layer="tracks").sections[0].section_key == "track"
    with pytest.raises(NetworkFileError, match="no layer 'rails'"):
        read_network(tmp_path / "x.gpkg", layer="rails")


def test_the_report_counts_all_features(tmp_path: Path) -> None:
    area = Polygon([(7, 46), (7.01, 46), (7.01, 46.01)])
    read = read_network(write(frame([EAST, area]).to_crs(32632), tmp_path, "gpkg"))
    assert (read.features, len(read.sections), read.crs) == (2, 1, "WGS 84 / UTM zone 32N")
    assert [(f.kind, f.section) for f in read.findings if f.section] == [(FindingKind.REFUSED, "S1")]
