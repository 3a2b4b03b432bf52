"""A threshold chosen without labels (torch-free)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

THRESHOLDS = np.round(np.arange(0.05, 0.96, 0.01), 2)
BINS = 1000


def expected_f1(probabilities: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float64]:
    """F1 to be expected at each of `THRESHOLDS`, were the probabilities true.

    With sum p of the predicted pixels as expected hits: 2 sum_{p >= t} p / (n_{p >= t} + sum p).

    Args:
        probabilities: maps, each float32, any shape, in [0, 1].

    Returns:
        (len(THRESHOLDS),) in [0, 1]; zeros where nothing has any probability.
    """
    counts, sums = np.zeros(BINS), np.zeros(BINS)
    for probability in probabilities:
        flat = probability.ravel()
        bins = np.minimum((flat * BINS).astype(np.int64), BINS - 1)
        counts += np.bincount(bins, minlength=BINS)
        sums += np.bincount(bins, weights=flat, minlength=BINS)
    from_above, hits = counts[::-1].cumsum()[::-1], sums[::-1].cumsum()[::-1]
    at = np.round(THRESHOLDS * BINS).astype(np.int64)
    return np.asarray(2 * hits[at] / np.maximum(from_above[at] + hits[0], 1e-9))


def choose_threshold(probabilities: Sequence[npt.NDArray[np.float32]]) -> float:
    """The threshold of the highest `expected_f1`; 0.5 where nothing is expected at all."""
    expected = expected_f1(probabilities)
    return float(THRESHOLDS[int(expected.argmax())]) if expected.max() > 0 else 0.5
