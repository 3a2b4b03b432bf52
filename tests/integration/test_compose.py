"""What docker-compose.yml and the Dockerfile say is true of the code: names, commands, addresses, secrets."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.routing import Route
from typer.main import get_command

from app.cli import app as command_line
from app.server import routes
from db.settings import Settings
from jobs.queue import COMPUTE_QUEUE, SHORT_QUEUE
from tests.servers import Server

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
LOGIN = re.compile(r"\$\{(\w+)(:[?-])?([^}]*)\}")


def test_every_setting_that_is_given_exists() -> None:
    known = {f"PAVESCOPE_{name.upper()}" for name in Settings.model_fields}
    for name, service in OURS.items():
        given = {key for key in service["environment"] if key.startswith("PAVESCOPE_")}
        assert given <= known, name
        assert {"PAVESCOPE_DATABASE_URL", "PAVESCOPE_BROKER_URL", "PAVESCOPE_STORAGE_URL"} <= given, name


def test_the_example_names_only_settings_that_exist() -> None:
    known = {f"PAVESCOPE_{name.upper()}" for name in Settings.model_fields}
    text = (REPOSITORY / ".env.example").read_text()
    assert set(re.findall(r"^#? ?(PAVESCOPE_\w+)=", text, re.MULTILINE)) == known
    asked = {name for name, required, _ in LOGIN.findall(str(COMPOSE)) if required == ":?"}
    assert asked == set(re.findall(r"^([A-Z]\w+)=$", text, re.MULTILINE))


def test_no_secret_has_a_default() -> None:
    for name, service in SERVICES.items():
        for key, value in service["environment"].items():
            secret = re.search("PASSWORD|SECRET|ACCESS_KEY|AUTH|ROOT_USER|DATABASE_URL|BROKER_URL", key)
            if secret:
                variables = LOGIN.findall(value)
                assert variables, f"{name}: {key} is written out"
                assert all(required == ":?" for _, required, _ in variables), f"{name}: {key} has a default"


def test_commands_exist() -> None:
    for name, service in OURS.items():
        program, *arguments = service["command"]
        if program == "pavescope":
            commands = get_command(command_line).commands  # type: ignore[attr-defined]
            assert arguments[0] in commands, name
        elif program == "celery":
            module = arguments[arguments.index("-A") + 1]
            assert importlib.util.find_spec(module) is not None, name
        elif program == "uvicorn":
            module, attribute = arguments[0].split(":")
            assert hasattr(importlib.import_module(module), attribute), name
        else:
            assert program == "python", name
        assert (Path(sys.executable).parent / program).exists(), name


def test_the_workers_listen_on_every_queue() -> None:
    listened = {
        service["command"][service["command"].index("-Q") + 1]: name
        for name, service in OURS.items()
        if service["command"][0] == "celery" and "profiles" not in service
    }
    assert set(listened) == {SHORT_QUEUE, COMPUTE_QUEUE}
    gpu = SERVICES["gpu-worker"]
    assert gpu["profiles"] == ["gpu"]
    assert gpu["environment"]["PAVESCOPE_DEVICE"] == "cuda"
    assert gpu["command"][gpu["command"].index("-Q") + 1] == COMPUTE_QUEUE
    assert gpu["command"][gpu["command"].index("--concurrency") + 1] == "1"
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


def test_health_checks_ask_what_exists() -> None:
    address = re.search(r"http://127\.0\.0\.1:8501(/\w+)", DOCKERFILE)
    assert address is not None
    assert address[1] in {route.path for route in routes if isinstance(route, Route)}
    assert (REPOSITORY / "scripts" / "worker_health.py").exists()
    for name, service in SERVICES.items():
        one_off = service.get("restart") == "no"
        assert one_off or name in OURS or service["healthcheck"]["test"], name


def test_nothing_starts_before_what_it_needs() -> None:
    for name in ("web", "short-worker", "worker", "gpu-worker"):
        waits = {other: how["condition"] for other, how in SERVICES[name]["depends_on"].items()}
        assert waits == {
            "migrate": "service_completed_successfully",
            "bucket": "service_completed_successfully",
            "redis": "service_healthy",
        }
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            one_off = SERVICES[other].get("restart") == "no"
            assert how["condition"] == ("service_completed_successfully" if one_off else "service_healthy")


def test_without_sign_in_only_this_machine_reaches_the_pages() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["web"]
    assert all(port.startswith("127.0.0.1:") for port in published["web"])


def test_uploads_are_seen_by_the_workers() -> None:
    folders = {name: service.get("volumes") for name, service in OURS.items()}
    assert folders["web"] == folders["short-worker"] == folders["worker"] == ["home:/data"]
    assert OURS["web"]["environment"]["PAVESCOPE_HOME"] == "/data"
    used = {v.split(":")[0] for service in SERVICES.values() for v in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_images_run_without_root_and_copy_what_exists() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    finals = [stage for stage in stages if re.match(r"\S+ AS (web|worker)\n", stage)]
    assert len(finals) == 2
    assert all(re.search(r"^USER 10001$", stage, re.MULTILINE) for stage in finals)
    assert {service["build"]["target"] for service in OURS.values()} == {"web", "worker"}
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in line.split():
            assert (REPOSITORY / source).exists(), source
            assert f"!{source}" in (REPOSITORY / ".dockerignore").read_text().splitlines()


def test_a_worker_is_healthy_only_with_its_database_and_broker(
    postgres_database: str, redis_broker: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAVESCOPE_BROKER_URL", redis_broker.url)
    command = [sys.executable, "scripts/worker_health.py"]

    def health() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=REPOSITORY, env=os.environ, capture_output=True, text=True, check=False, timeout=60
        )

    assert health().returncode == 0
    redis_broker.stop()
    try:
        ill = health()
    finally:
        redis_broker.start()
    assert (ill.returncode, ill.stderr.split(":")[0]) == (1, "broker")
    assert health().returncode == 0


@pytest.mark.skipif(shutil.which("docker") is None, reason="no Docker client")
def test_docker_compose_accepts_the_file() -> None:
    compose = ["docker", "compose"]
    if subprocess.run([*compose, "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("the Docker client has no Compose")
    secrets = {name: "x" * 24 for name, required, _ in LOGIN.findall(str(COMPOSE)) if required == ":?"}
    accepted = subprocess.run(
        [*compose, "--profile", "gpu", "config", "--quiet"],
        cwd=REPOSITORY,
        env={**os.environ, **secrets},
        capture_output=True,
        text=True,
        check=False,
    )
    assert accepted.returncode == 0, accepted.stderr
