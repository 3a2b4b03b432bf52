"""The networks, by name."""

from typing import Any

from engine.errors import SettingsError
from engine.models.attention_resunet import AttentionResUNet
from engine.models.base import CrackModel

MODELS: dict[str, type[CrackModel]] = {
    "attention_resunet": AttentionResUNet,
}


def list_models() -> list[str]:
    """Names that `create_model` knows, sorted."""
    return sorted(MODELS)


def create_model(name: str, **options: Any) -> CrackModel:
    """Make a network with fresh weights.

    Args:
        name: one of `list_models()`.
        **options: the constructor's options.

    Raises:
        SettingsError: an unknown name or option.
    """
    if name not in MODELS:
        raise SettingsError(
            f"There is no model named {name!r}.", f"Choose one of: {', '.join(list_models())}."
        )
    try:
        return MODELS[name](**options)
    except TypeError as error:
        raise SettingsError(
            f"Model {name} cannot be made with options {options}: {error}.", "Correct the options."
        ) from error


__all__ = ["MODELS", "CrackModel", "create_model", "list_models"]
