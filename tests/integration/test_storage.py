"""Storage: whole files or none, on a folder, on a full disk, and on an S3 server."""

import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from db.storage import Storage
from engine.errors import SettingsError
from tests.servers import free_port


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    if request.param == "folder":
        return Storage(str(tmp_path / "storage"), tmp_path / "cache")
    endpoint = request.getfixturevalue("s3_endpoint")
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    made = Storage(f"s3://bucket-{os.urandom(4).hex()}/prefix", tmp_path / "cache")
    made.fs.mkdir(made.root.split("/")[0])
    return made


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


def test_bytes_come_back_and_are_stored_once(storage: Storage) -> None:
    first, again = storage.put(b"road"), storage.put(b"road")
    assert first == again
    assert storage.read(first) == b"road"
    assert storage.exists(first)
    assert storage.local_file(first).read_bytes() == b"road"
    assert list(storage.hashes_older_than(timedelta(seconds=-5))) == [first]
    storage.delete(first)
    assert not storage.exists(first)
    with pytest.raises(FileNotFoundError):
        storage.read(first)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63])
def test_only_hashes_name_files(storage: Storage, name: str) -> None:
    with pytest.raises(SettingsError):
        storage.read(name)


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "ftp://host/x", "github://a:b@/"])
def test_foreign_schemes_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="PAVESCOPE_STORAGE_URL"):
        Storage(url, tmp_path)


def test_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        storage = Storage(str(disk / "storage"), tmp_path / "cache")
        kept = storage.put(b"small")
        with pytest.raises(OSError, match="No space left"):
            storage.put(os.urandom(1024 * 1024))
        assert storage.read(kept) == b"small"
        assert [path.name for path in (disk / "storage").rglob("*") if path.is_file()] == [kept]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_unfinished_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "storage"), tmp_path / "cache")
    kept = storage.put(b"road")
    left = storage.local_file(kept).with_name(".writing-abc")
    left.write_bytes(b"half")
    assert list(storage.hashes_older_than(timedelta(seconds=-5))) == [kept]
    assert not left.exists()
