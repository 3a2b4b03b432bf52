"""A blind audit from the draw to the signature: what is stored, refused, and kept from the page."""

import io

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select, update
from starlette.testclient import TestClient

from app import audit_actions, audit_data, identity
from app.actions import Actor, PermissionDeniedError
from app.api import MASK_COLOUR
from app.components.audit_result import MODEL_FACTS, tile_table
from app.components.spreadsheet import to_csv
from db.models import AuditEvent, AuditSample, AuditTile, User
from db.session import transaction
from db.storage import get_storage
from engine.audit import verify_record
from engine.errors import EngineError, SettingsError
from engine.vocabulary import AuditAnswer, Role
from tests.unit.web.rows import Filled, jpeg, png

# Three analysed photos of 64 x 48 px with a line along row 20: four tiles each, the upper two with cracks.
TILE_PX = 32


def actor(role: Role = Role.ENGINEER) -> Actor:
    own = identity.current_actor()
    return Actor(own.user_id, own.agency_id, role)


def draw(filled: Filled, **more: object) -> int:
    given = {"tiles": 12, "tile_px": TILE_PX, "seed": 1, **more}
    return audit_actions.draw_sample(actor(), filled.survey, **given)  # type: ignore[arg-type]


def tiles_of(sample_id: int) -> list[dict[str, object]]:
    return audit_data.tiles(actor().agency_id, sample_id)


def finish(sample_id: int) -> None:
    """Answer with the truth as the model has it, but for one tile that is unsure."""
    for tile in tiles_of(sample_id):
        tile_id = int(str(tile["id"]))
        if tile["position"] == 1:
            audit_actions.answer_tile(actor(), tile_id, AuditAnswer.UNSURE)
            continue
        answer = AuditAnswer.CRACK if tile["stratum"] else AuditAnswer.NONE
        audit_actions.answer_tile(actor(Role.SURVEYOR), tile_id, answer)
        audit_actions.review_tile(actor(Role.SURVEYOR), tile_id, accepted=True, missed=False)


def test_a_draw_stores_tiles_with_their_strata_and_is_an_event(filled: Filled) -> None:
    told: list[tuple[int, int]] = []
    sample_id = draw(filled, on_photo=lambda done, total: told.append((done, total)))
    tiles = tiles_of(sample_id)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert [tile["position"] for tile in tiles] == list(range(1, 13))
    assert {tile["image_id"] for tile in tiles} == set(filled.photos[:3])
    for tile in tiles:
        upper = tile["top_px"] == 0
        # the line runs from column 5 to 59: 27 of the left and 28 of the right columns, two rows each
        assert tile["predicted_px"] == ((54 if tile["left_px"] == 0 else 56) if upper else 0)
        assert (tile["stratum"] > 0) == upper  # type: ignore[operator]
    assert {tile["stratum_tiles"] for tile in tiles if tile["stratum"] == 0} == {6}
    with transaction() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "audit.draw")).one()
        assert event.detail["photos_read"] == 3 and event.detail["seed"] == 1
    assert [tile["image_id"] for tile in tiles_of(draw(filled))] == [tile["image_id"] for tile in tiles]


def test_of_many_photos_a_random_choice_is_read_and_said(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_actions, "MAX_PHOTOS", 2)
    sample_id = draw(filled)
    assert len({tile["image_id"] for tile in tiles_of(sample_id)}) == 2
    finish(sample_id)
    audit_actions.sign_sample(actor(), sample_id, "Ada Lovelace")
    record = audit_data.samples(actor().agency_id, sample_id=sample_id)[0]["record"]
    assert (record["drawn"]["photos"], record["drawn"]["photos_read"]) == (3, 2)
    assert "random choice of the analysed photos" in record["method"]


def test_a_lost_mask_is_left_out_and_none_left_is_refused(filled: Filled) -> None:
    masks = np.zeros((48, 64), np.uint8)
    masks[20:22, 5:60] = 255
    get_storage().delete(get_storage().put(png(masks)))  # all three photos have this one
    with pytest.raises(EngineError, match="None of the 3 stored masks"):
        draw(filled)


@pytest.mark.parametrize("given", [{"tiles": 3}, {"tiles": 10**7}, {"tile_px": 0}, {"seed": -1}])
def test_absurd_draws_are_refused_before_anything_is_read(filled: Filled, given: dict[str, int]) -> None:
    with pytest.raises(SettingsError):
        draw(filled, **given)
    with transaction() as session:
        assert session.scalars(select(AuditSample)).all() == []


