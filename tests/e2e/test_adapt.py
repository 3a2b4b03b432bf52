"""The page "Adapt" as an engineer uses it: advice, start, curve, verdict, before and after, promote."""

import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from app import actions
from app import checkpoint_actions as checkpoints
from engine.sample import SAMPLE_SEED, sample_surveys
from engine.vocabulary import JobState
from tests.conftest import forget_settings
from tests.e2e.browser import follow, open_browser
from tests.e2e.server import start_web
from tests.integration.checkpoints import register
from tests.integration.surveys import get_job, import_photos
from tests.integration.workers import wait_for, worker

pytestmark = pytest.mark.timeout(1200)
PHOTOS = 10
# Without a GPU and on busy cores the shipped network takes its time, however few the minutes.
WORK_MS = 600_000


@dataclass
class Site:
    address: str
    context: BrowserContext
    outside: list[str]
    survey: int


def cut_photos(folder: Path) -> Path:
    """The middles of some of the sample's photos: small, and with cracks."""
    folder.mkdir()
    for photo in sample_surveys(SAMPLE_SEED)[0].photos[3 : 3 + 6 * PHOTOS : 6]:
        with Image.open(io.BytesIO(photo.render())) as image:
            image.crop((280, 120, 680, 520)).save(folder / photo.name, quality=92)
    return folder


@pytest.fixture
def site(sqlite_template: Path, tmp_path: Path) -> Iterator[Site]:
    """A survey, an untrained checkpoint beside the shipped one, the page, and a worker."""
    shutil.copy(sqlite_template, tmp_path / "pavescope.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAVESCOPE_HOME", str(tmp_path))
        patch.setenv("PAVESCOPE_DEVICE", "cpu")
        forget_settings()
        survey_id = import_photos(cut_photos(tmp_path / "photos"), name="Ring road")
        register(tmp_path, "untrained", 1)
        with (
            worker(tmp_path / "worker.log"),
            start_web(tmp_path) as address,
            open_browser(address) as (context, outside),
        ):
            yield Site(address, context, outside, survey_id)
        forget_settings()


def picture(page: Page, name: str) -> None:
    """Keep how the page looks, where somebody wants to see it."""
    if folder := os.environ.get("PAVESCOPE_SHOTS"):
        page.wait_for_timeout(1500)
        page.screenshot(path=f"{folder}/adapt-{name}.png", full_page=True)


def start(page: Page, name: str) -> None:
    page.get_by_label("Name of the new checkpoint").fill(name)
    page.get_by_role("spinbutton", name="Minutes").fill("0.1")
    page.get_by_role("spinbutton", name="Minutes").press("Tab")
    page.get_by_role("button", name="Start the adaptation").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()


def choose_base(page: Page, name: str) -> None:
    page.get_by_label("Start from").click()
    page.get_by_role("option", name=name).click()


def test_a_survey_is_adapted_to_and_analysed_again(site: Site) -> None:
    page = site.context.new_page()
    page.goto(f"{site.address}/adapt?survey={site.survey}")
    expect(page.locator("h1")).to_have_text("Adapt")
    expect(page.get_by_text("Adaptation is advised because")).to_be_visible()
    expect(page.get_by_text(f"{PHOTOS} of {PHOTOS} photos")).to_be_visible()
    picture(page, "before")
    # what the gate refuses is kept, and goes no further
    choose_base(page, "untrained")
    start(page, "from nothing")
    expect(page.get_by_text("Refused by the gate")).to_be_visible(timeout=WORK_MS)
    expect(page.get_by_role("button", name="Promote")).to_be_disabled()
    expect(page.locator(".slider img").first).to_be_visible(timeout=WORK_MS)
    picture(page, "refused")
    # the shipped one, hardly changed, is as good as before
    start(page, "ring road")
    accepted = page.get_by_text("Accepted.", exact=True)
    curve = page.locator(".js-plotly-plot:visible")
    expect(curve.or_(accepted).first).to_be_visible(timeout=WORK_MS)  # a fast machine is done before
    picture(page, "running")
    expect(accepted).to_be_visible(timeout=WORK_MS)
    expect(page.get_by_text("What the gate looked at")).to_be_visible()
    expect(page.locator(".slider img").first).to_be_visible(timeout=WORK_MS)
    expect(page.locator('[data-part="second-name"]')).to_have_text("ring road")
    picture(page, "accepted")
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_role("button", name="In force")).to_be_disabled()
    assert checkpoints.in_force(actions.local_actor())[1] == "ring road"
    follow(
        page.get_by_role("button", name="Analyse the survey again with it"),
        page.locator("h1").filter(has_text="Ring road"),
    )
    expect(page.get_by_role("button", name="All photos are analysed")).to_be_visible(timeout=WORK_MS)
    # another checkpoint's results stay beside them
    job_id = actions.request_analysis(actions.local_actor(), site.survey, "untrained")
    wait_for(lambda: get_job(job_id).state == JobState.SUCCEEDED, WORK_MS / 1000, "the other analysis")
    page.reload()
    chooser = page.get_by_role("combobox", name="Shown analysis")
    expect(chooser).to_be_visible()
    picture(page, "survey")
    chooser.click()
    page.get_by_role("option", name="ring road").click()
    expect(page.locator("h1")).to_have_text("Ring road")
    page.goto(f"{site.address}/adapt?survey={site.survey}")
    expect(page.get_by_text("from nothing")).not_to_have_count(0)
    assert site.outside == []
