"""Every page in a real browser that cannot reach the internet."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Page, expect
from sqlalchemy import delete, select

from app.identity import current_actor
from db.models import Job, SectionResult
from db.session import transaction
from engine.vocabulary import JobKind, JobState
from tests.conftest import forget_settings
from tests.e2e.browser import open_browser
from tests.e2e.server import start_web
from tests.unit.web.rows import Filled, fill, jpeg

PAGES = [
    "/",
    "/sections",
    "/change",
    "/cameras",
    "/surveys",
    "/new-survey",
    "/models",
    "/networks",
    "/benchmarks",
    "/jobs",
    "/audit",
    "/help",
]


@dataclass
class Site:
    address: str
    home: Path
    rows: Filled
    context: BrowserContext
    outside: list[str]

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.goto(self.address + path)
        expect(page.locator("h1")).to_be_visible()
        return page


@pytest.fixture(scope="module")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("web")
    shutil.copy(sqlite_template, home / "pavescope.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAVESCOPE_HOME", str(home))
        forget_settings()
        rows = fill()
        with start_web(home) as address, open_browser(address) as (context, outside):
            yield Site(address, home, rows, context, outside)
        forget_settings()


@pytest.fixture(autouse=True)
def nothing_leaves(site: Site) -> Iterator[None]:
    yield
    assert site.outside == []


def map_frame(page: Page) -> FrameLocator:
    frame = page.frame_locator("iframe[title*=st_folium]")
    expect(frame.locator("body[data-map-ready]")).to_be_attached()
    return frame


def colours_of(frame: FrameLocator) -> list[str]:
    """The opaque colours on the map's canvas, each as `r,g,b`."""
    found: list[str] = frame.locator("canvas.leaflet-zoom-animated").evaluate_all(
        """canvases => {
            const seen = new Set();
            for (const canvas of canvases) {
                const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
                for (let i = 0; i < pixels.length; i += 4)
                    if (pixels[i + 3] === 255) seen.add([...pixels.slice(i, i + 3)].join());
            }
            return [...seen];
        }"""
    )
    return found


def expect_colours(page: Page, frame: FrameLocator, *wanted: set[str]) -> None:
    """Wait until the canvas, which is drawn a moment after its data is there, shows one of each set."""
    for _ in range(60):
        seen = set(colours_of(frame))
        if all(one_of & seen for one_of in wanted):
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"of {wanted} only {seen} is drawn")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_drawn_without_an_error(site: Site, path: str) -> None:
    page = site.open(path)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_text("could not be drawn")).to_have_count(0)
    page.close()


def test_the_map_is_drawn_in_colours_with_a_legend(site: Site) -> None:
    page = site.open(f"/?survey={site.rows.survey}")
    frame = map_frame(page)
    expect(frame.locator(".pavescope-legend")).to_contain_text("Crack density, m/m²")
    expect(frame.locator(".pavescope-legend")).to_contain_text("no data")
    # The one section with data, at the dark end, and those without.
    expect_colours(page, frame, {"68,1,84", "59,82,139"}, {"141,153,166"})
    page.close()


def test_a_click_on_a_section_leads_to_its_photos_and_on_to_one(site: Site) -> None:
    page = site.open(f"/?survey={site.rows.survey}")
    frame = map_frame(page)
    box = frame.locator("#map_div").bounding_box()
    assert box is not None
    # Three sections of one straight road fill the width: the middle one is in the middle.
    frame.locator("#map_div").click(position={"x": box["width"] * 0.25, "y": box["height"] / 2})
    expect(page).to_have_url(re.compile(r"/section\?.*section=1"))
    expect(page.locator("h1")).to_contain_text("A <b>1</b>")  # a road's name is text, not a tag
    page.locator(".strip a").first.click()
    expect(page).to_have_url(re.compile(f"photo={site.rows.photos[0]}$"))
    expect(page.get_by_test_id("stTable").first).to_contain_text("Crack length")
    page.close()


def test_a_click_on_a_scrolled_page_is_not_lost_and_the_wheel_is_the_pages(site: Site) -> None:
    page = site.open(f"/?survey={site.rows.survey}")
    frame = map_frame(page)
    expect(frame.locator(".pavescope-legend")).to_contain_text("fewer cracks")
    inside = frame.locator("body")
    first = inside.evaluate("() => window.map.getZoom()")
    box = frame.locator("#map_div").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.wheel(0, 150)
    page.wait_for_function("() => document.querySelector('[data-testid=stMain]').scrollTop > 20")
    assert inside.evaluate("() => window.map.getZoom()") == first
    frame.get_by_role("button", name="Zoom in").click()
    inside.evaluate("() => new Promise((done) => setTimeout(done, 600))")
    assert inside.evaluate("() => window.map.getZoom()") > first
    frame.get_by_role("button", name="Whole network").click()
    inside.evaluate("() => new Promise((done) => setTimeout(done, 600))")
    assert inside.evaluate("() => window.map.getZoom()") == first
    box = frame.locator("#map_div").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    expect(page).to_have_url(re.compile(r"/section\?.*section=1"))
    page.close()


