"""Open, check and decode photos; the one decoder for checking and for inference (torch-free)."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from engine.errors import InvalidImageError
from engine.exif import ExifFacts, read_exif
from engine.file_kinds import unreadable_file
from engine.jpeg import scan_is_damaged
from engine.vocabulary import Refusal

MAX_PIXELS = 200_000_000  # 600 MB as RGB; the largest survey cameras stay below 151 MP
MAX_FILE_BYTES = 512 * 1024**2
MIN_SIDE_PX = 32  # no pavement can be judged on less

# Only these decoders are ever tried: Pillow would hand an EPS to ghostscript.
_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP")
_STRIP_ROWS = 256
_SUB_IFDS = 330  # TIFF tag: pictures inside the picture (camera raw, pyramids)
_ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
_BACKGROUND = (128, 128, 128)  # under transparent parts: no dark rim that could pass for a crack

# Everything Pillow's decoders were seen to raise on damaged pixels.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    MemoryError,
    AttributeError,
    struct.error,
    zlib.error,
)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

RGB = npt.NDArray[np.uint8]
Source = Path | bytes | BinaryIO


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a checked photo says about itself.

    Attributes:
        format: "JPEG", "PNG", "TIFF", "WEBP" or "BMP", by content.
        width_px: after turning by EXIF orientation.
        height_px: after turning by EXIF orientation.
        captured_at: UTC-aware, or None; see `engine.exif.read_exif` for which clock is believed.
        latitude: WGS84 degrees, or None.
        longitude: WGS84 degrees, or None.
        heading_deg: 0 <= heading < 360, clockwise from north, or None.
        notes: plain sentences on EXIF facts that were there and could not be believed.
    """

    format: str
    width_px: int
    height_px: int
    captured_at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    heading_deg: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageQuality:
    """Whether a photo is light and sharp enough to see cracks.

    Attributes:
        brightness: mean grey value, 0 (black) to 1 (white).
        sharpness: how many times the edges (variance of the Laplacian) weaken when the photo, reduced to
            `QUALITY_SIDE_PX`, is blurred: 1 or more. Independent of contrast and exposure; a blurred photo
            has little left to lose.
    """

    brightness: float
    sharpness: float

    @property
    def is_dark(self) -> bool:
        """Brightness below `DARK_BELOW`."""
        return self.brightness < DARK_BELOW

    @property
    def is_blurred(self) -> bool:
        """Sharpness below `BLURRED_BELOW`."""
        return self.sharpness < BLURRED_BELOW


QUALITY_SIDE_PX = 1024
DARK_BELOW = 0.15
# Road photos of three cameras measure 7.2 to 53; blurred by a Gaussian of 4 px 1.4 to 2, of 2 px 2.5 to 4.8.
BLURRED_BELOW = 4.0
_DENOISE_PX = 1.0  # noise and JPEG blocks must not pass for edges
_REBLUR_PX = 2.0


def decode_image(source: Source, name: str) -> tuple[ImageHeader, RGB]:
    """Check a photo by its content and decode it completely.

    Args:
        source: a path, the file's bytes, or a binary stream read to its end.
        name: the name people know the file by; for messages only, never for deciding.

    Returns:
        The header and the pixels, uint8 (H, W, 3) RGB, turned by EXIF orientation. 16-bit greys are scaled to
        8 bits from the 12 or 16 bits they use; transparent parts become grey.

    Raises:
        InvalidImageError: with a `Refusal` code; the message names the file, the cause and the remedy.
    """
    data = _read(source, name)
    with _open(data, name) as image:
        file_format = "JPEG" if image.format == "MPO" else str(image.format)  # MPO: a JPEG with previews
        pixels, facts = _decode(image, name)
    if file_format == "JPEG" and scan_is_damaged(data):
        raise _damaged(name)
    height_px, width_px = pixels.shape[:2]
    header = ImageHeader(
        format=file_format,
        width_px=width_px,
        height_px=height_px,
        captured_at=facts.captured_at,
        latitude=facts.latitude,
        longitude=facts.longitude,
        heading_deg=facts.heading_deg,
        notes=facts.notes,
    )
    return header, pixels


