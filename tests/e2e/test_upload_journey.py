"""The main job as a user does it: `pavescope up`, upload a zip of real frames, analyse, see the overlay."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.browser import open_browser
from tests.e2e.server import free_port

pytestmark = [pytest.mark.real_data, pytest.mark.timeout(600)]
UPLOADED = 6
WORK_MS = 400_000
PAVESCOPE = [sys.executable, "-m", "app.cli"]


class Installation:
    """`pavescope up` on a data folder of its own, and the command line beside it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PAVESCOPE_")},
            "PAVESCOPE_HOME": str(home),
            "PAVESCOPE_JOB_LEASE_S": "3",
        }

    @contextmanager
    def up(self) -> Iterator[subprocess.Popen[str]]:
        command = [*PAVESCOPE, "up", "--port", str(self.port), "--no-sample", "--no-browser"]
        process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert self.address in line, line
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(30)

    def run(self, *arguments: str) -> dict[str, object]:
        """A command; returns its JSON."""
        out = self.home / "out.json"
        done = subprocess.run(
            [*PAVESCOPE, *arguments, "--json", str(out)],
            env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, object] = json.loads(out.read_text())
        return found

    def job(self, number: int) -> dict[str, object]:
        return self.run("jobs", "show", str(number))

    def wait_for_progress(self, number: int, done: int) -> None:
        until = time.monotonic() + 180
        while int(str(self.job(number)["progress_done"])) < done:
            assert time.monotonic() < until, self.job(number)
            time.sleep(0.5)


@pytest.fixture
def installation(tmp_path: Path, data_dir: Path) -> Installation:
    made = Installation(tmp_path)
    network = data_dir / "dnit_br290" / "centreline.geojson"
    made.run("network", "import", str(network), "--name", "BR-290")
    return made


def spread_frames(data_dir: Path, count: int) -> list[Path]:
    frames = sorted((data_dir / "dnit_br290" / "frames").glob("*.jpg"))
    return frames[:: len(frames) // count][:count]


def zip_frames(data_dir: Path, path: Path, count: int) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for frame in spread_frames(data_dir, count):
            archive.write(frame, frame.name)
    return path


def zip_small_frames(data_dir: Path, path: Path, count: int) -> Path:
    """A quarter of the pixels, for who asks how an analysis goes on and not what it finds."""
    with zipfile.ZipFile(path, "w") as archive:
        for frame in spread_frames(data_dir, count):
            with Image.open(frame) as image:
                small = io.BytesIO()
                image.resize((image.width // 2, image.height // 2)).save(small, "JPEG", exif=image.getexif())
            archive.writestr(frame.name, small.getvalue())
    return path


def test_upload_a_zip_and_see_the_overlay(installation: Installation, data_dir: Path, tmp_path: Path) -> None:
    frames = zip_frames(data_dir, tmp_path / "frames.zip", UPLOADED)
    with installation.up(), open_browser(installation.address) as (context, outside):
        page = context.new_page()
        page.goto(f"{installation.address}/new-survey")
        page.get_by_label("Name", exact=True).fill("BR-290 upload")
        page.get_by_label("Name", exact=True).press("Enter")
        page.locator('input[data-part="files"]').set_input_files([frames])
        page.get_by_role("button", name="Check photos").click()
        expect(page.locator("h1")).to_have_text("BR-290 upload")
        start = page.get_by_role("button", name="Start the analysis")
        expect(start).to_be_enabled()
        totals = installation.run("survey", "list")
        assert totals[0]["photos"] == UPLOADED  # type: ignore[index]
        start.click()
        see = page.get_by_role("button", name="See the map")
        expect(page.get_by_role("button", name="All photos are analysed")).to_be_visible(timeout=WORK_MS)
        expect(see).to_have_count(1)  # for a moment the one before stands beside it
        see.click()
        layer = page.request.get(f"{installation.address}/api/networks/1/sections.geojson?survey=1").json()
        coloured = [part for part in layer["features"] if part["properties"].get("value") is not None]
        assert len(coloured) >= UPLOADED - 1, "frames spread over 8 km lie on sections of their own"
        frame = page.frame_locator("iframe[title*=st_folium]")
        expect(frame.locator("body[data-map-ready]")).to_be_attached()
        expect(frame.locator(".pavescope-legend")).to_contain_text("%")
        page.goto(f"{installation.address}/photo?photo=1")
        page.get_by_label("Crack pixels").check()
        overlay = page.get_by_alt_text("Cracks found")
        expect(overlay).to_be_visible()
        assert overlay.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1024
        expect(page.get_by_test_id("stTable").first).to_contain_text(" px")
        assert outside == []


def test_restart_in_the_middle_of_an_analysis_goes_on_by_itself(
    installation: Installation, data_dir: Path, tmp_path: Path
) -> None:
    """First killed without a word, then stopped with Ctrl-C: both times the next start goes on."""
    frames = zip_small_frames(data_dir, tmp_path / "frames.zip", 12)
    installation.run("survey", "import", str(frames), "--name", "S", "--network", "BR-290")
    with installation.up() as process:
        number = int(str(installation.run("survey", "analyse", "S")["job"]))
        installation.wait_for_progress(number, 1)
        process.kill()
        process.wait()
    with installation.up() as process:
        installation.wait_for_progress(number, 4)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        gone, alive = psutil.wait_procs(children, timeout=5)
        assert not alive
        assert len(gone) >= 5  # the page, two workers and their pools
    with installation.up():
        installation.wait_for_progress(number, 12)
        until = time.monotonic() + 30
        while installation.job(number)["state"] != "succeeded":
            assert time.monotonic() < until, installation.job(number)
            time.sleep(0.5)
    surveys = installation.run("survey", "list")
    assert (surveys[0]["analysed"], surveys[0]["failed"]) == (12, 0)  # type: ignore[index]


def test_second_up_on_the_same_folder_is_refused(installation: Installation) -> None:
    with installation.up():
        second = subprocess.run(
            [*PAVESCOPE, "up", "--no-browser"],
            env=installation.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert second.returncode == 1
    assert "already runs" in second.stderr