def test_another_agencys_survey_and_one_without_results_are_refused(filled: Filled) -> None:
    with pytest.raises(SettingsError, match="no survey"):
        audit_actions.draw_sample(actor(), filled.foreign_survey)
    sample_id = draw(filled)
    own = actor()
    stranger = Actor(own.user_id, own.agency_id + 1, Role.ADMIN)
    tile = int(str(tiles_of(sample_id)[0]["id"]))
    with pytest.raises(SettingsError, match="no audit"):
        audit_actions.answer_tile(stranger, tile, AuditAnswer.CRACK)
    with pytest.raises(SettingsError, match="no audit"):
        audit_actions.sign_sample(stranger, sample_id, "Ada Lovelace")
    assert audit_data.tiles(stranger.agency_id, sample_id) == []
    assert audit_data.tile_picture(stranger.agency_id, tile) is None


def test_roles(filled: Filled) -> None:
    with pytest.raises(PermissionDeniedError):
        audit_actions.draw_sample(actor(Role.SURVEYOR), filled.survey)
    sample_id = draw(filled)
    tile = int(str(tiles_of(sample_id)[0]["id"]))
    with pytest.raises(PermissionDeniedError):
        audit_actions.answer_tile(actor(Role.VIEWER), tile, AuditAnswer.CRACK)
    finish(sample_id)
    with pytest.raises(PermissionDeniedError):
        audit_actions.sign_sample(actor(Role.SURVEYOR), sample_id, "Ada Lovelace")


def test_the_blind_answer_comes_first_and_stays(filled: Filled) -> None:
    tile = int(str(tiles_of(draw(filled))[0]["id"]))
    with pytest.raises(SettingsError, match="blind answer"):
        audit_actions.review_tile(actor(), tile, accepted=True, missed=False)
    audit_actions.answer_tile(actor(), tile, AuditAnswer.UNSURE)
    with pytest.raises(SettingsError, match="blind answer"):
        audit_actions.review_tile(actor(), tile, accepted=True, missed=False)
    audit_actions.answer_tile(actor(), tile, AuditAnswer.CRACK)  # nothing was shown after "unsure"
    with pytest.raises(SettingsError, match="no longer be changed"):
        audit_actions.answer_tile(actor(), tile, AuditAnswer.NONE)
    audit_actions.review_tile(actor(), tile, accepted=False, missed=True)
    audit_actions.review_tile(actor(), tile, accepted=True, missed=False)
    with transaction() as session:
        kept = session.get_one(AuditTile, tile)
        assert (kept.answer, kept.accepted, kept.missed) == ("crack", True, False)


def test_unsure_stays_once_no_tile_waits_and_the_figures_are_shown(filled: Filled) -> None:
    sample_id = draw(filled)
    first, second = (int(str(tile["id"])) for tile in tiles_of(sample_id)[:2])
    finish(sample_id)
    with pytest.raises(SettingsError, match="left unsure"):
        audit_actions.answer_tile(actor(), first, AuditAnswer.CRACK)
    audit_actions.review_tile(actor(), second, accepted=False, missed=True)  # opens nothing again
    with pytest.raises(SettingsError, match="left unsure"):
        audit_actions.answer_tile(actor(), first, AuditAnswer.NONE)
    assert tiles_of(sample_id)[0]["answer"] == "unsure"


def test_tiles_to_download_tell_nothing_of_unsure_ones_before_the_signature(filled: Filled) -> None:
    sample_id = draw(filled)
    finish(sample_id)
    tiles = tiles_of(sample_id)
    hidden = list(MODEL_FACTS)
    early = tile_table(tiles, signed=False)
    assert early.loc[0, hidden].isna().all() and early.loc[0, "answer"] == "unsure"
    assert early.loc[1:, hidden].to_numpy().tolist() == [
        [tile[name] for name in hidden] for tile in tiles[1:]
    ]
    header, first, second = (line.split(",") for line in to_csv(early).decode("utf-8-sig").splitlines()[:3])
    of_unsure, of_judged = dict(zip(header, first, strict=True)), dict(zip(header, second, strict=True))
    assert [of_unsure[name] for name in hidden] == [""] * 3
    assert [of_judged[name] for name in hidden] == [str(tiles[1][name]) for name in hidden]
    assert tile_table(tiles, signed=True).loc[0, hidden].tolist() == [tiles[0][name] for name in hidden]


