"""Brings the database to this version's schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config


def alembic_config() -> Config:
    return Config(str(Path(__file__).with_name("alembic.ini")))


def migrate() -> None:
    """Run the missing migrations in one transaction; nothing to do is no error."""
    command.upgrade(alembic_config(), "head")
