"""A blind audit in a real browser, by its keys: blind first, then the model's answer, then the signature."""

import csv
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app import audit_actions, audit_data, identity
from engine.audit import verify_record
from tests.conftest import forget_settings
from tests.e2e.browser import open_browser
from tests.e2e.server import start_web
from tests.unit.web.rows import fill
from tests.unit.web.test_audit import finish

TILES = 12


@dataclass
class Site:
    address: str
    survey: int
    context: BrowserContext
    outside: list[str]

    def open(self, sample: int) -> Page:
        page = self.context.new_page()
        page.goto(f"{self.address}/audit?survey={self.survey}&sample={sample}")
        expect(page.locator("h1")).to_have_text("Audit")
        return page


@pytest.fixture(scope="module")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("web")
    shutil.copy(sqlite_template, home / "pavescope.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAVESCOPE_HOME", str(home))
        forget_settings()
        identity._local_actor.cache_clear()
        rows = fill()
        with start_web(home) as address, open_browser(address) as (context, outside):
            yield Site(address, rows.survey, context, outside)
        forget_settings()


@pytest.fixture
def sample(site: Site) -> int:
    return audit_actions.draw_sample(identity.current_actor(), site.survey, tiles=TILES, tile_px=32, seed=5)


def rows_of(sample: int) -> list[dict[str, object]]:
    return audit_data.tiles(identity.current_actor().agency_id, sample)


def expect_tile(page: Page, position: int) -> None:
    expect(page.get_by_text(f"Tile {position} of {TILES}")).to_be_visible()


def press(page: Page, key: str) -> None:
    """Press a key once the page takes one."""
    expect(page.locator(".audit[data-ready]")).to_be_attached()
    page.keyboard.press(key)


def test_the_model_is_asked_for_only_after_the_blind_answer(site: Site, sample: int) -> None:
    page = site.context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.address}/audit?survey={site.survey}&sample={sample}")
    expect(page.get_by_role("button", name="Crack (C)")).to_be_visible()
    photo = page.get_by_alt_text("Tile to judge")
    expect(photo).to_be_visible()
    assert photo.evaluate("image => image.decode().then(() => image.naturalWidth)") >= 32
    assert [url for url in asked if re.search("overlay|mask|probability", url)] == []
    assert not re.search("overlay$|/mask|/probability", page.content().replace('data-part="overlay"', ""))
    tile = rows_of(sample)[0]
    early = page.request.get(f"{site.address}/api/audit/{tile['id']}/overlay")
    assert early.status == 403
    press(page, "c")
    expect(page.get_by_role("button", name="Accept (A)")).to_be_visible()
    overlay = page.get_by_alt_text("Cracks the model found")
    expect(overlay).to_be_visible()
    assert overlay.evaluate("image => image.decode().then(() => image.naturalWidth)") >= 32
    assert [url for url in asked if url.endswith("/overlay")] == [
        f"{site.address}/api/audit/{tile['id']}/overlay"
    ]
    press(page, "h")
    expect(overlay).to_be_hidden()
    # C and R are Streamlit's own keys elsewhere: no dialog may open, nothing may run twice.
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert site.outside == []
    page.close()


def test_keys_answer_compare_mark_missed_and_go_back(site: Site, sample: int) -> None:
    page = site.open(sample)
    expect_tile(page, 1)
    expect(page.get_by_role("button", name="Crack (C)")).to_be_visible()
    press(page, "n")
    expect(page.get_by_role("button", name="Reject (R)")).to_be_visible()
    missed = page.get_by_role("switch", name=re.compile("Missed cracks"))
    expect(missed).not_to_be_checked()
    press(page, "m")
    expect(missed).to_be_checked()
    press(page, "r")
    expect_tile(page, 2)
    expect(page.get_by_role("button", name="Unsure (U)")).to_be_visible()
    press(page, "u")
    expect_tile(page, 3)
    press(page, "b")
    expect_tile(page, 2)
    press(page, "ArrowLeft")
    expect_tile(page, 1)
    expect(missed).to_be_checked()
    press(page, "a")
    expect_tile(page, 3)
    page.reload()  # everything is in the database
    expect_tile(page, 3)
    expect(page.get_by_text(f"2 of {TILES} tiles are done")).to_be_visible()
    kept = [(row["answer"], row["accepted"], row["missed"]) for row in rows_of(sample)]
    assert kept == [("none", True, True), ("unsure", None, None), *[(None, None, None)] * (TILES - 2)]
    page.close()


def test_a_key_that_is_held_or_meant_for_the_browser_answers_nothing_more(site: Site, sample: int) -> None:
    page = site.open(sample)
    expect(page.get_by_role("button", name="Crack (C)")).to_be_visible()
    for keys in ("Control+c", "Alt+n", "Meta+u"):
        press(page, keys)
    expect_tile(page, 1)
    press(page, "u")
    page.keyboard.press("u")  # before the next tile is there
    expect_tile(page, 2)
    page.wait_for_timeout(1000)
    assert [row["answer"] for row in rows_of(sample)[:3]] == ["unsure", None, None]
    page.close()


def test_a_finished_audit_is_signed_and_its_record_downloaded(site: Site, sample: int) -> None:
    finish(sample)
    page = site.open(sample)
    expect(page.get_by_text("What was measured")).to_be_visible()
    page.get_by_label("Your full name").click()
    page.keyboard.type("Nora Carr-Hamm")  # keys of the answers are letters here
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_text("The record is unchanged")).to_be_visible()
    with page.expect_download() as found:
        page.get_by_role("button", name="Record (JSON)").click()
    saved = json.loads(found.value.path().read_text(encoding="utf-8"))
    assert verify_record(saved["record"], saved["sha256"])
    assert saved["record"]["signed"]["name"] == "Nora Carr-Hamm"
    with page.expect_download() as found:
        page.get_by_role("button", name="Tiles (CSV)").click()
    with found.value.path().open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["answer"] for row in rows] == [tile["answer"] for tile in saved["record"]["tiles"]]
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert site.outside == []
    page.close()


def test_a_lost_mask_is_told_and_not_taken_for_no_crack(site: Site, sample: int) -> None:
    page = site.open(sample)
    page.route(re.compile("/api/audit/.*/overlay"), lambda route: route.fulfill(status=404))
    press(page, "c")
    expect(page.get_by_role("alert").filter(has_text="What the model found cannot be shown")).to_be_visible()
    page.close()
