import io

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import insert
from starlette.testclient import TestClient

from app import layers
from app.api import MASK_COLOUR
from db.models import SurveyImage
from db.session import make_engine, transaction
from db.storage import get_storage
from tests.unit.web.rows import Filled, give_intervals, image_row, jpeg


def opened(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGBA"))


def test_health_says_ok_and_503_without_a_database(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    monkeypatch.setattr("db.session.get_engine", lambda: make_engine("sqlite:////nowhere/at/all.db"))
    assert client.get("/healthz").status_code == 503


def test_the_overlay_is_the_mask_in_colour_and_else_transparent(client: TestClient, filled: Filled) -> None:
    answer = client.get(f"/api/photos/{filled.photos[0]}/overlay")
    assert answer.headers["content-type"] == "image/png"
    pixels = opened(answer.content)
    assert pixels.shape == (48, 64, 4)
    assert tuple(pixels[20, 30]) == (*MASK_COLOUR, 255)
    assert pixels[0, 0, 3] == 0
    assert (pixels[..., 3] > 0).sum() == 110


def test_the_probability_map_is_viridis_and_clear_where_improbable(
    client: TestClient, filled: Filled
) -> None:
    pixels = opened(client.get(f"/api/photos/{filled.photos[0]}/probability").content)
    assert pixels[0, 0, 3] == 0
    assert pixels[0, -1, 3] == 255
    red, green, blue, _ = (int(value) for value in pixels[0, -1])
    assert red > 230 and green > 200 and blue < 80  # viridis ends in yellow


def test_a_photo_comes_as_stored_and_again_only_when_changed(
    client: TestClient, filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/api/photos/{filled.photos[0]}/original"
    first = client.get(address)
    assert first.content == jpeg(0)
    assert first.headers["content-type"] == "image/jpeg"
    with monkeypatch.context() as patch:
        patch.setattr(type(get_storage()), "read", lambda *_: pytest.fail("read though unchanged"))
        assert client.get(address, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    thumb = client.get(f"/api/photos/{filled.photos[0]}/thumbnail")
    assert thumb.headers["content-type"] == "image/jpeg"


def test_a_tiff_is_turned_into_what_browsers_show(client: TestClient, filled: Filled) -> None:
    out = io.BytesIO()
    Image.fromarray(np.full((40, 50, 3), 90, np.uint8)).save(out, "TIFF")
    with transaction() as session:
        session.execute(insert(SurveyImage), [image_row(filled.survey, out.getvalue())])
        tiff = session.query(SurveyImage.id).order_by(SurveyImage.id.desc()).first()[0]
    answer = client.get(f"/api/photos/{tiff}/original")
    assert answer.headers["content-type"] == "image/jpeg"
    assert opened(answer.content).shape == (40, 50, 4)


def test_another_agency_is_not_told_apart_from_nothing(client: TestClient, filled: Filled) -> None:
    foreign = [
        f"/api/photos/{filled.foreign_photo}/original",
        f"/api/surveys/{filled.foreign_survey}/photos.geojson?bbox=-180,-90,180,90",
        f"/api/networks/{filled.foreign_network}/sections.geojson",
        f"/api/networks/{filled.network}/sections.geojson?survey={filled.foreign_survey}",
    ]
    missing = [
        "/api/photos/987654/original",
        "/api/surveys/987654/photos.geojson?bbox=-180,-90,180,90",
        "/api/networks/987654/sections.geojson",
        f"/api/networks/{filled.network}/sections.geojson?survey=987654",
    ]
    for ours, nobodys in zip(foreign, missing, strict=True):
        denied, absent = client.get(ours), client.get(nobodys)
        assert denied.status_code == absent.status_code == 404
        assert denied.content == absent.content


@pytest.mark.parametrize(
    "address",
    [
        "/api/photos/0/original",
        "/api/photos/-1/original",
        "/api/photos/1e3/original",
        "/api/photos/99999999999999999999999/original",
        "/api/photos/%D9%A1/original",
        "/api/photos/1/secret",
        "/api/photos/1/..%2f..%2foriginal",
        "/api/nothing",
        "/api/networks/1/sections.geojson?survey=%D9%A1",
    ],
)
def test_odd_addresses_are_not_found(client: TestClient, filled: Filled, address: str) -> None:
    assert client.get(address).status_code == 404


def test_an_analysis_that_is_not_there_has_no_overlay(client: TestClient, filled: Filled) -> None:
    assert client.get(f"/api/photos/{filled.photos[3]}/overlay").status_code == 404


def test_a_stored_file_that_is_gone_is_not_found(client: TestClient, filled: Filled) -> None:
    files = layers.photo_files(1, filled.photos[0])
    assert files is not None
    get_storage().delete(files.content_hash)
    assert client.get(f"/api/photos/{filled.photos[0]}/thumbnail").status_code == 404


def test_the_photos_of_a_box_carry_measure_and_status(client: TestClient, filled: Filled) -> None:
    inside = client.get(f"/api/surveys/{filled.survey}/photos.geojson?bbox=7.9,49.9,8.1,50.05").json()
    found = {feature["properties"]["id"]: feature["properties"] for feature in inside["features"]}
    assert set(found) == set(filled.photos[:3])
    assert found[filled.photos[0]]["value"] == pytest.approx(0.11 / (3072 * 4e-6), rel=1e-3)
    assert found[filled.photos[0]]["low"] is None, "a result of before there were intervals"
    everywhere = client.get(f"/api/surveys/{filled.survey}/photos.geojson?bbox=-180,-90,180,90").json()
    assert {f["properties"]["status"] for f in everywhere["features"]} == {"ok", "off_network"}


@pytest.mark.parametrize(
    "box", ["", "1,2,3", "a,b,c,d", "3,0,1,1", "0,5,1,4", "nan,0,1,1", "inf,0,1,1", "1,2,3,4,5"]
)
def test_a_bad_box_is_refused(client: TestClient, filled: Filled, box: str) -> None:
    assert client.get(f"/api/surveys/{filled.survey}/photos.geojson?bbox={box}").status_code == 400


def test_a_box_beyond_the_globe_is_cut() -> None:
    assert layers.parse_box("-500,-95,500,95") == (-180, -90, 180, 90)


def test_too_many_photos_become_cells(
    filled: Filled, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "MAX_PHOTOS", 2)
    cells = client.get(f"/api/surveys/{filled.survey}/photos.geojson?bbox=7,49,9,51").json()["features"]
    assert sum(cell["properties"]["count"] for cell in cells) == 4
    assert all("id" not in cell["properties"] for cell in cells)
    assert any(cell["properties"]["value"] for cell in cells)


def test_sections_have_their_measure_and_a_version(client: TestClient, filled: Filled) -> None:
    address = f"/api/networks/{filled.network}/sections.geojson?survey={filled.survey}"
    first = client.get(address)
    values = {f["properties"]["key"]: f["properties"]["value"] for f in first.json()["features"]}
    assert values["S0"] == pytest.approx(0.11 / (3072 * 4e-6), rel=1e-3)
    assert values["S1"] is None and values["S2"] is None
    assert client.get(address, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    with transaction() as session:
        survey = session.get(layers.Survey, filled.survey)
        survey.shown_settings_hash = "other"
    again = client.get(address, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 200
    assert all(f["properties"]["value"] is None for f in again.json()["features"])


def test_photos_and_sections_carry_their_intervals(client: TestClient, filled: Filled) -> None:
    give_intervals(filled)
    box = "bbox=7.9,49.9,8.1,50.05"
    photos = client.get(f"/api/surveys/{filled.survey}/photos.geojson?{box}").json()["features"]
    assert {(f["properties"]["low"], f["properties"]["high"]) for f in photos} == {(8.0, 10.5)}
    address = f"/api/networks/{filled.network}/sections.geojson?survey={filled.survey}"
    found = {f["properties"]["key"]: f["properties"] for f in client.get(address).json()["features"]}
    assert (found["S0"]["low"], found["S0"]["high"]) == pytest.approx((8.0, 10.5), abs=1e-3)
    assert found["S1"]["low"] is None and found["S1"]["images"] == 0


def test_leaflet_is_served_from_here_with_its_licence(client: TestClient) -> None:
    script = client.get("/assets/leaflet.js")
    assert "javascript" in script.headers["content-type"] and "1.9.4" in script.text
    assert "BSD" in client.get("/assets/leaflet-LICENSE.txt").text
