from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from engine.augmentation import AUGMENTATIONS, Augmentation, crop_at, draw_warp, recoloured
from engine.checkpoints import load_checkpoint
from engine.datasets import LabelledImage, read_truth
from engine.errors import CancelledError, EngineError, SettingsError
from engine.labelled_data import (
    LabelledCrops,
    WholeImages,
    allot_crops,
    best_threshold,
    read_labelled,
    train_labelled,
)
from engine.models import create_model
from engine.patch_prediction import predict_patches
from engine.train_settings import TrainSettings

CROPS = TrainSettings(patch_px=32, batch=2, steps=3, ema=0.0, bf16=False, model_options={"filters": [4, 8]})


def written(folder, number, size=(64, 80), column=40, values=255):
    """An image whose red is its row and green its column, with a dark crack of 3 px at a column."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = np.stack([rows, columns, np.full(size, 200)], axis=2).astype(np.uint8)
    mask = np.zeros(size, np.uint8)
    mask[:, column : column + 3] = values
    image[mask > 0, 2] = 20
    cv2.imwrite(str(folder / f"{number}.png"), image[..., ::-1])
    cv2.imwrite(str(folder / f"{number}_mask.png"), mask)
    return LabelledImage(folder / f"{number}.png", folder / f"{number}_mask.png")


@pytest.fixture
def pairs(tmp_path):
    return [written(tmp_path, number, column=10 + 9 * number) for number in range(5)]


def corner(image):
    """Row and column that the first pixel was cut from."""
    return round(float(image[0, 0, 0]) * 255), round(float(image[1, 0, 0]) * 255)


def test_a_number_always_gives_the_same_crop(pairs):
    crops = LabelledCrops(pairs, replace(CROPS, augmentation="seed-001"))
    again = LabelledCrops(pairs, replace(CROPS, augmentation="seed-001"))
    others = [again[i] for i in range(9)]
    assert all(torch.equal(a, b) for a, b in zip(crops[7], others[7], strict=True))
    assert not torch.equal(crops[7][0], LabelledCrops(pairs, replace(CROPS, seed=1))[7][0])
    image, truth, weight = crops[7]
    assert image.shape == (3, 32, 32) and truth.shape == weight.shape == (1, 32, 32)
    assert image.dtype == truth.dtype == weight.dtype == torch.float32
    assert image.min() >= 0 and image.max() <= 1 and bool((weight == 1).all())


def test_an_epoch_shows_every_image_once_in_another_order(pairs):
    crops = LabelledCrops(pairs, CROPS)
    assert crops.per_epoch == 5
    orders = [[int(crops._order(epoch)[place]) for place in range(5)] for epoch in range(4)]
    assert all(sorted(order) == list(range(5)) for order in orders)
    assert len({tuple(order) for order in orders}) > 1
    assert LabelledCrops(pairs, replace(CROPS, crops_per_image=4)).per_epoch == 20


def test_crops_are_cut_where_their_truth_is(pairs):
    for augmentation in ("none", "seed-002", "fast"):
        crops = LabelledCrops(pairs, replace(CROPS, augmentation=augmentation))
        for number in range(12):
            image, truth, _ = crops[number]
            dark = image[2] < image[2].mean()
            if 0 < float(truth.mean()) < 0.5:
                assert torch.equal(dark, truth[0] > 0)


def test_crops_reach_every_corner_of_an_image(pairs):
    crops = LabelledCrops(pairs, CROPS)
    corners = np.array([corner(crops[number][0]) for number in range(400)])
    assert corners.min(axis=0).tolist() == [0, 0] and corners.max(axis=0).tolist() == [32, 48]


def test_an_image_smaller_than_the_crop_is_mirrored(tmp_path):
    crops = LabelledCrops([written(tmp_path, 0, size=(20, 24), column=12)], CROPS)
    image, truth, _ = crops[0]
    rows = (image[0, :, 0] * 255).round().int().tolist()
    assert rows == [6, 5, 4, 3, 2, 1, *range(20), 18, 17, 16, 15, 14, 13]
    assert float(truth.sum()) == 3 * 32


@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_the_share_of_crops_with_a_crack(pairs, share):
    crops = LabelledCrops(pairs, replace(CROPS, patch_px=16, crack_share=share))
    cracked = np.mean([bool(crops[number][1].any()) for number in range(300)])
    assert abs(cracked - share) < 0.08 and (share == 0.6 or cracked == share)


def test_images_give_crops_by_their_crack_pixels(tmp_path, pairs):
    assert allot_crops([10, 30, 0, 60], 200).tolist() == [20, 60, 0, 120]
    with pytest.raises(SettingsError, match="crack"):
        allot_crops([0, 0], 10)
    many = [*pairs[:1], written(tmp_path, 9, size=(128, 80))]
    crops = LabelledCrops(many, replace(CROPS, crops_per_image=6, crops_by_cracks=True))
    assert np.bincount(crops._order(0)).tolist() == [4, 8]


def test_class_numbers_and_unknown_pixels_pass_through(tmp_path):
    pair = written(tmp_path, 0, values=2)
    pair.mask.write_bytes(cv2.imencode(".png", read_labelled(pair, 3)[1])[1].tobytes())
    assert set(np.unique(read_labelled(pair, 3)[1])) == {0, 2}
    view = np.full((64, 80), 255, np.uint8)
    view[:, 41:] = 0
    cv2.imwrite(str(tmp_path / "view.png"), view)
    image, truth, weight = WholeImages([replace(pair, field_of_view=tmp_path / "view.png")], classes=3)[0]
    assert image.shape == (3, 64, 80)
    assert float(weight.sum()) == 64 * 41 and float(truth.sum()) == 2 * 64


def test_masks_that_number_no_classes_are_refused(tmp_path):
    with pytest.raises(EngineError, match="255, which is none of 3 classes"):
        read_labelled(written(tmp_path, 0), 3)
    with pytest.raises(EngineError, match="4, which is none of 3 classes"):
        read_labelled(written(tmp_path, 1, values=4), 3)
    unknown = written(tmp_path, 2, values=2)
    mask = cv2.imread(str(unknown.mask), cv2.IMREAD_GRAYSCALE)
    mask[:10] = 255
    cv2.imwrite(str(unknown.mask), mask)
    _, truth, counted = read_truth(unknown, 3)
    assert counted.sum() == 54 * 80 and truth.sum() == 54 * 3


def test_class_numbers_are_read_from_every_kind_of_mask(tmp_path):
    pair = written(tmp_path, 0, values=2)
    numbers = cv2.imread(str(pair.mask), cv2.IMREAD_GRAYSCALE)
    Image.fromarray(numbers).save(tmp_path / "0.gif")
    savemat(tmp_path / "0.mat", {"groundTruth": {"Segmentation": numbers + 1}})
    for name in ("0.gif", "0.mat"):
        found = read_labelled(replace(pair, mask=tmp_path / name), 3)[1]
        np.testing.assert_array_equal(found, numbers)


def test_images_are_rescaled_with_their_masks(pairs):
    image, mask = read_labelled(pairs[0], 1, 0.5)
    assert image.shape == (32, 40, 3) and mask.shape == (32, 40)
    assert 32 <= mask.sum() <= 64
    assert read_labelled(pairs[0], 1, 2.0)[1].sum() == pytest.approx(4 * 3 * 64, rel=0.35)


def test_wrong_names_and_no_images_are_said(pairs):
    with pytest.raises(SettingsError, match="no labelled images"):
        LabelledCrops([], CROPS)
    with pytest.raises(SettingsError, match="seed-002"):
        LabelledCrops(pairs, replace(CROPS, augmentation="mixup"))


def test_quarter_turns_and_flips_move_pixels_and_blend_none():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 50, 3), np.uint8)
    mask = rng.integers(0, 3, (40, 50), np.uint8)
    square, labels = image[5:21, 7:23], mask[5:21, 7:23]
    views = {np.rot90(side, k).tobytes() for side in (square, square[:, ::-1]) for k in range(4)}
    seen = set()
    for _ in range(60):
        warp, down, right = draw_warp(rng, Augmentation(flips=True, quarter_turns=True))
        assert down == right == 0
        crop, crop_labels = crop_at(image, mask, (5 + 7.5, 7 + 7.5), 16, warp)
        seen.add(crop.tobytes())
        assert np.bincount(crop_labels.ravel()).tolist() == np.bincount(labels.ravel()).tolist()
    assert seen == views


def test_rotation_and_scale_stay_in_their_ranges():
    how, rng = AUGMENTATIONS["seed-000"], np.random.default_rng(1)
    warps = [draw_warp(rng, replace(how, flips=False, affine_share=1.0))[0] for _ in range(300)]
    scales = [1 / np.sqrt(np.linalg.det(warp)) for warp in warps]
    angles = np.rad2deg([np.arctan2(warp[1, 0], warp[0, 0]) for warp in warps])
    assert 0.75 <= min(scales) < 0.8 and 1.25 < max(scales) <= 1.33
    assert -45 <= angles.min() < -40 and 40 < angles.max() <= 45


def test_colours_change_and_shapes_do_not():
    rng = np.random.default_rng(2)
    image = rng.integers(60, 200, (24, 24, 3), np.uint8)
    changed = [recoloured(rng, image, AUGMENTATIONS["seed-001"]) for _ in range(20)]
    assert all(c.shape == image.shape and c.min() >= 0 and c.max() <= 1 for c in changed)
    assert len({c.tobytes() for c in changed}) > 10
    np.testing.assert_array_equal(recoloured(rng, image, Augmentation()), image.astype(np.float32) / 255)
    noisy = recoloured(rng, image, Augmentation(noise_share=1.0, noise=(0.05, 0.05)))
    assert np.std(noisy - image / 255) == pytest.approx(0.05, rel=0.1)


class Blue(torch.nn.Module):
    """Cracks are as likely as they are dark in blue; a model's face for `predict_probability_map`."""

    def __init__(self, classes=1):
        super().__init__()
        self.classes = classes

    def probability(self, image):
        return 1 - image[:, 2]