def inspect_image(source: Path | bytes, name: str) -> ImageHeader:
    """Check a photo as `decode_image` does and return its header only.

    Raises:
        InvalidImageError: with a `Refusal` code; the message names the file, the cause and the remedy.
    """
    return decode_image(source, name)[0]


def load_image(source: Source, name: str = "") -> RGB:
    """Pixels of a photo, uint8 (H, W, 3) RGB, turned by EXIF orientation; decoded as `decode_image` does.

    Raises:
        InvalidImageError: with a `Refusal` code; the message names the file, the cause and the remedy.
    """
    return decode_image(source, name or (source.name if isinstance(source, Path) else "The image"))[1]


def thumbnail(source: Source, max_px: int, name: str = "The image") -> bytes:
    """A small JPEG for lists and maps; JPEG photos are decoded at reduced size.

    Args:
        source: a path, the file's bytes, or a binary stream read to its end.
        max_px: length of the longer side of the result, in pixels; smaller photos keep their size.
        name: the name people know the file by, for messages.

    Returns:
        JPEG bytes, RGB, turned, without EXIF.

    Raises:
        InvalidImageError: the photo cannot be decoded.
    """
    with _open(_read(source, name), name) as image:
        # The decoder skips to a half, quarter or eighth of the size, not below what is asked for.
        image.draft("RGB", (max_px, max_px))
        small = Image.fromarray(_decode(image, name)[0])
    small.thumbnail((max_px, max_px), Image.Resampling.BILINEAR)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=85)
    return out.getvalue()


def image_quality(rgb: RGB) -> ImageQuality:
    """Brightness and sharpness of a photo.

    Args:
        rgb: uint8 (H, W, 3).
    """
    height_px, width_px = rgb.shape[:2]
    scale = QUALITY_SIDE_PX / max(height_px, width_px)
    if scale < 1:
        size = (max(1, round(width_px * scale)), max(1, round(height_px * scale)))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    once = cv2.GaussianBlur(grey, (0, 0), _DENOISE_PX)
    twice = cv2.GaussianBlur(once, (0, 0), _REBLUR_PX)
    edges, edges_left = (float(cv2.Laplacian(picture, cv2.CV_32F).var()) for picture in (once, twice))
    return ImageQuality(
        brightness=float(grey.mean()) / 255.0,
        sharpness=(edges + 0.01) / (edges_left + 0.01),  # a flat picture is blurred, not 0/0
    )


