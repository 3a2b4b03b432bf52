"""Say what a file is that is not a photo, so that people know what to do with it (torch-free)."""

from engine.errors import InvalidImageError
from engine.vocabulary import Refusal

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


def unreadable_file(data: bytes, name: str) -> InvalidImageError:
    """The refusal of a file that no photo decoder knows: what it is, by content, as far as it can be told.

    Args:
        data: the file, or its first kilobyte.
        name: the name people know the file by.
    """
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
