"""What a benchmark leaves behind: one JSON file a run, and reading them all again (torch-free).

DIR/benchmark.json                        the plan
DIR/runs/DATA/METHOD/SEED/result.json     one run, there only when it is finished
DIR/runs/DATA/METHOD/SEED/begun.json      of what a run is made, written before it
DIR/runs/DATA/METHOD/SEED/error.json      why one could not be made
DIR/runs/DATA/METHOD/SEED/predictions/    mask of every test image, 0 or 255
DIR/complexity.json                       parameters, operations, time
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from engine.benchmarking.plan import Plan, Run, RunSettings
from engine.benchmarking.shapes import BegunFile, Cost, ErrorFile, PlanFile, ResultFile, check_shape, inside
from engine.errors import EngineError, SettingsError

if TYPE_CHECKING:
    from engine.benchmarking.identity import Identity

PLAN_FILE = "benchmark.json"
RESULT_FILE = "result.json"
ERROR_FILE = "error.json"
BEGUN_FILE = "begun.json"
COMPLEXITY_FILE = "complexity.json"
STATE_FILE = "state.pt"


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Attributes:
        data, method, seed: which; `seed` is None for a method that has none.
        settings: those of the benchmark when it was made.
        threshold: from which a pixel is a crack.
        images: one mapping an image: `name`, `image` and `mask` (files), `prediction` (file below the run's
            folder), pixel counts and measures.
        pooled: measures of all test images together.
        training: epochs, steps, minutes and why training stopped; empty for a method without training.
        predict_s: mean seconds an image.
        identity: of what it was made, see `engine.benchmarking.identity`; empty in results from before it.
    """

    data: str
    method: str
    seed: int | None
    settings: Mapping[str, Any]
    threshold: float
    images: list[dict[str, Any]]
    pooled: dict[str, float | None]
    training: dict[str, Any]
    predict_s: float
    identity: str = ""


@dataclass(frozen=True)
class Benchmark:
    """A benchmark's folder, read.

    Attributes:
        folder: where it is.
        plan: as `write_plan` wrote it.
        results: finished runs, in the plan's order of methods.
        errors: title of a run -> why it could not be made.
        complexity: text of a method -> parameters_m, gflops_448, ms_448, device.
    """

    folder: Path
    plan: dict[str, Any]
    results: list[RunResult]
    errors: dict[str, str]
    complexity: dict[str, dict[str, Any]]

    @property
    def against(self) -> str:
        """The method that the others are tested against."""
        return str(self.plan["against"] or self.plan["methods"][0])

    @property
    def complete(self) -> bool:
        """Whether every planned run is finished."""
        return len(self.results) == int(self.plan["runs"])


def check_writable(out: Path) -> None:
    """Refuse a folder that nothing can be written into; nothing is made.

    Raises:
        EngineError: it, or the folder above that is there, cannot be written to.
    """
    try:
        there = next(path for path in (out, *out.absolute().parents) if path.exists())
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise EngineError(
            f"{out} cannot be written to: {error.strerror}.", "Give another --out, or make room for it."
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Whole or not at all: a killed run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_json(path: Path, shape: type[Any]) -> Any:
    """Raises:
    EngineError: a file that cannot be read, is no JSON, or does not have the shape, see `check_shape`.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error}.", "Check who may read it.") from error
    check_shape(path, text, shape)
    return json.loads(text)


def run_folder(out: Path, run: Run) -> Path:
    """Where a run's files are."""
    return out / "runs" / run.place


def write_plan(out: Path, plan: Plan, identity: "Identity") -> None:
    """Write `benchmark.json`.

    Raises:
        SettingsError: the folder holds a benchmark of other settings, or of other data of the same name.
    """
    path = out / PLAN_FILE
    described: dict[str, Any] = {
        "methods": [method.text for method in plan.methods],
        "seeds": list(plan.seeds),
        "against": plan.against,
        "ablations": list(plan.ablations),
        "settings": asdict(plan.settings),
        "data": [
            {
                "name": data.name, "layout": data.layout, "train": len(data.train), "test": len(data.test),
                "identity": identity.data[data.name],
            }
            for data in plan.data
        ],
        "runs": len(plan.runs()),
        "places": [run.place for run in plan.runs()],
    }  # fmt: skip
    if path.is_file():
        before = read_json(path, PlanFile)
        changed = sorted(k for k, v in before["settings"].items() if described["settings"].get(k) != v)
        if changed:
            raise SettingsError(
                f"{out} holds a benchmark with {_list(before['settings'], changed)}, "
                f"not {_list(described['settings'], changed)}.",
                "Give the same settings to go on with it, or another --out.",
            )
        for data in before["data"]:
            if identity.data.get(data["name"], data.get("identity")) != data.get("identity"):
                raise SettingsError(
                    f"{out} holds a benchmark of other data named {data['name']}.", "Give another --out."
                )
    write_json(path, described)


def _list(settings: Mapping[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name} {settings.get(name)}" for name in names)


def read_result(folder: Path) -> RunResult | None:
    """A run's result; None where it is not finished."""
    path = folder / RESULT_FILE
    if not path.is_file():
        return None
    found = read_json(path, ResultFile)
    for image in found["images"]:
        for name in (image["prediction"], *image.get("attention", {}).values()):
            inside(folder, name, path)
    return RunResult(**{field.name: found[field.name] for field in fields(RunResult) if field.name in found})


def begun_with(folder: Path) -> str | None:
    """Identity of a run that has left a training to go on with; None where there is none."""
    if not (folder / STATE_FILE).is_file():
        return None
    path = folder / BEGUN_FILE
    return str(read_json(path, BegunFile)["identity"]) if path.is_file() else ""


def is_benchmark(folder: Path) -> bool:
    return (folder / PLAN_FILE).is_file()


def read_benchmark(folder: Path) -> Benchmark:
    """Read everything that a benchmark wrote, finished or not.

    Raises:
        EngineError: no benchmark there, or a damaged file.
    """
    if not is_benchmark(folder):
        raise EngineError(f"{folder} holds no benchmark.", "Make one with pavescope benchmark.")
    plan = read_json(folder / PLAN_FILE, PlanFile)
    results, errors = [], {}
    for place in plan["places"]:
        run = inside(folder / "runs", place, folder / PLAN_FILE)
        result = read_result(run)
        if result is not None:
            results.append(result)
        elif (run / ERROR_FILE).is_file():
            error = read_json(run / ERROR_FILE, ErrorFile)
            errors[error["run"]] = error["why"]
    return Benchmark(folder, plan, results, errors, read_complexity(folder))


def read_complexity(folder: Path) -> dict[str, dict[str, Any]]:
    """What `complexity.json` has, by the text of the method; empty where nothing was measured yet."""
    path = folder / COMPLEXITY_FILE
    return dict(read_json(path, dict[str, Cost])) if path.is_file() else {}


def settings_of(plan: Plan) -> dict[str, Any]:
    """The shared settings, as every result carries them."""
    return asdict(plan.settings)


__all__ = ["Benchmark", "RunResult", "RunSettings", "read_benchmark", "write_plan"]
