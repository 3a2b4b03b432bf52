"""Walk a photo, a folder or a zip one file at a time, trusting no name and no size it claims (torch-free)."""

import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from engine.errors import ArchiveError, InvalidImageError
from engine.images import MAX_FILE_BYTES, read_file, too_large_file
from engine.vocabulary import Refusal

MAX_TOTAL_BYTES = 256 * 1024**3  # unpacked bytes of one zip
MAX_RATIO = 100  # photos hardly shrink at all; a bomb shrinks a thousandfold
_RATIO_FROM_BYTES = 1024**2  # small files may shrink as they like
_CHUNK_BYTES = 1024**2
_NAME_LENGTH = 120
_ENCRYPTED = 0x1
_LITTER = ("thumbs.db", "desktop.ini", ".ds_store")
_TRACK_SUFFIXES = (".gpx", ".csv")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that may be a photo.

    Attributes:
        name: for people; safe to show once escaped, never a path to write to.
        size_bytes: as claimed; `read` enforces the limits on what really comes.
        read: returns the bytes, as often as asked. Raises InvalidImageError where the file turns
            out damaged, too large, or a bomb.
    """

    name: str
    size_bytes: int
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file kept out before its content was looked at: name for people, `Refusal` code, reason, remedy."""

    name: str
    code: Refusal
    reason: str
    remedy: str


