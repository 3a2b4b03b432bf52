"""Losses of the clustering-inspired learning around cracks' edges.

Source: seed 002, "Mind marginal non-crack regions: clustering-inspired representation learning for crack
segmentation". `engine.cirl` puts them together.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def _mean(loss: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return loss.mean()
    return (loss * weight).sum() / weight.sum().clamp_min(1.0)


def marginal_region(truth: Tensor, kernel_px: int = 5) -> Tensor:
    """The non-crack pixels around cracks, M.

    Source: seed 002, equation 1 (OpenCV's dilation by a square; here a max-pool, which gives the same).

    Args:
        truth: (B, 1, H, W), 0 or 1.
        kernel_px: side of the square, odd.

    Returns:
        bool (B, 1, H, W).
    """
    dilated = F.max_pool2d(truth, kernel_px, stride=1, padding=kernel_px // 2)
    return (dilated > 0.5) & (truth < 0.5)


def ambiguous_region(truth: Tensor, log_variance: Tensor, gamma: float = 0.4, kernel_px: int = 5) -> Tensor:
    """The marginal pixels of whose label the network is unsure, A.

    Source: seed 002, equation 8.

    Args:
        truth: (B, 1, H, W), 0 or 1.
        log_variance: (B, 1, H, W), log of the learned variance.
        gamma: variance above which a label is ambiguous, >= 0; 0 takes the whole marginal region.
        kernel_px: see `marginal_region`.

    Returns:
        bool (B, 1, H, W).
    """
    log_gamma = math.log(gamma) if gamma > 0 else -math.inf
    return marginal_region(truth, kernel_px) & (log_variance > log_gamma)


def ambiguity_aware(
    logits: Tensor, log_variance: Tensor, truth: Tensor, weight: Tensor | None = None, lam: float = 0.3
) -> Tensor:
    """Aseg loss: the squared Wasserstein distance of a Gaussian to the label, over lambda + variance.

    With e the squared error and v the variance it is (e + v) / (lambda + v). Where e < lambda it pulls the
    variance to 0, where e > lambda it lets it grow: a pixel whose label the network contradicts by more than
    sqrt(lambda) becomes unsure, at a cost that ends at 1.

    Source: seed 002, equations 3 and 7.
    departs: a mean over pixels in place of the sum, so that the learning rate does not depend on the crop's
    size. Written as 1 + (e / lambda - 1) sigmoid(log lambda - s), the same function, whose value and gradient
    are finite for every s.

    Args:
        logits: (B, 1, H, W); the paper's predicted label is their sigmoid.
        log_variance: s, (B, 1, H, W).
        truth: (B, 1, H, W) in [0, 1].
        weight: (B, 1, H, W) >= 0; 0 leaves a pixel out. All ones when None.
        lam: lambda, > 0.
    """
    error = (torch.sigmoid(logits) - truth).square()
    certainty = torch.sigmoid(math.log(lam) - log_variance)
    return _mean(1 + (error / lam - 1) * certainty, weight)


def gaussian_divergence(
    logits: Tensor, log_variance: Tensor, truth: Tensor, weight: Tensor | None = None
) -> Tensor:
    """The Kullback-Leibler way to learn a variance, (e / v + log v) / 2: what the Aseg loss is compared with.

    Source: seed 002, figure 2 (its reference 17, He et al. 2019). The divergence of a Gaussian from a point
    label, less what does not depend on the network.
    departs: the variance counts as at least 1e-6, or pixels that are sure and right would lower the loss
    without end.

    Args: as for `ambiguity_aware`.
    """
    variance = log_variance.exp()
    loss = F.gaussian_nll_loss(torch.sigmoid(logits), truth, variance, reduction="none", eps=1e-6)
    return _mean(loss, weight)


@torch.no_grad()
def nearest_features(features: Tensor, anchors: Tensor, neighbours: int) -> Tensor:
    """The close neighbour sets C_m: indices (n, neighbours) of the features of highest cosine similarity.

    Source: seed 002, text before equation 10.

    Args:
        features: (N, C).
        anchors: int64 (n,), numbers m of features; a feature is no neighbour of its own.
        neighbours: K < N.
    """
    unit = F.normalize(features, dim=1)
    similarity = unit[anchors] @ unit.T
    similarity.scatter_(1, anchors[:, None], -math.inf)
    return similarity.topk(neighbours, dim=1).indices


def neighbour_bound(
    predictions: Tensor, anchors: Tensor, near: Tensor, with_constant: bool = False
) -> Tensor:
    """The upper bound of -log P(C_m) / P(O_m), for each anchor m: alike near, unlike far.

    Source: seed 002, equation 13. O_m is everything but C_m and m.

    The Jensen step of its proof (equation 14) is a bound while |O_m| >= |C_m|. The step after it, which
    puts the mean over O_m for the mean over all of S, is one only where far features agree with m no more
    than the set does on average; otherwise the value may be below what it should bound.

    Args:
        predictions: (N, D) vectors p of the pixels' class probabilities.
        anchors: int64 (n,), numbers m.
        near: int64 (n, K), numbers of C_m; K <= N - 2.
        with_constant: add (|C_m| - |O_m|) log |S|, without which it is no bound. It has no gradient, and
            float32 cannot hold it and the rest.

    Returns:
        (n,).
    """
    count, close = len(predictions), near.shape[1]
    far = count - close - 1
    own = predictions[anchors]
    with_near = (own[:, None] * predictions[near]).sum(dim=(1, 2))
    # everything less C_m and m is O_m: no (n, N) matrix is needed
    with_far = own @ predictions.sum(dim=0) - with_near - own.square().sum(dim=1)
    constant = (close - far) * math.log(count) if with_constant else 0.0
    return close / far * with_far - with_near + constant


def clustering_inspired(
    crack_probability: Tensor,
    features: Tensor,
    neighbours: int = 20,
    max_pairs: int = 2**21,
) -> Tensor:
    """CI loss of one image's ambiguous pixels, S: those near in feature space should be predicted alike.

    Only the predictions get a gradient; features choose the neighbours. A binary network gives one
    probability p a pixel, and the product p_m^T p_n needs a vector: it is (p, 1 - p), so that two sure pixels
    agree with 1 and contradict with 0 whatever their class.

    Source: seed 002, equation 15.
    departs: the mean runs over as many pixels m of S, drawn at random, as keep the pairs (m, n) below
    `max_pairs`; each still meets all of S, so the expectation is equation 15's and only its variance grows.
    (To thin S itself would widen every neighbourhood by the same factor.)
    departs: without equation 13's constant, see `neighbour_bound`.
    departs: 0 for fewer than `neighbours` + 2 pixels, where no far feature is left.

    Args:
        crack_probability: (N,) in [0, 1].
        features: (N, C), rows as in `crack_probability`.
        neighbours: K.
        max_pairs: most pairs whose similarity is held at a time (4 bytes each).
    """
    count = len(crack_probability)
    if count < neighbours + 2:
        return crack_probability.sum() * 0
    anchors = torch.randperm(count, device=features.device)[: max(1, max_pairs // count)]
    near = nearest_features(features, anchors, neighbours)
    predictions = torch.stack([crack_probability, 1 - crack_probability], dim=1)
    return neighbour_bound(predictions, anchors, near).mean()
