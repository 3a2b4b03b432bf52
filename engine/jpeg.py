"""Find JPEG damage that decoders pass over in silence (torch-free).

libjpeg paints grey over what it cannot read and only warns; neither Pillow nor OpenCV hands the warning on.
What it warns of, compressed data too long or too short for the picture, can be seen from outside.
"""

import io
import re
import struct

from PIL import Image

_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_SEQUENTIAL = (0xC0, 0xC1)  # start-of-frame markers of photos whose pixels come in one pass
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))
# In the compressed data FF is followed by 00 or by a restart marker; anything else ends the scan.
_SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_WITHHELD_BYTES = 8
_FILLER = (
    b"\xff\x00" * 8
)  # stands for the bits that pad the last byte; a decoder that needs more was cut short


def scan_is_damaged(data: bytes) -> bool:
    """Whether the compressed pixels are longer or shorter than the picture.

    Sees about one in seven single flipped bits, as many as libjpeg warns of, and nearly all larger damage.
    Progressive photos are read in several passes and always pass. Zeros before the end, which some cameras
    write, are not damage.

    Args:
        data: a JPEG file that opens; what follows its first picture is not looked at.
    """
    scan = _only_scan(data)
    if scan is None:
        return False
    start, end, complete = scan
    if not complete:
        return True
    last = max(start, len(data[:end].rstrip(b"\x00\xff")) - _WITHHELD_BYTES)
    return _decodes(data[:last]) or not _decodes(data[:end] + _FILLER)


def _only_scan(data: bytes) -> tuple[int, int, bool] | None:
    """(start, end, whether a proper end follows) of the pixels, or None where they come in several passes."""
    position, components = 2, 0
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker in _WITHOUT_LENGTH:
            position += 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        after = position + 2 + length
        if after > len(data):
            return None
        if marker in _SEQUENTIAL:
            components = data[position + 9]
        elif marker == _START_OF_SCAN:
            if components == 0 or data[position + 4] != components:
                return None
            end = _SCAN_END.search(data, after)
            return (
                (after, len(data), False) if end is None else (after, end.start(), end[0][1] == _END_OF_IMAGE)
            )
        position = after
    return None


def _decodes(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            image.draft(None, (1, 1))  # an eighth of the size: all data is read, few pixels are computed
            image.load()
    except (OSError, SyntaxError, ValueError):
        return False
    return True
