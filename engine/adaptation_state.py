"""How far an adaptation is, and the folder that it goes on from when it was stopped (torch-free)."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import EngineError

NOTE_EVERY_S = 10.0
TRAINING_SHARE = 0.7
"""Of the minutes; the rest is for looking, labelling and judging."""
LOOK, DRAW = "Looking at the photos", "Learning from cracks drawn on the survey's own pavement"
LABEL, LEARN = (
    "Noting what the network is sure of, round {}",
    "Learning from that and from drawn cracks, round {}",
)
THRESHOLD, JUDGE = "Choosing the threshold", "Judging the result"


@dataclass(frozen=True)
class Progress:
    """How far an adaptation is.

    Attributes:
        stage: what it does, in words.
        share: of all work done, in [0, 1].
        seconds_left: at the pace so far; None while unknown.
        loss: of the last step, where it trains.
    """

    stage: str
    share: float
    seconds_left: float | None
    loss: float | None = None


OnProgress = Callable[[Progress], None]


def stage_shares(training: Sequence[float]) -> dict[str, float]:
    """About how much of the time each stage takes; `training` is how its own share is parted."""
    shares = {LOOK: 0.06, THRESHOLD: 0.02, JUDGE: 0.1}
    for number, share in enumerate(training):
        if number:
            shares[LABEL.format(number)] = 0.06
        shares[DRAW if number == 0 else LEARN.format(number)] = TRAINING_SHARE * share
    whole = sum(shares.values())
    return {name: share / whole for name, share in shares.items()}


class StateFolder:
    """Files of a run that was stopped and goes on.

    Raises:
        EngineError: it holds another run.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if self.read("identity") not in (None, identity):
            raise EngineError(
                f"{folder} holds another adaptation.", "Give the same photos and settings, or another folder."
            )
        self.write("identity", identity)

    def read(self, name: str) -> Any:
        """What was written under the name; None if nothing was."""
        file = self.folder / f"{name}.json"
        return json.loads(file.read_text()) if file.is_file() else None

    def write(self, name: str, value: Any) -> None:
        """Keep plain values; the file appears whole or not at all."""
        temporary = self.folder / f"{name}.tmp"
        temporary.write_text(json.dumps(value))
        temporary.replace(self.folder / f"{name}.json")


class Clock:
    """Says how far the work is; every stage has its share of it, see `stage_shares`."""

    def __init__(self, shares: dict[str, float], on_progress: OnProgress | None, folder: StateFolder) -> None:
        self.folder, self.earlier, self.noted = folder, folder.read("minutes") or 0.0, 0.0
        self.shares, self.tell = shares, on_progress or (lambda _progress: None)
        self.started = time.monotonic()
        self.stage, self.before = "", 0.0
        self.first: float | None = None
        self.spent: dict[str, float] = {}

    def begin(self, stage: str) -> None:
        """The stage before is done."""
        if self.stage:
            self.before += self.shares[self.stage]
        self.stage, self.within, self.stage_started = stage, 0.0, time.monotonic()
        self.at(0.0)

    def at(self, done: float, loss: float | None = None) -> None:
        """`done` is the share of this stage; it never goes back."""
        now = time.monotonic()
        self.within = max(self.within, done)
        share = min(1.0, self.before + self.within * self.shares[self.stage])
        if self.first is None:
            self.first = share
        gained = share - self.first
        left = (now - self.started) * (1 - share) / gained if gained > 0.01 else None
        self.spent[self.stage] = (now - self.stage_started) / 60
        if now - self.noted > NOTE_EVERY_S:
            self.noted = now
            self.folder.write("minutes", self.minutes)
        self.tell(Progress(self.stage, share, left, loss))

    @property
    def minutes(self) -> float:
        """Minutes of work so far, those before a stop included."""
        return float(self.earlier) + (time.monotonic() - self.started) / 60
