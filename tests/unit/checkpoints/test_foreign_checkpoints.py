"""Files from elsewhere: what cannot be a checkpoint of this software is refused before anything is kept."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from engine.cards import CARD_KEY, base_checkpoint_path
from engine.errors import CheckpointError
from engine.foreign_checkpoints import check_foreign_checkpoint, prove_it_loads
from engine.model_names import MODEL_NAMES
from engine.models import list_models

GOOD = {"version": 1, "name": "n", "model": "attention_resunet", "threshold": 0.5}
WEIGHTS = {"w": np.ones(3, np.float32)}


def written(path: Path, card: Any, weights: dict[str, np.ndarray] | None = None) -> Path:
    text = card if isinstance(card, str) else json.dumps(card)
    save_file(WEIGHTS if weights is None else weights, path, metadata={CARD_KEY: text})
    return path


def test_the_names_known_without_torch_are_the_networks_there_are() -> None:
    assert sorted(MODEL_NAMES) == list_models()


def test_a_sound_file_and_the_shipped_one_pass(tmp_path: Path) -> None:
    assert check_foreign_checkpoint(written(tmp_path / "a.safetensors", GOOD)).name == "n"
    assert check_foreign_checkpoint(base_checkpoint_path()).model == "attention_resunet"


@pytest.mark.parametrize(
    "change",
    [
        {"model": "of the future"},
        {"model": 7},
        {"name": None},
        {"options": []},
        {"options": {"filters": [4, 8, 5000]}},
        {"options": {"filters": [4] * 9}},
        {"options": {"filters": [[4]]}},
        {"options": {"filters": {"a": 1}}},
        {"options": {"encoder": "x" * 41}},
        {"options": {"encoder": "tu-hf_hub:owner/name"}},
        {"options": {f"o{number}": 1 for number in range(21)}},
        {"scores": "good"},
        {"threshold": 1.0},
        {"threshold": "0.5"},
        {"threshold": float("nan")},
        {"working_scale": float("inf")},
        {"working_scale": 9.0},
        {"scores": {"f1": float("nan")}},
        {"origin": "a\0b"},
        {"version": 2},
    ],
)
def test_a_card_that_cannot_be_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="shown name"):
        check_foreign_checkpoint(written(tmp_path / "a.safetensors", GOOD | change), "shown name")


def test_only_what_can_be_loaded_is_proved_to_load(tmp_path: Path) -> None:
    assert prove_it_loads(base_checkpoint_path())
    other_shapes = written(tmp_path / "a.safetensors", GOOD)
    with pytest.raises(CheckpointError, match=r"^shown name: weights .* have shape"):
        prove_it_loads(other_shapes, "shown name")
    # 600 MB of weights in each convolution
    huge = written(tmp_path / "b.safetensors", GOOD | {"options": {"filters": [4096] * 8}})
    with pytest.raises(CheckpointError, match=r"b\.safetensors cannot be loaded"):
        prove_it_loads(huge)


def test_a_card_nested_without_end_is_refused(tmp_path: Path) -> None:
    deep = '{"version": 1, "scores": ' + '{"a": ' * 100_000 + "1" + "}" * 100_001
    with pytest.raises(CheckpointError):
        check_foreign_checkpoint(written(tmp_path / "a.safetensors", deep))


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({}, "no weights"),
        ({"w": np.array([1, np.nan], np.float32)}, "not finite"),
        ({"w": np.array([np.inf], np.float16)}, "not finite"),
        ({"w": np.zeros(3, np.uint8)}, "U8"),
    ],
)
def test_weights_that_cannot_be_are_refused(
    tmp_path: Path, weights: dict[str, np.ndarray], words: str
) -> None:
    with pytest.raises(CheckpointError, match=words):
        check_foreign_checkpoint(written(tmp_path / "a.safetensors", GOOD, weights))


def test_a_cut_file_a_long_one_and_a_lying_header_are_damaged(tmp_path: Path) -> None:
    data = written(tmp_path / "a.safetensors", GOOD).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header["w"]["shape"] = [300]
    lying = json.dumps(header).encode()
    bad = tmp_path / "b.safetensors"
    for content in (data[:-4], data + b"more", struct.pack("<Q", len(lying)) + lying + data[8 + size :]):
        bad.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"b\.safetensors is damaged"):
            check_foreign_checkpoint(bad)
    with pytest.raises(CheckpointError, match="no file"):
        check_foreign_checkpoint(tmp_path / "none.safetensors")
