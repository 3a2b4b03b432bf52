"""Alembic's entry: one transaction for all revisions, so a killed migration leaves the old schema."""

from typing import Any

from alembic import context

import db.models  # noqa: F401 - its tables join the metadata
from db.base import Base, UtcDateTime
from db.session import get_engine


def render_item(kind: str, item: Any, autogen_context: Any) -> str | bool:
    if kind == "type" and isinstance(item, UtcDateTime):
        return "db.base.UtcDateTime()"
    return False


def run() -> None:
    options: dict[str, Any] = {
        "target_metadata": Base.metadata,
        "render_as_batch": True,
        "render_item": render_item,
        "transaction_per_migration": False,
    }
    with get_engine().connect() as connection:
        if connection.dialect.name == "sqlite" and (raw := connection.connection.driver_connection):
            # Outside any transaction, where alone it works: tables are made anew without touching their rows.
            raw.execute("PRAGMA foreign_keys=OFF")
            raw.execute("PRAGMA legacy_alter_table=ON")
        context.configure(connection=connection, **options)
        with context.begin_transaction():
            if connection.dialect.name == "postgresql":
                # Several processes may start at once; the first migrates, the others find it done.
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7283001)")
            context.run_migrations()
        connection.commit()
    get_engine().dispose()  # the pool must not hand out a connection without foreign keys


run()
