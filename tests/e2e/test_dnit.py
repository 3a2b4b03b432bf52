"""A real forward-view survey from its files, by commands, to the rectified view in a browser."""

import csv
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import pandas as pd
import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import select
from typer.testing import CliRunner

from app.cli import app
from app.components.measures import DENSITY
from db.models import AnalysisResult, Section, SectionResult, Survey, SurveyImage
from db.session import reading
from engine.geometry import lane_mask, profile_from_dict
from tests.conftest import forget_settings
from tests.e2e.browser import open_browser
from tests.e2e.server import start_web

pytestmark = [pytest.mark.real_data, pytest.mark.timeout(900)]

CALIBRATED, ANALYSED = range(0, 300, 50), (36, 130, 131, 200, 201, 280)
"""Where runs of three frames begin that show the camera, and the frames that are measured."""


@dataclass
class Site:
    address: str
    survey: int
    camera: dict[str, Any]
    frames: list[Path]
    context: BrowserContext
    outside: list[str]

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.goto(self.address + path)
        expect(page.locator("h1")).to_be_visible()
        return page


def run(*words: str, json_file: Path | None = None) -> Any:
    """A command as typed; what it writes as JSON."""
    more = ["--json", str(json_file)] if json_file else []
    done = CliRunner().invoke(app, [*words, *more])
    assert done.exit_code == 0, f"{done.output}\n{done.exception}"
    return json.loads(json_file.read_text()) if json_file else None


def copied(frames: list[Path], folder: Path) -> str:
    folder.mkdir()
    for frame in frames:
        shutil.copy(frame, folder)
    return str(folder)


