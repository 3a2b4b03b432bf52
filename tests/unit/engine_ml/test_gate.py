"""The gate accepts networks that work and refuses those that were spoilt, without a label."""

import copy
import json

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from engine.candidates import candidate_mask
from engine.checkpoints import load_checkpoint
from engine.errors import CancelledError, SettingsError
from engine.gate import judge
from engine.gate_probes import (
    CELLS,
    CROP_PX,
    MOST_PHOTOS,
    Answers,
    Network,
    Picture,
    make_scenes,
    score_drawn,
)
from engine.models import CrackModel, create_model
from engine.pavement import procedural_pavement
from engine.presets import make_objective
from engine.synthesis import CrackStyle, draw_cracks
from engine.train import train
from engine.train_settings import TrainSettings
from engine.training_data import Background, PatchRecipe, training_patch


def cracked(number, side=200):
    rng = np.random.default_rng([7, number])
    style = CrackStyle(width_px=(2, 5), contrast=(0.4, 0.7), network_share=0.0)
    return draw_cracks(rng, procedural_pavement(rng, side, side), style)[0]


PHOTOS = [cracked(number) for number in range(3)]


@pytest.fixture(scope="module")
def base():
    return load_checkpoint("base")[0]


def judged(candidate, base, photos=PHOTOS, regions=None, **more):
    more = {"threshold": 0.5, "base_threshold": 0.5, "working_scale": 1.0} | more
    return judge(candidate, base, photos, regions or [None] * len(photos), **more)


def failed(report):
    return {check.name for check in report.checks if not check.passed}


def with_noise(model, strength):
    """Every weight moved by `strength` standard deviations of its layer."""
    torch.manual_seed(0)
    other = copy.deepcopy(model)
    with torch.no_grad():
        for weights in other.parameters():
            if weights.numel() > 1:
                weights += strength * weights.std() * torch.randn_like(weights)
    return other


def says(model, logit):
    """The last layer of a network replaced by one answer to everything."""
    other = copy.deepcopy(model)
    last = [layer for layer in other.modules() if isinstance(layer, nn.Conv2d) and layer.out_channels == 1][
        -1
    ]
    with torch.no_grad():
        last.weight.zero_()
        assert last.bias is not None
        last.bias.fill_(logit)
    return other


class Stones(CrackModel):
    """Marks whatever is darker than its surroundings: every gap between stones, and cracks too."""

    last_features = nn.Identity()

    def __init__(self, least):
        super().__init__()
        self.least = least

    def forward_padded(self, image):
        grey = image.mean(dim=1, keepdim=True)
        return 20 * (F.avg_pool2d(grey, 21, 1, 10, count_include_pad=False) - grey - self.least)


class AlsoStones(CrackModel):
    """A good network that marks every gap between stones as well."""

    last_features = nn.Identity()

    def __init__(self, good):
        super().__init__()
        self.good, self.stones = good, Stones(0.1)

    def forward_padded(self, image):
        raise NotImplementedError

    def forward(self, image):
        return torch.maximum(self.good(image), self.stones(image))


class TestAccepts:
    def test_the_base_against_itself(self, base):
        report = judged(base, base)
        assert report.accepted and not report.reasons
        for check in report.checks:
            assert check.passed and check.value == check.base

    def test_a_better_network_than_its_base(self, base):
        report = judged(base, with_noise(base, 0.45))
        assert report.accepted, report.reasons
        drawn = next(check for check in report.checks if check.name == "drawn cracks")
        assert drawn.value > drawn.base

    def test_a_nudge_that_changes_little(self, base):
        assert judged(with_noise(base, 0.1), base).accepted

    @pytest.mark.real_data
    @pytest.mark.parametrize("name", ["cfd", "crack500", "dnit_br290"])
    def test_the_base_on_real_photos_and_not_a_spoilt_one(self, base, data_dir, name):
        photos, regions, scale = real_photos(data_dir, name)
        report = judged(base, base, photos, regions, working_scale=scale)
        assert report.accepted, report.reasons
        assert not judged(with_noise(base, 1.0), base, photos, regions, working_scale=scale).accepted


