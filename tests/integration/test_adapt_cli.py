"""`pavescope adapt` as people and scripts meet it, and what takes the checkpoint that it makes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.cli.adapt import _held_state
from engine.errors import SettingsError
from engine.sample import SAMPLE_SEED, sample_surveys
from tests.integration.adaptations import MIDDLE, sample_photos
from tests.integration.checkpoints import write_checkpoint
from tests.integration.test_cli import REPOSITORY, pavescope, refused_plainly
from tests.integration.workers import wait_for

pytestmark = pytest.mark.timeout(600)
KEYS = {"checkpoint", "accepted", "reasons", "threshold", "minutes", "images", "stages", "gate", "drift"}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """images/ with some of the sample's photos, masks/ with where their cracks are."""
    folder = tmp_path_factory.mktemp("labelled")
    images = sample_photos(folder / "images")
    (folder / "masks").mkdir()
    for photo in sample_surveys(SAMPLE_SEED)[0].photos:
        if (images / photo.name).exists():
            left, top, right, bottom = MIDDLE
            mask = photo.truth_mask()[top:bottom, left:right].astype(np.uint8) * 255
            cv2.imwrite(str(folder / "masks" / f"{Path(photo.name).stem}.png"), mask)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("base") / "tiny.safetensors", 1)


def adapt_to(photos: Path | str, name: str, tiny: Path) -> list[str]:
    return ["adapt", str(photos), "--name", name, "--base", str(tiny), "--minutes", "0.1"]


def test_a_folder_gives_a_checkpoint_that_segment_and_evaluate_take(
    tmp_path: Path, labelled: Path, tiny: Path
) -> None:
    home, out = tmp_path / "home", tmp_path / "adapted.json"
    done = pavescope(home, *adapt_to(labelled / "images", "ours", tiny), "--json", out)
    assert done.code == 0, done.err
    found = json.loads(out.read_text())
    assert set(found) >= KEYS
    assert (found["checkpoint"], found["images"], len(found["stages"])) == ("ours", 12, 3)
    assert found["accepted"] is found["gate"]["accepted"] and 0 < found["threshold"] < 1
    assert found["accepted"] or found["reasons"]
    assert not any((home / "adaptations").iterdir())
    one = next((labelled / "images").iterdir())
    masks = pavescope(home, "segment", one, "--checkpoint", "ours", "--out", tmp_path / "masks")
    assert masks.code == 0, masks.err
    assert (tmp_path / "masks" / f"{one.stem}_mask.png").is_file()
    scores = pavescope(home, "evaluate", labelled, "--checkpoint", "ours", "--json", "-").json
    assert scores["images"] == 12
    refused_plainly(pavescope(home, *adapt_to(labelled / "images", "ours", tiny)), "'ours' is taken")


def test_an_interrupted_adaptation_goes_on_with_resume(tmp_path: Path, labelled: Path, tiny: Path) -> None:
    home = tmp_path / "home"
    command = adapt_to(labelled / "images", "ours", tiny)
    refused_plainly(pavescope(home, *command, "--resume"), "no adaptation 'ours' to go on with")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAVESCOPE_")}
    running = subprocess.Popen(
        [sys.executable, "-m", "app.cli", *command],
        cwd=REPOSITORY,
        env={**kept, "PAVESCOPE_HOME": str(home), "PAVESCOPE_DEVICE": "cpu", "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background have Ctrl-C ignored, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    stages = home / "adaptations"
    try:
        wait_for(
            lambda: any(stages.glob("*/stage-0.json")) or running.poll() is not None, 120, "the first stage"
        )
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130, said
    assert "--resume goes on" in said and "Traceback" not in said
    refused_plainly(pavescope(home, *command), "was stopped, and what it did is kept")
    (first,) = stages.glob("*/stage-0.json")
    # A stage that is done is not done again: its line is taken as it was kept.
    first.write_text(json.dumps({**json.loads(first.read_text()), "minutes": 123.0}))
    found = pavescope(home, *command, "--resume", "--json", "-").json
    assert [line["minutes"] == 123.0 for line in found["stages"]] == [True, False, False]
    assert found["checkpoint"] == "ours"
    assert not any(stages.iterdir())


def test_a_survey_is_named_and_no_road_is_refused_plainly(tmp_path: Path, labelled: Path, tiny: Path) -> None:
    home = tmp_path / "home"
    assert pavescope(home, "survey", "import", labelled / "images", "--name", "Rear").code == 0
    found = pavescope(home, *adapt_to("Rear", "rear camera", tiny), "--json", "-").json
    assert set(found) >= KEYS and found["checkpoint"] == "rear camera"
    listed = pavescope(home, "checkpoints", "list", "--json", "-").json
    assert [(row["survey"], row["accepted"]) for row in listed if row["name"] == "rear camera"] == [
        ("Rear", found["accepted"])
    ]
    refused_plainly(pavescope(home, *adapt_to("Front", "front", tiny)), "neither a folder nor a survey")
    few = tmp_path / "few"
    few.mkdir()
    for photo in sorted((labelled / "images").iterdir())[:3]:
        (few / photo.name).write_bytes(photo.read_bytes())
    out = tmp_path / "few.json"
    refused = pavescope(home, *adapt_to(few, "few", tiny), "--json", out)
    assert refused.code == 1 and "Refused:" in refused.out + refused.err
    report = json.loads(out.read_text())
    assert (report["checkpoint"], report["accepted"]) == (None, False) and report["reasons"]
    assert pavescope(home, "survey", "import", few, "--name", "Few").code == 0
    out.unlink()
    said = ("checkpoint", "accepted", "reasons", "images")
    refused_plainly(pavescope(home, *adapt_to("Few", "few", tiny), "--json", out), "cannot be adapted to")
    of_survey = json.loads(out.read_text())
    assert [of_survey[key] for key in said] == [report[key] for key in said]


def test_a_name_of_any_letters_is_held_begun_anew_and_let_go(home: Path) -> None:
    name = "ü" * 100  # more bytes than a file's name may have
    with _held_state(name, resume=False, fresh=False) as state:
        (state / "identity.json").write_text("1")
        (state / "answers-1").mkdir()
        for resume, fresh in ((False, False), (True, False), (False, True)):
            with pytest.raises(SettingsError, match="runs at this moment"), _held_state(name, resume, fresh):
                pass
    with pytest.raises(SettingsError, match="is kept"), _held_state(name, resume=False, fresh=False):
        pass
    with _held_state(name, resume=True, fresh=False) as again:
        assert again == state and (again / "identity.json").is_file()
    with _held_state(name, resume=False, fresh=True) as emptied:
        assert [path.name for path in emptied.iterdir()] == ["lock"]
    assert not state.exists()
