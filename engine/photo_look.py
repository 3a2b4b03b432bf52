"""Measures of one unlabelled photo: light, texture, crack candidates, what it shows (torch-free)."""

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt
from skimage.morphology import skeletonize

from engine.candidates import connected_lines, ridge_response
from engine.errors import EngineError

FloatImage = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

LARGEST_SIDE_PX = 448
TILE_PX = 32
PATTERN_PX = 64
"""Side of the pieces in which repeating patterns are sought."""
STRONG_RESPONSE, STRONG_LENGTH_PX = 5.0, 24.0

ROAD, BLACK, BLANK, NO_ROAD, TEXTURE = "road", "black", "blank", "no road", "texture"

DARKEST_MEAN, BRIGHTEST_MEAN = 0.04, 0.97
LEAST_SPREAD = 0.006
"""Standard deviation of grey below which a photo shows nothing."""
FLAT_SPREAD = 0.004
COLOURED = 0.35
"""Colour difference against the brightest colour from which a pixel counts as coloured."""
MOST_PIECES = 4.0
"""Pieces of equal size into which dark or light lines may cut a photo; one crack makes two."""
MOSTLY_ISLANDS = 0.5
"""Share of what the lines leave that must lie in large islands."""
MOST_REGULAR = 0.35
"""Share of the texture's energy that one spatial frequency may hold."""

LIMITS = {
    "coloured": (0.05, 0.25, 1.0),
    "flat": (0.1, 0.4, 1.0),
    "unequal": (0.5, 0.95, 1.0),
    "noisy": (1.5, 1.85, 1.0),
    "outlying": (0.75, 0.5, 1.0),
    "patchy": (1.5, 4.0, 0.25),
    "shaded": (0.25, 0.6, 0.25),
}
"""Oddness of a photo: value that a road may have, value that none has, most points. Shadows on a road make it
patchy and shaded, so these two never suffice."""
ODD = 0.75
"""Points from which a photo does not look like a road."""


@dataclass(frozen=True)
class PhotoLook:
    """Measures of one photo within its region; see `SurveyLook` for the pooled ones.

    Attributes:
        kind: `ROAD`, `BLACK`, `BLANK`, `NO_ROAD` or `TEXTURE`.
        oddness: from `ODD` on it does not look like a road.
        pieces: equal pieces into which lines cut the photo, >= 1.
        regular: share of the texture's energy in one spatial frequency, 0 to 1.
        line_contrasts: share of light lost at each candidate's centre line, float32 (N,).
        widths_px: width there, float32 (N,).
        tile_shares: candidate share of each tile, float32 (T,).
    """

    kind: str
    brightness: float
    contrast: float = 0.0
    texture: float = 0.0
    sharpness: float = 0.0
    saturation: float = 0.0
    candidate_share: float = 0.0
    oddness: float = 0.0
    pieces: float = 1.0
    regular: float = 0.0
    line_contrasts: FloatImage = field(default_factory=lambda: np.zeros(0, np.float32))
    widths_px: FloatImage = field(default_factory=lambda: np.zeros(0, np.float32))
    tile_shares: FloatImage = field(default_factory=lambda: np.zeros(0, np.float32))


def _middle(image: npt.NDArray[np.uint8], region: Mask | None) -> tuple[npt.NDArray[np.uint8], Mask]:
    """The middle of the region's box, at most `LARGEST_SIDE_PX` square, and the region in it."""
    if region is None or not region.any():
        inside = np.ones(image.shape[:2], bool)
    elif region.shape != image.shape[:2]:
        raise EngineError(
            f"A region is {region.shape[1]} x {region.shape[0]} px, its photo {image.shape[1]} x "
            f"{image.shape[0]}.",
            "Give regions of the photos' own size.",
        )
    else:
        inside = region
    cut = []
    for axis in (1, 0):
        hit = np.flatnonzero(inside.any(axis=axis))
        start = int(hit[0]) + max(0, int(hit[-1]) + 1 - int(hit[0]) - LARGEST_SIDE_PX) // 2
        cut.append(slice(start, min(start + LARGEST_SIDE_PX, int(hit[-1]) + 1)))
    return image[cut[0], cut[1]], inside[cut[0], cut[1]]


def _tiles(values: npt.NDArray[np.generic], side_px: int) -> FloatImage:
    """Whole tiles as rows (T, side * side); a smaller picture is one tile."""
    height, width = values.shape
    high, wide = min(side_px, height), min(side_px, width)
    cut = values[: height // high * high, : width // wide * wide]
    parts = cut.reshape(height // high, high, width // wide, wide).swapaxes(1, 2)
    return np.asarray(parts.reshape(-1, high * wide), np.float32)


def _blurred(grey: FloatImage, sigma_px: float) -> FloatImage:
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma_px), np.float32)


