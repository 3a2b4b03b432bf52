"""Label-free adaptation: a checkpoint and a survey's unlabelled photos give a checkpoint and a report.

Stages: look at the photos; draw cracks on the survey's own pavement and train on them; let the network label
what it is sure of and train on that beside drawn cracks, twice; choose the threshold; judge the result.
"""

import copy
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from engine.adaptation_photos import (
    MOST_PHOTOS,
    PreparedPhoto,
    SurveyPhoto,
    cut_to_region,
    hold_back,
    read_photos,
)
from engine.adaptation_samples import AdaptationPatches, believe, drawing_grounds
from engine.adaptation_state import (
    DRAW,
    JUDGE,
    LABEL,
    LEARN,
    LOOK,
    THRESHOLD,
    TRAINING_SHARE,
    Clock,
    OnProgress,
    StateFolder,
    stage_shares,
)
from engine.anchored import Anchored
from engine.camera_match import estimate_camera, recipe_for
from engine.cards import CheckpointCard, file_sha256, resolve_checkpoint
from engine.checkpoints import load_checkpoint
from engine.complexity import count_gflops
from engine.errors import DivergedError, InvalidImageError
from engine.gate import judge
from engine.inference import InferenceSettings, predict_probability_map, resolve_device
from engine.label_free_threshold import choose_threshold
from engine.models import SMALL, CrackModel, create_model
from engine.presets import make_objective
from engine.pseudo_labels import SURE, Probability, label_photos
from engine.scale import SAMPLE_IMAGES, estimate_working_scale, sample_middle, spread_sample
from engine.survey_look import SurveyLook, drift_report, look_at, refusals
from engine.train import keep_freed_memory, train
from engine.train_settings import TrainSettings
from engine.training_data import ADAPT_PARTS, PatchRecipe

NOMINAL_GFLOPS, NOMINAL_PATCH_S = 350.0, 0.012
"""Operations a second, in 10^9, of training on two CPU cores, and seconds to draw a patch of 192 px: they
turn minutes into steps, so that the same settings take the same steps."""
CUDA_BATCHES = 4
SAVE_EVERY_S = 45.0


@dataclass(frozen=True)
class AdaptationSettings:
    """One set for all surveys.

    Attributes:
        minutes: time on two CPU cores that the work is planned for; a slower machine takes longer, to the
            same result.
        seed: of everything that is drawn.
        device: "auto", "cpu" or "cuda".
        model: network to train in place of the base's; it starts from nothing.
        learning_rate: highest of the first stage; the later ones take half of it.
        batch: patches a step.
        patch_px: side of a patch at the working scale.
        stages: share of the training steps of each stage; the first draws only, the others also learn from
            the network's own answers.
        answered_share: share of believed answers among the later stages' patches.
        sure: probabilities below and above which an answer is believed.
        procedural_share: share of drawn patches on procedural pavement.
        parts: what is drawn beyond plain cracks and distractors, see `engine.training_data.ALL_PARTS`.
        anchored: False trains by the loss of seed 000 alone, which collapses; for the record.
    """

    minutes: float = 15.0
    seed: int = 0
    device: str = "auto"
    model: str | None = None
    learning_rate: float = 1e-3
    batch: int = 8
    patch_px: int = 192
    stages: tuple[float, ...] = (0.4, 0.3, 0.3)
    answered_share: float = 0.5
    sure: tuple[float, float] = SURE
    procedural_share: float = 0.15
    parts: frozenset[str] = ADAPT_PARTS
    anchored: bool = True


@dataclass(frozen=True)
class Adaptation:
    """What came of it.

    Attributes:
        model: the adapted network; None where the photos were refused or training diverged.
        card: of its checkpoint.
        report: accepted, reasons, threshold, working_scale, minutes, images, steps, stages, gate, drift,
            look, curve, seed.
    """

    model: CrackModel | None
    card: CheckpointCard | None
    report: dict[str, Any] = field(default_factory=dict)


def plan_steps(model: CrackModel, settings: AdaptationSettings) -> list[int]:
    """Steps of each stage: as many as the minutes hold at the nominal speed, whatever this machine's is."""
    computed_s = 3 * settings.batch * count_gflops(model, settings.patch_px) / NOMINAL_GFLOPS
    drawn_s = settings.batch * NOMINAL_PATCH_S * (settings.patch_px / 192) ** 2
    total = TRAINING_SHARE * settings.minutes * 60 / (computed_s + drawn_s)
    return [max(1, round(total * share)) for share in settings.stages]


def _batch(settings: AdaptationSettings) -> int:
    """A graphics card takes more patches in the same steps."""
    return settings.batch * (CUDA_BATCHES if resolve_device(settings.device) == "cuda" else 1)


