from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from engine.benchmark import evaluate_folder, sweep_pairs
from engine.checkpoints import CheckpointCard, load_checkpoint, save_checkpoint
from engine.datasets import LabelledImage, find_pairs, read_pair
from engine.errors import EngineError
from engine.inference import InferenceSettings
from engine.models import MODELS, CrackModel
from engine.patch_prediction import predict_patches
from engine.pavement import procedural_pavement
from engine.scale import choose_scale, estimate_working_scale, spread_sample
from engine.synthesis import draw_polyline_crack

KEYS = {
    "images", "checkpoint", "threshold", "precision", "recall", "f1", "iou", "tolerant_precision",
    "tolerant_recall", "tolerant_f1", "best", "seconds", "working_scale",
}  # fmt: skip


def cracked(seed: int, size: int, width_px: float, grain_px: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    ground = procedural_pavement(rng, size, size, grain_px=grain_px, brightness=0.45, camera=False)
    xs = np.linspace(-9, size + 9, 20)
    points = np.stack([xs, size / 2 + np.cumsum(rng.normal(0, size / 60, 20))], axis=1)
    return draw_polyline_crack(ground, points, width_px, 0.6)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for seed, suffix in enumerate(("jpg", "png", "JPG")):
        image, mask = cracked(seed, 160, 4, 2.5)
        cv2.imwrite(str(tmp_path / "images" / f"road{seed}.{suffix}"), image[..., ::-1])
        cv2.imwrite(str(tmp_path / "masks" / f"road{seed}.png"), mask.astype(np.uint8) * 255)
    return tmp_path


def test_shipped_checkpoint_finds_plain_cracks(folder):
    settings = InferenceSettings(working_scale=1.0, device="cpu")
    found = evaluate_folder(folder, "base", settings=settings)
    assert set(found) == KEYS and set(found["best"]) == {"threshold", "f1", "tolerant_f1", "iou"}
    assert found["images"] == 3 and found["working_scale"] == 1.0
    assert found["tolerant_f1"] > 0.8
    assert found["best"]["f1"] >= found["f1"] > found["iou"]


def test_patches_that_overlap_predict_too(folder):
    settings = InferenceSettings(threshold=0.2, device="cpu")
    how = {"names": ["road0"], "settings": settings, "tolerance_px": 0}
    found = evaluate_folder(folder, "base", **how, patch_px=48, stride_px=24)
    image, truth = read_pair(find_pairs(folder, ["road0"])[0])
    model, _ = load_checkpoint("base")
    predicted = predict_patches(model, image, 48, 24) >= 0.2
    hits = (predicted & truth).sum()
    assert (found["threshold"], found["working_scale"]) == (0.2, 1.0)
    assert found["precision"] == pytest.approx(hits / predicted.sum())
    assert found["recall"] == pytest.approx(hits / truth.sum()) and found["recall"] > 0.5


def test_names_choose_images(folder):
    seen = []
    settings = InferenceSettings(working_scale=1.0, threshold=0.5, device="cpu")
    found = evaluate_folder(
        folder, names=["road1"], settings=settings, on_image=lambda done, total: seen.append((done, total))
    )
    assert found["images"] == 1 and seen == [(1, 1)] and found["threshold"] == 0.5


def test_a_split_and_a_layout_choose_images(folder):
    settings = InferenceSettings(working_scale=1.0, threshold=0.5, device="cpu")
    (folder / "train.txt").write_text("road0")
    (folder / "test.txt").write_text("road1")
    assert evaluate_folder(folder, split="test", settings=settings)["images"] == 1
    assert evaluate_folder(folder, layout="folder", settings=settings)["images"] == 2
    with pytest.raises(EngineError, match="no images for validation"):
        evaluate_folder(folder, split="validation", settings=settings)
    with pytest.raises(EngineError, match="not laid out as DRIVE"):
        evaluate_folder(folder, layout="drive", settings=settings)


def test_pixels_outside_the_field_of_view_count_for_nothing(folder):
    pair = find_pairs(folder, ["road1"])[0]
    view = folder / "view.png"
    left = np.zeros((160, 160), np.uint8)
    left[:, :80] = 255
    cv2.imwrite(str(view), left)
    pair = LabelledImage(pair.image, pair.mask, None, view)
    truth = read_pair(pair)[1]
    (counts,) = sweep_pairs([pair], lambda image: np.ones(image.shape[:2], np.float32), [0.5])
    assert (counts.predicted, counts.pixels) == (160 * 80, 160 * 80)
    assert counts.truth == truth[:, :80].sum() < truth.sum()


class Colours(CrackModel):
    """Road where the image is red, class 1 where it is green, class 2 where it is blue."""

    def __init__(self, classes=3):
        super().__init__(classes)
        self.scale = torch.nn.Parameter(torch.tensor(20.0))

    def forward_padded(self, image):
        return image * self.scale

    @property
    def last_features(self):
        return self


def test_classes_are_scored_by_their_numbers(tmp_path, monkeypatch):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    truth = np.zeros((40, 50), np.uint8)
    truth[:, 10:20], truth[:, 20:40] = 1, 2
    said = truth.copy()
    said[:, 30:40] = 0  # half of class 2 is missed
    cv2.imwrite(str(tmp_path / "images" / "a.png"), 255 * np.eye(3, dtype=np.uint8)[said][..., ::-1])
    cv2.imwrite(str(tmp_path / "masks" / "a.png"), truth)
    monkeypatch.setitem(MODELS, "colours", Colours)
    file = tmp_path / "colours.safetensors"
    card = CheckpointCard(name="colours", model="colours", options={"classes": 3}, threshold=0.5)
    save_checkpoint(file, Colours(), replace(card, working_scale=1.0))
    found = evaluate_folder(tmp_path, file, tolerance_px=0, settings=InferenceSettings(device="cpu"))
    assert (found["precision"], found["recall"]) == (1.0, pytest.approx(2 / 3))
    assert found["iou"] == pytest.approx(2 / 3) and found["best"]["f1"] == pytest.approx(0.8)
    ious = [found[f"class_{number}_iou"] for number in range(3)]
    assert ious == pytest.approx([2 / 3, 1.0, 0.5]) and found["miou"] == pytest.approx(13 / 18)
    cv2.imwrite(str(tmp_path / "masks" / "a.png"), np.where(truth > 0, 255, 0).astype(np.uint8))
    with pytest.raises(EngineError, match="none of 3 classes"):
        evaluate_folder(tmp_path, file, settings=InferenceSettings(device="cpu"))


def test_what_is_wrong_is_named(folder):
    with pytest.raises(EngineError, match="road9"):
        find_pairs(folder, ["road9"])
    cv2.imwrite(str(folder / "masks" / "road0.png"), np.zeros((10, 10), np.uint8))
    with pytest.raises(EngineError, match=r"road0\.png is 10x10 px"):
        read_pair(find_pairs(folder)[0])
    (folder / "images" / "road0.jpg").write_bytes(b"no image")
    with pytest.raises(EngineError, match=r"road0\.jpg is not a readable"):
        read_pair(find_pairs(folder)[0])
    (folder / "masks" / "road1.png").unlink()
    with pytest.raises(EngineError, match=r"road1\.png has no mask"):
        evaluate_folder(folder)
    with pytest.raises(EngineError, match="images/ and masks/"):
        find_pairs(folder / "images")


def test_masks_of_ones_are_masks(folder):
    mask = np.zeros((160, 160), np.uint8)
    mask[5, 5] = 1
    cv2.imwrite(str(folder / "masks" / "road1.png"), mask)
    assert read_pair(find_pairs(folder, ["road1"])[0])[1].sum() == 1


def test_spread_sample_keeps_the_ends():
    assert spread_sample(range(100), 4) == [0, 33, 66, 99]
    assert spread_sample([1, 2], 5) == [1, 2]


def test_finest_of_the_nearly_best_scales_is_chosen():
    assert choose_scale({1.0: 0.52, 0.5: 0.55, 0.25: 0.3}) == 1.0
    assert choose_scale({1.0: 0.2, 0.5: 0.55, 0.25: 0.56}) == 0.5


def test_wide_cracks_in_coarse_stones_ask_for_a_smaller_scale():
    from engine.checkpoints import load_checkpoint

    model, _ = load_checkpoint("base")
    settings = InferenceSettings(device="cpu")
    fine = [cracked(seed, 256, 3, 2.0)[0] for seed in range(3)]
    coarse = [cv2.resize(image, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC) for image in fine]
    at_fine = estimate_working_scale(model, fine, settings)
    at_coarse = estimate_working_scale(model, coarse, settings)
    assert at_coarse.scale < 0.6 * at_fine.scale
    with pytest.raises(EngineError):
        estimate_working_scale(model, [], settings)
