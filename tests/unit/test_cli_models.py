"""`pavescope models list`, as a person and a program read it."""

import json

from typer.testing import CliRunner

from app.cli import app
from engine.models import list_models


def test_models_list_prints_a_table_and_writes_json(tmp_path):
    file = tmp_path / "models.json"
    done = CliRunner().invoke(app, ["models", "list", "--json", str(file)])
    assert done.exit_code == 0, done.output
    models = json.loads(file.read_text())
    assert [model["name"] for model in models] == list_models()
    assert set(models[0]) == {"name", "seed", "parameters_m", "gflops_448", "options"}
    by_name = {model["name"]: model for model in models}
    assert by_name["attention_resunet"]["seed"] == "003"
    assert by_name["smp_unet"]["seed"] == "peer"
    assert by_name["smp_unet"]["options"]["encoder"] == "resnet34"
    assert round(by_name["smp_unet"]["parameters_m"], 2) == 24.44
    for shown in ("smp_unet", "24.44", "encoder=resnet34", "Seed"):
        assert shown in done.output


def test_the_help_says_what_the_figures_mean():
    done = CliRunner().invoke(app, ["models", "list", "--help"])
    assert done.exit_code == 0
    assert "448" in done.output and "GFLOPs" in done.output
