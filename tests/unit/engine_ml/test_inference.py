import numpy as np
import pytest
import torch

from engine.errors import CancelledError, EngineError, SettingsError
from engine.inference import InferenceSettings, predict_probability_map, resolve_device
from engine.models import CrackModel, create_model
from engine.pavement import procedural_pavement

PLAIN = InferenceSettings(device="cpu", bf16=False)


class Darkness(CrackModel):
    """Marks dark pixels; looks at nothing else, so tiles cannot change its answer."""

    last_features = torch.nn.Identity()

    def forward_padded(self, image):
        return -4 * image.mean(dim=1, keepdim=True)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return create_model("attention_resunet", filters=(4, 6, 8)).eval()


@pytest.fixture(scope="module")
def image():
    return procedural_pavement(np.random.default_rng(0), 150, 210)


def test_small_images_are_one_tile(model, image):
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    found = predict_probability_map(model, image, PLAIN)
    np.testing.assert_allclose(found, model.probability(tensor)[0].numpy(), atol=1e-5)


def test_tiled_equals_untiled_where_the_model_needs_no_surroundings(image):
    whole = predict_probability_map(Darkness(), image, PLAIN)
    tiled = predict_probability_map(
        Darkness(), image, InferenceSettings(device="cpu", bf16=False, tile_px=40, overlap_px=8)
    )
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


def test_tiled_equals_untiled_beyond_the_network_s_reach():
    torch.manual_seed(3)
    small = create_model("attention_resunet", filters=(4, 4)).eval()  # sees 30 px to either side
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (96, 256, 3), dtype=np.uint8)
    whole = predict_probability_map(small, image, PLAIN)
    settings = InferenceSettings(device="cpu", bf16=False, tile_px=160, overlap_px=64)
    tiled = predict_probability_map(small, image, settings)
    clear = np.r_[0:60, 196:256]  # inside one tile, farther from its seams than the network sees
    np.testing.assert_allclose(tiled[:, clear], whole[:, clear], atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (131, 65)])
@pytest.mark.parametrize("scale", [None, 0.3, 1.6])
def test_any_size_and_scale_gives_the_image_s_own_size(model, size, scale):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    settings = InferenceSettings(device="cpu", tile_px=64, overlap_px=16, working_scale=scale)
    found = predict_probability_map(model, image, settings)
    assert found.shape == size and found.dtype == np.float32
    assert found.min() >= 0 and found.max() <= 1


def test_flips_make_the_answer_independent_of_mirroring(model, image):
    settings = InferenceSettings(device="cpu", bf16=False, flips=True)
    image = np.ascontiguousarray(image[:144, :208])  # whole strides: padding would lie on another side
    found = predict_probability_map(model, image, settings)
    mirrored = predict_probability_map(model, np.ascontiguousarray(image[:, ::-1]), settings)
    np.testing.assert_allclose(mirrored[:, ::-1], found, atol=1e-5)


def test_bfloat16_stays_close(model, image):
    fast = predict_probability_map(model, image, InferenceSettings(device="cpu"))
    np.testing.assert_allclose(fast, predict_probability_map(model, image, PLAIN), atol=0.03)


def test_cancel_between_tiles(model, image):
    calls = []

    def stop(done, total):
        calls.append((done, total))
        raise CancelledError("asked to")

    with pytest.raises(CancelledError):
        settings = InferenceSettings(device="cpu", tile_px=64, overlap_px=8)
        predict_probability_map(model, image, settings, on_tile=stop)
    assert calls == [(1, 12)]


def test_wrong_arrays_devices_and_scales_are_refused(model, image):
    for wrong in (image[..., 0], image.astype(np.float32), image[:0]):
        with pytest.raises(EngineError):
            predict_probability_map(model, wrong, PLAIN)
    with pytest.raises(SettingsError):
        resolve_device("tpu")
    with pytest.raises(SettingsError):
        predict_probability_map(model, image, InferenceSettings(device="cpu", working_scale=0.0001))
    with pytest.raises(SettingsError):
        predict_probability_map(model, image, InferenceSettings(device="cpu", tile_px=64, overlap_px=64))


def test_auto_is_what_there_is():
    assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    if not torch.cuda.is_available():
        with pytest.raises(SettingsError):
            resolve_device("cuda")
