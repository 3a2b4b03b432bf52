"""Decoding: every accepted kind gives the same picture, damage is noticed, blur and darkness are told."""

import io
from pathlib import Path

import cv2
import numpy as np
import piexif
import pytest
from PIL import Image, ImageOps

from engine.errors import InvalidImageError
from engine.images import decode_image, image_quality, inspect_image, load_image, thumbnail
from engine.jpeg import scan_is_damaged
from engine.vocabulary import Refusal
from tests.unit.bad_inputs.photos import encode, exif, good_photo, texture


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP"])
def test_lossless_formats_come_back_exactly(image_format: str) -> None:
    image = texture(1)
    header, pixels = decode_image(encode(image, image_format), "a")
    assert header.format == image_format
    assert (header.width_px, header.height_px) == image.size
    assert np.array_equal(pixels, np.asarray(image))
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_pillow_turns_it(orientation: int) -> None:
    data = encode(texture(1), "PNG", exif=exif(main={piexif.ImageIFD.Orientation: orientation}))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert np.array_equal(load_image(data), expected)


def test_path_stream_and_bytes_decode_alike(tmp_path: Path) -> None:
    data = good_photo(1)
    file = tmp_path / "a.jpg"
    file.write_bytes(data)
    expected = load_image(data)
    assert np.array_equal(load_image(file), expected)
    assert np.array_equal(load_image(io.BytesIO(data)), expected)


@pytest.mark.parametrize(("top", "full_scale"), [(65_535, 65_535), (4_000, 4_095)])
def test_16_bit_greys_keep_their_brightness(top: int, full_scale: int) -> None:
    grey = np.linspace(0, top, 64 * 64).astype(np.uint16).reshape(64, 64)
    pixels = load_image(encode(Image.fromarray(grey), "TIFF"))
    assert np.abs(pixels[..., 0].astype(float) - grey * (255 / full_scale)).max() <= 0.51


def test_transparent_parts_become_grey_not_what_is_hidden_under_them() -> None:
    layered = np.zeros((64, 64, 4), dtype=np.uint8)
    layered[:, 32:] = 255
    pixels = load_image(encode(Image.fromarray(layered), "PNG"))
    assert (pixels[:, :32] == 128).all()
    assert (pixels[:, 32:] == 255).all()


def test_float_tiff_is_no_photo() -> None:
    heights = Image.fromarray(np.random.default_rng(0).random((64, 64)).astype(np.float32))
    with pytest.raises(InvalidImageError) as caught:
        inspect_image(encode(heights, "TIFF"), "dem.tif")
    assert caught.value.code == Refusal.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP", "WEBP", "JPEG"])
def test_cut_file_of_any_format_is_damaged(image_format: str) -> None:
    data = encode(texture(1), image_format)
    with pytest.raises(InvalidImageError) as caught:
        inspect_image(data[: len(data) * 2 // 3], "cut")
    assert caught.value.code == Refusal.DAMAGED_IMAGE
    assert "cut" in caught.value.what


@pytest.mark.parametrize("keep", [-2, -1])
def test_jpeg_without_its_last_bytes_is_damaged(keep: int) -> None:
    with pytest.raises(InvalidImageError):
        inspect_image(good_photo(1)[:keep], "cut")


@pytest.mark.parametrize("quality", [5, 75, 100])
@pytest.mark.parametrize(
    "options",
    [{}, {"subsampling": 2}, {"optimize": True}, {"restart_marker_rows": 1}, {"progressive": True}],
    ids=str,
)
def test_sound_jpegs_are_never_called_damaged(quality: int, options: dict[str, int]) -> None:
    flat = Image.new("RGB", (33, 47), (90, 90, 90))
    for image in (flat, flat.convert("L"), texture(1), texture(1).convert("CMYK"), texture(2, 640, 64)):
        assert not scan_is_damaged(encode(image, quality=quality, **options))


def test_padding_and_previews_after_the_pixels_are_not_damage() -> None:
    data = good_photo(1)
    assert not scan_is_damaged(data[:-2] + bytes(40) + data[-2:])
    assert not scan_is_damaged(data + good_photo(2))


def test_surplus_and_lack_of_compressed_data_are_damage() -> None:
    data = good_photo(1)
    start = data.rindex(b"\xff\xda") + 14
    assert scan_is_damaged(data[:-2] + data[start : start + 200] + data[-2:])
    assert scan_is_damaged(data[:-300] + data[-2:])


def test_camera_jpeg_with_preview_behind_it_is_one_photo() -> None:
    data = encode(texture(1), "MPO", save_all=True, append_images=[texture(2, 64, 48)])
    header = inspect_image(data, "phone.jpg")
    assert (header.format, header.width_px) == ("JPEG", 160)


def test_office_document_and_heic_are_named_for_what_they_are() -> None:
    for data, word in ((b"PK\x03\x04" + bytes(50), "zip"), (b"\0\0\0\x18ftypheic" + bytes(20), "HEIF")):
        with pytest.raises(InvalidImageError) as caught:
            inspect_image(data, "a.jpg")
        assert word in caught.value.what


def test_missing_file_is_said_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidImageError, match=r"gone\.jpg cannot be read"):
        load_image(tmp_path / "gone.jpg")


def test_thumbnail_is_small_turned_and_of_the_same_picture() -> None:
    gradient = np.zeros((800, 1200, 3), dtype=np.uint8)
    gradient[:, 600:] = 255
    data = encode(Image.fromarray(gradient), exif=exif(main={piexif.ImageIFD.Orientation: 6}))
    small = Image.open(io.BytesIO(thumbnail(data, 120)))
    assert small.size == (80, 120)
    grey = np.asarray(small.convert("L"))
    assert grey[:50].mean() < 5
    assert grey[70:].mean() > 250
    assert not small.getexif()


def test_thumbnail_never_enlarges_and_refuses_damage() -> None:
    assert Image.open(io.BytesIO(thumbnail(good_photo(1), 500))).size == (160, 120)
    with pytest.raises(InvalidImageError):
        thumbnail(good_photo(1)[:2000], 100)


def test_flat_picture_is_blurred_and_black_one_dark() -> None:
    assert image_quality(np.full((100, 100, 3), 128, np.uint8)).is_blurred
    assert image_quality(np.zeros((100, 100, 3), np.uint8)).is_dark
    sharp = image_quality(np.asarray(texture(1)))
    assert not sharp.is_blurred
    assert not sharp.is_dark


def test_sharpness_does_not_depend_on_contrast() -> None:
    image = np.asarray(texture(1, 400, 300)).astype(np.float32)
    faint = image_quality((130 + 0.3 * (image - 130)).clip(0, 255).astype(np.uint8))
    assert faint.sharpness == pytest.approx(image_quality(image.astype(np.uint8)).sharpness, rel=0.2)


@pytest.mark.real_data
def test_real_frames_pass_and_their_blurred_and_darkened_copies_do_not(data_dir: Path) -> None:
    frames = sorted((data_dir / "dnit_br290" / "frames").glob("*.jpg"))[::30]
    assert frames
    for frame in frames:
        pixels = load_image(frame)
        quality = image_quality(pixels)
        assert not quality.is_blurred
        assert not quality.is_dark
        assert image_quality(cv2.GaussianBlur(pixels, (0, 0), 4.0)).is_blurred
        darkened = (255 * (pixels / 255.0) ** 3).astype(np.uint8)
        assert image_quality(darkened).is_dark
