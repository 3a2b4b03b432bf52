"""The label-free loss of Crack-Segmenter: consistency of scales, and its own output as the target.

Source: seed 000, section 3.6, equations 35-42. Alone it collapses; see docs/models/crack_segmenter.md.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.errors import SettingsError
from engine.models.base import CrackModel
from engine.models.crack_segmenter import CrackSegmenter, ScaleOutputs
from engine.objectives import Batch, Objective


def inter_scale_consistency(fine: Tensor, small: Tensor, large: Tensor) -> Tensor:
    """Cosine distance fine-small plus small-large of the mean feature vectors, averaged over the batch.

    Source: seed 000, equations 35-37 (without the weight) and 42. G of a scale is the mean of its features
    over all positions; the paper says "contextual feature vectors" in R^d and no more.

    Args:
        fine: (B, D, H, W).
        small: (B, D, H, W).
        large: (B, D, h, w), any size.

    Returns:
        Scalar in [0, 4].
    """
    g_fine, g_small, g_large = (x.mean(dim=(2, 3)) for x in (fine, small, large))
    near = F.cosine_similarity(g_fine, g_small, dim=1)
    far = F.cosine_similarity(g_small, g_large, dim=1)
    return (2 - near - far).mean()


def intra_scale_consistency(query: Tensor, key: Tensor) -> Tensor:
    """Mean |A - I| of the attention between all pairs of positions, without ever making A.

    Source: seed 000, equation 38 (without the weight), averaged over the batch as in 42.
    A in R^(L x L) cannot be equation 20's, which has one weight per channel and position. It is taken here as
    the efficient attention of the same queries and keys, which the paper's introduction names:
    A = softmax_channels(Q) softmax_positions(K)^T, with L = H W. Its entries are >= 0 and its rows sum to 1,
    so sum |A_ij - I_ij| = sum_i ((1 - A_ii) + sum_{j != i} A_ij) = 2 (L - trace A), and the trace is the sum
    of softmax(Q) * softmax(K) element by element: time and memory grow with L, not with L^2.
    Since trace A <= D, the result lies between 2 (L - D) / L^2 and 2 / L: it can hardly change.

    Args:
        query: (B, D, H, W).
        key: (B, D, H, W).

    Returns:
        Scalar in [0, 2 / L].
    """
    positions = query.shape[2] * query.shape[3]
    trace = (query.softmax(dim=1) * key.flatten(2).softmax(dim=2).view_as(key)).sum(dim=(1, 2, 3))
    return (2 * (positions - trace) / positions**2).mean()


def pseudo_target_cross_entropy(logits: Tensor) -> Tensor:
    """Cross entropy of the output with itself, rounded: it rewards being sure, of whatever it is.

    Source: seed 000, equations 40-41. With one logit z the target is 1 where z >= 0, so the loss of a pixel
    is -log sigmoid(|z|). departs: with K > 1 channels, which the paper has not, the target is the likeliest
    class.

    Args:
        logits: (B, K, H, W).

    Returns:
        Scalar >= 0.
    """
    if logits.shape[1] == 1:
        return F.softplus(-logits.abs()).mean()
    return -logits.log_softmax(dim=1).amax(dim=1).mean()


def consistency(outputs: ScaleOutputs, inter_weight: float, intra_weight: float) -> Tensor:
    """Both consistency terms, weighted; the part of the loss that may stand beside an anchor.

    Source: seed 000, equations 35-39. The intra-scale term is the mean over scales and directions. Without
    DAT there are no queries and keys: the features of a scale serve as both.

    Args:
        outputs: of `CrackSegmenter.forward_scales`.
        inter_weight: lambda 1.
        intra_weight: lambda 2.
    """
    features = [x.float() for x in outputs.features]
    pairs = [(q, k) for a in outputs.attention for q, k in zip(a.queries, a.keys, strict=True)]
    pairs = pairs or [(x, x) for x in features]
    intra = torch.stack([intra_scale_consistency(q.float(), k.float()) for q, k in pairs]).mean()
    return inter_weight * inter_scale_consistency(*features) + intra_weight * intra


class PaperObjective(Objective):
    """The paper's whole loss; it reads neither truth nor weight.

    Source: seed 000, equation 42. The paper gives no values for the weights.

    Args:
        model: the model to be trained.
        inter_weight: lambda 1.
        intra_weight: lambda 2.

    Raises:
        SettingsError: a model without scales.
    """

    def __init__(self, model: CrackModel, inter_weight: float = 1.0, intra_weight: float = 1.0) -> None:
        super().__init__()
        _require_scales(model)
        self.inter_weight, self.intra_weight = inter_weight, intra_weight

    def forward(self, model: CrackModel, batch: Batch, progress: float) -> Tensor:
        """See `Objective`."""
        outputs = _require_scales(model).forward_scales(batch.image)
        return pseudo_target_cross_entropy(outputs.logits.float()) + consistency(
            outputs, self.inter_weight, self.intra_weight
        )


def _require_scales(model: CrackModel) -> CrackSegmenter:
    if isinstance(model, CrackSegmenter):
        return model
    raise SettingsError(
        f"The loss 'paper' compares scales, and {type(model).__name__} has none.",
        "Use it with the model crack_segmenter, or choose another loss.",
    )
