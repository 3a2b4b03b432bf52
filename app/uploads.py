"""Uploads that survive a lost connection and a full disk, and never sit in memory.

The page makes a token; the browser cuts each file into pieces and PUTs them one after another; each
piece is appended to `uploads/<token>/<number><ending>`. What people called the files is kept in a
journal beside, and never becomes a path.
"""

import errno
import json
import os
import re
import shutil
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from db.settings import get_settings
from db.uploads import MANIFEST
from engine.archives import display_name
from engine.errors import SettingsError

CHUNK_BYTES = 8 * 1024**2
MAX_FILE_BYTES = 200 * 1024**3
MAX_FILES = 100_000
# Left free for the database, whose commits must not fail because somebody uploads.
KEEP_FREE_BYTES = 500 * 1024**2
ENDINGS = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".zip", ".gpx", ".csv"}
TOKEN = re.compile(r"[0-9a-f]{32}", re.ASCII)
# One line a file, so that ten thousand files do not rewrite a list ten thousand times.
JOURNAL = "journal.jsonl"

# One writer at a time: the disk is the bottleneck, and offsets are checked and used as one step.
_writing = threading.Lock()


class UploadError(Exception):
    """A piece that cannot be taken: HTTP status, plain words, and where to go on."""

    def __init__(self, status: int, what: str, remedy: str, received: int | None = None) -> None:
        super().__init__(what)
        self.status = status
        self.body: dict[str, Any] = {"error": what, "remedy": remedy}
        if received is not None:
            self.body["received"] = received


@dataclass(frozen=True)
class UploadedFile:
    """A file of an upload.

    Attributes:
        number: its place in the upload.
        name: what people call it; for showing only.
        stored: its name on the disk.
        size: bytes it will have.
    """

    number: int
    name: str
    stored: str
    size: int


def folder_of(token: str) -> Path:
    """Raises UploadError where the token is not one."""
    if not TOKEN.fullmatch(token):
        raise UploadError(404, "There is no such upload.", "Reload the page.")
    return get_settings().uploads_dir / token


def read_journal(token: str) -> list[UploadedFile]:
    """The files of an upload, in order; those that were announced last win."""
    try:
        lines = (folder_of(token) / JOURNAL).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    files = {}
    for line in lines:
        try:
            known = UploadedFile(**json.loads(line))
        except (ValueError, TypeError):
            continue  # torn by a crash; the browser announces that file again
        files[known.number] = known
    return [files[number] for number in sorted(files)]


def received_bytes(token: str, file: UploadedFile) -> int:
    try:
        return (folder_of(token) / file.stored).stat().st_size
    except FileNotFoundError:
        return 0


def finish_upload(token: str) -> Path:
    """Close an upload: its folder, with the manifest that an import reads (see `db.uploads`).

    Raises:
        SettingsError: nothing was sent, or a file is not complete.
    """
    files = read_journal(token)
    if not files:
        raise SettingsError(
            "No photos were uploaded.", "Choose photos or a zip, or name a folder on the server."
        )
    for file in files:
        if received_bytes(token, file) != file.size:
            raise SettingsError(
                f"{file.name} has not arrived completely.", "Press Resume and wait for the end."
            )
    folder = folder_of(token)
    temporary = folder / "manifest.writing"
    entries = [{"stored": file.stored, "name": file.name, "size": file.size} for file in files]
    temporary.write_text(json.dumps({"files": entries}), encoding="utf-8")
    temporary.replace(folder / MANIFEST)
    return folder


def keep_track(token: str, name: str, data: bytes) -> Path:
    """Store a track beside an upload's photos, under a generated name."""
    folder = folder_of(token)
    folder.mkdir(parents=True, exist_ok=True)
    ending = Path(name).suffix.lower()
    path = folder / f"track{ending if ending in ('.gpx', '.csv') else '.bin'}"
    path.write_bytes(data)
    return path


def _stored_name(number: int, name: str) -> str:
    ending = Path(name).suffix.lower()
    return f"{number:06d}{ending if ending in ENDINGS else '.bin'}"


