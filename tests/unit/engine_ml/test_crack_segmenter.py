"""Seed 000: the network's parts against its equations, its losses by hand, and the collapse."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from engine.errors import SettingsError
from engine.losses import cross_entropy_and_dice
from engine.losses.crack_segmenter import (
    PaperObjective,
    consistency,
    inter_scale_consistency,
    intra_scale_consistency,
    pseudo_target_cross_entropy,
)
from engine.models import create_model
from engine.models.crack_segmenter import (
    VARIANTS,
    AttentionGuidedFusion,
    CrackSegmenter,
    ScaleAdaptiveEmbedder,
)
from engine.models.directional_attention import (
    Attention,
    ChannelNorm,
    DirectionalAttentionTransformer,
    DirectionalBlock,
    strength,
)
from engine.objectives import Batch, Supervised
from engine.training_data import PatchRecipe, training_patch


def small(**options):
    torch.manual_seed(0)
    return CrackSegmenter(**({"embed_dim": 8, "blocks": 1} | options))


def naive_attention(query, key):
    """A, (B, L, L): the whole matrix that the loss never makes."""
    q, k = query.flatten(2).softmax(dim=1), key.flatten(2).softmax(dim=2)
    return torch.einsum("bdi,bdj->bij", q, k)


class TestEmbedder:
    def test_follows_equations_7_to_12(self):
        torch.manual_seed(0)
        embed = ScaleAdaptiveEmbedder(3, 5)
        image = torch.rand(2, 3, 6, 8)
        for maps, (conv, _, norm), stride in zip(
            embed(image), (embed.fine, embed.small, embed.large), (1, 1, 2), strict=True
        ):
            activated = F.relu(
                F.conv2d(image, conv.weight, conv.bias, stride=stride, padding=conv.kernel_size[0] // 2)
            )
            mean = activated.mean((0, 2, 3), keepdim=True)
            spread = activated.var((0, 2, 3), unbiased=False, keepdim=True)
            torch.testing.assert_close(maps, (activated - mean) / (spread + norm.eps).sqrt())
            assert maps.shape == (2, 5, 6 // stride, 8 // stride)
        assert [s[0].kernel_size for s in (embed.fine, embed.small, embed.large)] == [(1, 1), (3, 3), (3, 3)]


class TestDirectionalAttention:
    @pytest.fixture
    def block(self):
        torch.manual_seed(0)
        return DirectionalBlock(4)

    def test_follows_equations_14_to_24(self, block):
        x = torch.randn(2, 4, 5, 6)
        normed = F.layer_norm(x.permute(0, 2, 3, 1), (4,), eps=1e-6).permute(0, 3, 1, 2)
        value = F.conv2d(normed, block.value.weight, block.value.bias)
        contexts = []
        for conv, padding in zip(block.directions, ((0, 1), (1, 0)), strict=True):
            query = F.conv2d(normed, conv.weight[:4], conv.bias[:4], padding=padding)
            key = F.conv2d(normed, conv.weight[4:], conv.bias[4:], padding=padding)
            contexts.append((query * key / math.sqrt(4)).softmax(1) * value)
        attended = F.conv2d(torch.cat(contexts, 1), block.reproject.weight, block.reproject.bias)
        normed = F.layer_norm(attended.permute(0, 2, 3, 1), (4,), eps=1e-6).permute(0, 3, 1, 2)
        torch.testing.assert_close(block(x), block.feed_forward(normed) + attended)

    def test_first_direction_looks_along_rows_and_second_along_columns(self, block):
        x = torch.randn(1, 4, 7, 7)
        changed = x.clone()
        changed[..., 3, 3] += torch.randn(4)
        moved = [
            (a != b).any(1)[0].nonzero().tolist()
            for a, b in zip(block.attend(x).queries, block.attend(changed).queries, strict=True)
        ]
        assert moved == [[[3, 2], [3, 3], [3, 4]], [[2, 3], [3, 3], [4, 3]]]

    def test_features_do_not_fade_with_the_size_of_the_image(self, block):
        x = torch.randn(1, 4, 64, 64)
        inner = block(x)[..., 20:28, 20:28]
        alone = block(x[..., 16:32, 16:32])[..., 4:12, 4:12]
        torch.testing.assert_close(inner, alone)

    def test_attention_comes_with_the_same_features(self):
        dat = DirectionalAttentionTransformer(4, blocks=3)
        x = torch.randn(1, 4, 6, 6)
        features, attention = dat.with_attention(x)
        torch.testing.assert_close(features, dat(x))
        assert len(dat.first) == 2
        assert [len(part) for part in attention] == [2, 2, 2]

    def test_strength_is_the_mean_context_scaled_within_each_image(self):
        context = torch.tensor([[[[0.0, -2.0]], [[0.0, 6.0]]], [[[3.0, 3.0]], [[3.0, -3.0]]]])
        maps = strength(Attention((), (), (context, context)))
        torch.testing.assert_close(maps, torch.tensor([[[0.0, 1.0]], [[0.0, 0.0]]]))

    def test_channel_norm_treats_every_pixel_alone(self):
        x = torch.randn(2, 6, 3, 4)
        normed = ChannelNorm(6)(x)
        torch.testing.assert_close(normed[1, :, 2, 3], F.layer_norm(x[1, :, 2, 3], (6,)))


def test_fusion_follows_equations_25_to_34():
    torch.manual_seed(0)
    fusion = AttentionGuidedFusion(3)
    fine, fairly_fine, large = torch.randn(2, 3, 6, 8), torch.randn(2, 3, 6, 8), torch.randn(2, 3, 3, 4)
    up = F.interpolate(large, scale_factor=2, mode="bilinear", align_corners=False)
    projected = F.conv2d(up, fusion.project.weight, fusion.project.bias)
    joined = torch.cat([projected, fairly_fine, fine], 1)
    weights = torch.sigmoid(F.conv2d(joined, fusion.weigh.weight, fusion.weigh.bias))
    expected = projected * weights[:, :1] + fairly_fine * weights[:, 1:2] + fine * weights[:, 2:]
    fused, given_weights = fusion(fine, fairly_fine, large)
    torch.testing.assert_close(fused, expected)
    torch.testing.assert_close(given_weights, weights)


class TestVariants:
    @pytest.mark.parametrize("variant", VARIANTS)
    def test_has_the_parts_of_table_4_and_trains(self, variant):
        model = small(variant=variant, classes=2)
        names = {name.split(".")[0] for name, _ in model.named_parameters()}
        assert ("attention" in names) == ("dat" in VARIANTS[variant])
        assert ("fusion" in names) == ("agf" in VARIANTS[variant])
        assert hasattr(model.embed, "fine") == ("sae" in VARIANTS[variant])
        batch = Batch(torch.rand(2, 3, 17, 20), torch.zeros(2, 1, 17, 20), torch.ones(2, 1, 17, 20))
        (PaperObjective(model)(model, batch, 0.0) + model(batch.image)[:, :1].mean()).backward()
        assert all(p.grad is not None for p in model.parameters())

    def test_without_fusion_the_scales_are_averaged(self):
        model = small(variant="v0").eval()
        image = torch.rand(1, 3, 8, 8)
        outputs = model.forward_scales(image)
        fine, fairly_fine, large = outputs.features
        large = F.interpolate(large, scale_factor=2, mode="bilinear", align_corners=False)
        torch.testing.assert_close(outputs.logits, model.decode((fine + fairly_fine + large) / 3))
        assert outputs.fusion is None and outputs.attention == ()

    def test_one_attention_serves_all_scales_unless_told_otherwise(self):
        shared, own = small(), small(shared_attention=False)
        per_scale = sum(p.numel() for p in shared.attention.parameters())
        assert own.parameter_count == shared.parameter_count + 2 * per_scale
        assert own(torch.rand(1, 3, 9, 9)).shape == (1, 1, 9, 9)

    @pytest.mark.parametrize(
        "options", [{"variant": "v4"}, {"embed_dim": 1}, {"blocks": 0}, {"stem_stride": 0}]
    )
    def test_refuses_what_it_cannot_make(self, options):
        with pytest.raises(SettingsError):
            create_model("crack_segmenter", **options)


class TestForwardScales:
    @pytest.mark.parametrize("options", [{}, {"stem_stride": 2}, {"variant": "v3"}, {"variant": "v1"}])
    def test_gives_the_logits_of_forward_and_the_sizes_of_equation_1(self, options):
        model = small(**options).eval()
        image = torch.rand(2, 3, 21, 30)
        outputs = model.forward_scales(image)
        torch.testing.assert_close(outputs.logits, model(image))
        height, width = (24, 32) if "stem_stride" in options else (22, 30)
        stride = model.stem_stride
        fine, fairly_fine, large = (x.shape for x in outputs.features)
        assert fine == fairly_fine == (2, 8, height // stride, width // stride)
        assert large == (2, 8, height // stride // 2, width // stride // 2)

    def test_a_folded_stem_loses_no_pixel(self):
        model = small(stem_stride=2, variant="v0").eval()
        image = torch.full((1, 3, 8, 8), 0.5)
        for row, column in [(0, 0), (0, 1), (1, 0), (1, 1)]:
            dot = image.clone()
            dot[..., 4 + row, 4 + column] = 0.0
            assert (model(dot) - model(image)).abs().max() > 1e-3

    def test_last_features_are_what_the_decoder_sees(self):
        model, seen = small().eval(), []
        handle = model.last_features.register_forward_hook(lambda m, i, o: seen.append(o))
        logits = model(torch.rand(1, 3, 8, 8))
        handle.remove()
        torch.testing.assert_close(model.decode(seen[0]), logits)


class TestAttentionMaps:
    @pytest.mark.parametrize("stem_stride", [1, 2])
    def test_one_map_per_scale_and_per_fusion_weight(self, stem_stride):
        maps = small(stem_stride=stem_stride).eval().attention_maps(torch.rand(2, 3, 19, 26))
        assert set(maps) == {"fine", "small", "large", "fusion_fine", "fusion_small", "fusion_large"}
        for each in maps.values():
            assert each.shape == (2, 19, 26) and each.dtype == torch.float32
            assert each.min() >= 0 and each.max() <= 1 and each.std() > 0

    def test_fusion_maps_carry_their_own_names(self):
        model = small(variant="v2").eval()
        torch.nn.init.zeros_(model.fusion.weigh.weight)
        model.fusion.weigh.bias.data = torch.tensor([-9.0, 0.0, 9.0])  # large, small, fine: equation 26
        maps = model.attention_maps(torch.rand(1, 3, 8, 8))
        means = {name: round(m.mean().item(), 2) for name, m in maps.items()}
        assert means == {"fusion_large": 0.0, "fusion_small": 0.5, "fusion_fine": 1.0}

    def test_nothing_to_show_without_attention(self):
        assert small(variant="v0").eval().attention_maps(torch.rand(1, 3, 8, 8)) == {}


class TestLosses:
    def test_inter_scale_by_hand(self):
        def constant(*vector):
            return torch.tensor(vector)[None, :, None, None].expand(1, 2, 4, 4)

        # fine and small at a right angle, small and large opposed: (1 - 0) + (1 + 1)
        loss = inter_scale_consistency(constant(1.0, 0.0), constant(0.0, 3.0), constant(0.0, -1.0))
        assert loss.item() == pytest.approx(3.0)
        same = torch.rand(2, 4, 6, 6) + 0.1
        assert inter_scale_consistency(same, 2 * same, F.avg_pool2d(same, 2)).item() == pytest.approx(
            0.0, abs=1e-6
        )

    def test_inter_scale_averages_over_the_batch(self):
        maps = [torch.randn(3, 4, 5, 5) for _ in range(3)]
        alone = [inter_scale_consistency(*(x[b : b + 1] for x in maps)) for b in range(3)]
        torch.testing.assert_close(inter_scale_consistency(*maps), torch.stack(alone).mean())

    def test_intra_scale_by_hand(self):
        # uniform: all entries of A are 1/L, so sum |A - I| = L (1 - 1/L + (L - 1) / L) = 2 (L - 1); L = 4
        flat = torch.zeros(1, 3, 2, 2)
        assert intra_scale_consistency(flat, flat).item() == pytest.approx(2 * 3 / 16)
        # two channels, two positions, each choosing its own: A = I
        sharp = 60.0 * torch.eye(2)[None, :, :, None]
        assert intra_scale_consistency(sharp, sharp).item() == pytest.approx(0.0, abs=1e-6)

    @settings(max_examples=40, deadline=None)
    @given(
        st.integers(0, 2**20), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.integers(1, 6),
        st.floats(0.1, 8.0),
    )  # fmt: skip
    def test_intra_scale_equals_the_naive_formula(self, seed, batch, channels, height, width, spread):
        torch.manual_seed(seed)
        query, key = (spread * torch.randn(batch, channels, height, width, dtype=torch.float64) for _ in "qk")
        attention, positions = naive_attention(query, key), height * width
        torch.testing.assert_close(attention.sum(2), torch.ones(batch, positions, dtype=torch.float64))
        naive = (attention - torch.eye(positions)).abs().mean(dim=(1, 2)).mean()
        loss = intra_scale_consistency(query, key)
        torch.testing.assert_close(loss, naive)
        assert 2 * (positions - channels) / positions**2 - 1e-12 <= loss <= 2 / positions + 1e-12

    def test_intra_scale_of_a_large_map_needs_no_large_matrix(self):
        # A would be 65536 x 65536: 17 GB in float32
        query = torch.randn(1, 4, 256, 256, requires_grad=True)
        intra_scale_consistency(query, query).backward()
        assert torch.isfinite(query.grad).all()

    def test_pseudo_target_by_hand(self):
        logits = torch.tensor([0.0, math.log(3), -math.log(3), 20.0]).view(1, 1, 2, 2)
        # probabilities 0.5, 0.75, 0.25, 1; targets 1, 1, 0, 1
        expected = -(math.log(0.5) + 2 * math.log(0.75)) / 4
        assert pseudo_target_cross_entropy(logits).item() == pytest.approx(expected, abs=1e-6)

    @pytest.mark.parametrize("classes", [1, 3])
    def test_pseudo_target_is_cross_entropy_with_the_rounded_output(self, classes):
        torch.manual_seed(0)
        logits = 4 * torch.randn(2, classes, 5, 6)
        if classes == 1:
            target = (torch.sigmoid(logits) >= 0.5).float()
            expected = F.binary_cross_entropy_with_logits(logits, target)
        else:
            expected = F.cross_entropy(logits, logits.argmax(1))
        torch.testing.assert_close(pseudo_target_cross_entropy(logits), expected)

    def test_gradients(self):
        torch.manual_seed(0)
        a, b, c = (torch.randn(2, 3, 3, 4, dtype=torch.float64, requires_grad=True) for _ in "abc")
        assert torch.autograd.gradcheck(inter_scale_consistency, (a, b, c))
        assert torch.autograd.gradcheck(intra_scale_consistency, (a, b))
        assert torch.autograd.gradcheck(pseudo_target_cross_entropy, (a,))
        assert torch.autograd.gradcheck(pseudo_target_cross_entropy, (a[:, :1].detach().requires_grad_(),))


class TestPaperObjective:
    def test_total_follows_equation_42(self):
        model = small()
        image = torch.rand(2, 3, 10, 12)
        outputs = model.forward_scales(image)
        pairs = [(q, k) for a in outputs.attention for q, k in zip(a.queries, a.keys, strict=True)]
        assert len(pairs) == 6
        intra = sum(intra_scale_consistency(q, k) for q, k in pairs) / 6
        inter = inter_scale_consistency(*outputs.features)
        expected = pseudo_target_cross_entropy(outputs.logits) + 0.3 * inter + 70 * intra
        nothing = torch.full((2, 1, 10, 12), torch.nan)  # truth and weight are never read
        loss = PaperObjective(model, 0.3, 70.0)(model, Batch(image, nothing, nothing), 0.5)
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(
            consistency(outputs, 0.3, 70.0), expected - pseudo_target_cross_entropy(outputs.logits)
        )

    def test_refuses_models_without_scales(self):
        other = create_model("attention_resunet")
        with pytest.raises(SettingsError, match="AttentionResUNet"):
            PaperObjective(other, 1.0, 1.0)


def drawn_patches(seed, count, side_px=40):
    recipe = PatchRecipe(patch_px=side_px, cracked_share=1.0)
    drawn = [training_patch(np.random.default_rng([seed, i]), [], recipe) for i in range(count)]
    image = torch.stack([torch.from_numpy(d[0]).permute(2, 0, 1) for d in drawn]).float() / 255
    return image, torch.stack([torch.from_numpy(d[1])[None] for d in drawn]).float()


def crack_share_after(objective_of, seed, steps):
    """Train on drawn cracks; the share of held-back pixels called crack, and of the drawn ones found."""
    torch.manual_seed(seed)
    model = CrackSegmenter(embed_dim=8, blocks=1)
    objective, optimiser = objective_of(model), torch.optim.AdamW(model.parameters(), lr=6e-3)
    image, truth = drawn_patches(0, 16)
    for step in range(steps):
        some = torch.arange(4) + 4 * (step % 4)
        batch = Batch(image[some], truth[some], torch.ones_like(truth[some]))
        optimiser.zero_grad()
        objective(model, batch, step / steps).backward()
        optimiser.step()
    image, truth = drawn_patches(1, 16)
    crack = model.eval().probability(image) >= 0.5
    return crack.float().mean().item(), crack[truth[:, 0] > 0].float().mean().item()


def test_alone_the_paper_s_loss_calls_every_pixel_the_same():
    for seed in range(3):
        share, _ = crack_share_after(PaperObjective, seed, steps=60)
        assert share < 0.01 or share > 0.99
    # the same network and steps with labels do tell cracks from pavement: the loss collapses, not the network
    share, found = crack_share_after(lambda model: Supervised(cross_entropy_and_dice), 0, steps=60)
    assert 0.02 < share < 0.5 and found > 1.5 * share
