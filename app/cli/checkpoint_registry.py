"""`pavescope checkpoints …`"""

import shlex
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import JsonFile, say, say_table, write_json

checkpoints_app = typer.Typer(
    no_args_is_help=True, help="Checkpoints: list, show, promote, roll back, delete, export, import."
)

Name = Annotated[str, typer.Argument(help="Name of a checkpoint (see `pavescope checkpoints list`).")]


def _registry() -> list[dict[str, Any]]:
    """The agency's checkpoints as people read them, the newest first."""
    from app import checkpoint_actions, checkpoint_words
    from app.cli import work
    from db.checkpoint_queries import list_checkpoints
    from db.session import reading

    actor = work.ready()
    current, _ = checkpoint_actions.in_force(actor)
    with reading() as session:
        found = list_checkpoints(session, actor.agency_id)
    return [
        {
            "id": row["id"],
            "name": row["name"],
            "in_force": row["id"] == current,
            "model": row["model"],
            "origin": row["origin"],
            "parent": row["parent"],
            "survey": row["survey"],
            "verdict": checkpoint_words.verdict(row),
            "accepted": row["accepted"],
            "reasons": checkpoint_words.reasons(row),
            "made_from": checkpoint_words.made_from(row),
            "accuracy": dict(checkpoint_words.accuracy(row)),
            "size_bytes": row["size_bytes"],
            "created_by": row["created_by_name"],
            "created_at": row["created_at"],
            "card": row["card"],
            "report": row["report"],
        }
        for row in found
    ]


@checkpoints_app.command("list")
def list_all(json: JsonFile = None) -> None:
    """Every checkpoint that can be used here; the one in force is what new analyses use."""
    checkpoints = _registry()
    say_table(
        ["Checkpoint", "In force", "Model", "Parent", "Survey", "Verdict", "MB", "Made"],
        [
            [
                *(row["name"], "yes" if row["in_force"] else "", row["model"], row["parent"], row["survey"]),
                *(row["verdict"], f"{row['size_bytes'] / 1e6:.1f}", f"{row['created_at']:%Y-%m-%d}"),
            ]
            for row in checkpoints
        ],
    )
    write_json(
        json,
        [{key: row[key] for key in row if key not in ("card", "report")} for row in checkpoints],
    )


@checkpoints_app.command()
def show(name: Name, json: JsonFile = None) -> None:
    """One checkpoint: where it comes from, the gate's verdict, and what was measured."""
    from app import checkpoint_actions
    from app.cli import work

    wanted = checkpoint_actions.checkpoint_id_of(work.ready(), name)
    found = next(row for row in _registry() if row["id"] == wanted)
    plain = ("name", "in_force", "model", "origin", "parent", "survey", "verdict", "made_from")
    rows = [[key, found[key]] for key in (*plain, "size_bytes", "created_by", "created_at")]
    rows += [["reason", reason] for reason in found["reasons"]]
    rows += [[f"accuracy, {data}", figures] for data, figures in found["accuracy"].items()]
    rows += [[key, found["card"][key]] for key in ("threshold", "working_scale", "seed", "data", "command")]
    say_table(["Field", "Value"], rows)
    write_json(json, found)


@checkpoints_app.command()
def promote(name: Name, json: JsonFile = None) -> None:
    """Put a checkpoint in force: new analyses use it. Refused where its gate refused it."""
    from app import checkpoint_actions
    from app.cli import work

    actor = work.ready()
    checkpoint_actions.promote_checkpoint(actor, checkpoint_actions.checkpoint_id_of(actor, name))
    _say_in_force(json)


@checkpoints_app.command()
def rollback(json: JsonFile = None) -> None:
    """Take back the last promotion: the checkpoint before it is in force again."""
    from app import checkpoint_actions
    from app.cli import work

    checkpoint_actions.roll_back(work.ready())
    _say_in_force(json)


def _say_in_force(json: Path | None) -> None:
    from app import checkpoint_actions
    from app.cli import work

    _, name = checkpoint_actions.in_force(work.ready())
    say(f"In force: {name}. New analyses use it; earlier results stay as they are.")
    write_json(json, {"in_force": name})


@checkpoints_app.command()
def delete(name: Name) -> None:
    """Delete a checkpoint that is not shipped, not in force, and that no result or audit names."""
    from app import checkpoint_actions
    from app.cli import work

    actor = work.ready()
    checkpoint_actions.delete_checkpoint(actor, checkpoint_actions.checkpoint_id_of(actor, name))
    say(f"Checkpoint {name!r} is deleted.")


@checkpoints_app.command()
def export(
    name: Name,
    out: Annotated[Path, typer.Option(help="File to write, or the folder for it.")] = Path(),
    json: JsonFile = None,
) -> None:
    """Write a checkpoint's weights and card to one .safetensors file."""
    from app import checkpoint_actions
    from app.cli import work
    from engine.errors import SettingsError

    actor = work.ready()
    wanted = checkpoint_actions.checkpoint_id_of(actor, name)
    file_name, stored = checkpoint_actions.export_checkpoint(actor, wanted)
    target = out / file_name if out.is_dir() else out
    if target.suffix != ".safetensors" or target.exists():
        raise SettingsError(
            f"{target} exists already or does not end in .safetensors.", "Name another file with --out."
        )
    unfinished = target.with_name(f".{target.name}.writing")
    try:
        shutil.copyfile(stored, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    say(f"Checkpoint {name!r} is written to {target}.")
    write_json(json, {"checkpoint": name, "file": str(target)})


@checkpoints_app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A .safetensors file written by Pavescope.")],
    name: Annotated[str, typer.Option(help="Name to register it under.")],
    json: JsonFile = None,
) -> None:
    """Register a checkpoint made elsewhere; anything but .safetensors with a Pavescope card is refused."""
    from app import checkpoint_actions
    from app.cli import work

    new_id = checkpoint_actions.import_checkpoint(work.ready(), file, name)
    found = next(row for row in _registry() if row["id"] == new_id)
    say(f"Registered. Put it in force with: pavescope checkpoints promote {shlex.quote(found['name'])}")
    write_json(json, {"id": new_id, "name": found["name"], "verdict": found["verdict"]})