def _train_stage(
    number: int,
    model: CrackModel,
    samples: AdaptationPatches,
    steps: int,
    settings: AdaptationSettings,
    work: StateFolder,
    clock: Clock,
) -> dict[str, Any]:
    """Train one stage, or take its weights where it is done already; its line in the report."""
    done = work.folder / f"stage-{number}.safetensors"
    if (kept := work.read(f"stage-{number}")) and done.is_file():
        model.load_state_dict(load_file(done))
        return dict(kept)
    rate = settings.learning_rate * (1.0 if number == 0 else 0.5)
    how = TrainSettings(
        model=settings.model or "", learning_rate=rate, steps=steps, batch=_batch(settings),
        patch_px=settings.patch_px, ema=0.99, seed=settings.seed + 7919 * number, device=settings.device,
        save_every=1_000_000,
    )  # fmt: skip
    objective = Anchored() if settings.anchored else make_objective("paper", model)
    earlier: list[dict[str, float]] = work.read(f"curve-{number}") or []
    curve: list[dict[str, float]] = []
    losses: list[float] = []

    def on_step(step: int, _total: int | None, loss: float, _left: float) -> None:
        if not curve and not losses:  # what was drawn before a stop, as far as it was not lost
            curve.extend(row for row in earlier if row["step"] < step)
        losses.append(loss)
        if len(losses) == 20 or step == steps:
            curve.append({"stage": number, "step": step, "loss": float(np.mean(losses))})
            losses.clear()
            work.write(f"curve-{number}", curve)
        clock.at(step / steps, loss)

    result = train(
        model, objective, samples, how, state=work.folder / f"stage-{number}.pt", on_step=on_step,
        save_every_s=SAVE_EVERY_S,
    )  # fmt: skip
    save_file({k: v.contiguous() for k, v in result.model.state_dict().items()}, done)
    line = {
        "name": clock.stage, "steps": result.steps, "minutes": round(result.wall_minutes, 2),
        "loss": (curve or earlier)[-1]["loss"] if curve or earlier else None,
    }  # fmt: skip
    work.write(f"stage-{number}", line)
    return line


def _identity(photos: Sequence[SurveyPhoto], base: str | Path, settings: AdaptationSettings) -> str:
    named = [
        file_sha256(resolve_checkpoint(base)),
        repr(vars(settings) | {"parts": sorted(settings.parts)}),
        *(photo.name for photo in photos),
    ]
    return hashlib.sha256("\0".join(named).encode(errors="surrogateescape")).hexdigest()


def _working_scale(
    base: CrackModel, photos: Sequence[SurveyPhoto], how: InferenceSettings, clock: Clock
) -> float:
    """Chosen by the base's certainty on a sample, within the regions."""
    sample = []
    for photo in spread_sample(photos, SAMPLE_IMAGES):
        with suppress(InvalidImageError):
            sample.append(sample_middle(cut_to_region(photo)[0]))
        clock.at(0.0)
    if not sample:
        return 1.0
    return estimate_working_scale(base, sample, how, lambda _done, _total: clock.at(0.0)).scale


def _start(base: CrackModel, card: CheckpointCard, settings: AdaptationSettings) -> CrackModel:
    """The base's weights, or another network from nothing."""
    if settings.model is None or settings.model == card.model:
        return copy.deepcopy(base)
    torch.manual_seed(settings.seed)
    return create_model(settings.model, small=settings.model in SMALL)


def _train_all(
    model: CrackModel,
    photos: Sequence[PreparedPhoto],
    settings: AdaptationSettings,
    how: InferenceSettings,
    work: StateFolder,
    clock: Clock,
) -> list[dict[str, Any]]:
    """All training stages; the lines of the report."""
    recipe = PatchRecipe(
        patch_px=settings.patch_px, procedural_share=settings.procedural_share, photo_scale=(0.75, 1.33),
        parts=settings.parts,
    )  # fmt: skip
    if "survey_camera" in settings.parts:
        some = [photo.image for photo in spread_sample(photos, SAMPLE_IMAGES)]
        recipe = recipe_for(estimate_camera(some), recipe)
    steps, lines = plan_steps(model, settings), []
    grounds = drawing_grounds(photos, on_photo=lambda done, total: clock.at(0.5 + 0.5 * done / total))
    answers: list[Probability] = []
    for number, count in enumerate(steps):
        if number:
            clock.begin(LABEL.format(number))
            folder = work.folder / f"answers-{number}"
            answers = label_photos(model, photos, how, folder, lambda done, total: clock.at(done / total))
            grounds = drawing_grounds(photos, answers, settings.sure)
        samples = AdaptationPatches(
            grounds, recipe, settings.seed, number,
            [believe(photo, answer, settings.sure) for photo, answer in zip(photos, answers, strict=False)],
            settings.answered_share, count * _batch(settings),
        )  # fmt: skip
        clock.begin(DRAW if number == 0 else LEARN.format(number))
        lines.append(_train_stage(number, model, samples, count, settings, work, clock))
    return lines


