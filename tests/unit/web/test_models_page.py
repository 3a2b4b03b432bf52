"""The page Models as Streamlit's own test driver sees it, and the pictures of comparisons."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from app import checkpoint_actions as checkpoints
from app import checkpoint_data, identity
from app.api import MASK_COLOUR
from db.models import Agency, Checkpoint, Comparison, Job, Promotion, Survey
from db.session import reading, transaction
from db.storage import get_storage
from engine.vocabulary import JobKind
from tests.unit.web.rows import Filled, png
from tests.unit.web.test_pages import open_page, said

BASE = 1  # `fill` registers "base" first


@dataclass
class Models:
    """Ids of a filled installation's checkpoints, and of a comparison of base with `fitted` on 2 photos."""

    rows: Filled
    fitted: int
    refused: int
    foreign: int
    comparison: int


def checkpoint(name: str, **columns: Any) -> Checkpoint:
    content_hash = get_storage().put(name.encode())
    given = {
        "model": "attention_resunet",
        "origin": "base",
        "size_bytes": 4_000_000,
        "card": {},
        "report": {},
    }
    return Checkpoint(name=name, content_hash=content_hash, **given | columns)


@pytest.fixture
def models(filled: Filled) -> Models:
    actor = identity.current_actor()
    gate = {"checks": [{"words": "Finds drawn cracks", "passed": False, "value": 0.03, "limit": 0.5}]}
    mask = np.zeros((48, 64), np.uint8)
    mask[10:12, 5:60] = 255
    masks = [get_storage().put(png(picture)) for picture in (mask, mask.T.copy().reshape(48, 64))]
    with transaction() as session:
        other = session.scalars(select(Agency).where(Agency.id != actor.agency_id)).one()
        own = {"agency_id": actor.agency_id, "parent_id": BASE, "created_by": actor.user_id}
        report = {"images": 120, "steps": 900, "minutes": 14.2}
        fitted = checkpoint("fitted `${x}`", accepted=True, survey_id=filled.survey, report=report, **own)
        refused = checkpoint(
            "collapsed", accepted=False, report={"reasons": ["It *collapsed*."], "gate": gate}, **own
        )
        foreign = checkpoint("theirs", agency_id=other.id)
        session.add_all([fitted, refused, foreign])
        session.flush()
        pictures = [
            {
                "image_id": image_id,
                "first_mask_hash": masks[0],
                "second_mask_hash": masks[1],
                "first_crack_area_ratio": 0.01 * number,
                "second_crack_area_ratio": 0.02,
            }
            for number, image_id in enumerate(filled.photos[:2])
        ]
        compared = Comparison(
            survey_id=filled.survey,
            first_checkpoint_id=BASE,
            second_checkpoint_id=fitted.id,
            pictures=pictures,
        )
        session.add(compared)
        session.flush()
        return Models(filled, fitted.id, refused.id, foreign.id, compared.id)


def registry_of(page: AppTest) -> Any:
    return page.dataframe[0].value


def select_line(page: AppTest, checkpoint_id: int) -> AppTest:
    """The page with a line of the registry selected."""
    order = [row["id"] for row in checkpoint_data.registry()]
    page.session_state["checkpoints"] = {"selection": {"rows": [order.index(checkpoint_id)], "columns": []}}
    return page.run()


def button(page: AppTest, label: str) -> Any:
    return next(button for button in page.button if button.label == label)


def test_without_own_checkpoints_the_shipped_one_is_in_force(empty_app: None) -> None:
    page = open_page("models")
    assert not page.error
    assert list(registry_of(page)["gate"]) == ["Shipped"]
    assert list(registry_of(page)["state"]) == ["In force"]
    assert "A comparison needs two checkpoints" in said(page)
    assert "Roll back" not in [button.label for button in page.button]


def test_the_registry_says_where_each_comes_from_and_hides_other_agencies(models: Models) -> None:
    page = open_page("models")
    assert not page.error
    table = registry_of(page).set_index("name")
    assert sorted(table.index) == ["base", "collapsed", "fitted `${x}`"]
    fitted = table.loc["fitted `${x}`"]
    assert (fitted["gate"], fitted["parent"], fitted["survey"]) == ("Accepted", "base", "May")
    assert (fitted["photos"], fitted["size"], fitted["person"]) == (120, "4 MB", "Local engineer")
    assert table.loc["base", "state"] == "In force"
    assert "theirs" not in page.selectbox[1].options


