"""Photos by drag and drop, through the upload route: piece by piece, resumable, never in memory."""

import secrets
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from app import uploads
from app.components.text import size

STATIC = Path(__file__).parent.parent / "static"
HTML = """
<div class="upload">
  <div class="drop" data-part="drop">
    <strong>Drag photos, a folder or a zip here</strong>
    <small>JPEG, PNG, TIFF, WebP, BMP. Any number and size:
      an interrupted upload goes on where it stopped.</small>
    <div class="buttons">
      <label class="pick">Choose photos or a zip<input type="file" multiple data-part="files"
        accept=".jpg,.jpeg,.png,.tif,.tiff,.webp,.bmp,.zip"></label>
      <label class="pick">Choose a folder<input type="file" webkitdirectory data-part="folder"></label>
    </div>
  </div>
  <progress class="hidden" data-part="progress" value="0" max="1" aria-label="Upload progress"></progress>
  <div class="state" data-part="state" role="status"></div>
  <button class="hidden" data-part="resume">Resume</button>
</div>
"""


@lru_cache
def _component() -> Any:
    return st.components.v2.component(
        "pavescope_upload",
        html=HTML,
        css=(STATIC / "upload.css").read_text(encoding="utf-8"),
        js=(STATIC / "upload.js").read_text(encoding="utf-8"),
    )


def upload_token() -> str:
    """The page's upload; it stays in the address, so a reload finds what has arrived already."""
    asked = st.query_params.get("upload", "")
    if not uploads.TOKEN.fullmatch(asked):
        asked = secrets.token_hex(16)
        st.query_params["upload"] = asked
    return asked


def upload_photos(token: str) -> int:
    """Draw the drop zone; returns how many files have arrived completely."""
    arrived = [
        file for file in uploads.read_journal(token) if uploads.received_bytes(token, file) == file.size
    ]
    said = ""
    if arrived:
        count = "1 file" if len(arrived) == 1 else f"{len(arrived)} files"
        verb = "has" if len(arrived) == 1 else "have"
        said = f"{count} ({size(sum(file.size for file in arrived))}) {verb} arrived already."
    _component()(
        key=f"upload-{token}",
        data={"token": token, "chunk_bytes": uploads.CHUNK_BYTES, "arrived": said},
        on_uploaded_change=lambda: None,
    )
    return len(arrived)