def count_pieces(grey: FloatImage, inside: Mask) -> float:
    """Into how many pieces of equal size the darkest or the lightest fifth cuts a photo.

    The darkest fifth of a random texture is scattered spots; that of cobbles or of a grating is a net or
    stripes, which leave islands. The number is 1 / sum(share ** 2) over the islands, the highest of several
    line widths.

    Args:
        grey: (H, W), 0 to 1.
        inside: bool (H, W), what counts.

    Returns:
        At least 1.
    """
    most = 1.0
    for sigma in (1.0, 2.0, 4.0):
        detail = _blurred(grey, sigma) - _blurred(grey, 10 * sigma)
        low, high = np.quantile(detail[inside], (0.22, 0.78))
        for rest in (detail > low, detail < high):
            _, _, stats, _ = cv2.connectedComponentsWithStats(
                (rest & inside).astype(np.uint8), connectivity=4
            )
            areas = stats[1:, cv2.CC_STAT_AREA].astype(np.float64)
            if len(areas):
                # islands as small as stones are no cobbles
                shares = np.where(areas >= (5 * sigma) ** 2, areas, 0) / areas.sum()
                large = shares.sum()
                if large > MOSTLY_ISLANDS:
                    most = max(most, float(large**2 / (shares**2).sum()))
    return most


