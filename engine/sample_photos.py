"""Draws the sample's photos: pavement, cracks, markings, light, and a survey camera's EXIF (torch-free)."""

import io
from dataclasses import dataclass
from datetime import datetime

import cv2
import numpy as np
import numpy.typing as npt
import piexif
from PIL import Image

from engine.distractors import draw_distractors
from engine.pavement import FloatImage, RgbImage, procedural_pavement, smooth_noise
from engine.sample_cracks import Course
from engine.synthesis import rasterise_polyline

HEIGHT_PX, WIDTH_PX = 640, 960
# The second survey does not stop at the very same centimetre.
SLACK_PX = 24
# Stone size in pixels and mean brightness.
SURFACES = {"asphalt": (4.5, 0.40), "chip seal": (7.5, 0.50), "slurry seal": (2.4, 0.46)}
# Stones and pits worn by traffic: this share of their contrast, against the light around them.
TEXTURE, TEXTURE_PX = 0.65, 12.0


@dataclass(frozen=True)
class Scene:
    """What one photo shows.

    Attributes:
        place_seed: of the stones: the same place looks alike in both surveys.
        photo_seed: of light, shift and sensor.
        surface: a key of `SURFACES`.
        courses: the cracks.
        edge_line: whether the lane's edge marking is in view, at the left.
        extras: names of `engine.distractors.DISTRACTORS` to draw.
        resurfaced: fresh, dark asphalt whatever the surface was.
    """

    place_seed: list[int]
    photo_seed: list[int]
    surface: str
    courses: tuple[Course, ...]
    edge_line: bool
    extras: tuple[str, ...]
    resurfaced: bool


def scene_mask(courses: tuple[Course, ...]) -> npt.NDArray[np.bool_]:
    """True extent of the cracks, (640, 960); hairlines are marked 1.4 px wide so that they stay whole."""
    mask = np.zeros((HEIGHT_PX, WIDTH_PX), bool)
    for course in courses:
        widths = np.maximum(course.widths_px, 1.4)
        mask |= rasterise_polyline(course.points_px, widths, HEIGHT_PX, WIDTH_PX) >= 0.5
    return mask


def draw_scene(scene: Scene) -> RgbImage:
    """The photo without its EXIF block: uint8 (640, 960, 3)."""
    # One stream each, so that what one survey draws more does not move what both show.
    stones, things, paint, filling = (np.random.default_rng([*scene.place_seed, i]) for i in range(4))
    photo = np.random.default_rng(scene.photo_seed)
    grain_px, brightness = (4.0, 0.24) if scene.resurfaced else SURFACES[scene.surface]
    pavement = procedural_pavement(
        stones,
        HEIGHT_PX + SLACK_PX,
        WIDTH_PX + SLACK_PX,
        grain_px=grain_px * stones.uniform(0.85, 1.15),
        brightness=brightness * stones.uniform(0.9, 1.1),
        camera=False,
        stones_only=True,
    )
    top, left = photo.integers(0, SLACK_PX + 1, 2)
    pavement = pavement[top : top + HEIGHT_PX, left : left + WIDTH_PX]
    if scene.extras:
        pavement = draw_distractors(things, pavement, only=scene.extras)
    canvas = pavement.astype(np.float32)
    # Wet or mossy hues would be distress of another kind.
    canvas += np.float32(0.7) * (canvas.mean(axis=2, keepdims=True) - canvas)
    canvas += np.float32(1 - TEXTURE) * (cv2.GaussianBlur(canvas, (0, 0), TEXTURE_PX) - canvas)
    if scene.edge_line:
        _edge_line(paint, canvas)
    _wheel_paths(paint, canvas)
    if scene.courses:
        _cracks(filling, canvas, scene.courses)
    _light(photo, canvas)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def encode_photo(
    image: RgbImage, *, latitude: float, longitude: float, heading_deg: float, taken_at: datetime
) -> bytes:
    """JPEG bytes with position, heading and time (UTC, milliseconds) in EXIF.

    Args:
        image: uint8 (H, W, 3).
        latitude: WGS84 degrees.
        longitude: WGS84 degrees.
        heading_deg: driving direction, 0 <= heading < 360, clockwise from north.
        taken_at: aware UTC.
    """
    stamp = taken_at.strftime("%Y:%m:%d %H:%M:%S")
    milliseconds = taken_at.second * 1000 + taken_at.microsecond // 1000
    block = piexif.dump(
        {
            "0th": {
                piexif.ImageIFD.Make: "Pavescope",
                piexif.ImageIFD.Model: "Sample camera",
                piexif.ImageIFD.ImageDescription: "Made up: no such road exists",
                piexif.ImageIFD.DateTime: stamp,
            },
            "Exif": {
                piexif.ExifIFD.DateTimeOriginal: stamp,
                piexif.ExifIFD.SubSecTimeOriginal: f"{milliseconds % 1000:03d}",
                piexif.ExifIFD.OffsetTimeOriginal: "+00:00",
            },
            "GPS": {
                piexif.GPSIFD.GPSLatitudeRef: "N" if latitude >= 0 else "S",
                piexif.GPSIFD.GPSLatitude: _degrees(latitude),
                piexif.GPSIFD.GPSLongitudeRef: "E" if longitude >= 0 else "W",
                piexif.GPSIFD.GPSLongitude: _degrees(longitude),
                piexif.GPSIFD.GPSImgDirectionRef: "T",
                piexif.GPSIFD.GPSImgDirection: (round(heading_deg * 100) % 36000, 100),
                piexif.GPSIFD.GPSDateStamp: taken_at.strftime("%Y:%m:%d"),
                piexif.GPSIFD.GPSTimeStamp: ((taken_at.hour, 1), (taken_at.minute, 1), (milliseconds, 1000)),
            },
        }
    )
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=88, exif=block)
    return file.getvalue()


