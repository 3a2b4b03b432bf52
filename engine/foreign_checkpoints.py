"""Checks of a checkpoint file that came from elsewhere, as far as they go without torch.

Whether the weights have the shapes that the model needs is seen where they are loaded: `prove_it_loads`
does it in another process.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from engine.cards import CheckpointCard, read_card
from engine.errors import CheckpointError
from engine.model_names import MODEL_NAMES

# What `save_checkpoint` writes: weights as float32, counters of batches as int64.
KNOWN_DTYPES = {"F32", "F16", "I64", "I32", "BOOL"}
SCALE_RANGE = (0.01, 8.0)
LARGEST_OPTION = 4096
LONGEST_TUPLE = 8
MOST_OPTIONS = 20
OPTION_TEXT = re.compile(r"[\w.+-]{0,40}")  # no address, no path
LOADING_S = 120.0
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
    if len(card.options) > MOST_OPTIONS or not all(
        OPTION_TEXT.fullmatch(name) and _is_bounded(value) for name, value in card.options.items()
    ):
        raise CheckpointError(
            f"The card of {shown} asks for a network beyond all bounds.",
            f"Numbers may reach {LARGEST_OPTION}, lists {LONGEST_TUPLE} values, words 40 letters.",
        )
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


def _is_bounded(value: Any) -> bool:
    if isinstance(value, str):
        return OPTION_TEXT.fullmatch(value) is not None
    if isinstance(value, list | tuple):
        plain = all(not isinstance(part, list | tuple) and _is_bounded(part) for part in value)
        return len(value) <= LONGEST_TUPLE and plain
    return value is None or (isinstance(value, int | float) and abs(value) <= LARGEST_OPTION)


def prove_it_loads(path: Path, name: str | None = None) -> bool:
    """Load a file once in a process of its own, with bounded memory and time.

    Args:
        path: the file on this machine.
        name: what people call it, where the path is a temporary one.

    Returns:
        True where it was loaded; False where torch is not installed and nothing is proved.

    Raises:
        CheckpointError: it cannot be loaded: weights of other shapes, a network too large, no such options.
    """
    if importlib.util.find_spec("torch") is None:
        return False
    shown, file = name or path.name, str(path.resolve())
    try:
        done = subprocess.run(
            [sys.executable, "-m", "engine.check_checkpoint", file],
            cwd=Path(__file__).resolve().parents[1],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LOADING_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as problem:
        raise CheckpointError(
            f"{shown} was not loaded within {LOADING_S:g} seconds.",
            "Try again, or choose another checkpoint.",
        ) from problem
    if done.returncode == 0:
        return True
    try:
        said = json.loads(done.stdout)
    except ValueError:  # killed, or out of memory in the libraries
        said = {"what": f"{shown} cannot be loaded.", "remedy": "Choose another checkpoint."}
    raise CheckpointError(said["what"].replace(file, shown), said["remedy"])


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
