"""Commands that need the engine and no queue."""

from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.output import say, say_table

if TYPE_CHECKING:
    from engine.archives import SourceFile
    from engine.inference import InferenceSettings
    from engine.models.base import CrackModel


def preflight_report(path: Path, network: str | None, track: Path | None, offset_s: float) -> dict[str, Any]:
    """Check photos as an import would, keeping nothing."""
    from app.actions import MAX_CLOCK_OFFSET_S
    from app.cli import work
    from db import queries
    from db.session import reading
    from engine.errors import SettingsError
    from engine.preflight import finish_positions, preflight
    from engine.preflight_summary import summarise
    from engine.tracks import read_track
    from jobs.importing import place, source_files

    if not abs(offset_s) <= MAX_CLOCK_OFFSET_S:
        raise SettingsError(
            f"A clock offset of {offset_s} s is not possible.", "Give the seconds to add, or 0."
        )
    sections = None
    if network is not None:
        actor = work.ready()
        with reading() as session:
            found = queries.find_network(session, actor.agency_id, network)
            if found is None:
                raise SettingsError(f"There is no network named {network!r}.", "Import it first.")
            sections = queries.load_sections(session, found.id)
    checked = preflight(
        source_files(path),
        track=read_track(track) if track else None,
        clock_offset_s=offset_s,
        now=datetime.now(UTC),
    )
    items = [placed.item for placed in place(finish_positions(list(checked)), sections)]
    summary = summarise(items)
    return {
        "text": summary.text,
        "total": summary.total,
        "accepted": summary.accepted,
        "refused": summary.refused,
        "flags": {str(flag): count for flag, count in summary.flag_counts.items()},
        "refusals": {str(code): count for code, count in summary.refusal_counts.items()},
        "problems": [asdict(problem) for problem in summary.problems],
        "files": [
            {
                "name": item.name,
                "accepted": item.accepted,
                "code": item.code,
                "reason": item.reason,
                "remedy": item.remedy,
                "flags": sorted(item.flags),
                "notes": list(item.notes),
                "latitude": item.latitude,
                "longitude": item.longitude,
            }
            for item in items
        ],
    }


def segment_images(paths: list[Path], out: Path, checkpoint: str) -> dict[str, Any]:
    """Write NAME_mask.png and NAME_probability.png for every photo; a bad photo is said and passed over."""
    import cv2
    import numpy as np

    from app.cli.checkpoints import checkpoint_path
    from db.settings import get_settings
    from engine.archives import RefusedFile, SourceFile, iter_files
    from engine.checkpoints import load_checkpoint
    from engine.errors import EngineError, InvalidImageError
    from engine.images import load_image
    from engine.inference import InferenceSettings, predict_probability_map
    from engine.measurement import measure_cracks

    model, card = load_checkpoint(checkpoint_path(checkpoint))
    refused = []

    def refuse(name: str, problem: EngineError) -> None:
        say(f"Refused: {problem}", error=True)
        refused.append({"name": name, "reason": problem.what, "remedy": problem.remedy})

    files: list[SourceFile] = []
    for file in (found for path in paths for found in iter_files(path)):
        if isinstance(file, RefusedFile):
            refuse(file.name, EngineError(file.reason, file.remedy))
        else:
            files.append(file)
    settings = InferenceSettings(card.threshold, card.working_scale, device=get_settings().device)
    settings = _with_scale(model, settings, files)
    out.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, Any]] = {}
    for file in files:
        try:
            image = load_image(file.read(), file.name)
        except InvalidImageError as problem:
            refuse(file.name, problem)
            continue
        stem = _free_stem(Path(file.name).stem, results)
        probability = predict_probability_map(model, image, settings)
        del image  # measuring a large photo needs the room
        mask = probability >= card.threshold
        cv2.imwrite(str(out / f"{stem}_mask.png"), mask.astype(np.uint8) * 255)
        cv2.imwrite(str(out / f"{stem}_probability.png"), (probability * 255).round().astype(np.uint8))
        measured = measure_cracks(mask, probability)
        say(f"{stem}: {len(measured.cracks)} cracks, {measured.crack_area_ratio:.2%} of the photo")
        results[stem] = {"crack_area_ratio": measured.crack_area_ratio, "cracks": len(measured.cracks)}
    if not results:
        raise EngineError("There was no photo to segment.", "Name photos, or folders of photos.")
    say("These shares come without an interval; the analysis of a survey gives one.")
    return {
        "checkpoint": checkpoint,
        "threshold": card.threshold,
        "working_scale": settings.working_scale,
        "images": [{"name": stem, **found} for stem, found in results.items()],
        "refused": refused,
    }


def _with_scale(
    model: "CrackModel", settings: "InferenceSettings", files: "list[SourceFile]"
) -> "InferenceSettings":
    """The settings with a working scale, chosen on a sample of the photos where none is given."""
    from engine.errors import InvalidImageError
    from engine.images import load_image
    from engine.scale import SAMPLE_IMAGES, estimate_working_scale, sample_middle, spread_sample

    if settings.working_scale is not None:
        return settings
    sample = []
    for file in spread_sample(files, SAMPLE_IMAGES):
        with suppress(InvalidImageError):  # refused in its turn
            sample.append(sample_middle(load_image(file.read())))
    if not sample:
        return settings
    return replace(settings, working_scale=estimate_working_scale(model, sample, settings).scale)


def _free_stem(stem: str, taken: Any) -> str:
    number, free = 1, stem
    while free in taken:
        number += 1
        free = f"{stem}-{number}"
    return free


def evaluate_folder(
    data_dir: Path, checkpoint: str, tolerance_px: float, threshold: float | None = None, **how: Any
) -> dict[str, Any]:
    """Score against labelled masks and show the table; `how` goes to `engine.benchmark.evaluate_folder`."""
    from app.cli.checkpoints import checkpoint_path
    from db.settings import get_settings
    from engine.benchmark import evaluate_folder as evaluate
    from engine.inference import InferenceSettings

    settings = InferenceSettings(device=get_settings().device, threshold=threshold)
    scores: dict[str, Any] = evaluate(
        data_dir, checkpoint_path(checkpoint), tolerance_px=tolerance_px, settings=settings, **how
    )
    scores["checkpoint"] = checkpoint
    say_table(
        ["Measure", "Value"],
        [[key, value] for key, value in scores.items() if key != "best"]
        + [[f"best {key}", value] for key, value in scores["best"].items()],
    )
    return scores