def test_a_signature_needs_all_answers_and_a_full_name_and_then_nothing_changes(filled: Filled) -> None:
    sample_id = draw(filled, may_train=True)
    with pytest.raises(SettingsError, match="12 tiles"):
        audit_actions.sign_sample(actor(), sample_id, "Ada Lovelace")
    finish(sample_id)
    for name in ("", "Ada", "  x  "):
        with pytest.raises(SettingsError, match="full name"):
            audit_actions.sign_sample(actor(), sample_id, name)
    signed = audit_actions.sign_sample(actor(), sample_id, "  Ada   Lovelace ")
    sample = audit_data.samples(actor().agency_id, sample_id=sample_id)[0]
    record = sample["record"]
    assert sample["record_hash"] == signed and verify_record(record, signed)
    assert record["signed"]["name"] == sample["signed_name"] == "Ada Lovelace"
    assert record["checkpoint"] == {"name": "base", "content_hash": "a" * 64}
    assert record["survey"] == "May" and record["may_train"] is True
    assert record["settings"]["working_scale"] == 0.5
    assert record["figures"]["precision"]["value"] == record["figures"]["recall"]["value"] == 1.0
    assert record["figures"]["precision"]["low"] > 0.5
    assert (record["figures"]["judged"], record["figures"]["unsure"]) == (11, 1)
    assert [stratum["population_tiles"] for stratum in record["strata"]] == [6, 3, 3]
    assert len(record["tiles"]) == 12 and "random sample" in record["statement"]
    assert "of recall in 86 to 99 of 100" in record["statement"]  # docs/guide/audit.md has the table
    tile = int(str(tiles_of(sample_id)[0]["id"]))
    for change in (
        lambda: audit_actions.answer_tile(actor(), tile, AuditAnswer.CRACK),
        lambda: audit_actions.review_tile(actor(), tile, accepted=False, missed=True),
        lambda: audit_actions.sign_sample(actor(), sample_id, "Eve Other"),
    ):
        with pytest.raises(SettingsError, match="was signed by Ada Lovelace"):
            change()
    with transaction() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "audit.sign")).one()
        assert event.detail["record_hash"] == signed
        session.execute(update(AuditSample).values(record={**record, "survey": "June"}))
    forged = audit_data.samples(actor().agency_id, sample_id=sample_id)[0]
    assert not verify_record(forged["record"], forged["record_hash"])


def test_who_answered_blind_stays_known_when_somebody_else_compares(filled: Filled) -> None:
    sample_id = draw(filled)
    finish(sample_id)
    tile = int(str(tiles_of(sample_id)[1]["id"]))
    with transaction() as session:
        other = User(email="eve@example.org", name="Eve Other")
        session.add(other)
        session.flush()
        other_id = other.id
        before = session.get_one(AuditTile, tile).answered_at
    reviewer = Actor(other_id, actor().agency_id, Role.SURVEYOR)
    audit_actions.review_tile(reviewer, tile, accepted=False, missed=True)
    with transaction() as session:
        kept = session.get_one(AuditTile, tile)
        assert (kept.answered_by, kept.answered_at) == (actor().user_id, before)
        assert kept.reviewed_by == other_id and kept.reviewed_at is not None
        own = session.get_one(User, actor().user_id).name
    audit_actions.sign_sample(actor(), sample_id, "Ada Lovelace")
    record = audit_data.samples(actor().agency_id, sample_id=sample_id)[0]["record"]
    unsure, compared = record["tiles"][:2]
    assert (compared["answered_by"], compared["reviewed_by"]) == (own, "Eve Other")
    assert (unsure["answered_by"], unsure["reviewed_by"], unsure["reviewed_at"]) == (own, None, None)
    assert (record["answered_by"], record["reviewed_by"]) == ([own], sorted([own, "Eve Other"]))


def test_a_second_sample_of_the_checkpoint_says_that_there_was_one(filled: Filled) -> None:
    draw(filled)
    second = draw(filled, seed=2)
    finish(second)
    audit_actions.sign_sample(actor(), second, "Ada Lovelace")
    record = audit_data.samples(actor().agency_id, sample_id=second)[0]["record"]
    assert record["drawn"]["earlier_samples_of_this_checkpoint"] == 1


def opened(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


def test_a_tiles_picture_is_the_photo_and_the_overlay_waits_for_the_answer(
    client: TestClient, filled: Filled
) -> None:
    tile = next(tile for tile in tiles_of(draw(filled)) if tile["top_px"] == 0 and tile["left_px"] == 32)
    address = f"/api/audit/{tile['id']}"
    photo = np.asarray(Image.open(io.BytesIO(jpeg(filled.photos.index(int(str(tile["image_id"])))))))
    # half a tile of context: from column 16, and down to row 36
    assert (opened(client.get(f"{address}/photo").content) == photo[:36, 16:]).all()
    assert client.get(f"{address}/overlay").status_code == 403
    audit_actions.answer_tile(actor(), int(str(tile["id"])), AuditAnswer.UNSURE)
    assert client.get(f"{address}/overlay").status_code == 403
    audit_actions.answer_tile(actor(), int(str(tile["id"])), AuditAnswer.CRACK)
    overlay = client.get(f"{address}/overlay")
    assert overlay.status_code == 200
    with Image.open(io.BytesIO(overlay.content)) as image:
        pixels = np.asarray(image.convert("RGBA"))
    assert pixels.shape == (36, 48, 4)
    assert tuple(pixels[20, 20]) == (*MASK_COLOUR, 255)
    # the line goes on to the left of the tile, where the model's answer is not shown
    assert pixels[:, :16, 3].max() == 0
    assert (pixels[..., 3] > 0).sum() == 56
    assert client.get(f"{address}/mask").status_code == 404
    assert client.get("/api/audit/999/photo").status_code == 404
