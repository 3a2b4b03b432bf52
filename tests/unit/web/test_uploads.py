import errno
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from httpx import Response
from starlette.testclient import TestClient

from app import uploads
from db.uploads import uploaded_files
from engine.errors import SettingsError

TOKEN = "0123456789abcdef" * 2


def put(
    client: TestClient,
    number: int,
    body: bytes,
    *,
    size: int,
    offset: int = 0,
    name: str = "a.jpg",
    **headers: str,
) -> Response:
    return client.put(
        f"/api/uploads/{TOKEN}/{number}?size={size}&offset={offset}",
        content=body,
        headers={"X-File-Name": name, **headers},
    )


def test_pieces_make_the_file_and_a_lost_one_is_asked_for_again(client: TestClient, home: Path) -> None:
    assert put(client, 0, b"abc", size=8).json() == {"received": 3}
    ahead = put(client, 0, b"zz", size=8, offset=6)
    assert (ahead.status_code, ahead.json()["received"]) == (409, 3)
    # The answer was lost and the browser sends the piece again: it goes on from what is stored.
    twice = put(client, 0, b"abc", size=8)
    assert (twice.status_code, twice.json()["received"]) == (409, 3)
    assert put(client, 0, b"defgh", size=8, offset=3).json() == {"received": 8}
    state = client.get(f"/api/uploads/{TOKEN}").json()["files"]
    assert [(file["name"], file["size"], file["received"]) for file in state] == [("a.jpg", 8, 8)]
    folder = uploads.finish_upload(TOKEN)
    assert uploaded_files(folder) == [(folder / "000000.jpg", "a.jpg")]
    assert (folder / "000000.jpg").read_bytes() == b"abcdefgh"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("..%2F..%2Fx.jpg", "x.jpg"),
        ("C%3A%5Cx.jpg", "x.jpg"),
        ("%F0%9F%9A%97%60%24%7Balert(1)%7D%60.jpg", "🚗`${alert(1)}`.jpg"),
        ("a%00b%E2%80%AEgpj.exe", "abgpj.exe"),
        ("x" * 300 + ".jpg", None),
        ("%FF%FE.jpg", None),
        ("", "unnamed"),
        ("..", "unnamed"),
    ],
)
def test_a_name_is_shown_and_never_a_path(
    client: TestClient, home: Path, sent: str, shown: str | None
) -> None:
    assert put(client, 7, b"x", size=1, name=sent).status_code == 200
    file = client.get(f"/api/uploads/{TOKEN}").json()["files"][0]
    assert file["stored"] in ("000007.jpg", "000007.bin")
    assert len(file["name"]) <= 120
    if shown is not None:
        assert file["name"] == shown
    written = {path.relative_to(home).as_posix() for path in (home / "uploads").rglob("*") if path.is_file()}
    assert written == {f"uploads/{TOKEN}/{file['stored']}", f"uploads/{TOKEN}/journal.jsonl"}


@pytest.mark.parametrize("token", ["", "short", "g" * 32, "A" * 32, "../" * 8, "٠" * 32, TOKEN + "0"])
def test_only_a_token_is_a_folder(client: TestClient, token: str) -> None:
    answer = client.put(f"/api/uploads/{token}/0?size=1&offset=0", content=b"x")
    assert answer.status_code in (404, 405)


@pytest.mark.parametrize("query", ["", "size=1", "size=-1&offset=0", "size=x&offset=0", "size=1&offset=9e9"])
def test_numbers_must_be_numbers(client: TestClient, query: str) -> None:
    assert client.put(f"/api/uploads/{TOKEN}/0?{query}", content=b"x").status_code == 400


def test_more_than_announced_or_than_a_piece_is_refused(
    client: TestClient, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert put(client, 0, b"12345", size=4).status_code == 413
    monkeypatch.setattr(uploads, "CHUNK_BYTES", 10)
    assert put(client, 0, b"x" * 11, size=50).status_code == 413
    assert put(client, uploads.MAX_FILES, b"x", size=1).status_code == 413
    assert not (home / "uploads").exists()


def test_a_full_disk_is_said_and_what_arrived_is_kept(
    client: TestClient, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert put(client, 0, b"abc", size=8).status_code == 200
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda path: usage(10, 10, 0))
        answer = put(client, 0, b"defgh", size=8, offset=3)
    assert answer.status_code == 507
    assert "disk is too full" in answer.json()["error"]
    assert client.get(f"/api/uploads/{TOKEN}").json()["files"][0]["received"] == 3
    assert put(client, 0, b"defgh", size=8, offset=3).json() == {"received": 8}


def test_a_torn_piece_does_not_count(client: TestClient, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(client, 0, b"abc", size=8)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("os.fsync", full)
        assert put(client, 0, b"defgh", size=8, offset=3).status_code == 507
    assert (home / "uploads" / TOKEN / "000000.jpg").read_bytes() == b"abc"


def test_pages_of_other_sites_may_not_write(client: TestClient, home: Path) -> None:
    assert put(client, 0, b"x", size=1, origin="http://evil.example").status_code == 403
    assert put(client, 0, b"x", size=1, **{"sec-fetch-site": "cross-site"}).status_code == 403
    assert put(client, 0, b"x", size=1, origin="http://testserver").status_code == 200


def test_an_upload_is_closed_only_when_whole(client: TestClient, home: Path) -> None:
    with pytest.raises(SettingsError, match="No photos"):
        uploads.finish_upload(TOKEN)
    put(client, 0, b"abc", size=8)
    with pytest.raises(SettingsError, match="not arrived completely"):
        uploads.finish_upload(TOKEN)


def test_a_line_torn_by_a_crash_spoils_only_itself(client: TestClient, home: Path) -> None:
    put(client, 0, b"a", size=1)
    with (home / "uploads" / TOKEN / uploads.JOURNAL).open("a") as journal:
        journal.write('{"number": 1, "na')
    put(client, 2, b"c", size=1)
    assert [file.number for file in uploads.read_journal(TOKEN)] == [0, 2]


def test_a_track_lies_beside_the_photos_and_is_none_of_them(client: TestClient, home: Path) -> None:
    put(client, 0, b"a", size=1)
    track = uploads.keep_track(TOKEN, "../../my track.GPX", b"<gpx/>")
    assert track == home / "uploads" / TOKEN / "track.gpx"
    assert [name for _, name in uploaded_files(uploads.finish_upload(TOKEN)) or []] == ["a.jpg"]
