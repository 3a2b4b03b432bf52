"""A measured photo in a real browser: from its section to its rectified view and the widths."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.conftest import forget_settings
from tests.e2e.browser import open_browser
from tests.e2e.server import start_web
from tests.unit.web.photo_rows import Measured, measure_ahead
from tests.unit.web.rows import Filled, fill


@dataclass
class Site:
    address: str
    rows: Filled
    measured: Measured
    context: BrowserContext
    outside: list[str]


@pytest.fixture(scope="module")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("photo")
    shutil.copy(sqlite_template, home / "pavescope.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAVESCOPE_HOME", str(home))
        forget_settings()
        rows = fill()
        measured = measure_ahead(rows)
        with start_web(home) as address, open_browser(address) as (context, outside):
            yield Site(address, rows, measured, context, outside)
        forget_settings()


@pytest.fixture(autouse=True)
def nothing_leaves(site: Site) -> Iterator[None]:
    yield
    assert site.outside == []


def picture(page: Page, name: str) -> None:
    """Keep how the page looks, where somebody wants to see it."""
    if folder := os.environ.get("PAVESCOPE_SHOTS"):
        page.wait_for_timeout(1500)
        page.screenshot(path=f"{folder}/photo-{name}.png", full_page=True)


def drawn(page: Page, kind: str) -> Locator:
    return page.locator(f'.viewer path[data-kind="{kind}"]')


def leaf(page: Page, key: str, photo: int) -> None:
    """Press an arrow key until the photo is shown: one pressed while the page is drawn anew is lost."""
    for _ in range(10):
        page.keyboard.press(key)
        with contextlib.suppress(AssertionError):
            expect(page).to_have_url(re.compile(f"photo={photo}$"), timeout=5000)
            return
    raise AssertionError(f"{key} never led to photo {photo}")


def shown_size(page: Page) -> list[int]:
    """Width and height of the picture once it is loaded."""
    original = page.locator('.viewer [data-part="original"]')
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=original.element_handle())
    size: list[int] = original.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    return size


def test_from_a_section_to_the_rectified_view_and_the_width_along_a_crack(site: Site) -> None:
    page = site.context.new_page()
    page.goto(f"{site.address}/section?survey={site.rows.survey}&section=1")
    page.locator(".strip a").first.click()
    expect(page).to_have_url(re.compile(f"photo={site.measured.photo}$"))
    expect(page.get_by_role("button", name="Longitudinal (1)")).to_be_visible()
    assert shown_size(page) == [640, 400]
    expect(drawn(page, "longitudinal")).to_have_count(1)
    expect(page.locator('[data-part="scale"]')).to_be_hidden()  # a photo taken ahead has no one scale
    picture(page, "taken")
    page.get_by_text("Rectified", exact=True).click()
    expect(page.locator('.viewer[data-view="ground"]')).to_be_attached()
    expect(page.locator('.viewer [data-part="original"]')).to_have_attribute("src", re.compile("/rectified/"))
    assert shown_size(page) == [site.measured.frame.width_px, site.measured.frame.height_px]
    expect(page.locator('[data-part="scale"]')).to_have_text(re.compile(r"^\d+ (m|cm)$"))
    expect(page.locator(".viewer svg text").first).to_contain_text(" m")
    crack = drawn(page, "longitudinal").bounding_box()
    assert crack is not None
    page.mouse.move(crack["x"] + crack["width"] / 2, crack["y"] + crack["height"] / 2)
    tip = page.locator('[data-part="tip"]')
    expect(tip).to_contain_text("Longitudinal crack, medium severity")
    expect(tip).to_contain_text("Width here 12.0 mm")  # of the vertex in the middle
    expect(tip).to_contain_text("1.50 m long")
    expect(tip).to_contain_text("Left wheel path")
    picture(page, "rectified")
    page.close()


def test_types_are_hidden_and_shown_and_the_layers_follow_the_view(site: Site) -> None:
    page = site.context.new_page()
    page.goto(f"{site.address}/photo?photo={site.measured.photo}")
    chip = page.get_by_role("button", name="Longitudinal (1)")
    chip.click()
    expect(drawn(page, "longitudinal")).to_have_count(0)
    expect(drawn(page, "alligator")).to_have_count(1)
    page.get_by_role("button", name="Not measurable (1)").click()
    expect(drawn(page, "alligator")).to_have_count(0)
    page.get_by_role("button", name="Longitudinal (1)").click()
    expect(drawn(page, "longitudinal")).to_have_count(1)
    page.get_by_text("Rectified", exact=True).click()
    page.get_by_label("Crack pixels").check()
    expect(drawn(page, "longitudinal")).to_have_count(0)
    overlay = page.locator('.viewer [data-part="overlay"]')
    expect(overlay).to_have_attribute("src", re.compile("/rectified/overlay"))
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=overlay.element_handle())
    page.close()


def test_the_arrow_keys_leaf_along_the_road_and_a_photo_without_a_camera_stays_as_taken(site: Site) -> None:
    page = site.context.new_page()
    page.goto(f"{site.address}/photo?photo={site.measured.photo}")
    page.get_by_text("Rectified", exact=True).click()
    expect(page.locator('.viewer[data-view="ground"]')).to_be_attached()
    leaf(page, "ArrowRight", site.rows.photos[1])
    expect(page.locator('.viewer[data-view="photo"]')).to_be_attached()
    expect(page.locator('input[name="view"][value="ground"]')).to_be_disabled()
    expect(page.get_by_label("Crack pixels")).to_be_checked()
    leaf(page, "ArrowLeft", site.measured.photo)
    # What was chosen is there again.
    expect(page.locator('.viewer[data-view="ground"]')).to_be_attached()
    page.close()