@contextlib.contextmanager
def running_job(survey_id: int) -> Iterator[int]:
    """A job that some worker is at, 1 of 4 photos done; afterwards it and what it brought are gone."""
    with transaction() as session:
        job = Job(
            agency_id=current_actor().agency_id,
            kind=JobKind.ANALYSE_SURVEY,
            parameters={},
            survey_id=survey_id,
            unique_key="live",
            state=JobState.RUNNING,
            attempt=1,
            progress_done=1,
            progress_total=4,
            started_at=datetime.now(UTC),
        )
        session.add(job)
        session.flush()
        job_id = job.id
        before = session.scalars(select(SectionResult.id)).all()
    try:
        yield job_id
    finally:
        with transaction() as session:
            session.execute(delete(SectionResult).where(SectionResult.id.not_in(before)))
            session.execute(delete(Job).where(Job.id == job_id))


def test_new_results_colour_the_map_without_a_click_or_a_reload(site: Site) -> None:
    with running_job(site.rows.survey) as job_id:
        page = site.open(f"/?survey={site.rows.survey}")
        frame = map_frame(page)
        expect(page.get_by_text("1 of 4")).to_be_visible()
        assert "253,231,37" not in colours_of(frame)
        frame.get_by_role("button", name="Zoom out").click()
        inside = frame.locator("body")
        inside.evaluate("() => { window.stayed = window.map.getZoom(); }")
        with transaction() as session:
            session.get_one(Job, job_id).progress_done = 2
            first = session.scalars(select(SectionResult)).one()
            columns = {c.key: getattr(first, c.key) for c in SectionResult.__table__.columns if c.key != "id"}
            second = {"section_id": first.section_id + 1, "crack_density_m_per_m2": 89.0}
            session.add(SectionResult(**columns | second))
        expect(page.get_by_test_id("stMetric").filter(has_text="Sections with data")).to_contain_text("67 %")
        expect(page.get_by_text("2 of 4")).to_be_visible()
        expect(frame.locator(".pavescope-legend")).to_contain_text("80 and more")
        # On the scale of the new, far worse section the first one is in the palest class.
        expect_colours(page, frame, {"253,231,37"}, {"68,1,84"})
        assert inside.evaluate("() => window.stayed === window.map.getZoom()")
        with transaction() as session:
            session.get_one(Job, job_id).state = JobState.SUCCEEDED
        expect(page.get_by_text("2 of 4")).to_have_count(0)
        centre = inside.evaluate("() => window.map.latLngToContainerPoint([50.0, 8.015])")
        frame.locator("#map_div").click(position=centre)
        expect(page).to_have_url(re.compile(r"/section\?.*section=2"))
        page.close()


def test_opacity_and_layers_answer_at_once(site: Site) -> None:
    page = site.open(f"/photo?photo={site.rows.photos[0]}")
    overlay = page.get_by_alt_text("Cracks found")
    expect(overlay).to_be_visible()
    assert overlay.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    page.get_by_label("Overlay opacity").fill("30")
    expect(overlay).to_have_css("opacity", "0.3")
    page.get_by_label("Probability", exact=True).check()
    expect(overlay).to_be_hidden()
    expect(page.get_by_alt_text("Crack probability")).to_have_css("opacity", "0.3")
    page.get_by_label("Photo only").check()
    expect(page.get_by_alt_text("Crack probability")).to_be_hidden()
    page.get_by_role("button", name="Next").click()
    expect(page).to_have_url(re.compile(f"photo={site.rows.photos[1]}$"))
    page.close()


def test_photos_go_to_the_disk_in_pieces_and_are_kept_over_a_reload(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    big = jpeg(1) + bytes(9 * 1024**2)  # more than one piece
    (folder / "big`${1}`.jpg").write_bytes(big)
    (folder / "small.jpg").write_bytes(jpeg(2))
    page = site.open("/new-survey")
    page.locator('input[data-part="files"]').set_input_files([folder / "big`${1}`.jpg", folder / "small.jpg"])
    expect(page.get_by_text("All 2 files have arrived")).to_be_visible()
    expect(page).to_have_url(re.compile("upload=[0-9a-f]{32}"))
    token = page.url.split("upload=")[1][:32]
    stored = sorted((site.home / "uploads" / token).glob("0*"))
    assert [path.read_bytes() for path in stored] == [big, jpeg(2)]
    page.reload()
    expect(page.get_by_text("2 files (9 MB) have arrived already")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Uploaded")
    page.get_by_label("Name", exact=True).press("Enter")
    page.get_by_role("button", name="Check photos").click()
    expect(page.get_by_role("heading", name="Uploaded", exact=True)).to_be_visible()
    expect(page.get_by_text("Check and store photos")).to_be_visible()
    page.close()
