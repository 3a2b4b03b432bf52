"""Who uses the pages. Without sign-in that is the one local engineer."""

from functools import lru_cache

from app import actions
from app.actions import Actor
from db.settings import get_settings


@lru_cache
def _local_actor(database_url: str) -> Actor:
    # Kept: finding the actor takes the write lock, which a map of photos would ask for a thousand times.
    return actions.local_actor()


def current_actor() -> Actor:
    return _local_actor(get_settings().resolved_database_url)