@pytest.fixture(scope="module")
def site(data_dir: Path, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Network, a survey that calibrates the camera, and a survey that is measured by it."""
    source, home = data_dir / "dnit_br290", tmp_path_factory.mktemp("dnit")
    with (source / "track.csv").open() as opened:
        all_frames = [source / "frames" / row["frame"] for row in csv.DictReader(opened)]
    shutil.copy(sqlite_template, home / "pavescope.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAVESCOPE_HOME", str(home))
        forget_settings()
        out = home / "out.json"
        run("network", "import", str(source / "centreline.geojson"), "--name", "BR-290")
        runs = [all_frames[start + step] for start in CALIBRATED for step in range(3)]
        frames = [all_frames[index] for index in ANALYSED]
        for name, chosen in (("First drive", runs), ("BR-290 2016", frames)):
            folder = copied(chosen, home / name)
            done = run("survey", "import", folder, "--name", name, "--network", "BR-290", json_file=out)
            assert done["refused_files"] == []
        camera = run(
            "camera", "calibrate", "First drive", "--name", "Van", "--lane-width", "3.6", json_file=out
        )
        run("camera", "use", "BR-290 2016", "Van")
        done = run("survey", "analyse", "BR-290 2016", "--wait", json_file=out)
        assert done["state"] == "succeeded"
        with reading() as session:
            survey_id = session.scalar(select(Survey.id).where(Survey.name == "BR-290 2016"))
        assert survey_id is not None
        with start_web(home) as address, open_browser(address) as (context, outside):
            yield Site(address, survey_id, camera, frames, context, outside)
        forget_settings()


@pytest.fixture(autouse=True)
def nothing_leaves(site: Site) -> Iterator[None]:
    yield
    assert site.outside == []


def test_the_camera_is_found_with_its_uncertainty_and_its_lane_is_the_labelled_one(site: Site) -> None:
    values, sigma = site.camera["parameters"], site.camera["calibration"]["uncertainty"]
    assert 2.0 < values["height_m"] < 3.5 and 0 < sigma["height_m"] < 0.3
    assert 10 < values["pitch_deg"] < 25 and 0 < sigma["pitch_deg"] < 5
    assert values["lane_right_m"] - values["lane_left_m"] == pytest.approx(3.6)
    lane = lane_mask(profile_from_dict(site.camera["kind"], values))
    for frame in site.frames:
        label = cv2.imread(
            str(frame.parents[1] / "masks" / "lane" / f"{frame.stem}.png"), cv2.IMREAD_GRAYSCALE
        )
        assert label is not None
        assert (lane & (label > 0)).sum() / (lane | (label > 0)).sum() >= 0.8, frame.name
    page = site.open("/cameras")
    expect(page.get_by_text("Found by self-calibration")).to_be_visible()
    expect(page.get_by_text("Surveyed ahead")).to_be_visible()
    page.close()


def test_sections_have_densities_per_square_metre(site: Site) -> None:
    with reading() as session:
        rows = session.execute(
            select(Section.section_key, SectionResult.images, SectionResult.crack_density_m_per_m2,
                   SectionResult.surveyed_area_m2, SectionResult.surveyed_share)
            .join(Section).where(SectionResult.survey_id == site.survey)
        ).all()  # fmt: skip
        photos = session.execute(
            select(AnalysisResult.surveyed_area_m2, AnalysisResult.left_out_m2)
            .join(SurveyImage).where(SurveyImage.survey_id == site.survey)
        ).all()  # fmt: skip
    assert sum(row.images for row in rows) == len(photos) == len(site.frames)
    # A lane of 3.6 m over some metres of road; the rest of the lane in view, to 50 m, is told as left out.
    assert all(5 < photo.surveyed_area_m2 < 40 < photo.left_out_m2 for photo in photos)
    assert all(0 < row.surveyed_share < 0.1 for row in rows)
    page = site.open(f"/sections?survey={site.survey}")
    expect(page.get_by_test_id("stMetric").filter(has_text="Sections surveyed")).to_contain_text(
        f"{len(rows)} of 18"
    )
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download as CSV (18 sections)").click()
    table = pd.read_csv(StringIO(Path(saved.value.path()).read_text(encoding="utf-8-sig")))
    page.close()
    shown = table.set_index("section_key")[DENSITY.csv_name].dropna()
    assert shown.to_dict() == pytest.approx(
        {row.section_key: row.crack_density_m_per_m2 for row in rows}, abs=0.01
    )
    assert shown.max() > 0.1


def test_from_the_worst_section_to_a_photo_and_its_rectified_view(site: Site) -> None:
    with reading() as session:
        section_id = session.scalar(
            select(SectionResult.section_id).where(SectionResult.survey_id == site.survey)
            .order_by(SectionResult.crack_density_m_per_m2.desc())
        )  # fmt: skip
    page = site.open(f"/section?survey={site.survey}&section={section_id}")
    expect(page.get_by_test_id("stMetric").filter(has_text="Crack density")).to_contain_text("m/m²")
    # No severity can be told from 4 mm a pixel: the rating is one at best, and the page says so.
    expect(page.get_by_test_id("stMetric").filter(has_text="Rating")).to_contain_text("at best")
    page.locator(".strip a").first.click()
    expect(page).to_have_url(re.compile(r"/photo\?photo=\d+$"))
    photo_id = int(page.url.rsplit("=", 1)[1])
    with reading() as session:
        ground = session.scalar(select(AnalysisResult.ground).where(AnalysisResult.image_id == photo_id))
    assert ground is not None
    expect(page.get_by_text("Severity is not measurable at this GSD.")).to_be_visible()
    page.get_by_text("Rectified", exact=True).click()
    expect(page.locator('.viewer[data-view="ground"]')).to_be_attached()
    picture = page.locator('.viewer [data-part="original"]')
    expect(picture).to_have_attribute("src", re.compile("/rectified/"))
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=picture.element_handle())
    size = picture.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert size == [ground["width_px"], ground["height_px"]]
    expect(page.locator('[data-part="scale"]')).to_have_text(re.compile(r"^\d+ (m|cm)$"))
    assert page.locator(".viewer path[data-kind]").count() > 0
    page.close()