def test_the_best_threshold_is_that_of_the_highest_f1(tmp_path):
    pair = written(tmp_path, 0)  # crack 1 - 20/255 = 0.922, road 1 - 200/255 = 0.216
    threshold = best_threshold(Blue(), [pair], CROPS)
    assert threshold == 0.5
    image = cv2.imread(str(pair.image))
    image[:, :20, 0] = 64  # a stain, 0.749, bigger than the crack
    cv2.imwrite(str(pair.image), image)
    assert 0.749 < best_threshold(Blue(), [pair], CROPS) <= 0.92


def test_cracks_of_several_classes_choose_the_threshold_too(tmp_path):
    pairs = [written(tmp_path, value, values=value) for value in (1, 2)]
    for pair in pairs:
        image = cv2.imread(str(pair.image))
        image[:, :20, 0] = 64  # as above
        cv2.imwrite(str(pair.image), image)
    assert 0.749 < best_threshold(Blue(3), pairs, CROPS) <= 0.92


def test_training_with_labels_writes_what_it_made(tmp_path, pairs):
    settings = replace(CROPS, steps=None, epochs=2, schedule="plateau", keep_best=True, seed=5)
    result = train_labelled(settings, pairs[:4], pairs[4:], tmp_path / "out", data="made up", command="x")
    assert result.epochs == 2 and result.steps == 4 and not result.model.training
    assert all("validation_loss" in row for row in result.history)
    model, card = load_checkpoint(tmp_path / "out" / "checkpoint.safetensors")
    assert card.threshold == result.threshold and card.data == "made up" and card.seed == 5
    assert card.working_scale == 1.0 and card.options["filters"] in ([4, 8], (4, 8))
    image = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(model.probability(image), result.model.probability(image))
    assert not (tmp_path / "out" / "state.pt").exists() and (tmp_path / "out" / "log.csv").is_file()


