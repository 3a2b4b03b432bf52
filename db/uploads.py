"""Uploads in progress: pieces under generated names, the people's names in a manifest beside them.

<uploads>/<token>/manifest.json     {"files": [{"stored": "0000", "name": "IMG_1.jpg", ...}]}
<uploads>/<token>/0000              the bytes, appended chunk by chunk
"""

import json
import shutil
import time
from pathlib import Path

from db.settings import get_settings

MANIFEST = "manifest.json"
# An upload that nobody went on with; the photos are still where they came from.
ABANDONED_AFTER_S = 7 * 24 * 3600.0


def uploaded_files(folder: Path) -> list[tuple[Path, str]] | None:
    """(path, name that people know) of an upload's files; None where the folder is no upload."""
    if folder.resolve().parent != get_settings().uploads_dir.resolve() or not (folder / MANIFEST).is_file():
        return None
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return [(folder / Path(entry["stored"]).name, str(entry["name"])) for entry in manifest["files"]]


def discard_upload(folder: Path) -> None:
    """Remove an upload whose photos have been stored; any other folder is left alone."""
    if uploaded_files(folder) is not None:
        shutil.rmtree(folder, ignore_errors=True)


def abandoned_uploads() -> list[Path]:
    """Folders of uploads that nothing was added to for a week."""
    uploads = get_settings().uploads_dir
    if not uploads.is_dir():
        return []
    oldest = time.time() - ABANDONED_AFTER_S
    return [folder for folder in uploads.iterdir() if folder.is_dir() and _newest(folder) < oldest]


def _newest(folder: Path) -> float:
    return max([folder.stat().st_mtime, *(path.stat().st_mtime for path in folder.iterdir())])
