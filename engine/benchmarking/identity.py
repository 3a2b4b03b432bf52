"""What a result was made of, as hashes: results of other data, settings or weights are never mixed in."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from engine.benchmarking.plan import Plan
from engine.cards import file_sha256
from engine.datasets import DataSet, LabelledImage
from engine.errors import EngineError


@dataclass(frozen=True)
class Identity:
    """Hashes of all that a plan comes to.

    Attributes:
        data: by the data set's name.
        networks: by the method's text: what its complexity depends on.
        runs: by the run's place.
    """

    data: Mapping[str, str]
    networks: Mapping[str, str]
    runs: Mapping[str, str]


def _hashed(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _described(pair: LabelledImage) -> list[Any]:
    view = pair.field_of_view
    return [
        pair.image.name, pair.image.stat().st_size, pair.mask.name, file_sha256(pair.mask),
        pair.crack_values, view and [view.name, file_sha256(view)],
    ]  # fmt: skip


def data_identity(data: DataSet) -> str:
    """Hash of a data set: its layout, its split, names and sizes of its images, content of its masks.

    Where the folder lies does not matter.

    Raises:
        EngineError: a file that cannot be read.
    """
    try:
        parts = [[_described(pair) for pair in part] for part in (data.train, data.validation, data.test)]
    except OSError as error:
        raise EngineError(f"{error.filename} cannot be read: {error}.", "Check the data set.") from error
    return _hashed([data.layout, parts])


def identify(plan: Plan) -> Identity:
    """Hash all that a plan comes to now: presets, options and weights may change under the same name.

    Raises:
        EngineError: data that cannot be read, or see `resolve_method`.
    """
    from engine.benchmarking.training import resolve_method

    data = {found.name: data_identity(found) for found in plan.data}
    resolved = {method.text: resolve_method(method, plan.settings) for method in plan.methods}
    return Identity(
        data=data,
        networks={text: _hashed(found["network"]) for text, found in resolved.items()},
        runs={
            run.place: _hashed([data[run.data.name], resolved[run.method.text], asdict(plan.settings)])
            for run in plan.runs()
        },
    )