def _degrees(value: float) -> tuple[tuple[int, int], ...]:
    """Degrees, minutes and 1/100,000 seconds (0.3 mm) as EXIF rationals."""
    hundred_thousandths = round(abs(value) * 3600 * 100_000)
    minutes, seconds = divmod(hundred_thousandths, 60 * 100_000)
    return (minutes // 60, 1), (minutes % 60, 1), (seconds, 100_000)


def _edge_line(rng: np.random.Generator, canvas: FloatImage) -> None:
    """A worn white line along the left side of the picture."""
    left = rng.uniform(-30, 40)
    points = np.array([[left, -20.0], [left + rng.uniform(-8, 8), HEIGHT_PX + 20.0]])
    cover = rasterise_polyline(points, np.full(2, 75.0), HEIGHT_PX, WIDTH_PX)
    wear = smooth_noise(rng, HEIGHT_PX, WIDTH_PX, 3.0) + smooth_noise(rng, HEIGHT_PX, WIDTH_PX, 30.0)
    cover *= np.clip(2.0 + 0.7 * wear, 0.1, 1)
    cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), 0.9), np.float32)
    grain = canvas.mean(axis=2, keepdims=True) / max(float(canvas.mean()), 1.0)
    paint = np.array([205, 204, 196], np.float32) * (0.75 + 0.25 * grain)
    canvas += np.float32(0.85) * cover[..., None] * (paint - canvas)


def _wheel_paths(rng: np.random.Generator, canvas: FloatImage) -> None:
    """Two broad, slightly polished bands in driving direction."""
    x = np.arange(WIDTH_PX, dtype=np.float32)
    bands = sum(np.exp(-(((x - at * WIDTH_PX) / 130) ** 2)) for at in (0.22, 0.82))
    canvas *= 1 + np.float32(rng.uniform(-0.08, 0.06)) * np.asarray(bands, np.float32)[None, :, None]


def _cracks(rng: np.random.Generator, canvas: FloatImage, courses: tuple[Course, ...]) -> None:
    """Darken the cracks: deepest in the middle, unevenly filled, with a worn rim."""
    cover = np.zeros((HEIGHT_PX, WIDTH_PX), np.float32)
    for course in courses:
        np.maximum(
            cover, rasterise_polyline(course.points_px, course.widths_px, HEIGHT_PX, WIDTH_PX), out=cover
        )
    mean_px = float(np.mean([course.widths_px.mean() for course in courses]))
    soft = 0.6 * cv2.GaussianBlur(cover, (0, 0), 0.6) + 0.4 * cv2.GaussianBlur(
        cover, (0, 0), 0.6 + mean_px / 4
    )
    filled = np.clip(1 + 0.22 * smooth_noise(rng, HEIGHT_PX, WIDTH_PX, 2.5 * mean_px), 0.45, 1.25)
    rim = cv2.GaussianBlur(cover, (0, 0), 1.5 + mean_px) * (1 - cover)
    canvas *= 1 - np.float32(0.18) * np.clip(rim, 0, 1)[..., None]
    dirt = np.asarray(cv2.blur(canvas, (31, 31)), np.float32) * np.array([1.0, 0.98, 0.95], np.float32)
    canvas += (0.5 * soft)[..., None] * (dirt - canvas)
    canvas *= 1 - np.clip(np.float32(rng.uniform(0.62, 0.75)) * soft * filled, 0, 0.92)[..., None]


def _light(rng: np.random.Generator, canvas: FloatImage) -> None:
    """Daylight, lens and sensor of one photo."""
    rows, cols = np.mgrid[-1 : 1 : HEIGHT_PX * 1j, -1 : 1 : WIDTH_PX * 1j].astype(np.float32)
    tilt = rng.normal(0, 0.04, 2).astype(np.float32)
    canvas *= (np.float32(rng.uniform(0.9, 1.1)) * (1 + tilt[0] * cols + tilt[1] * rows))[..., None]
    canvas *= (1 - 0.07 * (rows**2 + cols**2))[..., None]
    canvas *= 1 + rng.normal(0, 0.012, 3).astype(np.float32)
    canvas[:] = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.45, 0.7))
    canvas += rng.standard_normal(canvas.shape, dtype=np.float32) * np.float32(rng.uniform(1.5, 3.0))
