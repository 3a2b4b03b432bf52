"""Every bad input of the images, positions, names and archives lists, made in code.

Each case builds a batch with good photos in it, so that a test can check that the rest was kept.
"""

import io
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import piexif
from PIL import Image

from engine.vocabulary import ImageFlag, Refusal
from tests.unit.bad_inputs.photos import (
    DEGREES_PER_STEP,
    ROAD_LATITUDE,
    ROAD_LONGITUDES,
    START,
    encode,
    exif,
    good_photo,
    step_exif,
    texture,
)

GOOD_NAMES = ("good1.jpg", "good2.jpg", "good3.jpg")


@dataclass(frozen=True)
class BadInputCase:
    """One bad input in a batch of good ones.

    Attributes:
        id: name of the case.
        build: writes the batch into an empty folder and returns what to import: a folder or a zip.
        name: the bad file as it is shown to people.
        expected_code: why it is refused; None where it is accepted.
        expected_flag: what is flagged where it is accepted; None where nothing is.
        must_mention: words of reason, remedy and notes, in lower case.
        accepted: number of accepted photos, good ones included.
        track: name of the track file beside the batch, if it has one.
        track_refused: whether reading the track raises TrackError (which must mention the words).
        archive_refused: whether the whole archive is refused by ArchiveError (likewise).
        clock_offset_s: as the user would enter it.
    """

    id: str
    build: Callable[[Path], Path]
    name: str
    expected_code: Refusal | None = None
    expected_flag: ImageFlag | None = None
    must_mention: tuple[str, ...] = ()
    accepted: int = len(GOOD_NAMES)
    track: str | None = None
    track_refused: bool = False
    archive_refused: bool = False
    clock_offset_s: float = 0.0


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    batch = folder / "batch"
    for name, data in {**good_files(), **files}.items():
        path = batch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return batch


def good_files() -> dict[str, bytes]:
    return {name: good_photo(step) for step, name in enumerate(GOOD_NAMES)}


