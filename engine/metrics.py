"""Score crack masks: counts pooled over a data set, strict and with a tolerance (torch-free)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from engine.errors import SettingsError
from engine.metrics_boundary import Mask, distance_to, hausdorff_px


def _ratio(part: float, whole: float, empty: float) -> float:
    return part / whole if whole else empty


def _f1(precision: float, recall: float) -> float:
    return _ratio(2 * precision * recall, precision + recall, 0.0)


@dataclass(frozen=True)
class Counts:
    """Pixel counts; add them up over images, then ask for the measures.

    A measure whose denominator is zero is 1 when there is neither truth nor prediction, else 0.

    Attributes:
        predicted: pixels said to be crack.
        truth: pixels labelled crack.
        hits: pixels that are both.
        near_predicted: predicted pixels within the tolerance of a labelled one.
        near_truth: labelled pixels within the tolerance of a predicted one.
        pixels: all pixels compared.
    """

    predicted: int = 0
    truth: int = 0
    hits: int = 0
    near_predicted: int = 0
    near_truth: int = 0
    pixels: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.predicted + other.predicted,
            self.truth + other.truth,
            self.hits + other.hits,
            self.near_predicted + other.near_predicted,
            self.near_truth + other.near_truth,
            self.pixels + other.pixels,
        )

    @property
    def _empty(self) -> float:
        return 1.0 if self.predicted == 0 and self.truth == 0 else 0.0

    @property
    def precision(self) -> float:
        """Share of predicted pixels that are labelled."""
        return _ratio(self.hits, self.predicted, self._empty)

    @property
    def recall(self) -> float:
        """Share of labelled pixels that are predicted."""
        return _ratio(self.hits, self.truth, self._empty)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _f1(self.precision, self.recall)

    @property
    def dice(self) -> float:
        """2 |P and G| / (|P| + |G|): the same number as `f1`, under the name that tables give it.

        Source: seed 000, section 4.3; seed 001, section 4.2.2.
        """
        return _ratio(2 * self.hits, self.predicted + self.truth, self._empty)

    @property
    def iou(self) -> float:
        """Intersection over union of the crack pixels. Source: seed 001, equation 25."""
        return _ratio(self.hits, self.predicted + self.truth - self.hits, self._empty)

    @property
    def background_iou(self) -> float:
        """Intersection over union of the pixels that are no crack; 1 where both masks are all crack."""
        union = self.pixels - self.hits
        return _ratio(self.pixels - self.predicted - self.truth + self.hits, union, 1.0)

    @property
    def miou(self) -> float:
        """Mean of the IoU of crack and of background, as the formula says.

        Source: seed 000, section 4.3; seed 001, equation 26. Their tables cannot follow it: where cracks
        cover 3 % of the pixels even an empty mask has 0.48, and theirs go down to 0.07. Next to their Dice
        they fit the mean over images of the crack's IoU alone: `PooledScores.image_means["iou"]`.
        """
        return (self.iou + self.background_iou) / 2

    @property
    def hamming_px(self) -> int:
        """Hamming distance: the number of pixels in which the masks differ."""
        return self.predicted + self.truth - 2 * self.hits

    @property
    def xor(self) -> float:
        """Share of all pixels in which the masks differ, in [0, 1]. Source: seed 000, section 4.3, XOR."""
        return _ratio(self.hamming_px, self.pixels, 0.0)

    @property
    def xor_over_truth(self) -> float:
        """|P xor G| / |G|, from 0 up; infinite where something is predicted and nothing labelled.

        Source: seed 000, table 3. Its XOR goes up to 78, so it is not the share of all pixels that its
        formula gives: dividing by the labelled pixels gives numbers of that size.
        """
        return _ratio(self.hamming_px, self.truth, 0.0 if self.predicted == 0 else float("inf"))

    @property
    def hm_tabled(self) -> float:
        """1 - IoU, in [0, 1].

        Source: seed 000, tables 3 and 4. Their "HM" is no distance in pixels: in the FCN rows and the
        ablation it is 1 - IoU to four digits. The distance of the formula is `hausdorff_px`.
        """
        return 1 - self.iou

    @property
    def tolerant_precision(self) -> float:
        """Share of predicted pixels within the tolerance of a labelled one. Source: seed 003, section 3.1."""
        return _ratio(self.near_predicted, self.predicted, self._empty)

    @property
    def tolerant_recall(self) -> float:
        """Share of labelled pixels within the tolerance of a predicted one."""
        return _ratio(self.near_truth, self.truth, self._empty)

    @property
    def tolerant_f1(self) -> float:
        """Harmonic mean of the tolerant measures."""
        return _f1(self.tolerant_precision, self.tolerant_recall)


def count_pixels(predicted: Mask, truth: Mask, tolerance_px: float = 2.0) -> Counts:
    """Compare one prediction with one label.

    Args:
        predicted: bool (H, W).
        truth: bool (H, W).
        tolerance_px: Euclidean distance up to which pixels count as near, >= 0.
    """
    return Counts(
        predicted=int(predicted.sum()),
        truth=int(truth.sum()),
        hits=int((predicted & truth).sum()),
        near_predicted=int((distance_to(truth)[predicted] <= tolerance_px).sum()),
        near_truth=int((distance_to(predicted)[truth] <= tolerance_px).sum()),
        pixels=truth.size,
    )


DEFAULT_THRESHOLDS = tuple(round(0.05 * i, 2) for i in range(1, 20))
"""0.05, 0.10 ... 0.95."""


def sweep_thresholds(
    probability: npt.NDArray[np.float32],
    truth: Mask,
    thresholds: Sequence[float],
    tolerance_px: float = 2.0,
    counted: Mask | None = None,
) -> list[Counts]:
    """Counts of one image at each threshold.

    Args:
        probability: float32 (H, W), or any score.
        truth: bool (H, W).
        thresholds: a pixel is predicted where probability >= threshold.
        tolerance_px: see `count_pixels`.
        counted: bool (H, W), False where pixels are left out of everything; None counts all.
    """
    if counted is not None:
        truth, probability = truth & counted, np.where(counted, probability, -np.inf)
    pixels = truth.size if counted is None else int(counted.sum())
    radius = int(tolerance_px)
    down, right = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk = (down**2 + right**2 <= tolerance_px**2).astype(np.uint8)
    # a label is near a prediction from the highest score around it down: one dilation serves all thresholds
    reached = cv2.dilate(probability, disk)[truth]
    on_truth, on_near = probability[truth], probability[distance_to(truth) <= tolerance_px]
    return [
        Counts(
            predicted=int((probability >= threshold).sum()),
            truth=on_truth.size,
            hits=int((on_truth >= threshold).sum()),
            near_predicted=int((on_near >= threshold).sum()),
            near_truth=int((reached >= threshold).sum()),
            pixels=pixels,
        )
        for threshold in thresholds
    ]


COUNT_MEASURES = (
    "precision", "recall", "f1", "dice", "iou", "background_iou", "miou",
    "tolerant_precision", "tolerant_recall", "tolerant_f1",
    "xor", "xor_over_truth", "hamming_px", "hm_tabled",
)  # fmt: skip
"""Names of the measures that `Counts` gives."""

LOWER_IS_BETTER = frozenset(
    {"xor", "xor_over_truth", "hamming_px", "hm_tabled", "hausdorff_px", "hausdorff95_px"}
)
"""Of all measures, those in which less is better."""


@dataclass(frozen=True)
class ImageScores:
    """What one image scored.

    Attributes:
        counts: at `threshold`.
        threshold: a pixel is predicted where the probability is at least this.
        thresholds: of the sweep.
        sweep: counts at each of them.
        hausdorff_px: see `engine.metrics_boundary.hausdorff_px`, at `threshold`; infinite where only one of
            prediction and truth is empty.
        hausdorff95_px: its 95th percentile.
    """

    counts: Counts
    threshold: float
    thresholds: tuple[float, ...]
    sweep: tuple[Counts, ...]
    hausdorff_px: float
    hausdorff95_px: float

    @property
    def best_f1(self) -> float:
        """Highest strict F1 of the sweep."""
        return max(counts.f1 for counts in self.sweep)

    @property
    def best_tolerant_f1(self) -> float:
        """Highest tolerant F1 of the sweep."""
        return max(counts.tolerant_f1 for counts in self.sweep)

    def measures(self) -> dict[str, float]:
        """Every measure by its name: `COUNT_MEASURES`, the Hausdorff distances, the best of the sweep."""
        return _count_measures(self.counts) | {
            "hausdorff_px": self.hausdorff_px,
            "hausdorff95_px": self.hausdorff95_px,
            "best_f1": self.best_f1,
            "best_tolerant_f1": self.best_tolerant_f1,
        }


@dataclass(frozen=True)
class PooledScores:
    """What a data set scored.

    Attributes:
        images: number of images.
        counts: pooled over them, at their threshold.
        ods_f1: highest strict F1 of the pooled counts with one threshold for the whole set.
        ods_threshold: that threshold.
        ods_tolerant_f1: the same for the tolerant F1, at its own best threshold.
        ois_f1: mean over images of each one's highest strict F1.
        ois_tolerant_f1: the same for the tolerant F1.
        hausdorff_px: mean over the images where it is finite; NaN where there is none.
        hausdorff95_px: the same for the 95th percentile.
        one_sided_images: images left out of these two: only one of prediction and truth is empty.
        image_means: mean over images of each of `COUNT_MEASURES`, of its finite values; NaN without any.
    """

    images: int
    counts: Counts
    ods_f1: float
    ods_threshold: float
    ods_tolerant_f1: float
    ois_f1: float
    ois_tolerant_f1: float
    hausdorff_px: float
    hausdorff95_px: float
    one_sided_images: int
    image_means: Mapping[str, float]

    def measures(self) -> dict[str, float]:
        """Every measure by its name: `COUNT_MEASURES` of the pooled counts, ODS, OIS, Hausdorff distances."""
        names = (
            "ods_f1", "ods_threshold", "ods_tolerant_f1", "ois_f1", "ois_tolerant_f1",
            "hausdorff_px", "hausdorff95_px", "one_sided_images",
        )  # fmt: skip
        return _count_measures(self.counts) | {name: float(getattr(self, name)) for name in names}


def _count_measures(counts: Counts) -> dict[str, float]:
    return {name: float(getattr(counts, name)) for name in COUNT_MEASURES}


def _finite_mean(values: Sequence[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


def score_image(
    probability: npt.NDArray[np.float32],
    truth: Mask,
    threshold: float,
    tolerance_px: float = 2.0,
    *,
    thresholds: Sequence[float] = DEFAULT_THRESHOLDS,
    counted: Mask | None = None,
) -> ImageScores:
    """Score one probability map against its label.

    Args:
        probability: float32 (H, W), or any score.
        truth: bool (H, W).
        threshold: a pixel is predicted where probability >= threshold.
        tolerance_px: distance that the tolerant measures forgive, >= 0.
        thresholds: the sweep, for the best threshold of an image and of a set.
        counted: bool (H, W), False where pixels are left out (outside a field of view); None counts all.

    Raises:
        SettingsError: a probability map and a truth of different sizes, or no thresholds.

    Source: seed 000, section 4.3; seed 001, section 4.2.2; seed 003, section 3.1.
    """
    if probability.shape != truth.shape:
        raise SettingsError(
            f"A probability map {probability.shape} cannot be scored against a truth {truth.shape}.",
            "Give both the same height and width.",
        )
    if not thresholds:
        raise SettingsError("There are no thresholds to sweep.", "Give at least one.")
    inside = np.ones(truth.shape, np.bool_) if counted is None else counted
    own, *sweep = sweep_thresholds(probability, truth, [threshold, *thresholds], tolerance_px, inside)
    predicted, labelled = (probability >= threshold) & inside, truth & inside
    return ImageScores(
        counts=own,
        threshold=threshold,
        thresholds=tuple(thresholds),
        sweep=tuple(sweep),
        hausdorff_px=hausdorff_px(predicted, labelled),
        hausdorff95_px=hausdorff_px(predicted, labelled, 95.0),
    )


def pool(scores: Sequence[ImageScores]) -> PooledScores:
    """Scores of a data set from those of its images.

    OIS is the mean of the images' best F1, as papers on cracks define it; the edge detection benchmark that
    the name comes from pools the counts of the best thresholds instead.

    Raises:
        SettingsError: no scores, or scores of different sweeps.
    """
    if not scores:
        raise SettingsError("There are no scores to pool.", "Score at least one image.")
    thresholds = scores[0].thresholds
    if any(score.thresholds != thresholds for score in scores):
        raise SettingsError("The images were swept at different thresholds.", "Use the same for all.")
    pooled = [sum(at_one, Counts()) for at_one in zip(*(score.sweep for score in scores), strict=True)]
    best = max(range(len(pooled)), key=lambda index: pooled[index].f1)
    return PooledScores(
        images=len(scores),
        counts=sum((score.counts for score in scores), Counts()),
        ods_f1=pooled[best].f1,
        ods_threshold=thresholds[best],
        ods_tolerant_f1=max(counts.tolerant_f1 for counts in pooled),
        ois_f1=float(np.mean([score.best_f1 for score in scores])),
        ois_tolerant_f1=float(np.mean([score.best_tolerant_f1 for score in scores])),
        hausdorff_px=_finite_mean([score.hausdorff_px for score in scores]),
        hausdorff95_px=_finite_mean([score.hausdorff95_px for score in scores]),
        one_sided_images=sum(not np.isfinite(score.hausdorff_px) for score in scores),
        image_means={
            name: _finite_mean([float(getattr(score.counts, name)) for score in scores])
            for name in COUNT_MEASURES
        },
    )
