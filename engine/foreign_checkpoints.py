"""Checks of a checkpoint file that came from elsewhere, as far as they go without torch.

Whether the weights have the shapes that the model needs is checked where they are loaded
(`engine.checkpoints.load_checkpoint`).
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from engine.cards import CheckpointCard, read_card
from engine.errors import CheckpointError
from engine.model_names import MODEL_NAMES

# What `save_checkpoint` writes: weights as float32, counters of batches as int64.
KNOWN_DTYPES = {"F32", "F16", "I64", "I32", "BOOL"}
SCALE_RANGE = (0.01, 8.0)
TEXTS = ("name", "model", "command", "data", "origin", "created")


def check_foreign_checkpoint(path: Path, name: str | None = None) -> CheckpointCard:
    """Read a file's card and prove what can be proved of its weights; nothing in it is run.

    Args:
        path: the file on this machine.
        name: what people call it, where the path is a temporary one.

    Raises:
        CheckpointError: missing, no safetensors file, without a sound Pavescope card, of a model that this
            version has not, damaged, or with weights that are not finite.
    """
    shown = name or path.name
    if not path.is_file():
        raise CheckpointError(f"There is no file {shown}.", "Check the path.")
    try:
        card = read_card(path)
    except CheckpointError as problem:
        raise CheckpointError(problem.what.replace(str(path), shown), problem.remedy) from problem
    except RecursionError as problem:
        raise CheckpointError(
            f"The header of {shown} is nested absurdly deep.", "Use another file."
        ) from problem
    _check_card(card, shown)
    _check_weights(path, shown)
    return card


def _check_card(card: CheckpointCard, shown: str) -> None:
    unusable = CheckpointError(
        f"The card of {shown} is damaged or was made by another program.",
        "Use a checkpoint written by Pavescope (training, adaptation, or an export).",
    )
    if not all(isinstance(getattr(card, text), str) for text in TEXTS):
        raise unusable
    if not isinstance(card.options, dict) or not isinstance(card.scores, dict):
        raise unusable
    scale = card.working_scale
    if scale is not None and not SCALE_RANGE[0] <= scale <= SCALE_RANGE[1]:
        raise unusable
    try:
        # A database keeps the card as JSON, which knows neither NaN nor infinity.
        kept = json.dumps(asdict(card), allow_nan=False)
    except (ValueError, TypeError, RecursionError) as problem:
        raise unusable from problem
    if "\\u0000" in kept:
        raise unusable
    if card.model not in MODEL_NAMES:
        raise CheckpointError(
            f"{shown} is for the model {card.model[:60]!r}, which this version does not have.",
            "Update Pavescope, or choose another checkpoint.",
        )


def _check_weights(path: Path, shown: str) -> None:
    try:
        with safe_open(path, "numpy") as file:
            names = list(file.keys())
            if not names:
                raise CheckpointError(f"{shown} holds no weights.", "Choose another checkpoint.")
            for name in names:
                kind = file.get_slice(name).get_dtype()
                if kind not in KNOWN_DTYPES:
                    raise CheckpointError(
                        f"{shown}: weights {name[:60]} are {kind}, which Pavescope does not write.",
                        "Export the checkpoint from Pavescope again.",
                    )
                if kind.startswith("F") and not np.isfinite(file.get_tensor(name)).all():
                    raise CheckpointError(
                        f"{shown}: weights {name[:60]} are not finite.", "Choose another checkpoint."
                    )
    except (SafetensorError, OSError, ValueError) as problem:
        raise CheckpointError(
            f"{shown} is damaged: {problem}.", "Fetch it again, or choose another."
        ) from problem