def test_promoted_with_one_click_and_rolled_back_with_another(models: Models) -> None:
    page = select_line(open_page("models"), models.fitted)
    button(page, "Promote").click().run()
    assert not page.exception
    assert "is in force" in page.success[0].value
    assert checkpoints.in_force(identity.current_actor())[0] == models.fitted
    button(page, "Roll back").click().run()
    assert not page.exception
    assert "base is in force again" in page.success[0].value
    assert checkpoints.in_force(identity.current_actor())[0] == BASE
    with reading() as session:
        assert [row.rolled_back_at is None for row in session.scalars(select(Promotion))] == [False]


def test_what_the_gate_refused_says_why_and_cannot_be_promoted(models: Models) -> None:
    page = select_line(open_page("models"), models.refused)
    assert button(page, "Promote").disabled
    assert r"It \*collapsed\*" in page.error[0].value
    gate = page.dataframe[1].value
    assert list(gate["passed"]) == ["NO"]
    assert list(gate["words"]) == ["Finds drawn cracks"]
    assert list(gate["value"]) == [0.03]


def test_deleting_is_refused_with_the_reason_or_done(models: Models) -> None:
    with transaction() as session:
        session.get_one(Survey, models.rows.survey).shown_checkpoint_id = models.refused
    page = select_line(open_page("models"), models.refused)
    button(page, "Delete it").click().run()
    assert "shows its results" in "".join(error.value for error in page.error)
    page = select_line(page, models.fitted)
    button(page, "Delete it").click().run()
    assert not page.exception
    with reading() as session:
        assert session.get(Checkpoint, models.fitted) is None
        assert session.get(Comparison, models.comparison) is None


def test_a_comparison_is_shown_and_another_one_asked_for(models: Models) -> None:
    page = open_page("models")
    figures = page.dataframe[1].value
    assert list(figures["left"]) == [0.0, 1.0]
    assert list(figures["right"]) == [2.0, 2.0]
    # the other way round it is the same comparison with its sides exchanged
    page.selectbox[1].set_value(models.fitted)
    page.selectbox[2].set_value(BASE)
    page.run()
    assert list(page.dataframe[1].value["left"]) == [2.0, 2.0]
    page.selectbox[1].set_value(models.refused).run()
    button(page, "Compare").click().run()
    assert not page.exception
    with reading() as session:
        job = session.scalars(select(Job)).one()
    assert (job.kind, job.survey_id) == (JobKind.COMPARE_CHECKPOINTS, models.rows.survey)
    assert job.parameters == {"first_id": models.refused, "second_id": BASE}
    assert "Compare two checkpoints" in said(page)


def test_an_address_chooses_what_is_compared(models: Models) -> None:
    page = open_page("models", survey=models.rows.survey, first=models.fitted, second=models.refused)
    assert [box.value for box in page.selectbox] == [models.rows.survey, models.fitted, models.refused]
    assert "Compare" in [button.label for button in page.button]


def test_an_import_that_is_no_checkpoint_is_told_plainly(models: Models) -> None:
    page = open_page("models")
    page.text_input[0].set_value("new")
    page.file_uploader[0].set_value(("weights.safetensors", b"no weights at all", "application/octet-stream"))
    button(page, "Import").click().run()
    assert not page.exception
    assert "weights" in "".join(error.value for error in page.error)
    assert len(checkpoint_data.registry()) == 3


def test_the_survey_page_offers_all_that_the_gate_did_not_refuse(models: Models) -> None:
    page = open_page("survey", survey=models.rows.survey)
    checkpoint = next(box for box in page.selectbox if box.label == "Checkpoint")
    assert checkpoint.options == ["base (in force)", "fitted `${x}`"]
    # the results at hand are of before cameras were kept with them
    assert "Analyse again with GSD 2 mm/px" in [button.label for button in page.button]
    checkpoint.set_value(models.fitted).run()
    button(page, "Analyse again with this checkpoint").click().run()
    assert not page.exception
    with reading() as session:
        assert session.scalars(select(Job)).one().parameters["checkpoint_id"] == models.fitted


def test_a_comparisons_masks_are_served_in_colour_to_its_agency_only(
    client: TestClient, models: Models
) -> None:
    address = f"/api/comparisons/{models.comparison}/{models.rows.photos[0]}"
    answer = client.get(f"{address}/first")
    with Image.open(io.BytesIO(answer.content)) as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    assert tuple(pixels[10, 30]) == (*MASK_COLOUR, 255)
    assert (pixels[..., 3] > 0).sum() == 110
    again = client.get(f"{address}/first", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert client.get(f"{address}/second").headers["etag"] != answer.headers["etag"]
    assert client.get(f"{address}/third").status_code == 404
    assert client.get(f"/api/comparisons/{models.comparison}/999/first").status_code == 404
    with transaction() as session:
        session.get_one(Comparison, models.comparison).survey_id = models.rows.foreign_survey
    assert client.get(f"{address}/first").status_code == 404
