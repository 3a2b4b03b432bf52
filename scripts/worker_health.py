"""Whether a worker can do its work: the database, the broker and the storage answer. Exit code 0 or 1.

Workers take no remote-control messages, so this asks what they depend on, from where they run.
Run: python scripts/worker_health.py
"""

import sys
from collections.abc import Callable

from kombu.exceptions import OperationalError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from db.session import reading
from db.storage import get_storage
from jobs.queue import get_celery

NO_SUCH_HASH = "0" * 64


def check_database() -> None:
    with reading() as session:
        session.execute(text("SELECT 1"))


def check_broker() -> None:
    with get_celery().connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, timeout=4)


def check_storage() -> None:
    get_storage().exists(NO_SUCH_HASH)


def main() -> int:
    checks: dict[str, Callable[[], None]] = {
        "database": check_database,
        "broker": check_broker,
        "storage": check_storage,
    }
    for name, check in checks.items():
        try:
            check()
        except (OSError, SQLAlchemyError, OperationalError) as problem:
            sys.stderr.write(f"{name}: {problem}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
