"""What a survey's unlabelled photos say of it: light, texture, cracks, whether they show a road (torch-free).

A checkpoint keeps the look of the photos that it knew. The distance to another survey's look says whether to
adapt; the look alone says whether its photos can be adapted to at all.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import EngineError
from engine.photo_look import BLACK, BLANK, NO_ROAD, ROAD, TEXTURE, PhotoLook, look_at_photo
from engine.scale import spread_sample

FEWEST_IMAGES = 8
MOST_LOOKED_AT = 24
MOSTLY = 0.5
"""More black, blank or roadless photos than this share: the survey cannot be adapted to."""
EVERYWHERE = 0.7
"""More photos of one repeating pattern than this share; real alligator cracking is not in all photos."""


@dataclass(frozen=True)
class SurveyLook:
    """What a survey's photos look like at the working scale.

    Attributes:
        images: different photos that were given; copies count once.
        looked_at: of them, evenly spread, on which the measures rest.
        brightness: mean grey, 0 to 1.
        contrast: median over tiles of the robust standard deviation of grey, 0 to 1.
        texture: share of a tile's standard deviation that is finer than about 4 px, 0 to 1.
        sharpness: detail of 1 to 2 px against detail of 2 to 6 px, as a ratio of standard deviations, > 0.
        saturation: mean difference of the strongest and weakest colour, 0 to 1.
        candidate_share: share of pixels on strong classical crack candidates, 0 to 1.
        line_contrast: median share of light lost on them, 0 to 1; None where there is none.
        crack_width_px: width of them at half depth, mean of the middle half; None where there is none.
        evenness: coefficient of variation of the candidate share between tiles; None where there is none.
        black_share: photos that are black, of those looked at, 0 to 1.
        blank_share: photos that are overexposed or show nothing.
        no_road_share: of the others, photos that do not look like a road.
        texture_share: of the others, photos that are all one pattern like cobbles or a grating.
    """

    images: int
    looked_at: int
    brightness: float
    contrast: float
    texture: float
    sharpness: float
    saturation: float
    candidate_share: float
    line_contrast: float | None
    crack_width_px: float | None
    evenness: float | None
    black_share: float
    blank_share: float
    no_road_share: float
    texture_share: float

    def as_dict(self) -> dict[str, float | None]:
        """Plain values, for a checkpoint's card."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SurveyLook":
        """The look that `as_dict` gave.

        Raises:
            EngineError: a value is missing or is no number.
        """
        try:
            found = {
                f.name: None if values[f.name] is None and "None" in str(f.type) else float(values[f.name])
                for f in fields(cls)
            }
        except (KeyError, TypeError, ValueError) as cause:
            raise EngineError(
                f"What the checkpoint says of the photos it knew cannot be read: {cause!r}.",
                "Adapt again, or choose another checkpoint.",
            ) from None
        counts = {name: int(found.pop(name) or 0) for name in ("images", "looked_at")}
        return cls(**counts, **found)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Drift:
    """How far a survey is from what a checkpoint knew.

    Attributes:
        advised: adapt.
        reasons: why, in words.
        measures: name -> known, now, distance (1 is the limit), drifted.
    """

    advised: bool
    reasons: tuple[str, ...]
    measures: dict[str, dict[str, float | bool | None]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a report."""
        return {"advised": self.advised, "reasons": list(self.reasons), "measures": self.measures}


@dataclass(frozen=True)
class _Measure:
    """How one measure of a look is compared.

    Attributes:
        allowed: distance that is still the same kind of survey: a ratio, or a difference where it may be 0.
        ratio: compare by ratio.
        more: sentence for a higher value now; `less` for a lower one; {now} and {known} are filled in.
    """

    allowed: float
    ratio: bool
    more: str
    less: str


_MEASURES = {
    "brightness": _Measure(1.4, True, "The photos are much brighter than", "The photos are much darker than"),
    "contrast": _Measure(
        1.7,
        True,
        "The pavement is much coarser or more contrasty than",
        "The pavement is much smoother or paler than",
    ),
    "texture": _Measure(1.4, True, "The texture is much finer than", "The texture is much coarser than"),
    "sharpness": _Measure(
        1.4, True, "The photos are much sharper than", "The photos are much more blurred than"
    ),
    "saturation": _Measure(
        0.1, False, "The photos are much more colourful than", "The photos are much less colourful than"
    ),
    "candidate_share": _Measure(
        4.0, True, "Much more looks like a crack than in", "Much less looks like a crack than in"
    ),
    "line_contrast": _Measure(
        1.7,
        True,
        "What looks like a crack is much darker than in",
        "What looks like a crack is much fainter than in",
    ),
    "crack_width_px": _Measure(
        1.8,
        True,
        "What looks like a crack is much wider than in",
        "What looks like a crack is much narrower than in",
    ),
}


def _tile_variation(looks: Sequence[PhotoLook]) -> float | None:
    shares = np.concatenate([look.tile_shares for look in looks])
    return float(shares.std() / shares.mean()) if shares.any() else None


def _median(values: Sequence[npt.NDArray[np.float32]]) -> float | None:
    pooled = np.concatenate(values)
    return float(np.median(pooled)) if len(pooled) else None


def _middle_mean(values: Sequence[npt.NDArray[np.float32]]) -> float | None:
    """Mean of the middle half: widths are counted in few steps, between which a median would jump."""
    pooled = np.sort(np.concatenate(values))
    middle = pooled[len(pooled) // 4 : len(pooled) - len(pooled) // 4]
    return float(middle.mean()) if len(middle) else None


def look_at(
    images: Sequence[npt.NDArray[np.uint8]],
    regions: Sequence[npt.NDArray[np.bool_] | None] | None = None,
    on_image: Callable[[int, int], None] | None = None,
) -> SurveyLook:
    """Look at a survey's photos.

    Args:
        images: at the working scale, each uint8 (H, W, 3), RGB. At most `MOST_LOOKED_AT`, evenly spread, are
            measured.
        regions: the part of each that is judged (the lane), bool (H, W); None: all of it.
        on_image: called with images measured and in all; may raise `CancelledError` to stop.

    Returns:
        The look; measures are pooled over the photos that are neither black nor blank, those of cracks over
        the photos that show a road, and are 0 or None where there is none.

    Raises:
        EngineError: another number of regions than images, or a region of another size.
    """
    regions = [None] * len(images) if regions is None else list(regions)
    if len(regions) != len(images):
        raise EngineError(
            f"There are {len(regions)} regions for {len(images)} photos.", "Give one for each, or None."
        )
    different = {(image.shape, hash(image.tobytes())): n for n, image in reversed(list(enumerate(images)))}
    chosen = spread_sample(sorted(different.values()), MOST_LOOKED_AT)
    looks = []
    for done, number in enumerate(chosen):
        looks.append(look_at_photo(images[number], regions[number]))
        if on_image is not None:
            on_image(done + 1, len(chosen))
    seen = [look for look in looks if look.kind not in (BLACK, BLANK)]
    roads = [look for look in looks if look.kind == ROAD]

    def share(kind: str, among: Sequence[PhotoLook]) -> float:
        return sum(look.kind == kind for look in among) / max(len(among), 1)

    def mean(name: str, among: Sequence[PhotoLook]) -> float:
        return float(np.mean([getattr(look, name) for look in among])) if among else 0.0

    def middle(name: str) -> float:
        return float(np.median([getattr(look, name) for look in seen])) if seen else 0.0

    return SurveyLook(
        images=len(different), looked_at=len(looks),
        brightness=mean("brightness", looks),
        contrast=middle("contrast"), texture=middle("texture"), sharpness=middle("sharpness"),
        saturation=mean("saturation", seen), candidate_share=mean("candidate_share", roads),
        line_contrast=_median([look.line_contrasts for look in roads]) if roads else None,
        crack_width_px=_middle_mean([look.widths_px for look in roads]) if roads else None,
        evenness=_tile_variation(roads) if roads else None,
        black_share=share(BLACK, looks), blank_share=share(BLANK, looks),
        no_road_share=share(NO_ROAD, seen), texture_share=share(TEXTURE, seen),
    )  # fmt: skip


def _distance(measure: _Measure, known: float, now: float) -> float:
    """1 at the limit; above 0 where now is more, below where it is less."""
    if not measure.ratio:
        return (now - known) / measure.allowed
    least = 1e-4  # nothing against nothing is no drift
    return math.log(max(now, least) / max(known, least)) / math.log(measure.allowed)


def drift_report(known: SurveyLook | None, now: SurveyLook) -> Drift:
    """Whether a survey looks other than the photos that a checkpoint knew.

    Args:
        known: look of the photos that the checkpoint knew; None: it does not say.
        now: look of the survey.

    Returns:
        Distances of each measure in multiples of what is allowed, and reasons in words; adaptation is
        advised where any is above 1, and where nothing is known.
    """
    if known is None:
        return Drift(True, ("The checkpoint does not say what photos it knew.",), {})
    measures: dict[str, dict[str, float | bool | None]] = {}
    reasons = []
    for name, measure in _MEASURES.items():
        before, after = getattr(known, name), getattr(now, name)
        if before is None or after is None:
            measures[name] = {"known": before, "now": after, "distance": None, "drifted": False}
            continue
        distance = _distance(measure, before, after)
        drifted = abs(distance) > 1
        measures[name] = {
            "known": before, "now": after, "distance": round(abs(distance), 3), "drifted": drifted,
        }  # fmt: skip
        if drifted:
            words = measure.more if distance > 0 else measure.less
            reasons.append(f"{words} those that the checkpoint knew ({after:.2g} against {before:.2g}).")
    return Drift(bool(reasons), tuple(reasons), measures)


def refusals(look: SurveyLook) -> list[str]:
    """Why a survey's photos cannot be adapted to.

    Args:
        look: of the survey.

    Returns:
        Reasons with remedies, in words; empty where it can.
    """
    reasons = []
    readable = round(look.images * (1 - look.black_share - look.blank_share))
    if look.images < FEWEST_IMAGES:
        reasons.append(
            f"Only {look.images} different photos: adaptation needs at least {FEWEST_IMAGES}. Add photos of "
            "the same camera and pavement."
        )
    elif look.black_share + look.blank_share > MOSTLY or readable < FEWEST_IMAGES:
        kinds = "black" if look.black_share >= look.blank_share else "overexposed or blank"
        reasons.append(
            f"{look.black_share + look.blank_share:.0%} of the photos show nothing; most of those are "
            f"{kinds}. Check the camera's exposure and leave these photos out."
        )
    if look.no_road_share > MOSTLY:
        reasons.append(
            f"{look.no_road_share:.0%} of the photos do not look like a road surface. Leave out photos of "
            "other things, or give the lane as the region."
        )
    odd = look.texture_share + look.no_road_share
    if look.texture_share > EVERYWHERE or (look.no_road_share <= MOSTLY and odd > EVERYWHERE):
        reasons.append(
            f"{look.texture_share:.0%} of the photos are one repeating pattern of lines, like cobbles, "
            "bricks or a grating: its joints cannot be told from cracks. Adapt to asphalt or concrete only."
        )
    return reasons
