"""What the quality gate asks of a network: crops of held-back photos with drawn cracks, and its answers.

Real cracks of the photos count neither way: only what drawing a crack adds to a prediction is scored, and
only where the classical detector suspects no crack.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from engine.candidates import candidate_mask
from engine.errors import SettingsError
from engine.inference import InferenceSettings, predict_probability_map
from engine.metrics import Counts, count_pixels
from engine.metrics_boundary import Mask, distance_to
from engine.models.base import CrackModel
from engine.pavement import RgbImage
from engine.scale import spread_sample
from engine.synthesis import CrackStyle, draw_cracks

Probability = npt.NDArray[np.float32]
OnTile = Callable[[int, int], None]

MOST_PHOTOS = 12
CROP_PX = 320
TOLERANCE_PX = 2.0
WIDTHS_PX = {"hairline": (1.2, 2.5), "narrow": (2.5, 6.0), "wide": (6.0, 14.0)}
CONTRASTS = {"faint": (0.12, 0.3), "plain": (0.3, 0.5), "dark": (0.5, 0.75)}
"""Share of light lost. Every combination is drawn once on every photo, three in a picture."""
LEAST_DRAWN_PX = 40
SUSPECT_RESPONSE, SUSPECT_LENGTH_PX = 3.2, 14.0
"""Low, so that no real crack counts as false."""
VARIED_SCALES = (0.8, 1.25)
VARIED_LIGHT = ((0.7, 1.0), (1.4, 1.0), (1.0, 0.75))
"""Gamma, and factor of brightness."""

Cell = tuple[str, str]
CELLS: tuple[Cell, ...] = tuple((width, contrast) for width in WIDTHS_PX for contrast in CONTRASTS)


@dataclass(frozen=True)
class Picture:
    """A photo with drawn cracks."""

    image: RgbImage
    cracks: list[tuple[Cell, Mask]]


@dataclass(frozen=True)
class Scene:
    """A crop of a photo. `region`: what is judged; `counted`: and where no real crack is suspected."""

    image: RgbImage
    region: Mask
    counted: Mask
    drawn: list[Picture]


@dataclass
class Answers:
    """What a network said of all scenes, in pixels."""

    cells: dict[Cell, Counts] = field(default_factory=lambda: dict.fromkeys(CELLS, Counts()))
    drawn: Counts = field(default_factory=Counts)
    agreement: dict[str, Counts] = field(default_factory=dict)
    region_px: int = 0
    marked_px: int = 0
    sound_px: int = 0
    marked_sound_px: int = 0
    drawn_region_px: int = 0
    drawn_marked_px: int = 0
    lifted: float = 0.0
    spread: float = 0.0
    finite: bool = True

    def of(self, word: str) -> Counts:
        """Cells of one width or one contrast."""
        return sum((counts for cell, counts in self.cells.items() if word in cell), Counts())


def _at_working_scale(image: RgbImage, region: Mask | None, scale: float) -> tuple[RgbImage, Mask]:
    region = np.ones(image.shape[:2], bool) if region is None else region
    if region.shape != image.shape[:2]:
        raise SettingsError(
            f"A region is {region.shape[1]} x {region.shape[0]} px, its photo {image.shape[1]} x "
            f"{image.shape[0]}.",
            "Give regions of the photos' own size.",
        )
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    if size != image.shape[1::-1]:
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)
        region = cv2.resize(region.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return image, np.asarray(region)


def _crop(rng: np.random.Generator, region: Mask) -> tuple[slice, slice]:
    """Of some squares anywhere the one with most of the region."""
    boxes = []
    for _ in range(12):
        top, left = (int(rng.integers(0, max(0, side - CROP_PX) + 1)) for side in region.shape)
        boxes.append(np.s_[top : top + CROP_PX, left : left + CROP_PX])
    return max(boxes, key=lambda box: int(region[box].sum()))


def _drawn(rng: np.random.Generator, image: RgbImage, counted: Mask, cells: Sequence[Cell]) -> Picture:
    """Cracks one after another, each where most of the tries allow; what cannot be seen there is left out."""
    cracks = []
    for cell in cells:
        style = CrackStyle(
            width_px=WIDTHS_PX[cell[0]], contrast=CONTRASTS[cell[1]], network_share=0.0, max_cracks=1
        )
        for _ in range(4):
            picture, mask = draw_cracks(rng, image, style)
            if int((mask & counted).sum()) >= LEAST_DRAWN_PX:
                image = picture
                cracks.append((cell, mask))
                break
    return Picture(image, cracks)


def make_scenes(
    images: Sequence[RgbImage], regions: Sequence[Mask | None], scale: float, seed: int
) -> Iterator[Scene]:
    pairs = spread_sample(list(zip(images, regions, strict=True)), MOST_PHOTOS)
    widths, contrasts = list(WIDTHS_PX), list(CONTRASTS)
    for number, (image, region) in enumerate(pairs):
        rng = np.random.default_rng([seed, number])
        small, inside = _at_working_scale(image, region, scale)
        box = _crop(rng, inside)
        small, inside = np.ascontiguousarray(small[box]), inside[box]
        suspect = candidate_mask(small, threshold=SUSPECT_RESPONSE, min_length_px=SUSPECT_LENGTH_PX)
        counted = inside & ~suspect
        pictures = [
            _drawn(rng, small, counted, [(widths[n], contrasts[(n + turn) % 3]) for n in range(3)])
            for turn in range(3)
        ]
        yield Scene(small, inside, counted, pictures)


class Network:
    """Masks and probabilities of one network."""

    def __init__(self, model: CrackModel, threshold: float, device: str, on_tile: OnTile | None) -> None:
        self.model, self.threshold, self.on_tile = model, threshold, on_tile
        self.settings = InferenceSettings(working_scale=1.0, tile_px=2 * CROP_PX, device=device)
        self.finite = True

    def probability(self, image: RgbImage, scale: float = 1.0) -> Probability:
        settings = replace(self.settings, working_scale=scale)
        found = predict_probability_map(self.model, np.ascontiguousarray(image), settings, self.on_tile)
        self.finite = self.finite and bool(np.isfinite(found).all())
        return np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0)

    def mask(self, image: RgbImage, scale: float = 1.0) -> Mask:
        return np.asarray(self.probability(image, scale) >= self.threshold)


def _lit(image: RgbImage, gamma: float, factor: float) -> RgbImage:
    levels = 255 * factor * (np.arange(256) / 255) ** gamma
    return np.asarray(np.clip(levels + 0.5, 0, 255).astype(np.uint8)[image])


def _varied(network: Network, image: RgbImage) -> Iterator[tuple[str, Mask]]:
    """Masks of the same picture, mirrored, resized and lit otherwise, in its own frame."""
    yield "flips", network.mask(image[:, ::-1])[:, ::-1]
    yield "flips", network.mask(image[::-1])[::-1]
    for scale in VARIED_SCALES:
        yield "scale", network.mask(image, scale)
    for gamma, factor in VARIED_LIGHT:
        yield "light", network.mask(_lit(image, gamma, factor))


def score_drawn(answers: Answers, added: Mask, picture: Picture, counted: Mask) -> None:
    """Count what drawing added: overall, and each added pixel with the drawn crack that is nearest to it."""
    whole = np.logical_or.reduce([mask for _, mask in picture.cracks])
    near_added = distance_to(added) <= TOLERANCE_PX
    added = added & counted
    away = np.stack([distance_to(mask) for _, mask in picture.cracks])
    nearest = away.argmin(axis=0)
    near_truth = away.min(axis=0) <= TOLERANCE_PX
    answers.drawn += Counts(
        predicted=int(added.sum()),
        truth=int((whole & counted).sum()),
        near_predicted=int((added & near_truth).sum()),
        near_truth=int((whole & counted & near_added).sum()),
    )
    for number, (cell, mask) in enumerate(picture.cracks):
        own, truth = added & (nearest == number), mask & counted
        answers.cells[cell] += Counts(
            predicted=int(own.sum()),
            truth=int(truth.sum()),
            near_predicted=int((own & near_truth).sum()),
            near_truth=int((truth & near_added).sum()),
        )


def ask(network: Network, scenes: Sequence[Scene]) -> Answers:
    """Ask a network about all scenes."""
    answers = Answers()
    spreads = []
    for scene in scenes:
        without = network.probability(scene.image)
        marked = without >= network.threshold
        answers.region_px += int(scene.region.sum())
        answers.marked_px += int((marked & scene.region).sum())
        answers.sound_px += int(scene.counted.sum())
        answers.marked_sound_px += int((marked & scene.counted).sum())
        known = distance_to(marked) <= TOLERANCE_PX
        for number, picture in enumerate(scene.drawn):
            if not picture.cracks:
                continue
            found = network.probability(picture.image)
            mask = found >= network.threshold
            spreads.append(float(found.std()))
            answers.drawn_region_px += int(scene.region.sum())
            answers.drawn_marked_px += int((mask & scene.region).sum())
            score_drawn(answers, mask & ~known, picture, scene.counted)
            truth = np.logical_or.reduce([crack for _, crack in picture.cracks]) & scene.counted
            answers.lifted += float((found - without)[truth].sum())
            if number == 0:
                for name, other in _varied(network, picture.image):
                    counts = count_pixels(other & scene.region, mask & scene.region, TOLERANCE_PX)
                    answers.agreement[name] = answers.agreement.get(name, Counts()) + counts
    answers.spread = float(np.mean(spreads)) if spreads else 0.0
    answers.finite = network.finite
    return answers
