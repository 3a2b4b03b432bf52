"""Checkpoints: weights and their card in one safetensors file; nothing in it can run code."""

import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cards import (
    CARD_KEY,
    CARD_VERSION,
    CheckpointCard,
    base_checkpoint_path,
    file_sha256,
    read_card,
    resolve_checkpoint,
)
from engine.errors import CheckpointError, SettingsError

if TYPE_CHECKING:
    from engine.models.base import CrackModel

__all__ = [
    "CheckpointCard",
    "base_checkpoint_path",
    "file_sha256",
    "load_checkpoint",
    "read_card",
    "resolve_checkpoint",
    "save_checkpoint",
]


def save_checkpoint(path: Path, model: "CrackModel", card: CheckpointCard) -> None:
    """Write weights and card; the file appears whole or not at all.

    Args:
        path: ends in .safetensors; its folder must exist.
        model: its weights are stored as float32.
        card: what to say about it.

    Raises:
        CheckpointError: weights that are not finite, or a folder that cannot be written.
    """
    import torch
    from safetensors.torch import save

    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    bad = [k for k, v in tensors.items() if v.is_floating_point() and not bool(torch.isfinite(v).all())]
    if bad:
        raise CheckpointError(
            f"{path} was not written: weights {bad[0]} are not finite.",
            "Train again with a lower learning rate.",
        )
    payload = json.dumps({"version": CARD_VERSION, **asdict(card)}, sort_keys=True)
    data = save(tensors, metadata={CARD_KEY: payload})
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written: {error}.", "Check that the folder exists and has room."
        ) from error


def load_checkpoint(path_or_name: str | Path, device: str = "cpu") -> "tuple[CrackModel, CheckpointCard]":
    """Rebuild a model from its checkpoint, in evaluation mode.

    Args:
        path_or_name: a .safetensors file, or the name of a shipped checkpoint ("base").
        device: torch device to put it on.

    Raises:
        CheckpointError: missing, damaged, foreign, of other shapes than its model, or not finite.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from engine.models import create_model

    path = resolve_checkpoint(path_or_name)
    card = read_card(path)
    try:
        model = create_model(card.model, **card.options)
    except SettingsError as error:
        raise CheckpointError(f"{path}: {error.what}", "Update Pavescope, or choose another.") from error
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}.", "Fetch it again, or choose another.") from error
    expected = model.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        want = tuple(expected[name].shape) if name in expected else None
        have = tuple(tensors[name].shape) if name in tensors else None
        if want != have:
            raise CheckpointError(
                f"{path}: weights {name} have shape {have}, model {card.model} needs {want}.",
                "The file belongs to another model or version; choose another checkpoint.",
            )
        if tensors[name].is_floating_point() and not bool(torch.isfinite(tensors[name]).all()):
            raise CheckpointError(f"{path}: weights {name} are not finite.", "Choose another checkpoint.")
    model.load_state_dict(tensors)
    model.pothole_class = card.pothole_class
    return model.to(device).eval(), card
