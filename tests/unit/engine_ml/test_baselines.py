"""How the peers of public libraries are wrapped; the contract itself is in test_models.py."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import CheckpointError, SettingsError
from engine.models import create_model

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_libraries_are_loaded_only_for_a_peer():
    program = """
import sys
from engine.models import create_model
create_model("attention_resunet", filters=(4, 4))
print([name for name in ("segmentation_models_pytorch", "torchvision", "timm") if name in sys.modules])
create_model("tv_fcn")
print([name for name in ("segmentation_models_pytorch", "torchvision", "timm") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["[]", "['torchvision']"], done.stderr


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        ("smp_unet", "no_such"),
        ("smp_unet", "tu-no_such"),
        ("smp_unetplusplus", "mit_b0"),
        ("tv_fcn", "resnet18"),
    ],
)
def test_encoders_that_do_not_fit_are_refused(name, encoder):
    with pytest.raises(SettingsError, match=encoder):
        create_model(name, encoder=encoder)


def test_one_class_starts_from_no_crack_as_in_our_own_networks():
    for name, encoder in (("smp_fpn", "resnet18"), ("tv_fcn", "resnet50")):
        for classes, from_no_crack in ((1, True), (3, False)):
            model = create_model(name, encoder=encoder, classes=classes)
            biases = dict(model.named_parameters())
            last = [key for key in biases if key.endswith("bias")][-1]
            assert biases[last].shape == (classes,)
            assert bool((biases[last] == -2).all()) is from_no_crack


def test_an_encoder_starts_from_the_user_s_file_with_a_classifier_or_without(tmp_path):
    source = create_model("smp_unet", encoder="resnet18").network.encoder.state_dict()
    published = {k: v for k, v in source.items() if not k.endswith("num_batches_tracked")}
    torch.save({**published, "fc.weight": torch.rand(10, 512), "fc.bias": torch.rand(10)}, tmp_path / "a.pth")
    save_file(source, tmp_path / "b.safetensors")
    for file in ("a.pth", "b.safetensors"):
        model = create_model("smp_fpn", encoder="resnet18", encoder_weights=tmp_path / file)
        loaded = model.network.encoder.state_dict()
        assert all(torch.equal(loaded[key], value) for key, value in source.items())
        assert model.options == {"classes": 1, "encoder": "resnet18"}  # a checkpoint needs no such file


def test_files_that_are_no_weights_of_the_encoder_are_named(tmp_path):
    (tmp_path / "damaged.pth").write_bytes(b"no weights at all")
    (tmp_path / "damaged.safetensors").write_bytes(b"no weights at all")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"conv1.weight": torch.rand(64, 3, 7, 7)}, tmp_path / "part.pth")
    for file in ("damaged.pth", "damaged.safetensors", "list.pth", "part.pth", "missing.pth", "imagenet"):
        with pytest.raises(CheckpointError, match=file):
            create_model("smp_unet", encoder="resnet18", encoder_weights=str(tmp_path / file))


def test_pspnet_keeps_no_stage_that_it_does_not_read():
    for encoder in ("resnet18", "mit_b0"):
        model = create_model("smp_pspnet", encoder=encoder)
        model(torch.rand(2, 3, 64, 64)).sum().backward()
        assert all(p.grad is not None for p in model.parameters())


def test_small_images_are_padded_to_what_pan_can_pool():
    model = create_model("smp_pan", encoder="resnet18").eval()
    assert (model.stride_px, model.least_px) == (16, 128)
    assert model.prepare(torch.rand(1, 3, 1, 130)).shape == (1, 3, 128, 144)
    assert model.prepare(torch.rand(1, 3, 160, 128)).shape == (1, 3, 160, 128)
