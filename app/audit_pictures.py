"""The pictures of an audit's tile: the photo with some context, and the model's answer inside the tile."""

import io

from PIL import Image

from app.audit_data import TilePicture
from engine.audit import Box, window_around
from engine.images import load_image


def tile_photo(stored: bytes, tile: TilePicture) -> bytes:
    """The tile and its context cut from a stored photo, lossless, as PNG."""
    window = window_around(tile.box, tile.width_px, tile.height_px)
    return _png(Image.fromarray(load_image(stored)).crop(_corners(window)))


def tile_mask(stored: bytes, tile: TilePicture) -> bytes:
    """The stored mask (PNG) of the tile alone, placed in a picture of the size of `tile_photo`.

    What the model found around the tile may belong to a tile that is still to be judged blind.
    """
    window = window_around(tile.box, tile.width_px, tile.height_px)
    with Image.open(io.BytesIO(stored), formats=("PNG",)) as mask:
        inside = mask.convert("L").crop(_corners(tile.box))
    shown = Image.new("L", (window.width_px, window.height_px))
    shown.paste(inside, (tile.box.left_px - window.left_px, tile.box.top_px - window.top_px))
    return _png(shown)


def _corners(box: Box) -> tuple[int, int, int, int]:
    return box.left_px, box.top_px, box.left_px + box.width_px, box.top_px + box.height_px


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()
