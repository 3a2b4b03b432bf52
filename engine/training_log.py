"""Curves of a training: log.csv always, TensorBoard's files where that is installed."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COLUMNS = (
    "epoch",
    "steps",
    "train_loss",
    "validation_loss",
    "learning_rate",
    "cpu_minutes",
    "wall_minutes",
)


def _board(folder: Path, first_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # the curves are in log.csv all the same
        return None
    # what an interrupted training drew beyond its last save is drawn again
    return SummaryWriter(folder / "tensorboard", purge_step=first_step + 1)


class TrainingLog:
    """Keeps the curves of one training up to date in a folder.

    Args:
        folder: made if missing.
        first_step: steps that were done before, by a training that is continued.
    """

    def __init__(self, folder: Path, first_step: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "log.csv"
        self._curves = _board(folder, first_step)

    def write(self, history: Sequence[dict[str, float]]) -> None:
        """Write the whole table again (a continued training must not repeat rows) and the last row's curves.

        Args:
            history: a row an epoch; keys are among `COLUMNS`.
        """
        temporary = self.file.with_suffix(".tmp")
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(history)
        temporary.replace(self.file)
        if self._curves is not None and history:
            last = history[-1]
            for name in COLUMNS[2:5]:
                if name in last:
                    self._curves.add_scalar(name, last[name], int(last["steps"]))
            self._curves.flush()

    def close(self) -> None:
        """Let TensorBoard's writer go."""
        if self._curves is not None:
            self._curves.close()
