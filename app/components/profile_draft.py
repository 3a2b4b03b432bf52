"""The camera profile that is being edited; it stays in the session until another one is opened."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.components.profile_fields import NEW, Draft
from engine.vocabulary import CameraKind

DRAFT = "camera-draft"
SERIAL = "camera-serial"


def start_draft(
    kind: str,
    values: Mapping[str, Any] | None = None,
    *,
    name: str = "",
    source: int | None = None,
    calibration: Mapping[str, Any] | None = None,
) -> Draft:
    """Open a profile for editing; each draft has inputs of its own.

    Args:
        kind: a `CameraKind`.
        values: parameters to begin with; None for those of a new camera.
        name: of the camera.
        source: id of the saved version that the values are of.
        calibration: what self-calibration said of the values.
    """
    serial = st.session_state.get(SERIAL, 0) + 1
    st.session_state[SERIAL] = serial
    draft: Draft = {
        "serial": serial,
        "kind": kind,
        "values": dict(NEW[CameraKind(kind)] if values is None else values),
        "name": name,
        "source": source,
        "calibration": calibration,
        "put_aside": {},
    }
    st.session_state[DRAFT] = draft
    return draft


def open_version(row: Mapping[str, Any]) -> Draft:
    """Open a saved version, a line of `app.profile_data.profiles`."""
    return start_draft(
        row["kind"], row["parameters"], name=row["name"], source=row["id"], calibration=row["calibration"]
    )


def current_draft() -> Draft | None:
    draft: Draft | None = st.session_state.get(DRAFT)
    return draft


def turn_to(draft: Draft, kind: str) -> None:
    """Change the kind of camera; what was typed for the other kind is kept for the way back."""
    if kind == draft["kind"]:
        return
    draft["put_aside"][draft["kind"]] = draft.get("typed", draft["values"])
    draft["values"] = draft["put_aside"].get(kind, dict(NEW[CameraKind(kind)]))
    draft["kind"] = kind
