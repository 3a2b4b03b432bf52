"""The signed record of an audit: plain values, from the rows as they are at the signature."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from app import audit_data
from db.models import (
    Agency,
    AnalysisResult,
    AuditEvent,
    AuditSample,
    AuditTile,
    Checkpoint,
    Survey,
    SurveyImage,
    User,
)
from engine import audit
from engine.vocabulary import AuditAnswer

FORMAT = "pavescope audit 1"
STATEMENT = (
    "These figures were measured on a random sample of tiles, not on every tile. In simulated audits of 60 "
    "and of 200 tiles the interval of precision held the true share in 94 to 100 of 100, that of recall in "
    "86 to 99 of 100; the other figures were not simulated. All hold for this survey's photos, this "
    "checkpoint and these settings, and for no others."
)
METHOD = (
    "Stratified random sample of tiles without replacement: one stratum of tiles with fewer than "
    f"{audit.MIN_PREDICTED_PX} predicted pixels and three by tercile of predicted density; at least a "
    "sixth of the sample from each, the rest in proportion. People answered crack, no crack or unsure "
    "before the model's answer was shown. A tile counts as predicted cracked when it has "
    f"{audit.MIN_PREDICTED_PX} predicted pixels or more. A judged tile weighs the tiles of its stratum "
    "by its judged tiles; tiles answered unsure are left out and counted. Intervals are Wilson's score "
    "intervals (1927) of 95 % at Kish's effective sample size (1965); that of recall joins the "
    "intervals of the cracked share among predicted and among other tiles (Donner and Zou, 2012). "
    "accept_rate: of the tiles predicted cracked, those in which people accepted what was drawn; "
    "missed_rate: of all tiles, those in which people saw cracks that were not drawn."
)
OF_SOME_PHOTOS = (
    " The masks of a random choice of the analysed photos were counted; the intervals do not hold what the "
    "choice of photos adds."
)
# More digits than anybody needs, and the same ones on every machine.
DIGITS = 6


def make_record(session: Session, sample: AuditSample, account: str) -> dict[str, Any]:
    """All that a signature stands for.

    Args:
        session: the transaction that signs.
        sample: with its signature, without its record.
        account: name of the account that signs.
    """
    survey = session.get_one(Survey, sample.survey_id)
    checkpoint = session.get_one(Checkpoint, sample.checkpoint_id)
    tiles = _tiles(session, sample.id)
    drawn = _drawn(session, sample)
    some_photos = drawn.get("photos", 0) > drawn.get("photos_read", 0)
    return {
        "format": FORMAT,
        "audit": sample.id,
        "agency": session.get_one(Agency, survey.agency_id).name,
        "survey": survey.name,
        "checkpoint": {"name": checkpoint.name, "content_hash": checkpoint.content_hash},
        "settings": _settings(session, sample),
        "settings_hash": sample.settings_hash,
        "drawn": drawn,
        "may_train": sample.may_train,
        "signed": {"name": sample.signed_name, "account": account, "at": _time(sample.signed_at)},
        "answered_by": sorted({tile["answered_by"] for tile in tiles if tile["answered_by"]}),
        "reviewed_by": sorted({tile["reviewed_by"] for tile in tiles if tile["reviewed_by"]}),
        "minimum_predicted_px": audit.MIN_PREDICTED_PX,
        "strata": strata_of(tiles),
        "figures": figures_of(tiles),
        "method": METHOD + (OF_SOME_PHOTOS if some_photos else ""),
        "statement": STATEMENT,
        "tiles": tiles,
    }


def figures_of(tiles: list[dict[str, Any]]) -> dict[str, Any]:
    """`engine.audit.Figures` as plain rounded values, from rows of `tiles`."""
    figures = asdict(
        audit.measure(
            [
                audit.JudgedTile(
                    tile["stratum"], tile["stratum_tiles"],
                    AuditAnswer(tile["answer"]) if tile["answer"] else None, tile["accepted"], tile["missed"],
                )
                for tile in tiles
            ]
        )
    )  # fmt: skip
    return {
        name: {key: round(part, DIGITS) if isinstance(part, float) else part for key, part in found.items()}
        if isinstance(found, dict)
        else found
        for name, found in figures.items()
    }


def strata_of(tiles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tiles in the population and the sample, and answers, of each stratum."""
    return [
        {
            "stratum": stratum,
            "what": audit.STRATUM_WORDS[stratum],
            "population_tiles": next(t["stratum_tiles"] for t in tiles if t["stratum"] == stratum),
            "sample_tiles": sum(answers.values()),
            **{word.value: answers[word.value] for word in AuditAnswer},
        }
        for stratum in sorted({tile["stratum"] for tile in tiles})
        for answers in [Counter(tile["answer"] for tile in tiles if tile["stratum"] == stratum)]
    ]


def _tiles(session: Session, sample_id: int) -> list[dict[str, Any]]:
    reviewer = aliased(User)
    rows = session.execute(
        select(AuditTile, SurveyImage.content_hash, User.name, reviewer.name)
        .join(SurveyImage, SurveyImage.id == AuditTile.image_id)
        .outerjoin(User, User.id == AuditTile.answered_by)
        .outerjoin(reviewer, reviewer.id == AuditTile.reviewed_by)
        .where(AuditTile.sample_id == sample_id)
        .order_by(AuditTile.position)
    )
    return [
        {
            **{name: getattr(tile, name) for name in audit_data.TILE_FACTS},
            "photo": content_hash,
            "answered_by": person,
            "answered_at": _time(tile.answered_at),
            "reviewed_by": second_person,
            "reviewed_at": _time(tile.reviewed_at),
        }
        for tile, content_hash, person, second_person in rows
    ]


def _drawn(session: Session, sample: AuditSample) -> dict[str, Any]:
    """How the sample was drawn; how many there were before it tells of drawing until one pleases."""
    event = session.scalar(
        select(AuditEvent).where(
            AuditEvent.action == "audit.draw", AuditEvent.subject == audit_data.subject(sample.id)
        )
    )
    earlier = session.scalar(
        select(func.count()).where(
            AuditSample.survey_id == sample.survey_id,
            AuditSample.checkpoint_id == sample.checkpoint_id,
            AuditSample.id < sample.id,
        )
    )
    person = session.get(User, sample.created_by) if sample.created_by else None
    named = ("photos", "photos_read", "masks_missing", "tiles")
    return {
        "by": person.name if person else None,
        "at": _time(sample.created_at),
        "seed": sample.seed,
        "tile_px": sample.tile_px,
        "earlier_samples_of_this_checkpoint": earlier or 0,
        **({key: event.detail[key] for key in named} if event else {}),
    }


def _settings(session: Session, sample: AuditSample) -> dict[str, Any] | None:
    return session.scalar(
        select(AnalysisResult.settings)
        .join(SurveyImage, SurveyImage.id == AnalysisResult.image_id)
        .where(
            SurveyImage.survey_id == sample.survey_id,
            AnalysisResult.checkpoint_id == sample.checkpoint_id,
            AnalysisResult.settings_hash == sample.settings_hash,
        )
        .limit(1)
    )


def _time(moment: Any) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
