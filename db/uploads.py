"""Uploads in progress: pieces under generated names, the people's names in a manifest beside them.

<uploads>/<token>/manifest.json     {"files": [{"stored": "0000", "name": "IMG_1.jpg", ...}]}
<uploads>/<token>/0000              the bytes, appended chunk by chunk
"""

import json
from pathlib import Path

from db.settings import get_settings

MANIFEST = "manifest.json"


def uploaded_files(folder: Path) -> list[tuple[Path, str]] | None:
    """(path, name that people know) of an upload's files; None where the folder is no upload."""
    if folder.parent != get_settings().uploads_dir or not (folder / MANIFEST).is_file():
        return None
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return [(folder / Path(entry["stored"]).name, str(entry["name"])) for entry in manifest["files"]]
