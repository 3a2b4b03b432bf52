"""Connections: one engine a process, short transactions, and the database's own clock."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from db.base import UtcDateTime
from db.settings import get_settings

# A writer waits this long for another; a survey's batch takes milliseconds.
SQLITE_BUSY_TIMEOUT_MS = 60_000


class database_now(FunctionElement[datetime]):  # noqa: N801 - reads as an SQL function
    """The database's UTC clock plus `offset_s`, so a worker's wrong clock cannot steal a lease."""

    type = UtcDateTime()
    inherit_cache = False

    def __init__(self, offset_s: float = 0.0) -> None:
        self.offset_s = float(offset_s)
        super().__init__()


@compiles(database_now, "sqlite")
def _sqlite_now(element: database_now, compiler: Any, **kw: Any) -> str:
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '{element.offset_s:+.3f} seconds')"


@compiles(database_now, "postgresql")
def _postgresql_now(element: database_now, compiler: Any, **kw: Any) -> str:
    return f"(timezone('utc', clock_timestamp()) + interval '{element.offset_s:.3f} seconds')"


def make_engine(url: str) -> Engine:
    """Open a database.

    SQLite: write-ahead log so that readers never wait, FULL so that a committed result survives a
    power cut, foreign keys on, and writers take their lock at BEGIN (a read that turns into a write
    would fail at once instead of waiting).
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(parsed, pool_pre_ping=True, pool_size=5, max_overflow=10)
    engine = create_engine(parsed, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_MS / 1000})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={SQLITE_BUSY_TIMEOUT_MS}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


@lru_cache
def get_engine(url: str | None = None) -> Engine:
    if url is None:
        settings = get_settings()
        settings.root.mkdir(parents=True, exist_ok=True)
        return get_engine(settings.resolved_database_url)
    return make_engine(url)


@contextmanager
def transaction() -> Iterator[Session]:
    """A write transaction: committed at the end, rolled back on an error."""
    with Session(get_engine(), expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def reading() -> Iterator[Session]:
    """A read-only view that never waits for a writer."""
    engine = get_engine().execution_options(reading=True)
    with Session(engine, expire_on_commit=False) as session:
        yield session