def display_name(name: str) -> str:
    """A user's file name as it may be shown: readable, one line, at most 120 characters.

    Path parts such as `..` and `C:` are dropped, the folder is kept (`left/0001.jpg`). Control characters and
    those that turn the reading direction are removed. The rest stays text: who shows it escapes it.
    """
    # Lone surrogates stand for bytes that are not UTF-8; they cannot be stored or sent.
    text = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8"))
    text = "".join(
        " " if char.isspace() else char
        for char in text
        if char.isspace()
        or char == "\u200d"
        or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    parts = [part.strip() for part in text.replace("\\", "/").split("/")]
    parts = [part for part in parts if part.strip(".") and not (len(part) == 2 and part[1] == ":")]
    text = "/".join(parts) or "unnamed"
    if len(text) > _NAME_LENGTH:
        tail = text[-20:]
        text = f"{text[: _NAME_LENGTH - len(tail) - 1]}…{tail}"
    return text


def iter_files(path: Path, name: str | None = None) -> Iterator[SourceFile | RefusedFile]:
    """Yield the files of a photo, a folder (recursive, sorted) or a zip (by content), one at a time.

    Folders, litter of operating systems and track files (`find_track`) are passed over silently. Links are
    not followed. Zip members are read on demand, never the whole archive.

    Args:
        path: what to import.
        name: the name people know it by, where it differs from the path's.

    Raises:
        ArchiveError: nothing is there, or a folder or zip cannot be read at all.
    """
    shown = display_name(name or path.name)
    if path.is_dir():
        yield from _iter_folder(path)
    elif not path.is_file():
        raise ArchiveError(f"{path} was not found.", "Check the path.")
    elif _looks_like_zip(path):
        yield from _iter_zip(path, shown)
    else:
        yield _from_disk(path, shown)


def find_track(path: Path) -> SourceFile | None:
    """The one GPX or CSV file in a folder or zip that holds the camera's track, or None.

    GPX goes before CSV.

    Raises:
        ArchiveError: there are several, or a zip cannot be read at all.
    """
    if path.is_dir():
        tracks = [
            _from_disk(file, display_name(str(file.relative_to(path))))
            for file in _walk(path)
            if _is_track(file.name)
        ]
    elif path.is_file() and _looks_like_zip(path):
        archive = _ZipArchive(path, display_name(path.name))
        tracks = [
            archive.source(info)
            for info in archive.members()
            if _is_track(info.filename) and not _refuse(info)
        ]
    else:
        return None
    preferred = [track for track in tracks if track.name.lower().endswith(".gpx")] or tracks
    if len(preferred) > 1:
        names = ", ".join(track.name for track in preferred[:3])
        raise ArchiveError(
            f"{display_name(path.name)} holds several tracks ({names}).", "Choose the one to use."
        )
    return preferred[0] if preferred else None


def _is_track(name: str) -> bool:
    return name.lower().endswith(_TRACK_SUFFIXES) and not _is_litter(name)


def _is_litter(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return "__MACOSX" in parts or parts[-1].lower() in _LITTER


def _looks_like_zip(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
    except OSError:
        return False  # reading says why


def _from_disk(path: Path, shown: str) -> SourceFile:
    try:
        size_bytes = path.stat().st_size
    except OSError:
        size_bytes = 0  # reading says why
    return SourceFile(shown, size_bytes, lambda: read_file(path, shown))


def _walk(folder: Path) -> Iterator[Path]:
    """All entries but folders, sorted; links to folders come as entries and are not entered."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ArchiveError(
            f"The folder {display_name(folder.name)} cannot be read ({error.strerror or 'input error'}).",
            "Check who may read it.",
        ) from error
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)
        else:
            yield entry


def _iter_folder(folder: Path) -> Iterator[SourceFile | RefusedFile]:
    for entry in _walk(folder):
        relative = str(entry.relative_to(folder))
        shown = display_name(relative)
        if _is_litter(relative):
            continue
        if entry.is_symlink():
            yield RefusedFile(
                shown,
                Refusal.SYMLINK,
                f"{shown} is a link to another place.",
                "Copy the photo itself into the folder.",
            )
        elif entry.is_file() and not _is_track(relative):
            yield _from_disk(entry, shown)


class _ZipArchive:
    """An open zip; it closes when the last `SourceFile` that reads from it is gone."""

    def __init__(self, path: Path, shown: str) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ArchiveError(
                f"{shown} is damaged or incomplete: the list of its files cannot be read.",
                "Make the zip again, or import the folder.",
            ) from error
        self._total_bytes = 0
        self._counted: set[int] = set()  # members by offset, so that reading one twice counts once

    def members(self) -> list[zipfile.ZipInfo]:
        return [info for info in self._zip.infolist() if not info.is_dir() and not _is_litter(info.filename)]

    def source(self, info: zipfile.ZipInfo) -> SourceFile:
        return SourceFile(display_name(info.filename), info.file_size, lambda: self.read(info))

    def read(self, info: zipfile.ZipInfo) -> bytes:
        """Unpack one member; the limits hold for what really comes out, whatever its header claims."""
        shown = display_name(info.filename)
        others_bytes = self._total_bytes if info.header_offset not in self._counted else 0
        data = bytearray()
        try:
            with self._zip.open(info) as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    data += chunk
                    _check_size(shown, len(data), info.compress_size, others_bytes)
        except zipfile.BadZipFile as error:
            if "overlap" in str(error).lower():
                raise _bomb(shown) from error
            raise _damaged_member(shown) from error
        except NotImplementedError as error:
            raise InvalidImageError(
                Refusal.DAMAGED_ARCHIVE,
                f"{shown} is packed in a way that cannot be read.",
                "Make the zip again with ordinary compression (Deflate), or import the folder.",
            ) from error
        except (OSError, EOFError, zlib.error, ValueError, RuntimeError) as error:
            raise _damaged_member(shown) from error
        if info.header_offset not in self._counted:
            self._counted.add(info.header_offset)
            self._total_bytes += len(data)
        return bytes(data)


def _check_size(shown: str, size_bytes: int, packed_bytes: int, others_bytes: int) -> None:
    if size_bytes > _RATIO_FROM_BYTES and size_bytes > MAX_RATIO * max(packed_bytes, 1):
        raise _bomb(shown)
    if size_bytes > MAX_FILE_BYTES:
        raise too_large_file(shown)
    if others_bytes + size_bytes > MAX_TOTAL_BYTES:
        raise InvalidImageError(
            Refusal.ARCHIVE_BOMB,
            f"{shown} was not unpacked: the zip holds more than {MAX_TOTAL_BYTES // 1024**3} GB.",
            "Split the zip, or import the folder.",
        )


def _bomb(shown: str) -> InvalidImageError:
    return InvalidImageError(
        Refusal.ARCHIVE_BOMB,
        f"{shown} unpacks to more than {MAX_RATIO} times its packed size; no photo does.",
        "Leave it out of the zip.",
    )


def _damaged_member(shown: str) -> InvalidImageError:
    return InvalidImageError(
        Refusal.DAMAGED_ARCHIVE,
        f"{shown} is damaged inside the zip.",
        "Make the zip again from the original photos.",
    )


def _iter_zip(path: Path, shown: str) -> Iterator[SourceFile | RefusedFile]:
    archive = _ZipArchive(path, shown)
    for info in archive.members():
        refused = _refuse(info)
        if refused is not None:
            yield refused
        elif not _is_track(info.filename):
            yield archive.source(info)


def _refuse(info: zipfile.ZipInfo) -> RefusedFile | None:
    """Why a member is not even opened, or None."""
    shown = display_name(info.filename)
    windows = PureWindowsPath(info.filename)  # knows drives and both slashes
    if windows.is_absolute() or windows.drive or windows.root or ".." in windows.parts:
        return RefusedFile(
            shown,
            Refusal.UNSAFE_PATH,
            f"{shown} would be unpacked outside its folder.",
            "Make the zip again from the folder of photos.",
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        return RefusedFile(
            shown,
            Refusal.SYMLINK,
            f"{shown} is a link to another place.",
            "Put the photo itself into the zip.",
        )
    if info.flag_bits & _ENCRYPTED:
        return RefusedFile(
            shown,
            Refusal.ENCRYPTED,
            f"{shown} is locked with a password.",
            "Make the zip again without a password.",
        )
    return None
