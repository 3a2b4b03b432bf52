"""Walking folders and zips, and names as they are shown."""

import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.archives import RefusedFile, SourceFile, display_name, find_track, iter_files
from engine.errors import ArchiveError, InvalidImageError
from engine.vocabulary import Refusal

# A busy machine must not fail a property.
PATIENT = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])


@PATIENT
@given(st.text(max_size=400))
def test_shown_names_are_short_one_line_and_settle(name: str) -> None:
    shown = display_name(name)
    assert 1 <= len(shown) <= 120
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in shown)
    assert not set(shown) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\n\r\t\0\\"
    )
    assert ".." not in shown.split("/")
    assert not shown.startswith("/")
    assert display_name(shown) == shown
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../x.jpg", "x.jpg"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\Users\\me\\x.jpg", "Users/me/x.jpg"),
        ("left/./0001.jpg", "left/0001.jpg"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("a\x00\x1b[31m.jpg", "a[31m.jpg"),
        ("../..", "unnamed"),
        ("", "unnamed"),
        ("<script>.jpg", "<script>.jpg"),
        ("na\u0308me.jpg", "n\u00e4me.jpg"),
        ("a\udcff.jpg", "a?.jpg"),
    ],
)
def test_shown_names(name: str, shown: str) -> None:
    assert display_name(name) == shown


def names(path: Path) -> list[str]:
    return [file.name for file in iter_files(path)]


def fill(folder: Path) -> None:
    for name in (
        "b.jpg",
        "a/2.jpg",
        "a/1.jpg",
        "track.gpx",
        "other.csv",
        "Thumbs.db",
        "__MACOSX/b.jpg",
        ".DS_Store",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def test_folder_is_walked_sorted_without_litter_and_tracks(tmp_path: Path) -> None:
    fill(tmp_path)
    assert names(tmp_path) == ["a/1.jpg", "a/2.jpg", "b.jpg"]


def test_links_in_a_folder_are_reported_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"x")
    batch = tmp_path / "batch"
    batch.mkdir()
    (batch / "file.jpg").symlink_to(outside / "secret.jpg")
    (batch / "folder").symlink_to(outside)
    (batch / "round").symlink_to(batch)
    found = list(iter_files(batch))
    assert all(isinstance(file, RefusedFile) and file.code == Refusal.SYMLINK for file in found)
    assert [file.name for file in found] == ["file.jpg", "folder", "round"]


def test_zip_is_known_by_content_and_read_on_demand_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "upload.bin"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("b.jpg", "a/1.jpg", "__MACOSX/b.jpg", "a/Thumbs.db", "track.gpx"):
            archive.writestr(name, name)
        archive.mkdir("empty")
    files = [file for file in iter_files(path) if isinstance(file, SourceFile)]
    assert [file.name for file in files] == ["b.jpg", "a/1.jpg"]
    assert [file.read() for file in reversed(files)] == [b"a/1.jpg", b"b.jpg"]
    assert files[0].read() == b"b.jpg"
    track = find_track(path)
    assert track is not None
    assert track.read() == b"track.gpx"


def test_track_of_a_folder_prefers_gpx_and_refuses_to_choose_between_two(tmp_path: Path) -> None:
    fill(tmp_path)
    track = find_track(tmp_path)
    assert track is not None
    assert track.name == "track.gpx"
    (tmp_path / "second.GPX").write_bytes(b"x")
    with pytest.raises(ArchiveError, match=r"several tracks"):
        find_track(tmp_path)


def test_single_photo_keeps_the_name_people_gave_it(tmp_path: Path) -> None:
    path = tmp_path / "0f3a"
    path.write_bytes(b"x")
    (file,) = iter_files(path, "../Main Street.jpg")
    assert file.name == "Main Street.jpg"


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"nowhere\.zip was not found"):
        list(iter_files(tmp_path / "nowhere.zip"))


def test_claimed_size_is_not_believed(tmp_path: Path) -> None:
    """A bomb that claims to hold 10 bytes gives no more than it claims, and is refused."""
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(8 * 1024**2))
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    data[central + 24 : central + 28] = (10).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    (file,) = iter_files(path)
    assert isinstance(file, SourceFile)
    with pytest.raises(InvalidImageError) as caught:
        file.read()
    assert caught.value.code in (Refusal.DAMAGED_ARCHIVE, Refusal.ARCHIVE_BOMB)


def test_total_of_a_zip_is_limited_while_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(4):
            archive.writestr(f"{number}.jpg", bytes(100))
    monkeypatch.setattr("engine.archives.MAX_TOTAL_BYTES", 250)
    files = [file for file in iter_files(path) if isinstance(file, SourceFile)]
    assert len(files[0].read()) == len(files[0].read()) == len(files[1].read()) == 100
    with pytest.raises(InvalidImageError) as caught:
        files[2].read()
    assert caught.value.code == Refusal.ARCHIVE_BOMB


def test_unknown_packing_is_said_and_not_called_damage(tmp_path: Path) -> None:
    """Windows packs large files by a method that Python cannot unpack."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", b"x")
    data = bytearray(path.read_bytes())
    data[8] = data[data.rindex(b"PK\x01\x02") + 10] = 9
    path.write_bytes(bytes(data))
    (file,) = iter_files(path)
    assert isinstance(file, SourceFile)
    with pytest.raises(InvalidImageError, match="packed in a way"):
        file.read()
