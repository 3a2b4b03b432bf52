"""A benchmark killed from one moment to the next, and the same command given again."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.unit.engine_ml.benchmarks import made_up_data

METHODS = "attention_resunet:filters=4/8,detector"
WAITS_S = 240.0


def _command(root: Path, *more: str) -> list[str]:
    sets = [part for name in ("north", "south") for part in ("--data", str(root / name))]
    return [
        sys.executable, "-m", "app.cli", "benchmark", *sets, "--models", METHODS, "--epochs", "2",
        "--seeds", "x3", "--out", str(root / "out"), "--jobs", "2", *more,
    ]  # fmt: skip


def _until(condition, what: str) -> None:
    end = time.monotonic() + WAITS_S
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.05)


def test_a_killed_benchmark_leaves_no_process_and_goes_on(tmp_path, home):
    for name in ("north", "south"):
        made_up_data(tmp_path / name, images=8)
    environment = {**os.environ, "PAVESCOPE_HOME": str(home), "OMP_NUM_THREADS": "1"}
    results = lambda: sorted((tmp_path / "out").glob("runs/*/*/*/result.json"))  # noqa: E731
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(_command(tmp_path), env=environment, stdout=log, stderr=log)
        try:
            _until(lambda: results() or process.poll() is not None, "a first result")
            workers = psutil.Process(process.pid).children(recursive=True)
        finally:
            process.kill()
            process.wait()
    done = {path: path.stat().st_mtime_ns for path in results()}
    assert done, (tmp_path / "log").read_text()[-2000:]
    assert len(done) < 8, "it was faster than the kill: nothing is proved"
    _until(
        lambda: not any(worker.is_running() and worker.status() != "zombie" for worker in workers), "the end"
    )
    again = subprocess.run(
        _command(tmp_path, "--json", str(tmp_path / "out.json")),
        env=environment,
        capture_output=True,
        text=True,
    )
    assert again.returncode == 0, again.stderr
    assert all(path.stat().st_mtime_ns == before for path, before in done.items())
    # a network on 2 data sets with 3 seeds, and the detector once on each
    assert len(results()) == 8 and "(8 of 8 runs, 100%)" in again.stdout
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["complete"] and {line["data"] for line in found["results"]} == {
        "all data sets", "north", "south",
    }  # fmt: skip
    assert {(line["over"], line["n"]) for line in found["tests"]} >= {("seeds", 3), ("data sets", 2)}
    assert any("Wilcoxon's p cannot be below 0.25" in line["note"] for line in found["tests"])
    assert (tmp_path / "out" / "report.html").is_file()