def real_photos(data_dir, name, count=3):
    folder = data_dir / name
    files = sorted((folder / ("frames" if name == "dnit_br290" else "images")).glob("*.jpg"))
    files = files[:: len(files) // count][:count]
    photos = [cv2.imread(str(file), cv2.IMREAD_COLOR_RGB) for file in files]
    if name != "dnit_br290":
        return photos, None, 0.35 if name == "crack500" else 1.0
    lanes = [cv2.imread(str(folder / "masks" / "lane" / f"{file.stem}.png"), 0) > 0 for file in files]
    return photos, lanes, 1.0


class TestRefuses:
    def test_a_network_that_calls_nothing_a_crack(self, base):
        report = judged(says(base, -8), base)
        assert not report.accepted
        assert failed(report) >= {"not constant", "rise on drawn cracks", "not nothing", "drawn cracks"}

    def test_a_network_that_calls_everything_a_crack(self, base):
        report = judged(says(base, 8), base)
        assert failed(report) >= {"not constant", "not everything", "drawn cracks", "share not too high"}
        assert "not nothing" not in failed(report)

    def test_an_absurd_learning_rate(self, base):
        assert failed(judged(with_noise(base, 1.0), base)) >= {"drawn cracks", "rise on drawn cracks"}

    def test_weights_that_are_no_numbers(self, base):
        broken = copy.deepcopy(base)
        with torch.no_grad():
            next(broken.parameters()).fill_(torch.nan)
        report = judged(broken, base)
        assert "numbers" in failed(report)
        json.dumps(report.as_dict(), allow_nan=False)

    def test_a_network_that_has_learned_nothing(self, base):
        torch.manual_seed(0)
        assert "drawn cracks" in failed(judged(create_model("attention_resunet", **base.options), base))

    @pytest.mark.parametrize("least", [0.02, 0.08])
    def test_a_network_that_marks_every_gap_between_stones(self, base, least):
        assert "sound pavement" in failed(judged(Stones(least), base))

    def test_a_good_network_that_also_marks_stones(self, base):
        assert "sound pavement" in failed(judged(AlsoStones(base), base))

    def test_the_collapse_of_the_paper_s_loss_alone(self, base):
        torch.manual_seed(0)
        model = create_model("crack_segmenter", small=True)
        settings = TrainSettings(model="crack_segmenter", steps=30, batch=2, learning_rate=6e-3, device="cpu")
        train(model, make_objective("paper", model), Patches(), settings)
        report = judged(model, base)
        assert not report.accepted and "drawn cracks" in failed(report)

    def test_photos_on_which_no_crack_can_be_drawn(self, base):
        black = [np.zeros((96, 96, 3), np.uint8)] * 3
        nowhere = [np.zeros(photo.shape[:2], bool) for photo in PHOTOS]
        for photos, regions in ((black, None), (PHOTOS, nowhere), ([], None)):
            report = judged(base, base, photos, regions)
            assert not report.accepted and report.reasons


class Patches:
    """Crops of the photos with drawn cracks, as training takes them."""

    per_epoch = 64

    def __getitem__(self, number):
        grounds = [Background(photo, candidate_mask(photo)) for photo in PHOTOS[:2]]
        drawn = training_patch(np.random.default_rng(number), grounds, PatchRecipe(patch_px=64))
        image = torch.from_numpy(drawn[0]).permute(2, 0, 1).float() / 255
        return image, *(torch.from_numpy(mask)[None].float() for mask in drawn[1:])


class TestReport:
    def test_it_is_plain_and_the_same_for_the_same_seed(self, base):
        first, again, other = (judged(base, base, PHOTOS[:2], seed=seed).as_dict() for seed in (0, 0, 1))
        assert json.loads(json.dumps(first, allow_nan=False)) == again
        assert first != other
        assert set(first) == {"accepted", "checks", "reasons", "table"}
        assert [(row["width"], row["contrast"]) for row in first["table"]] == list(CELLS)
        for check in first["checks"]:
            assert check["words"].endswith(".")
            assert check["passed"] or check["words"] in first["reasons"]

    def test_thresholds_are_each_network_s_own(self, base):
        report = judged(base, base, PHOTOS[:2], threshold=0.999)
        share = next(check for check in report.checks if check.name == "not nothing")
        assert share.value < share.base

    def test_it_can_be_stopped(self, base):
        def stop(_done, _total):
            raise CancelledError("asked to")

        with pytest.raises(CancelledError):
            judged(base, base, on_tile=stop)

    def test_a_region_of_another_size_is_refused(self, base):
        with pytest.raises(SettingsError, match="5 x 4 px"):
            judged(base, base, PHOTOS[:1], [np.ones((4, 5), bool)])


class TestProbes:
    def test_cracks_are_drawn_and_counted_within_the_region_only(self):
        region = np.zeros((500, 700), bool)
        region[100:400, 300:620] = True
        photo = procedural_pavement(np.random.default_rng(1), 500, 700)
        (scene,) = make_scenes([photo], [region], 1.0, 0)
        assert scene.image.shape == (CROP_PX, CROP_PX, 3)
        assert scene.region.mean() > 0.4 and not (scene.counted & ~scene.region).any()
        drawn = [cell for picture in scene.drawn for cell, _ in picture.cracks]
        assert len(drawn) == len(set(drawn)) >= 7
        for picture in scene.drawn:
            assert all((mask & scene.counted).sum() >= 40 for _, mask in picture.cracks)
            moved = np.abs(picture.image.astype(int) - scene.image).sum(axis=2) > 0
            assert moved.any()

    def test_photos_are_resized_with_their_regions_and_many_are_thinned(self):
        region = np.ones((200, 200), bool)
        region[:, :100] = False
        scenes = list(make_scenes([PHOTOS[0]] * 20, [region] * 20, 0.5, 0))
        assert len(scenes) == MOST_PHOTOS
        assert scenes[0].image.shape == (100, 100, 3)
        assert scenes[0].region[:, 50:].all() and not scenes[0].region[:, :50].any()

    def test_only_what_drawing_added_is_scored_and_false_marks_go_to_the_nearest_crack(self):
        first, second = np.zeros((60, 60), bool), np.zeros((60, 60), bool)
        first[10, :], second[50, :] = True, True
        cells = CELLS[0], CELLS[8]
        picture = Picture(np.zeros((60, 60, 3), np.uint8), [(cells[0], first), (cells[1], second)])
        added = np.zeros((60, 60), bool)
        added[12, :30] = True  # within 2 px of half of the first
        added[40, :30] = True  # false, nearer to the second
        counted = np.ones((60, 60), bool)
        counted[:, 50:] = False
        answers = Answers()
        score_drawn(answers, added, picture, counted)
        near, far = (answers.cells[cell] for cell in cells)
        assert (near.predicted, near.near_predicted, near.truth, near.near_truth) == (30, 30, 50, 30)
        assert (far.predicted, far.near_predicted, far.truth, far.near_truth) == (30, 0, 50, 0)
        assert answers.drawn.tolerant_precision == 0.5 and answers.drawn.tolerant_recall == 0.3

    def test_what_was_marked_without_the_crack_earns_nothing(self, base):
        report = judged(says(base, 8), base, PHOTOS[:1])
        assert {row.recall for row in report.table if row.drawn_px} == {0.0}

    def test_masks_of_a_network_follow_its_threshold(self, base):
        low, high = (Network(base, threshold, "cpu", None).mask(PHOTOS[0]) for threshold in (0.2, 0.8))
        assert low.sum() > high.sum() > 0 and not (high & ~low).any()
