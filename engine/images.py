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
from engine.vocabulary import Refusal

MAX_PIXELS = 200_000_000  # 600 MB as RGB; the largest survey cameras stay below 151 MP
MAX_FILE_BYTES = 512 * 1024**2
MIN_SIDE_PX = 32  # no pavement can be judged on less

# Only these decoders are ever tried: Pillow would hand an EPS to ghostscript. MPO is a JPEG with previews.
_FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "WEBP", "BMP")
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
        sharpness: variance of the Laplacian over the variance of the grey values, of the photo reduced to
            `QUALITY_SIDE_PX`; the division makes it independent of contrast and exposure.
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
BLURRED_BELOW = 0.01


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
        file_format = "JPEG" if image.format == "MPO" else str(image.format)
        pixels, facts = _decode(image, name)
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
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    return ImageQuality(
        brightness=float(grey.mean()) / 255.0,
        sharpness=float(edges.var()) / (float(grey.var()) + 1.0),  # + 1: a flat picture is blurred, not 0/0
    )


def _read(source: Source, name: str) -> bytes:
    if isinstance(source, bytes):
        data = source
    elif isinstance(source, Path):
        if source.stat().st_size > MAX_FILE_BYTES:
            raise _too_large_file(name)
        data = source.read_bytes()
    else:
        data = source.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise _too_large_file(name)
    if not data:
        raise InvalidImageError(
            Refusal.EMPTY_FILE, f"{name} is empty (0 bytes).", "Copy it again from the camera."
        )
    return data


def _too_large_file(name: str) -> InvalidImageError:
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
        raise _not_supported(data, name) from error
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
        turn = _TURNS.get(facts.orientation)
        turned = image if turn is None else image.transpose(turn)
        return np.array(turned.convert("RGB")), facts
    except _DECODER_ERRORS as error:
        raise _damaged(name) from error


def _to_8_bits(grey: npt.NDArray[np.uint16]) -> RGB:
    """16-bit greys to 8; most "16-bit" cameras use 12 of them, seen by no value above 4095."""
    full_scale = 65535 if grey.max(initial=0) > 4095 else 4095
    return (grey.astype(np.float32) * (255.0 / full_scale)).round().astype(np.uint8)


def _damaged(name: str) -> InvalidImageError:
    return InvalidImageError(
        Refusal.DAMAGED_IMAGE,
        f"{name} is damaged or incomplete: not all of the picture can be read.",
        "Copy it again from the camera.",
    )


def _too_many_pixels(name: str, size: tuple[int, int] | None) -> InvalidImageError:
    extent = f" ({size[0]} x {size[1]} pixels)" if size else ""
    return InvalidImageError(
        Refusal.TOO_LARGE,
        f"{name} is too large{extent}: the limit is {MAX_PIXELS // 1_000_000} million pixels.",
        "Cut it into smaller pictures, or save it at a smaller size.",
    )


# First bytes of files that end up among photos: (signature, refusal, what it is, remedy).
_SAVE_AS_JPEG = "Save it as a JPEG photo."
_TAKE_PHOTOS = "Leave it out; only photos are imported."
_UNPACK = "Unpack it, then import the folder or each archive by itself."
_SIGNATURES = (
    (b"PK\x03\x04", Refusal.NESTED_ARCHIVE, "a zip archive or an office document", _UNPACK),
    (b"PK\x05\x06", Refusal.NESTED_ARCHIVE, "a zip archive", _UNPACK),
    (b"Rar!", Refusal.NESTED_ARCHIVE, "a RAR archive", _UNPACK),
    (b"7z\xbc\xaf", Refusal.NESTED_ARCHIVE, "a 7-Zip archive", _UNPACK),
    (b"\x1f\x8b", Refusal.NESTED_ARCHIVE, "a gzip archive", _UNPACK),
    (b"%!PS", Refusal.UNSUPPORTED_FORMAT, "a PostScript drawing", _SAVE_AS_JPEG),
    (b"\xc5\xd0\xd3\xc6", Refusal.UNSUPPORTED_FORMAT, "a PostScript drawing", _SAVE_AS_JPEG),
    (b"%PDF", Refusal.UNSUPPORTED_FORMAT, "a PDF document", _SAVE_AS_JPEG),
    (b"GIF8", Refusal.UNSUPPORTED_FORMAT, "a GIF picture", _SAVE_AS_JPEG),
    (b"8BPS", Refusal.UNSUPPORTED_FORMAT, "a Photoshop file", _SAVE_AS_JPEG),
    (b"\x00\x00\x00\x0cjP", Refusal.UNSUPPORTED_FORMAT, "a JPEG 2000 picture", _SAVE_AS_JPEG),
    (b"\xff\xd8\xff", Refusal.DAMAGED_IMAGE, "a damaged JPEG photo", "Copy it again from the camera."),
    (b"\x89PNG", Refusal.DAMAGED_IMAGE, "a damaged PNG picture", "Copy it again from the camera."),
    (b"II*\x00", Refusal.DAMAGED_IMAGE, "a damaged or unusual TIFF picture", _SAVE_AS_JPEG),
    (b"MM\x00*", Refusal.DAMAGED_IMAGE, "a damaged or unusual TIFF picture", _SAVE_AS_JPEG),
)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")


def _not_supported(data: bytes, name: str) -> InvalidImageError:
    """Name what the file is, by content, as far as it can be told."""
    for signature, code, kind, remedy in _SIGNATURES:
        if data.startswith(signature):
            return InvalidImageError(code, f"{name} is {kind}.", remedy)
    if data[4:8] == b"ftyp":
        if data[8:12] in _HEIF_BRANDS:
            return InvalidImageError(
                Refusal.UNSUPPORTED_FORMAT,
                f"{name} is a HEIF photo, which cannot be read.",
                "Save it as a JPEG photo, or set the phone to take JPEG photos.",
            )
        return InvalidImageError(Refusal.NOT_AN_IMAGE, f"{name} is a video, not a photo.", _TAKE_PHOTOS)
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start:
        return InvalidImageError(Refusal.UNSUPPORTED_FORMAT, f"{name} is an SVG drawing.", _SAVE_AS_JPEG)
    if start.startswith((b"<!doctype html", b"<html")):
        return InvalidImageError(
            Refusal.NOT_AN_IMAGE, f"{name} is a web page, not a photo.", "Download the photo itself again."
        )
    return InvalidImageError(
        Refusal.NOT_AN_IMAGE, f"{name} is not a photo: its content is no picture format.", _TAKE_PHOTOS
    )