def write_zip(folder: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    """A zip of the given members among the good photos."""
    path = folder / "batch.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two members of one name are a case
        for name, data in [*good_files().items(), *members]:
            archive.writestr(name, data, zipfile.ZIP_DEFLATED)
    return path


def image_case(
    case_id: str,
    name: str,
    make: Callable[[], bytes],
    code: Refusal | None = None,
    mention: tuple[str, ...] = (),
) -> BadInputCase:
    return BadInputCase(
        case_id,
        lambda folder: write_folder(folder, {name: make()}),
        name,
        expected_code=code,
        must_mention=mention,
        accepted=3 if code else 4,
    )


# Images


def on_road() -> bytes:
    return step_exif(5)


def truncated_jpeg() -> bytes:
    data = good_photo(5)
    return data[: len(data) * 2 // 3]


def bit_flipped_scan() -> bytes:
    data = bytearray(good_photo(5))
    start = data.rindex(b"\xff\xda") + 14
    rng = np.random.default_rng(1)
    for position in rng.integers(start, len(data) - 8, 40):
        data[position] ^= 1 << int(rng.integers(8))
    return bytes(data)


def png_bomb() -> bytes:
    """30,000 x 30,000 pixels of one bit in 120 kB."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    side = 30_000
    rows = zlib.compress(bytes((side // 8 + 1) * side), 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def tiff_16_bit() -> bytes:
    grey = np.random.default_rng(5).normal(33_000, 6_000, (120, 160)).clip(0, 65_535).astype(np.uint16)
    return encode(Image.fromarray(grey), "TIFF")


def nested_ifd_tiff() -> bytes:
    """A TIFF whose picture holds another, as camera raw files do: tag 330 points to a second directory."""
    data = bytearray(encode(texture(5), "TIFF"))
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    entries = data[start + 2 : start + 2 + 12 * count]
    data += b"\0" * (len(data) % 2)
    directory = len(data)
    sub_ifd = struct.pack("<HHII", 330, 4, 1, start)
    tags = sorted(
        [*(bytes(entries[i : i + 12]) for i in range(0, len(entries), 12)), sub_ifd],
        key=lambda entry: struct.unpack("<H", entry[:2]),
    )
    data += struct.pack("<H", count + 1) + b"".join(tags) + struct.pack("<I", 0)
    struct.pack_into("<I", data, 4, directory)
    return bytes(data)


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\n(x) run\n%%EOF\n"

IMAGE_CASES = [
    image_case("zero_bytes", "bad.jpg", bytes, Refusal.EMPTY_FILE, ("empty", "camera")),
    image_case("truncated_jpeg", "bad.jpg", truncated_jpeg, Refusal.DAMAGED_IMAGE, ("damaged",)),
    image_case("bit_flipped_scan", "bad.jpg", bit_flipped_scan, Refusal.DAMAGED_IMAGE, ("damaged",)),
    image_case("png_named_jpg", "bad.jpg", lambda: encode(texture(5), "PNG", exif=on_road())),
    image_case(
        "html_named_jpg",
        "bad.jpg",
        lambda: b"<!DOCTYPE html><html><body>Not found</body></html>",
        Refusal.NOT_AN_IMAGE,
        ("web page",),
    ),
    image_case("svg", "bad.svg", lambda: SVG, Refusal.UNSUPPORTED_FORMAT, ("svg", "jpeg")),
    image_case("eps", "bad.jpg", lambda: EPS, Refusal.UNSUPPORTED_FORMAT, ("postscript", "jpeg")),
    image_case("png_bomb", "bad.png", png_bomb, Refusal.TOO_LARGE, ("200 million pixels",)),
    image_case(
        "one_pixel", "bad.png", lambda: encode(texture(5, 1, 1), "PNG"), Refusal.TOO_SMALL, ("1 x 1",)
    ),
    image_case(
        "one_by_60000", "bad.png", lambda: encode(texture(5, 1, 60_000), "PNG"), Refusal.TOO_SMALL, ("60000",)
    ),
    image_case("tiff_16_bit", "bad.tif", tiff_16_bit),
    image_case("cmyk", "bad.jpg", lambda: encode(texture(5).convert("CMYK"), exif=on_road())),
    image_case("alpha", "bad.png", lambda: encode(texture(5).convert("RGBA"), "PNG", exif=on_road())),
    image_case("greyscale", "bad.jpg", lambda: encode(texture(5).convert("L"), exif=on_road())),
    image_case("progressive", "bad.jpg", lambda: encode(texture(5), progressive=True, exif=on_road())),
    image_case(
        "animated_webp",
        "bad.webp",
        lambda: encode(texture(5), "WEBP", save_all=True, append_images=[texture(6)], duration=100),
        Refusal.ANIMATED,
        ("several pictures",),
    ),
    image_case("nested_ifd_tiff", "bad.tif", nested_ifd_tiff, Refusal.ANIMATED, ("several pictures",)),
    image_case(
        "orientation_6",
        "bad.jpg",
        lambda: encode(texture(5), exif=step_exif(5, main={piexif.ImageIFD.Orientation: 6})),
    ),
    image_case(
        "same_bytes_twice",
        "zz_copy.jpg",
        lambda: good_photo(1),
        Refusal.DUPLICATE,
        ("same photo as good2.jpg", "stored once"),
    ),
    BadInputCase(
        "same_name_other_bytes",
        lambda folder: write_zip(folder, ("good2.jpg", good_photo(5))),
        "good2.jpg",
        accepted=4,
    ),
]


# Positions


def position_case(
    case_id: str, make_exif: Callable[[], bytes], flag: ImageFlag | None, mention: tuple[str, ...]
) -> BadInputCase:
    return BadInputCase(
        case_id,
        lambda folder: write_folder(folder, {"bad.jpg": encode(texture(5), exif=make_exif())}),
        "bad.jpg",
        expected_flag=flag,
        must_mention=mention,
        accepted=4,
    )


def two_in_one_second(folder: Path) -> Path:
    """Two photos while GPS said one second: the second carries the position of the first."""
    first = encode(texture(8), exif=step_exif(8))
    second = encode(
        texture(9),
        exif=step_exif(8, detail={piexif.ExifIFD.SubSecTimeOriginal: b"500"}),
    )
    after = encode(texture(10), exif=step_exif(9))
    return write_folder(folder, {"one1.jpg": first, "one2.jpg": second, "two.jpg": after})


GPX_HEAD = '<?xml version="1.0" encoding="UTF-8"?><gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1">'


def track_rows(shift_s: float = 0.0) -> list[tuple[datetime, float, float]]:
    """A track along the road, a point a second from one second before the first good photo to 20 s after."""
    return [
        (
            START + timedelta(seconds=step + shift_s),
            ROAD_LATITUDE,
            ROAD_LONGITUDES[0] + 0.001 + step * DEGREES_PER_STEP,
        )
        for step in range(-1, 21)
    ]


def csv_track(separator: str = ",", decimal: str = ".") -> str:
    rows = [
        f"{moment:%Y-%m-%dT%H:%M:%SZ}{separator}{latitude:.7f}{separator}{longitude:.7f}"
        for moment, latitude, longitude in track_rows()
    ]
    text = "\r\n".join([separator.join(("Time", "Latitude", "Longitude")), *rows])
    return text.replace(".", decimal) if decimal != "." else text


def gpx_track(with_times: bool, shift_s: float = 0.0) -> str:
    points = "".join(
        f'<trkpt lat="{latitude:.7f}" lon="{longitude:.7f}">'
        + (f"<time>{moment:%Y-%m-%dT%H:%M:%SZ}</time>" if with_times else "")
        + "</trkpt>"
        for moment, latitude, longitude in track_rows(shift_s)
    )
    return f"{GPX_HEAD}<trk><trkseg>{points}</trkseg></trk></gpx>"


def track_case(
    case_id: str,
    track: str,
    make_track: Callable[[], bytes],
    *,
    photo_step: float = 5.0,
    flag: ImageFlag | None = None,
    mention: tuple[str, ...] = (),
    refused: bool = False,
    clock_offset_s: float = 0.0,
) -> BadInputCase:
    """A photo without GPS that only the track can place; a refused track leaves it without a position."""

    def build(folder: Path) -> Path:
        (folder / track).write_bytes(make_track())
        photo = encode(texture(5), exif=exif(moment=START + timedelta(seconds=photo_step)))
        return write_folder(folder, {"bad.jpg": photo})

    return BadInputCase(
        case_id,
        build,
        "bad.jpg",
        expected_flag=flag,
        must_mention=mention,
        accepted=4,
        track=track,
        track_refused=refused,
        clock_offset_s=clock_offset_s,
    )


GPS = piexif.GPSIFD
POSITION_CASES = [
    position_case("no_gps", lambda: exif(moment=START), ImageFlag.NO_POSITION, ("no gps position",)),
    position_case(
        "zero_zero", lambda: exif(0.0, 0.0, moment=START), ImageFlag.NO_POSITION, ("0, 0", "signal")
    ),
    position_case(
        "latitude_91",
        lambda: step_exif(5, gps={GPS.GPSLatitude: ((91, 1), (0, 1), (0, 1))}),
        ImageFlag.NO_POSITION,
        ("latitude 91", "not on earth"),
    ),
    position_case(
        "missing_reference",
        lambda: step_exif(5, gps={GPS.GPSLatitudeRef: None}),
        ImageFlag.NO_POSITION,
        ("n or s",),
    ),
    position_case(
        "nan_rational",
        lambda: step_exif(5, gps={GPS.GPSLatitude: ((46, 1), (7, 0), (0, 1))}),
        ImageFlag.NO_POSITION,
        ("not a number",),
    ),
    position_case(
        "swapped",
        lambda: exif(ROAD_LONGITUDES[0] + 0.002, ROAD_LATITUDE, moment=START),
        ImageFlag.OFF_NETWORK,
        ("latitude and longitude", "exchanged"),
    ),
    position_case(
        "date_in_future",
        lambda: exif(ROAD_LATITUDE, ROAD_LONGITUDES[0] + 0.002, moment=START.replace(year=2087)),
        ImageFlag.TIME_IN_FUTURE,
        ("2087", "future"),
    ),
    position_case(
        "off_network_5_km",
        lambda: exif(ROAD_LATITUDE + 0.045, ROAD_LONGITUDES[0] + 0.002, moment=START),
        ImageFlag.OFF_NETWORK,
        ("5.0 km",),
    ),
    BadInputCase(
        "two_in_one_second",
        two_in_one_second,
        "one2.jpg",
        expected_flag=ImageFlag.POSITION_INTERPOLATED,
        must_mention=("gps second",),
        accepted=6,
    ),
    track_case(
        "clock_offset",
        "track.gpx",
        lambda: gpx_track(True, shift_s=3600.0).encode(),
        clock_offset_s=3600.0,
    ),
    track_case(
        "before_track",
        "track.gpx",
        lambda: gpx_track(True).encode(),
        photo_step=-600,
        flag=ImageFlag.OUTSIDE_TRACK,
        mention=("before the start",),
    ),
    track_case(
        "after_track",
        "track.gpx",
        lambda: gpx_track(True).encode(),
        photo_step=600,
        flag=ImageFlag.OUTSIDE_TRACK,
        mention=("after the end",),
    ),
    track_case(
        "gpx_no_times",
        "track.gpx",
        lambda: gpx_track(False).encode(),
        refused=True,
        mention=("without times",),
    ),
    track_case("csv_utf16", "track.csv", lambda: csv_track().encode("utf-16")),
    track_case("csv_semicolons", "track.csv", lambda: csv_track(";", ",").encode()),
    track_case("csv_bom", "track.csv", lambda: csv_track().encode("utf-8-sig")),
    track_case(
        "csv_million_columns",
        "track.csv",
        lambda: b",".join(b"c" for _ in range(1_000_000)) + b"\n" + b"," * 999_999,
        refused=True,
        mention=("1,000,000 columns",),
    ),
]


# Names


def name_case(case_id: str, name: str, shown: str) -> BadInputCase:
    """A good photo of a bad name inside a zip, where names may be anything."""
    return BadInputCase(case_id, lambda folder: write_zip(folder, (name, good_photo(5))), shown, accepted=4)


def script_comment(folder: Path) -> Path:
    script = b"<script>alert(1)</script>"
    block = step_exif(
        5,
        main={piexif.ImageIFD.ImageDescription: script, piexif.ImageIFD.Artist: script},
        detail={piexif.ExifIFD.UserComment: b"ASCII\0\0\0" + script},
    )
    return write_folder(folder, {"bad.jpg": encode(texture(5), exif=block, comment=script)})


NAME_CASES = [
    BadInputCase(
        "parent_path",
        lambda folder: write_folder(folder, {"..\\..\\x.jpg": good_photo(5)}),
        "x.jpg",
        accepted=4,
    ),
    name_case("name_300_characters", "n" * 300 + ".jpg", "n" * 99 + "…" + "n" * 16 + ".jpg"),
    name_case("name_nul", "nul\0.jpg", "nul"),
    name_case("name_right_to_left", "road\u202egpj.exe", "roadgpj.exe"),
    name_case("name_emoji", "road \U0001f6a7.jpg", "road \U0001f6a7.jpg"),
    name_case("name_con", "CON.jpg", "CON.jpg"),
    name_case("name_template_literal", "`${alert(1)}`.jpg", "`${alert(1)}`.jpg"),
    name_case("name_hyperlink", '=HYPERLINK("x").jpg', '=HYPERLINK("x").jpg'),
    BadInputCase("exif_script", script_comment, "bad.jpg", accepted=4),
]


# Archives


def archive_case(
    case_id: str, build: Callable[[Path], Path], name: str, code: Refusal, mention: tuple[str, ...]
) -> BadInputCase:
    return BadInputCase(case_id, build, name, expected_code=code, must_mention=mention)


def nested_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("inner.jpg", good_photo(5))
    return out.getvalue()


def symlink_in_zip(folder: Path) -> Path:
    link = zipfile.ZipInfo("bad.jpg")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return write_zip(folder, (link, b"/etc/passwd"))


def encrypted_zip(folder: Path) -> Path:
    """Python cannot encrypt: the flag says it and the bytes are noise, all one sees without the password."""
    path = write_zip(folder, ("bad.jpg", np.random.default_rng(0).bytes(5000)))
    data = bytearray(path.read_bytes())
    local, central = data.index(b"bad.jpg"), data.rindex(b"bad.jpg")
    data[local - 30 + 6] |= 1
    data[central - 46 + 8] |= 1
    path.write_bytes(bytes(data))
    return path


def damaged_member(folder: Path) -> Path:
    """One byte of a stored member changed: its checksum tells."""
    path = write_zip(folder, ("bad.jpg", good_photo(5)))
    data = bytearray(path.read_bytes())
    data[data.index(b"bad.jpg") + 2000] ^= 0xFF
    path.write_bytes(bytes(data))
    return path


def ten_thousand_files(folder: Path) -> Path:
    """One small photo 10,000 times, told apart by a JPEG comment."""
    photo = encode(texture(5, 32, 32), exif=on_road())
    path = folder / "batch.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(10_000):
            comment = b"\xff\xfe\x00\x06" + struct.pack(">I", number)
            archive.writestr(f"{number // 1000}/{number:05d}.jpg", photo[:2] + comment + photo[2:])
    return path


def cut_zip(folder: Path) -> Path:
    path = write_zip(folder)
    path.write_bytes(path.read_bytes()[:-100])
    return path


ARCHIVE_CASES = [
    archive_case(
        "zip_slip",
        lambda folder: write_zip(folder, ("../../x.jpg", good_photo(5))),
        "x.jpg",
        Refusal.UNSAFE_PATH,
        ("outside",),
    ),
    archive_case(
        "zip_absolute_path",
        lambda folder: write_zip(folder, ("C:\\Windows\\x.jpg", good_photo(5))),
        "Windows/x.jpg",
        Refusal.UNSAFE_PATH,
        ("outside",),
    ),
    archive_case(
        "zip_bomb",
        lambda folder: write_zip(folder, ("bad.jpg", bytes(16 * 1024**2))),
        "bad.jpg",
        Refusal.ARCHIVE_BOMB,
        ("100 times",),
    ),
    archive_case(
        "nested_zip",
        lambda folder: write_zip(folder, ("bad.zip", nested_zip())),
        "bad.zip",
        Refusal.NESTED_ARCHIVE,
        ("zip", "unpack"),
    ),
    archive_case("symlink_in_zip", symlink_in_zip, "bad.jpg", Refusal.SYMLINK, ("link",)),
    archive_case("encrypted_zip", encrypted_zip, "bad.jpg", Refusal.ENCRYPTED, ("password",)),
    archive_case("damaged_member", damaged_member, "bad.jpg", Refusal.DAMAGED_ARCHIVE, ("damaged",)),
    BadInputCase("zip_10000_files", ten_thousand_files, "9/09999.jpg", accepted=10_000),
    BadInputCase(
        "damaged_zip",
        cut_zip,
        "batch.zip",
        must_mention=("batch.zip", "damaged"),
        accepted=0,
        archive_refused=True,
    ),
]

CASES = [*IMAGE_CASES, *POSITION_CASES, *NAME_CASES, *ARCHIVE_CASES]
