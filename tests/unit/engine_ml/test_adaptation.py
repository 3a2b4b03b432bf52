"""Label-free adaptation on rendered pavement, with a network small enough for seconds."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine import adaptation
from engine.adaptation import AdaptationSettings, adapt, plan_steps
from engine.adaptation_photos import (
    PreparedPhoto,
    SurveyPhoto,
    hold_back,
    prepared,
    read_photos,
    suspect_mask,
)
from engine.adaptation_samples import AdaptationPatches, believe, drawing_grounds
from engine.cards import CheckpointCard
from engine.checkpoints import save_checkpoint
from engine.datasets import UNKNOWN
from engine.errors import CancelledError, EngineError, InvalidImageError, SettingsError
from engine.label_free_threshold import THRESHOLDS, choose_threshold, expected_f1
from engine.models import create_model
from engine.pavement import procedural_pavement
from engine.pseudo_labels import believed
from engine.synthesis import CrackStyle, draw_cracks
from engine.training_data import PatchRecipe

TINY = {"filters": (4, 8)}
SHORT = AdaptationSettings(batch=2, patch_px=64, device="cpu")


def photo(number, side=96):
    rng = np.random.default_rng(number)
    image, _ = draw_cracks(rng, procedural_pavement(rng, side, side), CrackStyle(width_px=(2, 5)))
    return SurveyPhoto(f"{number}.jpg", lambda: image)


PHOTOS = [photo(number) for number in range(12)]


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(adaptation, "NOMINAL_GFLOPS", 0.0035)


@pytest.fixture
def base(tmp_path):
    torch.manual_seed(1)
    file = tmp_path / "tiny.safetensors"
    card = CheckpointCard(name="tiny", model="attention_resunet", options=TINY, working_scale=1.0)
    save_checkpoint(file, create_model("attention_resunet", **TINY), card)
    return file


def weights(made):
    assert made.model is not None
    return {name: value.clone() for name, value in made.model.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


class TestAdapt:
    def test_it_trains_in_three_stages_and_says_what_it_did(self, base, tmp_path):
        told = []
        made = adapt(PHOTOS, base, SHORT, name="ours", folder=tmp_path / "run", on_progress=told.append)
        report = made.report
        assert [line["steps"] for line in report["stages"]] == plan_steps(made.model, SHORT)
        assert report["steps"] == sum(plan_steps(made.model, SHORT))
        assert report["images"] == 12 and report["minutes"] > 0
        assert set(report) >= {"accepted", "reasons", "threshold", "gate", "drift", "look", "curve"}
        assert made.card is not None
        assert made.card.origin == "tiny" and made.card.threshold == report["threshold"]
        assert made.card.working_scale == 1.0 and made.card.scores["look"] == report["look"]
        shares = [progress.share for progress in told]
        assert shares == sorted(shares) and shares[0] >= 0 and shares[-1] <= 1
        assert any(progress.loss is not None for progress in told)

    def test_the_same_seed_gives_the_same_weights_and_another_gives_others(self, base, tmp_path):
        first, again = (adapt(PHOTOS, base, SHORT, name="a", folder=tmp_path / n) for n in ("1", "2"))
        other = adapt(
            PHOTOS, base, AdaptationSettings(**{**vars(SHORT), "seed": 1}), name="a", folder=tmp_path / "3"
        )
        assert same(weights(first), weights(again))
        assert first.report["threshold"] == again.report["threshold"]
        assert not same(weights(first), weights(other))

    @pytest.mark.parametrize("stopped_in", [adaptation.DRAW, adaptation.LEARN.format(1)])
    def test_a_stopped_run_goes_on_and_ends_as_if_never_stopped(
        self, base, tmp_path, monkeypatch, stopped_in
    ):
        whole = adapt(PHOTOS, base, SHORT, name="a", folder=tmp_path / "whole")
        monkeypatch.setattr(adaptation, "SAVE_EVERY_S", 0.0)
        steps = []

        def stop(progress):
            if progress.stage == stopped_in and progress.loss is not None:
                steps.append(progress)
                if len(steps) == 4:
                    raise CancelledError

        with pytest.raises(CancelledError):
            adapt(PHOTOS, base, SHORT, name="a", folder=tmp_path / "run", on_progress=stop)
        resumed = adapt(PHOTOS, base, SHORT, name="a", folder=tmp_path / "run")
        assert same(weights(whole), weights(resumed))
        assert whole.report["threshold"] == resumed.report["threshold"]

    def test_a_folder_of_another_adaptation_is_refused(self, base, tmp_path):
        adapt(PHOTOS, base, SHORT, name="a", folder=tmp_path / "run")
        with pytest.raises(EngineError, match="holds another adaptation"):
            adapt(PHOTOS[:10], base, SHORT, name="a", folder=tmp_path / "run")

    def test_one_photo_is_refused_before_any_training(self, base, tmp_path):
        made = adapt(PHOTOS[:1], base, SHORT, name="a", folder=tmp_path / "run")
        assert made.model is None and made.card is None
        assert not made.report["accepted"] and made.report["reasons"] and made.report["steps"] == 0

    def test_black_photos_are_refused(self, base, tmp_path):
        black = [SurveyPhoto(f"{n}", lambda: np.zeros((96, 96, 3), np.uint8)) for n in range(12)]
        made = adapt(black, base, SHORT, name="a", folder=tmp_path / "run")
        assert made.model is None and made.report["reasons"]

    def test_what_was_spent_and_drawn_before_a_stop_is_kept(self, base, tmp_path, monkeypatch):
        monkeypatch.setattr(adaptation, "SAVE_EVERY_S", 0.0)

        def stop(progress):
            if progress.stage == adaptation.LEARN.format(2):
                raise CancelledError

        with pytest.raises(CancelledError):
            adapt(PHOTOS, base, SHORT, name="a", folder=tmp_path / "run", on_progress=stop)
        (tmp_path / "run" / "minutes.json").write_text("7.5")
        report = adapt(PHOTOS, base, SHORT, name="a", folder=tmp_path / "run").report
        assert report["minutes"] > 7.5
        assert [row["stage"] for row in report["curve"]] == [0, 1, 2]

    def test_photos_that_cannot_be_read_are_left_out(self, base, tmp_path):
        def broken():
            raise InvalidImageError("damaged_image", "x.jpg is damaged.", "Leave it out.")

        made = adapt([*PHOTOS, SurveyPhoto("x.jpg", broken)], base, SHORT, name="a", folder=tmp_path / "run")
        assert made.report["images"] == 12

    def test_another_network_starts_from_nothing(self, base, tmp_path):
        settings = AdaptationSettings(**{**vars(SHORT), "model": "crack_segmenter"})
        made = adapt(PHOTOS, base, settings, name="a", folder=tmp_path / "run")
        assert made.card is not None and made.card.model == "crack_segmenter"


class TestVerdict:
    """The shipped base on cracked pavement: sound settings are accepted, absurd ones are not."""

    SURVEY = [photo(number, side=160) for number in range(12)]  # noqa: RUF012

    @pytest.fixture
    def few_steps(self, monkeypatch):
        monkeypatch.setattr(adaptation, "NOMINAL_GFLOPS", 0.06)

    def run(self, tmp_path, **settings):
        how = AdaptationSettings(batch=2, patch_px=64, device="cpu", **{"learning_rate": 1e-4, **settings})
        return adapt(self.SURVEY, "base", how, name="a", folder=tmp_path / "run")

    def test_a_sound_run_is_accepted(self, tmp_path):
        made = self.run(tmp_path)
        assert made.report["accepted"], made.report["reasons"]

    def test_an_absurd_learning_rate_is_refused(self, tmp_path):
        made = self.run(tmp_path, learning_rate=10.0)
        assert not made.report["accepted"] and made.report["reasons"]

    def test_the_loss_of_seed_000_alone_is_refused(self, tmp_path):
        made = self.run(tmp_path, model="crack_segmenter", anchored=False)
        assert not made.report["accepted"] and made.report["reasons"]


class TestPhotos:
    def test_only_the_box_of_the_region_is_kept(self):
        region = np.zeros((96, 96), bool)
        region[20:60, 30:80] = True
        region[20:30, 30:40] = False
        image = PHOTOS[0].read()
        found = prepared(SurveyPhoto("x", lambda: image, lambda: region), 1.0, np.random.default_rng(0))
        assert found.image.shape == (40, 50, 3) and found.region is not None
        assert np.array_equal(found.image, image[20:60, 30:80])
        assert np.array_equal(found.region, region[20:60, 30:80])
        assert suspect_mask(found)[:10, :10].all()

    def test_a_region_of_another_size_names_the_photo(self):
        wrong = SurveyPhoto("x.jpg", PHOTOS[0].read, lambda: np.ones((5, 5), bool))
        with pytest.raises(SettingsError, match=r"x\.jpg"):
            read_photos([wrong], 1.0, 0)

    def test_large_photos_are_cut_after_scaling(self):
        big = SurveyPhoto("x", lambda: np.zeros((2000, 3000, 3), np.uint8))
        found = prepared(big, 0.5, np.random.default_rng(0))
        assert found.image.shape == (768, 768, 3)

    @given(st.integers(8, 400), st.integers(0, 50))
    def test_photos_are_held_back_once_and_the_rest_learned_from(self, count, seed):
        learn, held = hold_back(count, seed)
        assert sorted([*learn, *held]) == list(range(count))
        assert 1 <= len(held) <= 12 and len(held) < len(learn)


class TestPatches:
    def test_what_is_not_believed_does_not_count(self):
        image = PHOTOS[0].read()
        probability = np.full(image.shape[:2], 0.5, np.float32)
        probability[:40], probability[40:44] = 0.01, 0.99
        answer = believe(PreparedPhoto("x", image), probability)
        assert set(np.unique(answer.classes)) == {0, 1, UNKNOWN}
        assert (answer.classes[:40] == 0).all() and (answer.classes[40:44] == 1).all()
        (ground,) = drawing_grounds([PreparedPhoto("x", image)], [probability])
        assert ground.suspect[40:].all() and not ground.suspect[:40].any()

    def test_nothing_outside_the_region_is_believed(self):
        region = np.zeros((8, 8), bool)
        _, known = believed(np.zeros((8, 8), np.float32), region)
        assert not known.any()

    def test_every_stage_and_number_has_its_own_patch(self):
        ready = [PreparedPhoto("x", PHOTOS[0].read())]
        rows = [
            AdaptationPatches(drawing_grounds(ready), PatchRecipe(patch_px=48), 0, stage) for stage in (0, 1)
        ]
        first, again, other, later = rows[0][3], rows[0][3], rows[0][4], rows[1][3]
        assert torch.equal(first[0], again[0])
        assert not torch.equal(first[0], other[0]) and not torch.equal(first[0], later[0])


class TestThreshold:
    def test_true_probabilities_give_the_threshold_of_the_best_f1(self):
        rng = np.random.default_rng(0)
        probability = rng.beta(0.3, 1.5, 200_000).astype(np.float32)
        truth = rng.random(200_000) < probability
        f1 = [
            2 * (truth & (probability >= t)).sum() / ((probability >= t).sum() + truth.sum())
            for t in THRESHOLDS
        ]
        chosen = choose_threshold([probability])
        assert f1[int(np.argmin(np.abs(THRESHOLDS - chosen)))] > max(f1) - 0.005

    def test_maps_are_pooled_and_nothing_gives_a_half(self):
        rng = np.random.default_rng(0)
        maps = [rng.random((20, 20)).astype(np.float32) for _ in range(2)]
        assert np.allclose(expected_f1(maps), expected_f1([np.concatenate(maps)]))
        assert choose_threshold([np.zeros((4, 4), np.float32)]) == 0.5
