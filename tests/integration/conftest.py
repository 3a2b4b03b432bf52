"""Where workers run: the two ways in which an installation is put together."""

import pytest

from jobs import queue
from tests.conftest import forget_settings
from tests.servers import Server

LEASE_S = "2"


@pytest.fixture(params=["embedded", "scale"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """SQLite with the folder queue, or PostgreSQL with Redis."""
    if request.param == "embedded":
        request.getfixturevalue("sqlite_database")
    else:
        request.getfixturevalue("postgres_database")
        server: Server = request.getfixturevalue("redis_broker")
        monkeypatch.setenv("PAVESCOPE_BROKER_URL", server.url)
    monkeypatch.setenv("PAVESCOPE_JOB_LEASE_S", LEASE_S)
    forget_settings()
    queue.get_celery().control.purge()
    return str(request.param)
