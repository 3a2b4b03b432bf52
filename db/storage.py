"""Photos, masks and checkpoints, each stored once under the SHA-256 of its bytes."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import fsspec

from db.settings import get_settings
from engine.errors import SettingsError

UNFINISHED = ".writing-"
# Stored anew, so that no sweep takes an old file that is about to be named again.
RENEW_AFTER = timedelta(hours=1)
SCHEMES = {"file", "s3"}


class Storage:
    """A folder or an S3 prefix.

    A file is whole or absent: it is written under a temporary name, flushed to the disk and renamed
    before anyone commits a row that names it.
    """

    def __init__(self, url: str, cache_dir: Path) -> None:
        scheme = url.split("://", 1)[0] if "://" in url else "file"
        if scheme not in SCHEMES:
            raise SettingsError(
                f"PAVESCOPE_STORAGE_URL names the scheme {scheme!r}.", "Use a folder or s3://bucket/prefix."
            )
        self.fs, self.root = fsspec.core.url_to_fs(url)
        self.local = scheme == "file"
        self.cache_dir = cache_dir

    def _path(self, content_hash: str) -> str:
        if len(content_hash) != 64 or not set(content_hash) <= set("0123456789abcdef"):
            raise SettingsError(f"{content_hash!r} is not the name of a stored file.", "Use its SHA-256.")
        return f"{self.root}/objects/{content_hash[:2]}/{content_hash}"

    def put(self, data: bytes) -> str:
        """Store bytes; return their SHA-256. Storing the same bytes again costs a look.

        Raises:
            OSError: the disk is full or the store cannot be reached; nothing is left half written.
        """
        content_hash = hashlib.sha256(data).hexdigest()
        path = self._path(content_hash)
        if self.local:
            _write_atomically(Path(path), data)
        elif not self.fs.exists(path) or self.age(content_hash) > RENEW_AFTER:
            self.fs.pipe_file(path, data)
        return content_hash

    def put_file(self, file: Path) -> str:
        """`put` of a file that may be larger than memory; it stays where it is."""
        with file.open("rb") as opened:
            content_hash = hashlib.file_digest(opened, "sha256").hexdigest()
        path = self._path(content_hash)
        if self.local:
            _write_atomically(Path(path), file)
        elif not self.fs.exists(path) or self.age(content_hash) > RENEW_AFTER:
            self.fs.put_file(str(file), path)
        return content_hash

    def read(self, content_hash: str) -> bytes:
        """Raises FileNotFoundError where nothing of that hash is stored."""
        data: bytes = self.fs.cat_file(self._path(content_hash))
        return data

    def exists(self, content_hash: str) -> bool:
        return bool(self.fs.exists(self._path(content_hash)))

    def local_file(self, content_hash: str) -> Path:
        """The file on this machine; from S3 it is brought once into the cache folder.

        Its hash is not checked here; `db.registry.checkpoint_file` does so for checkpoints.
        """
        path = self._path(content_hash)
        if self.local:
            return Path(path)
        cached = self.cache_dir / content_hash
        if not cached.exists():
            _write_atomically(cached, self.read(content_hash))
        return cached

    def hashes_older_than(self, age: timedelta) -> Iterator[str]:
        """Stored hashes whose file was last touched more than `age` ago; unfinished files that a killed
        process left are removed on the way."""
        oldest = datetime.now(UTC) - age
        # A listing that was kept would not show what was stored since.
        self.fs.invalidate_cache()
        for path in self.fs.find(f"{self.root}/objects"):
            if self.fs.modified(path).astimezone(UTC) < oldest:
                name = path.rsplit("/", 1)[-1]
                if name.startswith(UNFINISHED):
                    self.fs.rm_file(path)
                else:
                    yield name

    def age(self, content_hash: str) -> timedelta:
        """Time since the file was last stored."""
        self.fs.invalidate_cache()
        stored: datetime = self.fs.modified(self._path(content_hash))
        return datetime.now(UTC) - stored.astimezone(UTC)

    def delete(self, content_hash: str) -> None:
        self.fs.rm_file(self._path(content_hash))


def _write_atomically(path: Path, data: bytes | Path) -> None:
    """Write bytes, or the content of a file."""
    if path.exists():
        # A sweep must not take it before the row that is about to name it.
        os.utime(path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            if isinstance(data, Path):
                with data.open("rb") as source:
                    shutil.copyfileobj(source, file, 1024**2)
            else:
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@lru_cache
def get_storage() -> Storage:
    settings = get_settings()
    return Storage(settings.resolved_storage_url, settings.root / "cache")
