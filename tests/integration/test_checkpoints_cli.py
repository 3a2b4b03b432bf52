"""`pavescope checkpoints`, and checkpoints by name in the other commands, as processes."""

import json
from pathlib import Path

import pytest

from tests.integration.checkpoints import write_checkpoint
from tests.integration.surveys import draw_photos
from tests.integration.test_cli import pavescope, refused_plainly


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one imported checkpoint, "BR-290 v1.2", and a survey of one photo."""
    folder = tmp_path_factory.mktemp("checkpoints")
    file = write_checkpoint(folder / "file.safetensors", 1, scores={"Town": {"f1": 0.5, "tolerant_f1": 0.75}})
    imported = pavescope(
        folder / "home", "checkpoints", "import", file, "--name", "BR-290 v1.2", "--json", "-"
    ).json
    assert (imported["name"], imported["verdict"]) == ("BR-290 v1.2", "Not judged")
    draw_photos(folder / "photos", 1)
    done = pavescope(folder / "home", "survey", "import", folder / "photos", "--name", "May")
    assert done.code == 0, done.err
    return folder / "home"


def test_from_the_list_into_force_and_back(home: Path) -> None:
    listed = pavescope(home, "checkpoints", "list", "--json", "-").json
    mine, base = sorted(listed, key=lambda row: row["name"] != "BR-290 v1.2")
    assert (mine["name"], mine["in_force"], mine["accepted"]) == ("BR-290 v1.2", False, None)
    assert (base["verdict"], base["in_force"]) == ("Shipped", True)
    assert mine["accuracy"] == {"Town": "F1 0.500, tolerant F1 0.750"}
    shown = pavescope(home, "checkpoints", "show", "BR-290 v1.2", "--json", "-").json
    assert shown["card"]["name"] == "drawn 1"
    promoted = pavescope(home, "checkpoints", "promote", "BR-290 v1.2", "--json", "-").json
    assert promoted == {"in_force": "BR-290 v1.2"}
    refused_plainly(pavescope(home, "checkpoints", "delete", "BR-290 v1.2"), "in force")
    analysed = pavescope(home, "survey", "analyse", "May", "--wait")
    assert analysed.code == 0, analysed.err
    (survey,) = pavescope(home, "survey", "list", "--json", "-").json
    assert survey["checkpoint"] == "BR-290 v1.2"
    rolled = pavescope(home, "checkpoints", "rollback", "--json", "-").json
    assert rolled == {"in_force": base["name"]}
    refused_plainly(pavescope(home, "checkpoints", "delete", "BR-290 v1.2"), "1 analysis results")
    refused_plainly(pavescope(home, "checkpoints", "rollback"), "No checkpoint was promoted")


def test_a_registered_name_segments_and_evaluates(home: Path, tmp_path: Path) -> None:
    """Also a name with a dot in it, which is no file's ending."""
    photos = draw_photos(tmp_path / "photos", 1, 160, 120)
    done = pavescope(
        home, "segment", photos, "--out", tmp_path / "masks", "--checkpoint", "BR-290 v1.2", "--json", "-"
    ).json
    assert (done["checkpoint"], done["threshold"]) == ("BR-290 v1.2", 0.5)
    assert (tmp_path / "masks" / "000_mask.png").exists()
    unknown = pavescope(home, "segment", photos, "--out", tmp_path / "no", "--checkpoint", "v9")
    refused_plainly(unknown, "no checkpoint named 'v9'", "pavescope checkpoints list")


def test_an_export_is_the_file_and_overwrites_nothing(home: Path, tmp_path: Path) -> None:
    exported = pavescope(home, "checkpoints", "export", "BR-290 v1.2", "--out", tmp_path, "--json", "-").json
    target = tmp_path / "BR-290 v1.2.safetensors"
    assert exported == {"checkpoint": "BR-290 v1.2", "file": str(target)}
    assert target.read_bytes() == (home.parent / "file.safetensors").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    refused_plainly(pavescope(home, "checkpoints", "export", "base", "--out", target), "exists already")
    refused_plainly(
        pavescope(home, "checkpoints", "export", "base", "--out", tmp_path / "base.pt"), "base.pt"
    )


def test_what_is_no_checkpoint_is_not_imported(home: Path, tmp_path: Path) -> None:
    pickle = tmp_path / "weights.pt"
    pickle.write_bytes(b"\x80\x04\x95 a pickle would start like this")
    refused_plainly(pavescope(home, "checkpoints", "import", pickle, "--name", "x"), "weights.pt")
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    plain = tmp_path / "plain.safetensors"
    plain.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    refused_plainly(
        pavescope(home, "checkpoints", "import", plain, "--name", "x"), "no usable Pavescope card"
    )
    refused_plainly(pavescope(home, "checkpoints", "import", "base", "--name", "x"), "There is no file base")
    assert len(pavescope(home, "checkpoints", "list", "--json", "-").json) == 2
