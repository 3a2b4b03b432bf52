"""`pavescope models …`"""

from typing import Any

import typer

from app.cli.output import JsonFile, say, say_table, write_json

models_app = typer.Typer(
    no_args_is_help=True, help="Networks that mark cracks: those of the papers, and their peers."
)


@models_app.command("list")
def list_models(json: JsonFile = None) -> None:
    """Every network by name, with its size, its work and its options.

    "Seed" is the paper that a network is built from; a peer is one that papers compare with.
    "Parameters, M" are millions of trainable numbers: a checkpoint has 4 bytes for each.
    "GFLOPs" are 10^9 operations for one image of 448 x 448 px; a multiplication and an addition are two,
    where some papers count one. Options stand with their defaults. A dash is where `pip install
    'pavescope[benchmark]'` is missing.

    Example: pavescope models list --json models.json
    """
    from engine.models import describe_models

    models = describe_models()
    say_table(
        ["Model", "Seed", "Parameters, M", "GFLOPs", "Options"],
        [
            [model[key] for key in ("name", "seed", "parameters_m", "gflops_448")]
            + [_options(model["options"])]
            for model in models
        ],
    )
    if any(model["parameters_m"] is None for model in models):
        say("Networks with a dash need a library: pip install 'pavescope[benchmark]'.")
    write_json(json, models)


def _options(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())
