"""Another site's name must not lead to this machine's pages, photos or uploads."""

import shutil
from pathlib import Path

import httpx
import pytest

from tests.conftest import forget_settings
from tests.e2e.server import start_web

PATHS = ["/", "/healthz", "/api/photos/1/original", "/_stcore/health"]


def test_only_known_names_are_answered(sqlite_template: Path, home: Path) -> None:
    home.mkdir()
    shutil.copy(sqlite_template, home / "pavescope.db")
    forget_settings()
    with start_web(home) as address:
        for path in PATHS:
            foreign = httpx.get(f"{address}{path}", headers={"Host": "evil.example:8501"})
            assert foreign.status_code == 400, path
        put = httpx.put(
            f"{address}/api/uploads/{'a' * 32}/0?size=3&offset=0",
            content=b"abc",
            headers={"Host": "evil.example", "Origin": "http://evil.example"},
        )
        assert put.status_code == 400
        assert httpx.get(f"{address}/healthz").status_code == 200
        own = httpx.get(f"{address}/healthz", headers={"Host": "localhost"})
        assert own.status_code == 200


@pytest.mark.parametrize("origin", ["http://[bad", "http://evil.example", "null"])
def test_uploads_come_from_own_pages_only(sqlite_template: Path, home: Path, origin: str) -> None:
    home.mkdir()
    shutil.copy(sqlite_template, home / "pavescope.db")
    forget_settings()
    with start_web(home) as address:
        put = httpx.put(
            f"{address}/api/uploads/{'a' * 32}/0?size=3&offset=0", content=b"abc", headers={"Origin": origin}
        )
    assert put.status_code == 403
