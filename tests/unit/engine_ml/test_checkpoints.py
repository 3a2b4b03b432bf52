import pickle
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from engine.checkpoints import (
    CheckpointCard,
    base_checkpoint_path,
    file_sha256,
    load_checkpoint,
    read_card,
    save_checkpoint,
)
from engine.errors import CheckpointError
from engine.models import create_model

CARD = CheckpointCard(
    name="test", model="attention_resunet", options={"filters": [4, 6], "in_channels": 3}, threshold=0.4
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return create_model("attention_resunet", filters=(4, 6))


@pytest.fixture
def file(tmp_path, model):
    path = tmp_path / "some.safetensors"
    save_checkpoint(path, model, CARD)
    return path


def test_weights_and_card_come_back(file, model):
    again, card = load_checkpoint(file)
    assert card == read_card(file) == CARD
    assert not again.training
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)


def test_sha256_is_the_file_s(file):
    import hashlib

    assert file_sha256(file) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_failed_write_leaves_the_old_file_and_no_litter(file, model):
    before = file.read_bytes()
    with torch.no_grad():
        model.fuse.weight[0, 0] = float("nan")
    with pytest.raises(CheckpointError, match="not finite"):
        save_checkpoint(file, model, CARD)
    assert file.read_bytes() == before and list(file.parent.iterdir()) == [file]


def test_no_folder_is_said_plainly(tmp_path, model):
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_checkpoint(tmp_path / "absent" / "x.safetensors", model, CARD)


class Trap:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code of the file was run')",))


@pytest.mark.parametrize("name", ["evil.pt", "evil.pkl", "evil.safetensors"])
def test_pickles_are_refused_without_being_opened(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Trap()))
    for reader in (load_checkpoint, read_card):
        with pytest.raises(CheckpointError) as refusal:
            reader(path)
        assert str(path) in refusal.value.what and refusal.value.remedy


def tensors_of(model):
    return {k: v.clone() for k, v in model.state_dict().items()}


def test_damage_is_refused(tmp_path, file):
    data = file.read_bytes()
    for number, broken in enumerate([b"", data[:5], data[:200], data[: len(data) // 2], b"\xff" * 4000]):
        path = tmp_path / f"broken{number}.safetensors"
        path.write_bytes(broken)
        with pytest.raises(CheckpointError):
            load_checkpoint(path)


def test_wrong_shapes_are_refused(tmp_path, model):
    path = tmp_path / "other.safetensors"
    save_checkpoint(path, model, replace(CARD, options={"filters": [4, 8]}))
    with pytest.raises(CheckpointError, match=r"shape .* needs"):
        load_checkpoint(path)
    save_checkpoint(path, model, replace(CARD, options={"filters": [4, 6, 8]}))
    with pytest.raises(CheckpointError, match="shape"):
        load_checkpoint(path)


def test_not_finite_weights_are_refused(tmp_path, file, model):
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    tensors = tensors_of(model)
    tensors["fuse.bias"][0] = float("inf")
    path = tmp_path / "inf.safetensors"
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(CheckpointError, match=r"fuse\.bias are not finite"):
        load_checkpoint(path)


def test_foreign_and_senseless_cards_are_refused(tmp_path, model):
    path = tmp_path / "foreign.safetensors"
    cards = [
        None,
        {"pavescope_card": "no json"},
        {"pavescope_card": "[]"},
        {"pavescope_card": '{"version": 99}'},
    ]
    for metadata in cards:
        save_file(tensors_of(model), path, metadata=metadata)
        with pytest.raises(CheckpointError, match="card"):
            load_checkpoint(path)
    for senseless in (replace(CARD, threshold=1.5), replace(CARD, working_scale=-1.0)):
        save_checkpoint(path, model, senseless)
        with pytest.raises(CheckpointError):
            read_card(path)
    save_checkpoint(path, model, replace(CARD, model="unheard_of"))
    with pytest.raises(CheckpointError, match="unheard_of"):
        load_checkpoint(path)


def test_missing_names_the_shipped_ones(tmp_path):
    with pytest.raises(CheckpointError, match="base"):
        load_checkpoint(tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError):
        load_checkpoint("no_such_name")


def test_the_shipped_checkpoint_is_sound():
    path = base_checkpoint_path()
    assert path.stat().st_size < 10_000_000
    model, card = load_checkpoint("base")
    assert card.model == "attention_resunet" and 0 < card.threshold < 1
    assert "engine.train" in card.command and "Bianka Passos" in card.data and "MIT" in card.data
    assert torch.isfinite(model(torch.rand(1, 3, 64, 64))).all()