def adapt(
    photos: Sequence[SurveyPhoto],
    base: str | Path = "base",
    settings: AdaptationSettings | None = None,
    *,
    name: str,
    folder: Path,
    on_progress: OnProgress | None = None,
) -> Adaptation:
    """Adapt a checkpoint to a survey without any label.

    Args:
        photos: of the survey; at most `MOST_PHOTOS` of them, evenly spread, are used.
        base: checkpoint to start from: a file, or the name of a shipped one.
        settings: how; the defaults when None.
        name: of the new checkpoint.
        folder: keeps the state: the same call goes on where it was stopped; the caller removes it.
        on_progress: called at least once a second of work or a step; may raise `CancelledError`.

    Returns:
        The adapted network with its card and report. It is there, but not accepted, where the gate refuses
        it; there is none where the photos are refused or training diverged.

    Raises:
        CheckpointError: no such base.
        SettingsError: an unknown model or device.
        EngineError: the folder holds another adaptation.
    """
    settings = settings or AdaptationSettings()
    base_model, base_card = load_checkpoint(base)
    chosen = spread_sample(photos, MOST_PHOTOS)
    work = StateFolder(folder, _identity(chosen, base, settings))
    clock = Clock(stage_shares(settings.stages), on_progress, work)
    how = InferenceSettings(working_scale=1.0, device=settings.device)
    keep_freed_memory()
    ready, report = _look(chosen, base_model, base_card, settings, work, clock)
    model: CrackModel | None = None
    card: CheckpointCard | None = None
    if not report["reasons"]:
        learn, held = hold_back(len(ready), settings.seed)
        model = _start(base_model, base_card, settings)
        try:
            report["stages"] = _train_all(model, [ready[n] for n in learn], settings, how, work, clock)
            report["steps"] = sum(line["steps"] for line in report["stages"])
            report |= _judged(model, base_model, base_card, [ready[n] for n in held], settings, how, clock)
            card = _card(name, model, base_card, settings, report)
        except DivergedError as error:
            model, report["reasons"] = None, [str(error)]
    report["minutes"] = round(clock.minutes, 2)
    report["curve"] = [row for n in range(len(settings.stages)) for row in work.read(f"curve-{n}") or []]
    return Adaptation(model, card, report)


def _look(
    photos: Sequence[SurveyPhoto],
    base: CrackModel,
    card: CheckpointCard,
    settings: AdaptationSettings,
    work: StateFolder,
    clock: Clock,
) -> tuple[list[PreparedPhoto], dict[str, Any]]:
    """The photos at the working scale, and the report as far as it goes."""
    clock.begin(LOOK)
    scale = work.read("working_scale")
    if scale is None:
        scale = _working_scale(base, photos, InferenceSettings(device=settings.device), clock)
        work.write("working_scale", scale)
    ready = read_photos(photos, scale, settings.seed, lambda done, total: clock.at(0.5 * done / total))
    look = look_at(
        [photo.image for photo in ready], [photo.region for photo in ready], lambda _d, _t: clock.at(0.5)
    )
    known = card.scores.get("look")
    drift = drift_report(SurveyLook.from_dict(known) if known else None, look)
    report = {
        "accepted": False, "reasons": refusals(look), "working_scale": scale, "images": len(ready),
        "look": look.as_dict(), "drift": drift.as_dict(), "stages": [], "steps": 0, "threshold": None,
        "gate": None, "seed": settings.seed,
    }  # fmt: skip
    return ready, report


def _judged(
    model: CrackModel,
    base: CrackModel,
    base_card: CheckpointCard,
    held: Sequence[PreparedPhoto],
    settings: AdaptationSettings,
    how: InferenceSettings,
    clock: Clock,
) -> dict[str, Any]:
    """The threshold and the gate's verdict, on photos that nothing was learned from."""
    clock.begin(THRESHOLD)
    maps = [predict_probability_map(model, p.image, how, lambda _d, _t: clock.at(0.0)) for p in held]
    if not all(np.isfinite(found).all() for found in maps):
        raise DivergedError(
            "The network's answers are no numbers any more.", "Train at a lower learning rate."
        )
    inside = [m if p.region is None else m[p.region] for m, p in zip(maps, held, strict=True)]
    threshold = choose_threshold(inside)
    clock.begin(JUDGE)
    verdict = judge(
        model, base, [p.image for p in held], [p.region for p in held], threshold=threshold,
        base_threshold=base_card.threshold, working_scale=1.0, seed=settings.seed, device=settings.device,
        on_tile=lambda _done, _total: clock.at(0.5),
    )  # fmt: skip
    return {
        "threshold": threshold, "accepted": verdict.accepted, "reasons": list(verdict.reasons),
        "gate": verdict.as_dict(),
    }  # fmt: skip


def _card(
    name: str,
    model: CrackModel,
    base: CheckpointCard,
    settings: AdaptationSettings,
    report: dict[str, Any],
) -> CheckpointCard:
    return CheckpointCard(
        name=name, model=settings.model or base.model, options=dict(model.options),
        threshold=report["threshold"], working_scale=report["working_scale"], seed=settings.seed,
        origin=base.name,
        command=f"pavescope adapt --name {name} --minutes {settings.minutes:g} --seed {settings.seed}",
        data=f"{report['images']} unlabelled photos of the survey; cracks drawn on them; no human label.",
        scores={key: report[key] for key in ("look", "gate", "drift")},
        class_names=base.class_names if settings.model in (None, base.model) else [],
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