def read_file(path: Path, name: str) -> bytes:
    """The bytes of a file that may be a photo.

    Args:
        path: where it is.
        name: the name people know it by.

    Raises:
        InvalidImageError: it cannot be read, or is larger than `MAX_FILE_BYTES`.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidImageError(
            Refusal.DAMAGED_IMAGE,
            f"{name} cannot be read ({error.strerror or 'input error'}).",
            "Check that it is there, and who may read it.",
        ) from error
    if len(data) > MAX_FILE_BYTES:
        raise too_large_file(name)
    return data


def _read(source: Source, name: str) -> bytes:
    if isinstance(source, Path):
        data = read_file(source, name)
    else:
        data = source if isinstance(source, bytes) else source.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise too_large_file(name)
    if not data:
        raise InvalidImageError(
            Refusal.EMPTY_FILE, f"{name} is empty (0 bytes).", "Copy it again from the camera."
        )
    return data


def too_large_file(name: str) -> InvalidImageError:
    """The refusal of a file of more than `MAX_FILE_BYTES`."""
    return InvalidImageError(
        Refusal.TOO_LARGE,
        f"{name} is larger than {MAX_FILE_BYTES // 1024**2} MB.",
        "Save it as a JPEG photo and try again.",
    )


def _open(data: bytes, name: str) -> Image.Image:
    """Open by content and check all that the header tells; pixels are not decoded yet."""
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(name, None) from error
    except UnidentifiedImageError as error:
        raise unreadable_file(data, name) from error
    except _DECODER_ERRORS as error:
        raise _damaged(name) from error
    width_px, height_px = image.size
    if width_px * height_px > MAX_PIXELS:
        raise _too_many_pixels(name, image.size)
    if min(image.size) < MIN_SIDE_PX:
        raise InvalidImageError(
            Refusal.TOO_SMALL,
            f"{name} is only {width_px} x {height_px} pixels.",
            f"Use the original photo; both sides must be at least {MIN_SIDE_PX} pixels.",
        )
    try:
        several = _holds_several(image)
    except _DECODER_ERRORS as error:
        raise _damaged(name) from error
    if several:
        raise InvalidImageError(
            Refusal.ANIMATED,
            f"{name} holds several pictures (an animation, pages, or a camera raw file).",
            "Save the one picture you need as a JPEG photo.",
        )
    return image


def _holds_several(image: Image.Image) -> bool:
    if image.format in ("JPEG", "MPO"):
        return False  # pictures behind the first are previews
    if image.format == "TIFF":
        if _SUB_IFDS in getattr(image, "tag_v2", {}):
            return True
        try:
            image.seek(1)  # counting all pages would follow a chain of any length
        except EOFError:
            return False
        return True
    return bool(getattr(image, "is_animated", False))


def _decode(image: Image.Image, name: str) -> tuple[RGB, ExifFacts]:
    try:
        image.load()
        facts = read_exif(image)
        if image.mode in ("I", "F"):
            raise InvalidImageError(
                Refusal.UNSUPPORTED_FORMAT,
                f"{name} holds 32-bit measurements, not a photo.",
                "Save it as a JPEG photo.",
            )
        if image.mode.startswith("I;16"):
            image = Image.fromarray(_to_8_bits(np.asarray(image)))
        if image.mode in _ALPHA_MODES or "transparency" in image.info:
            layered = image.convert("RGBA")
            image = Image.new("RGB", layered.size, _BACKGROUND)
            image.paste(layered, mask=layered.getchannel("A"))
        if image.mode != "RGB":
            image = image.convert("RGB")
        turn = _TURNS.get(facts.orientation)
        return _to_array(image if turn is None else image.transpose(turn)), facts
    except _DECODER_ERRORS as error:
        raise _damaged(name) from error


def _to_array(image: Image.Image) -> RGB:
    """Pixels by strips: `np.array(image)` would hold two more copies for a moment."""
    pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
    for top in range(0, image.height, _STRIP_ROWS):
        bottom = min(top + _STRIP_ROWS, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return pixels


def _to_8_bits(grey: npt.NDArray[np.uint16]) -> RGB:
    """16-bit greys to 8; most "16-bit" cameras use 12 of them, seen by no value above 4095."""
    full_scale = 65535 if grey.max(initial=0) > 4095 else 4095
    return (grey.astype(np.float32) * (255.0 / full_scale)).round().astype(np.uint8)


def _damaged(name: str) -> InvalidImageError:
    return InvalidImageError(
        Refusal.DAMAGED_IMAGE,
        f"{name} is damaged or incomplete: part of the picture is lost.",
        "Copy it again from the camera.",
    )


def _too_many_pixels(name: str, size: tuple[int, int] | None) -> InvalidImageError:
    extent = f" ({size[0]} x {size[1]} pixels)" if size else ""
    return InvalidImageError(
        Refusal.TOO_LARGE,
        f"{name} is too large{extent}: the limit is {MAX_PIXELS // 1_000_000} million pixels.",
        "Cut it into smaller pictures, or save it at a smaller size.",
    )
