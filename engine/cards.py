"""What a checkpoint says of itself: its card in the header of the safetensors file (torch-free)."""

import hashlib
import json
import struct
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from engine.errors import CheckpointError

CARD_KEY = "pavescope_card"
CARD_VERSION = 1
MAX_HEADER_BYTES = 10_000_000
WEIGHTS_DIR = Path(__file__).resolve().parent / "weights"
BASE_NAME = "base"
POTHOLE = "pothole"
"""Name of an output that marks potholes."""


@dataclass(frozen=True)
class CheckpointCard:
    """What a checkpoint is and where it comes from.

    Attributes:
        name: short name for people.
        model: key of `engine.models.MODELS`.
        options: constructor options of the model.
        threshold: probability from which a pixel is a crack, 0 to 1.
        working_scale: None when it is estimated from each survey, else the fixed factor.
        seed: of the training run.
        command: what made it.
        data: what it was trained on, with licences and attribution.
        origin: "base" for a shipped one, else the name of the checkpoint it was adapted from.
        scores: measured figures, by data set and measure.
        created: ISO 8601 time, UTC.
        class_names: of a network with several outputs, one for each, such as ["none", "crack", "pothole"];
            empty: all but the first are cracks.
    """

    name: str
    model: str
    options: dict[str, Any] = field(default_factory=dict)
    threshold: float = 0.5
    working_scale: float | None = None
    seed: int = 0
    command: str = ""
    data: str = ""
    origin: str = ""
    scores: dict[str, Any] = field(default_factory=dict)
    created: str = ""
    class_names: list[str] = field(default_factory=list)

    @property
    def pothole_class(self) -> int | None:
        """Which output tells potholes from cracks; None: none does."""
        return self.class_names.index(POTHOLE) if POTHOLE in self.class_names[1:] else None


def base_checkpoint_path() -> Path:
    """Where the shipped checkpoint lies."""
    return WEIGHTS_DIR / f"{BASE_NAME}.safetensors"


def resolve_checkpoint(path_or_name: str | Path) -> Path:
    """The file meant by a path, or by the name of a shipped checkpoint.

    Raises:
        CheckpointError: no such file, or a kind of file that is never read.
    """
    path = Path(path_or_name)
    shipped = WEIGHTS_DIR / f"{path_or_name}.safetensors"
    if not path.is_file() and path.name == str(path_or_name) and shipped.is_file():
        return shipped
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in WEIGHTS_DIR.glob("*.safetensors"))) or "none"
        raise CheckpointError(
            f"There is no checkpoint {path}.", f"Check the path, or name a shipped one: {names}."
        )
    # By content, not by name: storage keeps files under their hash. A header is 8 bytes of size, then JSON.
    with path.open("rb") as file:
        if file.read(9)[8:] != b"{":
            raise CheckpointError(
                f"{path} is not a .safetensors file; files such as .pt and .pkl can run code when opened.",
                "Use a checkpoint made by Pavescope, or convert the weights to safetensors.",
            )
    return path


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_header(path: Path) -> dict[str, Any]:
    damaged = CheckpointError(
        f"{path} is no intact safetensors file.", "Fetch it again, or choose another checkpoint."
    )
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            if not 2 <= size <= min(MAX_HEADER_BYTES, path.stat().st_size - 8):
                raise damaged
            header = json.loads(file.read(size))
    except (OSError, struct.error, ValueError) as error:
        raise damaged from error
    if not isinstance(header, dict):
        raise damaged
    return header


def read_card(path_or_name: str | Path) -> CheckpointCard:
    """Read a checkpoint's card without its weights and without torch.

    Raises:
        CheckpointError: missing, damaged, or not made by this software.
    """
    path = resolve_checkpoint(path_or_name)
    metadata = _read_header(path).get("__metadata__", {})
    foreign = CheckpointError(
        f"{path} holds weights but no usable Pavescope card.",
        "Use a checkpoint written by Pavescope (training, adaptation, or the shipped base).",
    )
    try:
        values = json.loads(metadata[CARD_KEY])
        if values.pop("version") != CARD_VERSION:
            raise foreign
        known = {f.name for f in fields(CheckpointCard)}
        card = CheckpointCard(**{k: v for k, v in values.items() if k in known})
        sound = 0 < card.threshold < 1 and (card.working_scale is None or card.working_scale > 0)
        sound &= not card.class_names or len(card.class_names) == card.options.get("classes", 1)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise foreign from error
    if not sound:
        raise foreign
    return card
