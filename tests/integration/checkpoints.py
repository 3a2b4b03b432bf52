"""Small checkpoints whose weights are drawn by a seed, and a second agency."""

from pathlib import Path
from typing import Any

import torch

from app import actions
from app.actions import Actor
from db.models import Agency, User
from db.registry import register_checkpoint
from db.session import transaction
from db.storage import get_storage
from engine.cards import CheckpointCard
from engine.checkpoints import save_checkpoint
from engine.models import create_model
from engine.vocabulary import Role


def write_checkpoint(path: Path, seed: int = 0, **card: Any) -> Path:
    """A checkpoint of a network that takes milliseconds; each seed gives another file."""
    torch.manual_seed(seed)
    options = {"filters": (4, 4, 4, 4)}
    model = create_model("attention_resunet", **options)
    kept = {"name": f"drawn {seed}", "threshold": 0.5, "working_scale": 1.0, "origin": "base", **card}
    save_checkpoint(
        path, model, CheckpointCard(model="attention_resunet", options=options, seed=seed, **kept)
    )
    return path


def register(folder: Path, name: str, seed: int, actor: Actor | None = None, **columns: Any) -> int:
    """Register a checkpoint of `write_checkpoint` as an adaptation does; returns its id."""
    actor = actor or actions.local_actor()
    path = write_checkpoint(folder / f"{seed}.safetensors", seed)
    with transaction() as session:
        return register_checkpoint(
            session,
            get_storage(),
            path,
            agency_id=actor.agency_id,
            created_by=actor.user_id,
            name=name,
            **columns,
        ).id


def other_engineer() -> Actor:
    """Somebody of another agency than the local one."""
    actions.local_actor()  # it is of the first agency
    with transaction() as session:
        agency, user = Agency(name="Other agency"), User(email="other@elsewhere", name="Other")
        session.add_all([agency, user])
        session.flush()
        return Actor(user.id, agency.id, Role.ENGINEER)