def regularity(grey: FloatImage) -> float:
    """Share of a texture's energy in its strongest spatial frequency, of wavelengths 2 to 25 px.

    Args:
        grey: (H, W), 0 to 1.

    Returns:
        0 to 1; 0 where the photo is smaller than `PATTERN_PX`.
    """
    side = PATTERN_PX
    if min(grey.shape) < side:
        return 0.0
    detail = grey - _blurred(grey, side / 5)
    window = np.outer(np.hanning(side), np.hanning(side))
    frequency = np.fft.fftfreq(side) * side
    slow = np.hypot(frequency[:, None], frequency[None]) < 2.5
    total, count = np.zeros((side, side)), 0
    for top in range(0, grey.shape[0] - side + 1, side // 2):
        for left in range(0, grey.shape[1] - side + 1, side // 2):
            piece = detail[top : top + side, left : left + side]
            power = np.abs(np.fft.fft2((piece - piece.mean()) * window)) ** 2
            power[slow] = 0
            total += power / max(power.sum(), 1e-9)
            count += 1
    peak = cv2.blur(np.fft.fftshift(total / count), (3, 3)).max() * 9
    return min(1.0, 2 * float(peak))  # a wave has two peaks


def oddness(rgb: FloatImage, grey: FloatImage, whole: Mask, sharpness: float) -> float:
    """How little a photo looks like a road: points for colour, flat areas, unequal parts and mere noise.

    Args:
        rgb: (H, W, 3), 0 to 1.
        grey: (H, W), 0 to 1.
        whole: bool (T,), tiles of `TILE_PX` that count.
        sharpness: see `SurveyLook`; that of noise without any picture is 2.

    Returns:
        0 for a plain road; `ODD` and more where it does not look like one.
    """
    tiles = _tiles(grey, TILE_PX)[whole]
    strongest = _tiles(rgb.max(axis=2), TILE_PX)[whole]
    chroma = strongest - _tiles(rgb.min(axis=2), TILE_PX)[whole]
    middle = np.median(tiles, axis=1)
    spread = tiles.std(axis=1)
    robust = 1.4826 * np.median(np.abs(tiles - middle[:, None]), axis=1)
    values = {
        "coloured": float((chroma > COLOURED * np.maximum(strongest, 0.1)).mean()),
        "flat": float((spread < FLAT_SPREAD).mean()),
        "unequal": float(np.log((spread + 0.004) / (middle + 0.05)).std()),
        "outlying": float(np.median(robust / np.maximum(spread, 1e-4))),
        "patchy": float(middle.std() / max(float(np.median(robust)), 0.01)),
        "shaded": float(np.log(middle + 0.05).std()),
        "noisy": sharpness,
    }
    points = 0.0
    for name, (road, none, most) in LIMITS.items():
        points += min(most, max(0.0, (values[name] - road) / (none - road)))
    return points


def _candidates(
    image: npt.NDArray[np.uint8], grey: FloatImage, inside: Mask
) -> tuple[Mask, FloatImage, FloatImage]:
    """Strong candidates (H, W), and share of light lost and width (N,) along their centre lines."""
    lines = connected_lines(ridge_response(image), STRONG_RESPONSE, STRONG_LENGTH_PX, dilate_px=1) & inside
    centre: Mask = skeletonize(lines) > 0  # type: ignore[no-untyped-call]
    if not centre.any():
        return lines, np.zeros(0, np.float32), np.zeros(0, np.float32)
    soft = _blurred(grey, 0.7)
    ground = cv2.medianBlur((grey * 255).astype(np.uint8), 41).astype(np.float32) / 255
    depth = np.maximum(ground - soft, 0)
    _, nearest = cv2.distanceTransformWithLabels(
        (~centre).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    at_centre = np.zeros(int(nearest.max()) + 1, np.float32)
    at_centre[nearest[centre]] = depth[centre]
    dark = (depth > 0.5 * at_centre[nearest]).astype(np.uint8)
    reach = cv2.distanceTransform(dark, cv2.DIST_L2, 5)
    keep = depth[centre] > 0.01
    widths = np.maximum(1.0, 2 * reach[centre] - 1)[keep]
    lost = (depth[centre] / np.maximum(ground[centre], 0.02))[keep]
    return lines, np.asarray(lost, np.float32), np.asarray(widths, np.float32)


def _kind(odd: float, pieces: float, regular: float) -> str:
    if pieces > MOST_PIECES or regular > MOST_REGULAR:
        return TEXTURE
    return NO_ROAD if odd >= ODD else ROAD


def look_at_photo(image: npt.NDArray[np.uint8], region: Mask | None = None) -> PhotoLook:
    """Measure one photo.

    Args:
        image: uint8 (H, W, 3), RGB, at the working scale; of a larger one than `LARGEST_SIDE_PX` the middle.
        region: the part that is judged, bool (H, W); None: all of it.

    Returns:
        Its measures; those of a black or blank photo beyond its brightness are 0, and so are those of cracks
        where it does not show a road.

    Raises:
        EngineError: a region of another size.
    """
    image, inside = _middle(image, region)
    rgb = np.asarray(image.astype(np.float32) / 255, np.float32)
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float32)
    values = grey[inside]
    brightness = float(values.mean())
    if brightness < DARKEST_MEAN:
        return PhotoLook(BLACK, brightness)
    if brightness > BRIGHTEST_MEAN or float(values.std()) < LEAST_SPREAD:
        return PhotoLook(BLANK, brightness)
    # an edge where the region ends is no texture
    middle = float(np.median(values))
    grey[~inside] = middle
    image = np.where(inside[..., None], image, np.uint8(round(255 * middle)))
    whole = _tiles(inside, TILE_PX).mean(axis=1) > 0.8
    if not whole.any():
        whole[:] = True
    tiles = _tiles(grey, TILE_PX)[whole]
    spread = np.maximum(tiles.std(axis=1), 1e-3)
    fine = _tiles(grey - _blurred(grey, 1.2), TILE_PX)[whole].std(axis=1)
    finest = _tiles(grey - _blurred(grey, 0.7), TILE_PX)[whole].std(axis=1)
    coarser = _tiles(_blurred(grey, 0.7) - _blurred(grey, 2.5), TILE_PX)[whole].std(axis=1)
    robust = 1.4826 * np.median(np.abs(tiles - np.median(tiles, axis=1, keepdims=True)), axis=1)
    sharpness = float(np.median(finest / np.maximum(coarser, 1e-4)))
    odd, pieces, regular = oddness(rgb, grey, whole, sharpness), count_pieces(grey, inside), regularity(grey)
    kind = _kind(odd, pieces, regular)
    lost = widths = np.zeros(0, np.float32)
    lines = np.zeros_like(inside)
    if kind == ROAD:  # elsewhere dark lines mean nothing, and seeking them takes the most time
        lines, lost, widths = _candidates(image, grey, inside)
    strongest = rgb.max(axis=2) - rgb.min(axis=2)
    return PhotoLook(
        kind=kind, brightness=brightness, contrast=float(np.median(robust)),
        texture=float(np.median(fine / spread)), sharpness=sharpness,
        saturation=float(strongest[inside].mean()), candidate_share=float(lines[inside].mean()), oddness=odd,
        pieces=pieces, regular=regular, line_contrasts=lost, widths_px=widths,
        tile_shares=_tiles(lines, PATTERN_PX).mean(axis=1),
    )  # fmt: skip
