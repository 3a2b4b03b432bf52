"""What people do in a blind audit, for the page and the command line alike.

As in `app.actions`: each checks the role and writes in one transaction; draws and signatures are events.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from app import audit_data
from app.actions import Actor, record_event, require
from app.audit_record import make_record
from db import queries
from db.base import utc_now
from db.models import AnalysisResult, AuditSample, AuditTile, Survey, SurveyImage, User
from db.session import reading, transaction
from db.storage import Storage, get_storage
from engine import audit
from engine.errors import EngineError, SettingsError
from engine.vocabulary import AuditAnswer, Role

# Counting pixels needs the stored masks; of more photos than this a random choice is read.
MAX_PHOTOS = 400
SEEDS = 2**31


@dataclass(frozen=True)
class Photo:
    """A photo whose mask is counted."""

    image_id: int
    mask_hash: str


@dataclass(frozen=True)
class Population:
    """The tiles that can be drawn, as parallel sequences, and where they come from."""

    image_ids: npt.NDArray[np.int64]
    boxes: list[audit.Box]
    predicted_px: npt.NDArray[np.int64]
    photos: int
    photos_read: int
    masks_missing: int


def draw_sample(
    actor: Actor,
    survey_id: int,
    *,
    tiles: int = audit.TILES,
    tile_px: int = audit.TILE_PX,
    seed: int | None = None,
    may_train: bool = False,
    on_photo: Callable[[int, int], object] = lambda _done, _total: None,
) -> int:
    """Draw a random sample of tiles from the analysis that a survey shows; returns its id.

    Args:
        actor: an engineer.
        survey_id: the survey.
        tiles: how many; all of them where the survey has no more.
        tile_px: greatest side of a tile.
        seed: 0 <= seed < 2^31; None chooses one by chance.
        may_train: whether the agency allows the answers to be used for training.
        on_photo: told (masks read, masks to read) on the way.

    Raises:
        SettingsError: nothing is analysed, or a number that makes no sense.
    """
    require(actor, Role.ENGINEER, "draw an audit sample")
    seed = secrets.randbelow(SEEDS) if seed is None else seed
    if not 0 <= seed < SEEDS:
        raise SettingsError(f"The seed {seed} is not possible.", f"Give 0 to {SEEDS - 1}, or none.")
    audit.allocate({}, tiles)  # before masks are read for nothing
    audit.tile_grid(1, 1, tile_px)
    with reading() as session:
        survey = queries.get_survey(session, actor.agency_id, survey_id)
        photos = _analysed_photos(session, survey)
    if not photos or survey.shown_checkpoint_id is None or survey.shown_settings_hash is None:
        raise SettingsError(f"Survey {survey.name!r} has no analysed photos.", "Analyse it first.")
    found = _read_masks(photos, tile_px, seed, on_photo)
    strata = audit.stratify(
        found.predicted_px, np.array([box.width_px * box.height_px for box in found.boxes])
    )
    chosen = audit.draw_tiles(strata, tiles, seed)
    with transaction() as session:
        sample = AuditSample(
            survey_id=survey.id,
            checkpoint_id=survey.shown_checkpoint_id,
            settings_hash=survey.shown_settings_hash,
            seed=seed,
            tile_px=tile_px,
            may_train=may_train,
            created_by=actor.user_id,
        )
        session.add(sample)
        session.flush()
        session.execute(insert(AuditTile), _tile_rows(sample.id, found, strata, chosen))
        record_event(
            session,
            actor,
            "audit.draw",
            audit_data.subject(sample.id),
            survey=survey.name,
            seed=seed,
            tiles=len(chosen),
            tile_px=tile_px,
            may_train=may_train,
            photos=found.photos,
            photos_read=found.photos_read,
            masks_missing=found.masks_missing,
        )
        return sample.id


def _analysed_photos(session: Session, survey: Survey) -> list[Photo]:
    rows = session.execute(
        select(SurveyImage.id, AnalysisResult.mask_hash)
        .join(AnalysisResult, AnalysisResult.image_id == SurveyImage.id)
        .where(
            SurveyImage.survey_id == survey.id,
            AnalysisResult.checkpoint_id == survey.shown_checkpoint_id,
            AnalysisResult.settings_hash == survey.shown_settings_hash,
            AnalysisResult.mask_hash.is_not(None),
        )
        .order_by(SurveyImage.id)
    )
    return [Photo(row.id, row.mask_hash) for row in rows]


def _read_masks(
    photos: Sequence[Photo], tile_px: int, seed: int, on_photo: Callable[[int, int], object]
) -> Population:
    read = list(photos)
    if len(photos) > MAX_PHOTOS:
        rng = np.random.default_rng((seed, MAX_PHOTOS))
        read = [photos[i] for i in sorted(rng.choice(len(photos), MAX_PHOTOS, replace=False))]
    storage = get_storage()
    ids: list[int] = []
    boxes: list[audit.Box] = []
    counts: list[npt.NDArray[np.int64]] = []
    missing = 0
    for done, photo in enumerate(read, 1):
        mask = _mask(storage, photo.mask_hash)
        if mask is None:
            missing += 1
        else:
            grid = audit.tile_grid(mask.shape[1], mask.shape[0], tile_px)
            ids += [photo.image_id] * len(grid)
            boxes += grid
            counts.append(audit.count_predicted(mask, grid))
        on_photo(done, len(read))
    if not boxes:
        raise EngineError(
            f"None of the {len(read)} stored masks can be read.",
            "Restore the storage from its backup, or analyse the survey again.",
        )
    return Population(np.array(ids), boxes, np.concatenate(counts), len(photos), len(read) - missing, missing)


def _mask(storage: Storage, mask_hash: str) -> npt.NDArray[np.bool_] | None:
    """A stored mask, bool (H, W); None where the file is missing or damaged."""
    try:
        stored = storage.read(mask_hash)
    except FileNotFoundError:
        return None
    mask = cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_GRAYSCALE) if stored else None
    return None if mask is None else mask > 0


def _tile_rows(
    sample_id: int, found: Population, strata: npt.NDArray[np.int64], chosen: Sequence[int]
) -> list[dict[str, Any]]:
    sizes = np.bincount(strata)
    return [
        {
            "sample_id": sample_id,
            "position": position,
            "image_id": int(found.image_ids[index]),
            **asdict(found.boxes[index]),
            "stratum": int(strata[index]),
            "stratum_tiles": int(sizes[strata[index]]),
            "predicted_px": int(found.predicted_px[index]),
        }
        for position, index in enumerate(chosen, 1)
    ]


def answer_tile(actor: Actor, tile_id: int, answer: AuditAnswer) -> None:
    """Save the blind answer. It stays as it is once the model's answer could be seen; "unsure", after which
    nothing is shown, may be changed while a tile of the sample waits: then the figures are shown.

    Raises:
        SettingsError: the sample is signed, the tile has its answer, or it is "unsure" and no tile waits.
    """
    require(actor, Role.SURVEYOR, "answer in an audit")
    with transaction() as session:
        tile = _open_tile(session, actor, tile_id)
        if tile.answer in (AuditAnswer.CRACK, AuditAnswer.NONE):
            raise SettingsError(
                f"Tile {tile.position} has its blind answer, and the model's was shown after it.",
                "It can no longer be changed: it would not be blind.",
            )
        if tile.answer == AuditAnswer.UNSURE and not _waiting(session, tile.sample_id):
            raise SettingsError(
                f"Tile {tile.position} was left unsure, and no tile waits: the figures are shown.",
                "It stays unsure: another answer would not be blind.",
            )
        tile.answer = answer
        tile.answered_by, tile.answered_at = actor.user_id, utc_now()


def review_tile(actor: Actor, tile_id: int, *, accepted: bool, missed: bool) -> None:
    """Save what a person says of the model's answer; it may be changed until the sample is signed.

    Raises:
        SettingsError: the sample is signed, or the tile has no blind answer yet, or it is "unsure".
    """
    require(actor, Role.SURVEYOR, "answer in an audit")
    with transaction() as session:
        tile = _open_tile(session, actor, tile_id)
        if tile.answer not in (AuditAnswer.CRACK, AuditAnswer.NONE):
            raise SettingsError(
                f"Tile {tile.position} has no blind answer of crack or no crack.", "Give it first."
            )
        tile.accepted, tile.missed = accepted, missed
        tile.reviewed_by, tile.reviewed_at = actor.user_id, utc_now()


def sign_sample(actor: Actor, sample_id: int, name: str) -> str:
    """Sign a finished sample with a full name; returns its record's SHA-256. Nothing changes afterwards.

    Raises:
        SettingsError: it is signed already, tiles still wait, or the name is not one.
    """
    require(actor, Role.ENGINEER, "sign an audit")
    full_name = " ".join("".join(char for char in name if char.isprintable()).split())
    if not 3 <= len(full_name) <= 200 or " " not in full_name:
        raise SettingsError(f"{full_name!r} is not a full name.", "Type your first and last name.")
    with transaction() as session:
        sample = _open_sample(session, actor, sample_id)
        if waiting := _waiting(session, sample.id):
            raise SettingsError(f"{waiting} tiles of audit {sample.id} still wait.", "Answer them first.")
        sample.signed_by, sample.signed_name, sample.signed_at = actor.user_id, full_name, utc_now()
        account = session.get_one(User, actor.user_id).name
        sample.record = make_record(session, sample, account)
        sample.record_hash = audit.record_hash(sample.record)
        record_event(
            session,
            actor,
            "audit.sign",
            audit_data.subject(sample.id),
            name=full_name,
            record_hash=sample.record_hash,
        )
        return sample.record_hash


def _waiting(session: Session, sample_id: int) -> int:
    """Tiles of a sample that still wait for an answer or its comparison."""
    return (
        session.scalar(select(func.count()).where(AuditTile.sample_id == sample_id, audit_data.still_open()))
        or 0
    )


def _open_sample(session: Session, actor: Actor, sample_id: int) -> AuditSample:
    """The agency's sample, locked until the transaction ends, so that none is answered while it is signed."""
    sample = session.scalar(
        select(AuditSample)
        .join(Survey, Survey.id == AuditSample.survey_id)
        .where(AuditSample.id == sample_id, Survey.agency_id == actor.agency_id)
        .with_for_update(of=AuditSample)
    )
    if sample is None:
        raise SettingsError(f"There is no audit {sample_id}.", "See the survey's audits.")
    if sample.record is not None:
        raise SettingsError(
            f"Audit {sample_id} was signed by {sample.signed_name}.",
            "It no longer changes; draw another sample.",
        )
    return sample


def _open_tile(session: Session, actor: Actor, tile_id: int) -> AuditTile:
    sample_id = session.scalar(select(AuditTile.sample_id).where(AuditTile.id == tile_id))
    if sample_id is None:
        raise SettingsError(f"There is no audit tile {tile_id}.", "Open the audit again.")
    _open_sample(session, actor, sample_id)
    return session.get_one(AuditTile, tile_id, with_for_update=True)
