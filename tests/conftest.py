"""What all tests share: a home of their own, real servers, and the real imagery."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.engine import make_url

from db.migrate import migrate
from db.session import get_engine
from db.settings import get_settings
from db.storage import get_storage
from jobs.queue import get_celery
from tests.servers import MissingServerError, Server, postgres_server, redis_server

REPOSITORY = Path(__file__).resolve().parents[1]
# The template must be free of connections while it is copied, so nobody works in it.
TEMPLATE_DATABASE = "pavescope_template"

# Workers share the cores: without this each would start a thread pool as large as the machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def forget_settings() -> None:
    """Drop everything that was made from the settings, so that the next use reads them again."""
    if get_engine.cache_info().currsize:
        get_engine().dispose()
    for cached in (get_settings, get_engine, get_storage, get_celery):
        cached.cache_clear()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real imagery; the test is skipped where there is none."""
    folder = Path(os.environ.get("PAVESCOPE_DATA_DIR", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real imagery in {folder}: set PAVESCOPE_DATA_DIR to a folder that has it")
    return folder


def _start(stack: ExitStack, server: Callable[[], AbstractContextManager[Server]]) -> Server:
    try:
        return stack.enter_context(server())
    except MissingServerError as missing:
        # A run that checks everything must not pass by leaving something out.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))
        raise


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL of this test process; a test that breaks it must bring it back."""
    with ExitStack() as stack:
        yield _start(stack, postgres_server)


@pytest.fixture(scope="session")
def redis_broker() -> Iterator[Server]:
    """A Redis of this test process; a test that breaks it must bring it back."""
    with ExitStack() as stack:
        yield _start(stack, redis_server)


@pytest.fixture(scope="session")
def postgres_url(postgres: Server) -> str:
    return postgres.url


@pytest.fixture(scope="session")
def redis_url(redis_broker: Server) -> str:
    return redis_broker.url


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty PAVESCOPE_HOME with default settings; no database is made in it."""
    for name in [name for name in os.environ if name.startswith("PAVESCOPE_") and "DATA_DIR" not in name]:
        monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("PAVESCOPE_HOME", str(folder))
    forget_settings()
    yield folder
    forget_settings()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    _migrate_into({"PAVESCOPE_HOME": str(folder)})
    return folder / "pavescope.db"


@pytest.fixture(scope="session")
def postgres_template(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a migrated PostgreSQL database, to be copied."""
    _execute(postgres.url, f"CREATE DATABASE {TEMPLATE_DATABASE}")
    folder = tmp_path_factory.mktemp("template")
    _migrate_into(
        {"PAVESCOPE_HOME": str(folder), "PAVESCOPE_DATABASE_URL": _named(postgres.url, TEMPLATE_DATABASE)}
    )
    return TEMPLATE_DATABASE


@pytest.fixture
def sqlite_database(home: Path, sqlite_template: Path) -> str:
    """A migrated SQLite database in the test's home; yields its URL."""
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(sqlite_template, home / "pavescope.db")
    return get_settings().resolved_database_url


@pytest.fixture
def postgres_database(
    home: Path, postgres: Server, postgres_template: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A migrated PostgreSQL database of the test's own, which the settings name; yields its URL."""
    name = f"test_{uuid4().hex}"
    _execute(postgres.url, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    url = _named(postgres.url, name)
    monkeypatch.setenv("PAVESCOPE_DATABASE_URL", url)
    forget_settings()
    yield url
    forget_settings()
    _execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Runs the test twice: on SQLite and on PostgreSQL, each a migrated database of its own."""
    url: str = request.getfixturevalue(
        "sqlite_database" if request.param == "sqlite" else "postgres_database"
    )
    return url


def _migrate_into(environment: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        forget_settings()
        migrate()
        forget_settings()


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def _named(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)