def write_piece(token: str, number: int, name: str, size: int, offset: int, piece: bytes | bytearray) -> int:
    """Append a piece to a file of an upload.

    Returns:
        Bytes of the file now stored.

    Raises:
        UploadError: 409 where the piece does not follow what is stored (`received` says where to go on),
            413 where it is too much, 507 where the disk is full, 410 where the upload is being imported;
            nothing of the piece is then kept.
    """
    if number >= MAX_FILES or size > MAX_FILE_BYTES or offset + len(piece) > size:
        raise UploadError(
            413,
            f"{display_name(name)} is more than can be uploaded.",
            "Copy the photos to a folder on the server and import that.",
        )
    file = UploadedFile(number, display_name(name), _stored_name(number, name), size)
    folder = folder_of(token)
    path = folder / file.stored
    with _writing:
        if (folder / MANIFEST).exists():
            raise UploadError(
                410, "This upload is being imported already.", "Start a new one for more photos."
            )
        known = next((old for old in read_journal(token) if old.number == number), file) if offset else file
        if (known.size, known.stored) != (file.size, file.stored):
            raise UploadError(400, f"{file.name} has changed since its upload began.", "Choose it again.")
        try:
            have = path.stat().st_size if path.exists() else 0
            if offset != have:
                raise UploadError(409, "The piece does not follow.", "Go on from what is stored.", have)
            path.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(path.parent).free < size - have + KEEP_FREE_BYTES:
                raise OSError(errno.ENOSPC, "not enough room for the rest of the file")
            if not path.exists():
                with (folder / JOURNAL).open("a", encoding="utf-8") as journal:
                    # Begun on a new line, so that one torn by a crash spoils only itself.
                    journal.write("\n" + json.dumps(asdict(file)) + "\n")
                    journal.flush()
                    os.fsync(journal.fileno())
            _append(path, have, piece)
        except OSError as problem:
            if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise UploadError(
                507,
                f"The server's disk is too full for {display_name(name)}.",
                "Free some space there, then press Resume: what has arrived is kept.",
            ) from problem
    return offset + len(piece)


def _append(path: Path, have: int, piece: bytes | bytearray) -> None:
    with path.open("ab") as file:
        try:
            file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            # A torn piece must not count as received.
            os.ftruncate(file.fileno(), have)
            raise


def _check_origin(request: Request) -> None:
    """A page of another site may not write here, even though it can reach this machine."""
    origin = request.headers.get("origin")
    try:
        foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    except ValueError:
        foreign = True
    if foreign or request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise UploadError(403, "Uploads come from this product's own pages only.", "Open its page.")


def _count(text: str | None, what: str) -> int:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise UploadError(400, f"{what} is missing or not a number.", "Reload the page and try again.")
    return int(text)


async def _body(request: Request) -> bytearray:
    piece = bytearray()
    async for block in request.stream():
        piece += block
        if len(piece) > CHUNK_BYTES:
            raise UploadError(413, f"A piece has more than {CHUNK_BYTES} bytes.", "Reload the page.")
    return piece


async def put_piece(request: Request) -> Response:
    """`PUT /api/uploads/{token}/{number}?offset=&size=`, `X-File-Name` percent-encoded: take a piece."""
    try:
        _check_origin(request)
        token = request.path_params["token"]
        folder_of(token)
        number = _count(request.path_params["number"], "The file's number")
        size = _count(request.query_params.get("size"), "The file's size")
        offset = _count(request.query_params.get("offset"), "The offset")
        name = unquote(request.headers.get("x-file-name", ""))[:1000] or "unnamed"
        piece = await _body(request)
        received = await run_in_threadpool(write_piece, token, number, name, size, offset, piece)
    except UploadError as problem:
        return JSONResponse(problem.body, status_code=problem.status)
    return JSONResponse({"received": received})


def get_upload(request: Request) -> Response:
    """`GET /api/uploads/{token}`: what has arrived, so that the browser goes on from there."""
    try:
        token = request.path_params["token"]
        files = read_journal(token)
    except UploadError as problem:
        return JSONResponse(problem.body, status_code=problem.status)
    return JSONResponse(
        {"files": [{**asdict(file), "received": received_bytes(token, file)} for file in files]},
        headers={"Cache-Control": "no-store"},
    )


routes: list[BaseRoute] = [
    Route("/api/uploads/{token}/{number}", put_piece, methods=["PUT"]),
    Route("/api/uploads/{token}", get_upload),
]
