"""The command line as people and scripts meet it: processes, exit codes, plain words, JSON."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tests.integration.surveys import draw_photos

REPOSITORY = Path(__file__).resolve().parents[2]
WIDTH_PX, HEIGHT_PX = 160, 120
SURVEY, NETWORK = "May 2026", "State roads"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What `--json -` wrote: standard output, whole."""
        assert self.code == 0, self.err
        return json.loads(self.out)


def pavescope(home: Path, *arguments: str | Path) -> Done:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAVESCOPE_")}
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *map(str, arguments)],
        cwd=REPOSITORY,
        env={**kept, "PAVESCOPE_HOME": str(home), "PAVESCOPE_DEVICE": "cpu", "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def refused_plainly(done: Done, *words: str) -> None:
    """Exit code 1 and an explanation that holds the words, without a traceback."""
    said = done.out + done.err
    assert done.code == 1, said
    assert "Traceback" not in said
    assert [word for word in words if word not in said] == [], said


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """images/ with two photos, a dark line drawn over each, and masks/ of these lines."""
    folder = tmp_path_factory.mktemp("labelled")
    draw_photos(folder / "images", 2, WIDTH_PX, HEIGHT_PX)
    (folder / "masks").mkdir()
    for number in range(2):
        photo = folder / "images" / f"{number:03d}.jpg"
        pixels = cv2.imread(str(photo), cv2.IMREAD_COLOR)
        assert pixels is not None
        truth = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
        line = np.array([[0, 30 + 20 * number], [60, 55], [110, 50], [WIDTH_PX - 1, 80]], np.int32)
        cv2.polylines(truth, [line], False, 255, 3)
        cv2.imwrite(str(photo), np.where(truth[..., None] > 0, pixels // 4, pixels))
        cv2.imwrite(str(folder / "masks" / f"{number:03d}.png"), truth)
    return folder


@pytest.fixture(scope="module")
def photos(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two photos, and a text that calls itself one."""
    folder = tmp_path_factory.mktemp("photos")
    for photo in (labelled / "images").iterdir():
        (folder / photo.name).write_bytes(photo.read_bytes())
    (folder / "notes.jpg").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def home(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that the command line made: a network, and a survey imported over it."""
    folder = tmp_path_factory.mktemp("cli") / "home"
    roads = folder.parent / "roads.geojson"
    features = [
        {
            "type": "Feature",
            "properties": {"section_id": f"S{number}", "road": "BR-290"},
            "geometry": {
                "type": "LineString",
                "coordinates": [[7 + number / 100, 46], [7.01 + number / 100, 46]],
            },
        }
        for number in range(2)
    ]
    roads.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    network = pavescope(folder, "network", "import", roads, "--name", NETWORK, "--json", "-").json
    assert (network["network"], network["sections"]) == (NETWORK, 2)
    assert ["chainage" in problem for problem in network["problems"]] == [True], network["problems"]
    # 0.02 degrees of longitude at 46 degrees north
    assert network["length_km"] == pytest.approx(0.02 * 77.465, rel=1e-3)

    imported = pavescope(
        folder, "survey", "import", photos, "--name", SURVEY, "--network", NETWORK,
        "--date", "2026-05-03", "--json", "-",
    ).json  # fmt: skip
    assert (imported["survey"], imported["accepted"], imported["refused"]) == (SURVEY, 2, 1)
    assert [file["name"] for file in imported["refused_files"]] == ["notes.jpg"]
    assert imported["flags"] == {"no_position": 2}
    return folder


def read_gray(path: Path) -> npt.NDArray[np.uint8]:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None, f"{path} is missing"
    return np.asarray(pixels, np.uint8)


def test_segment_and_evaluate_agree(labelled: Path, photos: Path, tmp_path: Path) -> None:
    """The scores are those of the masks that `segment` writes; neither command makes a database."""
    out, scores_file, home = tmp_path / "masks", tmp_path / "scores.json", tmp_path / "home"
    segmented = pavescope(home, "segment", photos, "--out", out)
    assert segmented.code == 0, segmented.err
    assert "notes.jpg is not a photo" in segmented.out + segmented.err
    assert "without an interval" in segmented.out + segmented.err
    assert {path.name for path in out.iterdir()} == {
        f"{stem}_{kind}.png" for stem in ("000", "001") for kind in ("mask", "probability")
    }
    evaluated = pavescope(home, "evaluate", labelled, "--json", scores_file)
    assert evaluated.code == 0, evaluated.err
    scores = json.loads(scores_file.read_text())
    assert set(scores) - {"working_scale"} == {
        "images", "checkpoint", "threshold", "precision", "recall", "f1", "iou",
        "tolerant_precision", "tolerant_recall", "tolerant_f1", "best", "seconds",
    }  # fmt: skip
    assert set(scores["best"]) == {"threshold", "f1", "tolerant_f1", "iou"}
    assert (scores["images"], scores["checkpoint"]) == (2, "base")

    hits = predicted = labels = 0
    for stem in ("000", "001"):
        mask, probability = read_gray(out / f"{stem}_mask.png"), read_gray(out / f"{stem}_probability.png")
        assert mask.shape == probability.shape == (HEIGHT_PX, WIDTH_PX)
        assert set(np.unique(mask)) == {0, 255}
        level = scores["threshold"] * 255
        assert probability[mask == 255].min() >= level - 1
        assert probability[mask == 0].max() <= level + 1
        truth = read_gray(labelled / "masks" / f"{stem}.png") == 255
        hits += int((truth & (mask == 255)).sum())
        predicted += int((mask == 255).sum())
        labels += int(truth.sum())
    assert hits > labels / 2, "dark lines on plain pavement are found"
    assert scores["precision"] == pytest.approx(hits / predicted, abs=1e-6)
    assert scores["recall"] == pytest.approx(hits / labels, abs=1e-6)
    assert scores["f1"] == pytest.approx(2 * hits / (predicted + labels), abs=1e-6)
    assert scores["iou"] == pytest.approx(hits / (predicted + labels - hits), abs=1e-6)
    assert scores["tolerant_f1"] >= scores["f1"]
    assert scores["best"]["f1"] >= scores["f1"]
    assert not (home / "pavescope.db").exists()


def test_preflight_keeps_nothing(photos: Path, tmp_path: Path) -> None:
    report = pavescope(tmp_path / "home", "survey", "preflight", photos, "--json", "-").json
    assert (report["total"], report["accepted"], report["refused"]) == (3, 2, 1)
    (bad,) = [file for file in report["files"] if not file["accepted"]]
    assert (bad["name"], bad["code"]) == ("notes.jpg", "not_an_image")
    assert bad["reason"]
    assert bad["remedy"]
    assert not (tmp_path / "home" / "pavescope.db").exists()


def test_a_survey_from_analysis_to_the_lists(home: Path) -> None:
    analysed = pavescope(home, "survey", "analyse", SURVEY, "--wait", "--json", "-").json
    job = analysed.pop("job")
    assert analysed == {"survey": SURVEY, "state": "succeeded", "photos": 2, "analysed": 2, "failed": 0}

    (survey,) = pavescope(home, "survey", "list", "--json", "-").json
    assert survey == {
        "name": SURVEY, "network": NETWORK, "surveyed_on": "2026-05-03",
        "photos": 2, "analysed": 2, "failed": 0, "checkpoint": survey["checkpoint"],
    }  # fmt: skip
    # A registered name carries the start of its file's hash.
    assert re.fullmatch(r"base-[0-9a-f]{8}", survey["checkpoint"])

    listed = pavescope(home, "jobs", "list")
    assert listed.code == 0, listed.err
    lines = [line for line in listed.out.splitlines() if "succeeded" in line]
    assert ["analyse_survey" in line for line in lines] == [True, False], "the newest comes first"
    assert "import_survey" in lines[1]

    refused_plainly(pavescope(home, "jobs", "retry", str(job)), f"Job {job}", "nothing to retry")


def test_what_is_not_there_is_said_plainly(home: Path) -> None:
    refused_plainly(pavescope(home, "survey", "analyse", "June"), "There is no survey named 'June'")
    refused_plainly(pavescope(home, "jobs", "show", "999"), "There is no job 999")


def test_a_wrong_option_is_code_2(tmp_path: Path) -> None:
    done = pavescope(tmp_path, "survey", "list", "--colour", "red")
    assert done.code == 2
    assert "--colour" in done.err
    assert "Traceback" not in done.err


def test_a_pickled_checkpoint_is_never_opened(photos: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"\x80\x04\x95 a pickle would start like this")
    done = pavescope(
        tmp_path / "home", "segment", photos, "--out", tmp_path / "masks", "--checkpoint", weights
    )
    refused_plainly(done, "weights.pt", ".safetensors")
    assert not (tmp_path / "masks").exists()
