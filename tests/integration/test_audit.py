"""An audit on both databases, and the command line over one."""

import json
from pathlib import Path

import pytest
import streamlit as st
from typer.testing import CliRunner

from app import audit_actions, audit_data, identity
from app.cli import app
from engine.audit import verify_record
from engine.errors import SettingsError
from engine.vocabulary import AuditAnswer
from tests.unit.web.rows import fill
from tests.unit.web.test_audit import actor, draw, finish, tiles_of


@pytest.fixture(autouse=True)
def own_actor() -> None:
    st.cache_data.clear()
    identity._local_actor.cache_clear()


def test_an_audit_is_drawn_signed_and_closed_on_both_databases(database: str) -> None:
    sample_id = draw(fill())
    finish(sample_id)
    signed = audit_actions.sign_sample(actor(), sample_id, "Ada Lovelace")
    sample = audit_data.samples(actor().agency_id, sample_id=sample_id)[0]
    assert sample["record_hash"] == signed and verify_record(sample["record"], signed)
    tile = int(str(tiles_of(sample_id)[0]["id"]))
    with pytest.raises(SettingsError, match="was signed"):
        audit_actions.answer_tile(actor(), tile, AuditAnswer.CRACK)


def pavescope(out: Path, *arguments: str) -> tuple[int, object]:
    done = CliRunner().invoke(app, [*arguments, "--json", str(out)])
    if isinstance(done.exception, Exception) and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, json.loads(out.read_text())


def test_the_command_line_draws_shows_and_signs(sqlite_database: str, tmp_path: Path) -> None:
    fill()
    out = tmp_path / "out.json"
    code, found = pavescope(
        out, "audit", "draw", "May", "--tiles", "12", "--tile-px", "32", "--seed", "3", "--may-train"
    )
    assert code == 0 and isinstance(found, dict)
    number = str(found["id"])
    assert (found["tiles"], found["done"], found["may_train"], found["figures"]) == (12, 0, True, None)
    with pytest.raises(SettingsError, match="12 tiles"):
        pavescope(out, "audit", "sign", number, "--name", "Ada Lovelace")
    finish(int(number))
    code, found = pavescope(out, "audit", "show", number)
    assert isinstance(found, dict)
    assert found["figures"]["recall"]["value"] == 1.0 and found["unchanged"] is None
    code, found = pavescope(out, "audit", "sign", number, "--name", "Ada Lovelace")
    assert isinstance(found, dict)
    assert code == 0 and found["unchanged"] is True and found["record"]["signed"]["name"] == "Ada Lovelace"
    code, every = pavescope(out, "audit", "show")
    assert isinstance(every, list) and [audit["id"] for audit in every] == [int(number)]
    with pytest.raises(SettingsError, match="no audit 99"):
        pavescope(out, "audit", "show", "99")
    with pytest.raises(SettingsError, match="no survey named"):
        pavescope(out, "audit", "draw", "Never")
