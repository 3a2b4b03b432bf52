"""The networks, by name."""

import inspect
from collections.abc import Callable
from typing import Any

import torch

from engine.errors import MissingLibraryError, SettingsError
from engine.models.attention_resunet import AttentionResUNet
from engine.models.base import CrackModel
from engine.models.baselines import PEERS
from engine.models.context_cracknet import CPU_OPTIONS, ContextCrackNet
from engine.models.crack_segmenter import CrackSegmenter
from engine.models.crackformer import CrackFormer
from engine.models.jtfn import JTFN

MODELS: dict[str, Callable[..., CrackModel]] = {
    "attention_resunet": AttentionResUNet,
    "context_cracknet": ContextCrackNet,
    "crack_segmenter": CrackSegmenter,
    "crackformer": CrackFormer,
    "jtfn": JTFN,
    **PEERS,
}

# The paper that a network is; all others are peers, which the papers compare with.
SEEDS = {"attention_resunet": "003", "context_cracknet": "001", "crack_segmenter": "000"}

SMALL: dict[str, dict[str, Any]] = {
    "context_cracknet": CPU_OPTIONS,
    "crack_segmenter": {"blocks": 3, "stem_stride": 2},
    "crackformer": {"widths": (16, 32, 64, 128), "depths": (1, 1, 1, 1), "heads": 2},
    "jtfn": {"widths": (8, 16, 32, 64), "iterations": 2},
}
"""Options with which a network learns something in minutes on a CPU; `small=True` takes them."""


def list_models() -> list[str]:
    """Names that `create_model` knows, sorted."""
    return sorted(MODELS)


def create_model(name: str, *, small: bool = False, **options: Any) -> CrackModel:
    """Make a network with fresh weights.

    Args:
        name: one of `list_models()`.
        small: start from the options in `SMALL`; a checkpoint keeps what they come to.
        **options: the constructor's options.

    Raises:
        SettingsError: an unknown name or option, or no small options for that name.
    """
    if name not in MODELS:
        raise SettingsError(
            f"There is no model named {name!r}.", f"Choose one of: {', '.join(list_models())}."
        )
    if small and name not in SMALL:
        raise SettingsError(
            f"Model {name} has no small options.",
            f"Leave `small` away, or choose one of: {', '.join(SMALL)}.",
        )
    try:
        return MODELS[name](**{**(SMALL[name] if small else {}), **options})
    except TypeError as error:
        raise SettingsError(
            f"Model {name} cannot be made with options {options}: {error}.", "Correct the options."
        ) from error


def describe_models() -> list[dict[str, Any]]:
    """What there is to choose from, sorted by name; takes seconds, and trains and downloads nothing.

    Returns:
        Per network: `name`; `seed`, the number of its paper ("000" ...) or "peer"; `parameters_m`, millions;
        `gflops_448`, see `engine.complexity.count_gflops`; `options`, name -> default. `parameters_m` and
        `gflops_448` are None where a library that the network needs is not installed.
    """
    from engine.complexity import count_gflops

    described = []
    for name in list_models():
        signature = inspect.signature(MODELS[name])
        values: dict[str, Any] = {
            "name": name,
            "seed": SEEDS.get(name, "peer"),
            "parameters_m": None,
            "gflops_448": None,
            "options": {option: parameter.default for option, parameter in signature.parameters.items()},
        }
        try:
            model = _make_for_counting(name)
        except MissingLibraryError:
            pass
        else:
            values["parameters_m"] = model.parameter_count / 1e6
            values["gflops_448"] = count_gflops(model)
        described.append(values)
    return described


def _make_for_counting(name: str) -> CrackModel:
    try:
        with torch.device("meta"):  # shapes without numbers: nothing is drawn, nothing stored
            return create_model(name)
    except (RuntimeError, SettingsError):  # a constructor that reads its own numbers
        return create_model(name)


__all__ = ["MODELS", "SEEDS", "SMALL", "CrackModel", "create_model", "describe_models", "list_models"]
