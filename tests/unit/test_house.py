"""The house rules that no linter knows: sizes, and who may load torch."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("app", "jobs", "db", "engine")
MODULES = sorted(path for name in PACKAGES for path in (REPOSITORY / name).rglob("*.py"))
# A migration lists every table once and is never edited again.
FUNCTIONS_MODULES = [path for path in MODULES if "migrations/versions" not in path.as_posix()]
TORCH_FREE = [
    "app.main",
    "app.server",
    "app.data",
    "app.actions",
    "app.cli",
    "jobs.queue",
    "db.migrate",
    "db.queries",
    "db.storage",
]


def relative(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def run_python(program: str, home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=REPOSITORY,
        env={**os.environ, "PAVESCOPE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_modules_stay_under_400_lines_and_pages_under_150() -> None:
    too_long = {}
    for path in MODULES:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > (150 if path.parent == REPOSITORY / "app" / "views" else 400):
            too_long[relative(path)] = lines
    assert too_long == {}


def test_functions_stay_under_60_lines() -> None:
    too_long = {}
    for path in FUNCTIONS_MODULES:
        for function in functions(path):
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > 60:
                too_long[f"{relative(path)}:{function.name}"] = lines
    assert too_long == {}


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils.py", "helpers.py", "common.py", "misc.py"}
    assert [relative(path) for path in MODULES if path.name in drawers] == []


def test_the_lists_here_see_the_code() -> None:
    assert len(MODULES) > 20
    assert sum(len(functions(path)) for path in FUNCTIONS_MODULES) > 100


@pytest.mark.parametrize("module", TORCH_FREE)
def test_the_web_process_loads_no_torch(module: str, tmp_path: Path) -> None:
    assert importlib.util.find_spec("torch") is not None, "without torch installed this proves nothing"
    program = f"import sys, {module}; print('torch' in sys.modules)"
    assert run_python(program, tmp_path).splitlines()[-1] == "False"


@pytest.mark.parametrize("arguments", [["--help"], ["survey", "--help"], ["segment", "--help"]])
def test_help_of_the_command_line_loads_no_torch(arguments: list[str], tmp_path: Path) -> None:
    program = f"""
import atexit, sys
atexit.register(lambda: print('torch' in sys.modules))
sys.argv = ['pavescope', *{arguments}]
from app.cli import main
main()
"""
    lines = run_python(program, tmp_path).splitlines()
    assert any("Usage" in line for line in lines)
    assert lines[-1] == "False"