def test_an_interrupted_training_goes_on(tmp_path, pairs):
    settings = replace(CROPS, steps=4, save_every=2, augmentation="seed-001")
    whole = train_labelled(settings, pairs)

    def stop(done, *_):
        if done == 3:
            raise CancelledError("power cut")

    with pytest.raises(CancelledError):
        train_labelled(settings, pairs, (), tmp_path, stop)
    seen = []
    resumed = train_labelled(settings, pairs, (), tmp_path, lambda done, *_: seen.append(done), resume=True)
    assert seen == [3, 4]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name])


def test_several_classes_are_trained(tmp_path, pairs):
    settings = replace(CROPS, objective="multiclass", model_options={"filters": [4, 8], "classes": 2})
    result = train_labelled(settings, pairs)
    assert result.model.classes == 2 and 0 < result.threshold < 1
    with pytest.raises(SettingsError, match="does not fit a model"):
        train_labelled(replace(settings, objective="ce_dice"), pairs)


def test_a_photo_that_cannot_be_read_is_named(tmp_path, pairs):
    pairs[2].image.write_bytes(b"no")
    with pytest.raises(EngineError, match=r"2\.png"):
        train_labelled(replace(CROPS, steps=5), pairs)


@pytest.mark.parametrize(("size", "stride", "batch"), [((50, 61), 3, 4), ((33, 70), 1, 64), ((20, 90), 7, 5)])
def test_patches_are_averaged_as_a_plain_loop_does(size, stride, batch):
    torch.manual_seed(1)
    model = create_model("attention_resunet", filters=[4, 8]).eval()
    image = np.random.default_rng(3).integers(0, 256, (*size, 3), np.uint8)
    total, count = np.zeros(size), np.zeros(size)
    tall, wide = min(32, size[0]), min(32, size[1])
    tops = sorted({*range(0, size[0] - tall + 1, stride), size[0] - tall})
    lefts = sorted({*range(0, size[1] - wide + 1, stride), size[1] - wide})
    for top in tops:
        for left in lefts:
            box = np.s_[top : top + tall, left : left + wide]
            patch = torch.from_numpy(image[box].transpose(2, 0, 1).copy())[None].float() / 255
            total[box] += model.probability(patch)[0].numpy()
            count[box] += 1
    found = predict_patches(model, image, 32, stride, batch=batch)
    np.testing.assert_allclose(found, total / count, atol=2e-6)


def test_a_stride_that_leaves_gaps_is_refused():
    with pytest.raises(SettingsError, match="stride"):
        predict_patches(create_model("attention_resunet"), np.zeros((64, 64, 3), np.uint8), 48, 49)
