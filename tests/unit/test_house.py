"""The house rules that no linter knows: sizes, and who may load torch."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

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
    "app.checkpoint_actions",
    "app.checkpoint_data",
    "app.components.checkpoint_compare",
    "app.audit_actions",
    "app.audit_data",
    "app.adapt_data",
    "app.components.adaptation_result",
    "app.change_data",
    "app.change_pictures",
    "app.network_actions",
    "app.network_data",
    "app.photo_data",
    "app.profile_actions",
    "app.profile_data",
    "app.rectified_pictures",
    "app.section_data",
    "app.plan_actions",
    "app.plan_data",
    "app.plan_pruning",
    "app.priorities_data",
    "app.export_actions",
    "app.cli",
    "engine.adaptation_photos",  # the page's advice reads photos with them
    "engine.survey_look",
    "jobs.queue",
    "db.migrate",
    "db.queries",
    "db.storage",
]
HELP = [
    ["--help"],
    ["survey", "--help"],
    ["audit", "--help"],
    ["segment", "--help"],
    ["adapt", "--help"],
    ["checkpoints", "--help"],
    ["camera", "--help"],
]


def relative(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_modules_stay_under_400_lines_and_pages_under_150() -> None:
    too_long = {}
    for path in MODULES:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > (150 if path.parent == REPOSITORY / "app" / "views" else 400):
            too_long[relative(path)] = lines
    assert too_long == {}


def lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Without the docstring: shapes, units and sources must not be bought with code."""
    first = function.body[0]
    said = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if said else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def test_functions_stay_under_60_lines() -> None:
    too_long = {}
    for path in FUNCTIONS_MODULES:
        for function in functions(path):
            lines = lines_of_code(function)
            if lines > 60:
                too_long[f"{relative(path)}:{function.name}"] = lines
    assert too_long == {}


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils.py", "helpers.py", "common.py", "misc.py"}
    assert [relative(path) for path in MODULES if path.name in drawers] == []


def test_the_lists_here_see_the_code() -> None:
    assert len(MODULES) > 20
    assert sum(len(functions(path)) for path in FUNCTIONS_MODULES) > 100


def test_pages_and_the_help_of_the_command_line_load_no_torch(tmp_path: Path) -> None:
    assert importlib.util.find_spec("torch") is not None, "without torch installed this proves nothing"
    program = f"""
import importlib, sys
for module in {TORCH_FREE}:
    importlib.import_module(module)
    print(module, 'torch' in sys.modules)
from app.cli import main
for arguments in {HELP}:
    sys.argv = ['pavescope', *arguments]
    try:
        main()
    except SystemExit as end:
        print(*arguments, end.code or 'torch' in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=REPOSITORY,
        env={**os.environ, "PAVESCOPE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for what in [*TORCH_FREE, *(" ".join(arguments) for arguments in HELP)]:
        assert f"{what} False" in lines, f"{what} loads torch or fails: {done.stdout[-1000:]}"


def refuse(*names: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/refuse_large_or_secret.py", *names]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120)


def test_nothing_committed_is_large_or_secret() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    refused = refuse(*filter(None, listed.stdout.split("\0")))
    assert refused.returncode == 0, refused.stderr


def test_large_files_and_secrets_are_refused(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text("-----BEGIN RSA " + "PRIVATE KEY-----\n")
    (tmp_path / "address.py").write_text("URL = 'postgresql://road:" + "hunter2hunter2@db/road'\n")
    (tmp_path / "photo.jpg").write_bytes(bytes(600_000))
    (tmp_path / "base.safetensors").write_bytes(bytes(600_000))
    refused = refuse(*(str(path) for path in sorted(tmp_path.iterdir())))
    assert refused.returncode == 1
    lines = refused.stderr.splitlines()
    assert [Path(line.split(":")[0]).name for line in lines] == ["address.py", "key.txt", "photo.jpg"]
