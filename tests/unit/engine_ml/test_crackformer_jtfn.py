"""What is particular to the CrackFormer-style and the JTFN-style network."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from engine.errors import SettingsError
from engine.models import create_model
from engine.models.crackformer import LocalSelfAttention, ScalingAttention, pool_with_winners, unpool
from engine.models.jtfn import FeatureInteraction, GatedAttention

SMALL = [
    ("crackformer", {"widths": (8, 16), "depths": (1, 1), "heads": 2, "window": 3}),
    ("jtfn", {"widths": (4, 8, 8), "iterations": 2}),
]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(3)


@pytest.mark.parametrize(("name", "options"), SMALL)
class TestBoth:
    def test_attention_maps_have_the_image_s_size_and_differ_within_it(self, name, options):
        model = create_model(name, **options).eval()
        maps = model.attention_maps(torch.rand(2, 3, 21, 30))
        assert maps
        for attention in maps.values():
            assert attention.shape == (2, 21, 30) and attention.dtype == torch.float32
            assert attention.min() >= 0 and attention.max() <= 1 and attention.std() > 0

    def test_last_features_are_what_the_classifying_layer_reads_once(self, name, options):
        model = create_model(name, **options).eval()
        seen = []
        model.last_features.register_forward_hook(lambda m, i, out: seen.append(out))
        model(torch.rand(2, 3, 32, 32))
        assert [tuple(out.shape) for out in seen] == [(2, options["widths"][0], 32, 32)]

    def test_a_change_far_away_is_no_concern_of_a_pixel(self, name, options):
        # both networks look at a bounded surrounding, so that tiles of a large image agree
        model = create_model(name, **options).eval()
        image = torch.rand(1, 3, 16, 160)
        changed = image.clone()
        changed[..., 150:] = 0
        with torch.no_grad():
            torch.testing.assert_close(model(image)[..., :40], model(changed)[..., :40])


def test_local_attention_follows_its_equation_at_a_pixel_and_at_a_corner():
    attend = LocalSelfAttention(channels=4, heads=2, window=3).double()
    x = torch.randn(1, 4, 5, 6, dtype=torch.double)
    out = attend(x)
    query, key, value = attend.project(x)[0].split(4)
    for row, column in [(2, 3), (0, 0)]:
        for head in range(2):
            own = slice(2 * head, 2 * head + 2)
            scores, values = [], []
            for number in range(9):
                there_row, there_column = row + number // 3 - 1, column + number % 3 - 1
                inside = 0 <= there_row < 5 and 0 <= there_column < 6
                k = key[own, there_row, there_column] if inside else torch.zeros(2, dtype=torch.double)
                v = value[own, there_row, there_column] if inside else torch.zeros(2, dtype=torch.double)
                scores.append(query[own, row, column] @ (k + attend.position[number, head]) / 2**0.5)
                values.append(v)
            expected = torch.softmax(torch.stack(scores), 0) @ torch.stack(values)
            torch.testing.assert_close(out[0, own, row, column], expected)


def test_local_attention_s_gradients_by_hand_are_right():
    attend = LocalSelfAttention(channels=4, heads=2, window=3).double()
    x = torch.randn(2, 4, 3, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, p, w: _with(attend, x, p, w), (x, *attend.parameters()))


def _with(attend, x, position, weight):
    return torch.func.functional_call(attend, {"position": position, "project.weight": weight}, (x,))


def test_local_attention_needs_no_map_of_pixels_by_pixels():
    # (512 * 512)^2 scores would be 256 GiB; inside a bounded window they are 9 MiB
    with torch.no_grad():
        out = LocalSelfAttention(channels=2, heads=1, window=3)(torch.rand(1, 2, 512, 512))
    assert out.shape == (1, 2, 512, 512) and torch.isfinite(out).all()


def test_a_window_of_one_pixel_hands_the_values_through():
    attend = LocalSelfAttention(channels=4, heads=2, window=1)
    x = torch.randn(2, 4, 3, 5)
    torch.testing.assert_close(attend(x), attend.project(x)[:, 8:])


def test_unpooling_puts_the_maximum_back_where_it_was():
    x = torch.randn(2, 3, 6, 8)
    values, winners = pool_with_winners(x)
    expected, places = F.max_pool2d(x, 2, return_indices=True)
    assert torch.equal(values, expected)
    assert torch.equal(unpool(values, winners), F.max_unpool2d(expected, places, 2))


def test_scaling_attention_only_dampens():
    sharpen = ScalingAttention(4, 6)
    encoded, decoded = torch.randn(1, 4, 5, 5), torch.randn(1, 6, 5, 5)
    out = sharpen(encoded, decoded)
    assert (out.abs() <= encoded.abs()).all() and (out * encoded >= 0).all()
    nn.init.constant_(sharpen.from_encoder.bias, -50.0)  # the mask shuts
    assert sharpen(encoded, decoded).abs().max() < 1e-6


def test_the_gate_enhances_where_it_attends_and_supplements_elsewhere():
    gate = GatedAttention(3, fed_back=2)
    features, predictions = torch.randn(1, 3, 4, 4), torch.rand(1, 2, 4, 4)
    nn.init.zeros_(gate.attend.weight)
    nn.init.constant_(gate.attend.bias, 50.0)
    torch.testing.assert_close(gate(features, predictions)[0], 2 * features)
    nn.init.constant_(gate.attend.bias, -50.0)
    both = torch.cat([features, predictions], dim=1)
    torch.testing.assert_close(gate(features, predictions)[0], features + F.relu(gate.supplement(both)))


def test_each_stream_hears_the_other():
    interact = FeatureInteraction(4).eval()
    crack, boundary = torch.randn(2, 1, 4, 5, 5)
    new_crack, new_boundary, _ = interact(crack, boundary)
    other_crack, _, logits = interact(crack, boundary + 1)
    _, other_boundary, _ = interact(crack + 1, boundary)
    assert logits.shape == (1, 1, 5, 5)
    assert (other_crack - new_crack).abs().max() > 1e-3
    assert (other_boundary - new_boundary).abs().max() > 1e-3


def test_jtfn_passes_share_weights_and_feed_back():
    options = {"widths": (4, 8)}
    one, three = (create_model("jtfn", iterations=n, **options) for n in (1, 3))
    shared = {k: v for k, v in three.state_dict().items() if not k.startswith("gates.")}
    one.load_state_dict(shared)  # nothing but the gates comes with more passes
    image = torch.rand(1, 3, 14, 15)
    with torch.no_grad():
        for head in (one.head, three.head):
            head.weight.mul_(50)  # fresh predictions are too faint to guide much
        first, second, last = three.eval().streams(image)
        torch.testing.assert_close(one.eval()(image), first.crack)
        torch.testing.assert_close(three(image), last.crack)
    assert first.gates == () and [g.shape[1] for g in second.gates] == [4, 8]
    assert last.boundary.shape == (1, 1, 14, 15)
    assert (first.crack - second.crack).abs().max() > 1e-3 and (second.crack - last.crack).abs().max() > 1e-3


def test_jtfn_s_boundary_logits_can_be_supervised():
    model = create_model("jtfn", widths=(4, 8), iterations=2)
    image = torch.rand(2, 3, 16, 16)
    outline = (torch.rand(2, 1, 16, 16) > 0.7).float()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(25):
        loss = sum(F.binary_cross_entropy_with_logits(s.boundary, outline) for s in model.streams(image))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("crackformer", {"widths": (16, 32), "depths": (1,)}),
        ("crackformer", {"widths": (12,), "depths": (1,), "heads": 4}),
        ("crackformer", {"widths": (16,), "depths": (0,)}),
        ("crackformer", {"window": 4}),
        ("jtfn", {"iterations": 0}),
        ("jtfn", {"widths": (16,)}),
    ],
)
def test_options_that_do_not_fit_are_refused_with_a_remedy(name, options):
    with pytest.raises(SettingsError, match="Give"):
        create_model(name, **options)
