"""Reads and writes of checkpoints: who sees them, what names them, which is in force, how two compare."""

from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, or_, select
from sqlalchemy.orm import Session, aliased

from db.models import (
    AnalysisResult,
    AuditSample,
    Checkpoint,
    Comparison,
    Job,
    Plan,
    Promotion,
    SectionResult,
    Survey,
    SurveyImage,
    User,
)
from db.profiles import get_profile
from engine.errors import CheckpointError
from engine.geometry import profile_from_dict
from engine.measurement_version import MEASUREMENT_VERSION, with_measurement_version
from engine.severity import D6433, SeverityStandard, standard_from
from engine.vocabulary import CameraKind, JobState

ACTIVE = (JobState.QUEUED, JobState.RUNNING)
# Keys of job parameters that hold a checkpoint's id.
NAMED_BY_JOBS = ("checkpoint_id", "base_id", "first_id", "second_id")


def visible_to(agency_id: int | None) -> ColumnElement[bool]:
    """Condition: an agency's own checkpoints and the shipped ones; None sees the shipped ones only."""
    shipped = Checkpoint.agency_id.is_(None)
    return shipped if agency_id is None else or_(shipped, Checkpoint.agency_id == agency_id)


def find_checkpoint(session: Session, agency_id: int | None, name: str) -> Checkpoint | None:
    return session.scalar(select(Checkpoint).where(Checkpoint.name == name, visible_to(agency_id)))


def get_checkpoint(session: Session, agency_id: int, checkpoint_id: int) -> Checkpoint:
    """Raises CheckpointError where the agency has no such checkpoint: another's is not told apart."""
    found = session.scalar(select(Checkpoint).where(Checkpoint.id == checkpoint_id, visible_to(agency_id)))
    if found is None:
        raise CheckpointError(f"There is no checkpoint {checkpoint_id}.", "See the list of checkpoints.")
    return found


def newest_promotion(session: Session, agency_id: int, before: int = 0) -> Promotion | None:
    """What is in force in an agency, or was `before` promotions ago; None: the shipped base."""
    return session.scalar(
        select(Promotion)
        .where(Promotion.agency_id == agency_id, Promotion.rolled_back_at.is_(None))
        .order_by(Promotion.id.desc())
        .offset(before)
        .limit(1)
    )


def uses_of(session: Session, checkpoint: Checkpoint) -> list[str]:
    """In plain words all that would lose its meaning without this checkpoint; empty: it may go."""
    uses = []
    by_image = _count(session, AnalysisResult.checkpoint_id, checkpoint.id)
    if results := by_image or _count(session, SectionResult.checkpoint_id, checkpoint.id):
        uses.append(f"{results} analysis results name it")
    if surveys := session.scalars(
        select(Survey.name).where(Survey.shown_checkpoint_id == checkpoint.id)
    ).all():
        uses.append(f"the survey {surveys[0]!r} shows its results")
    if audits := _count(session, AuditSample.checkpoint_id, checkpoint.id):
        uses.append(f"{audits} audits name it")
    if plans := _count(session, Plan.checkpoint_id, checkpoint.id):
        uses.append(f"{plans} plan{' was' if plans == 1 else 's were'} made from its results")
    for job in session.scalars(
        select(Job).where(Job.state.in_(ACTIVE), Job.agency_id == checkpoint.agency_id)
    ):
        if checkpoint.id in [job.parameters.get(key) for key in NAMED_BY_JOBS]:
            uses.append(f"job {job.id} waits or runs with it")
    return uses


def was_loaded(session: Session, checkpoint: Checkpoint) -> bool:
    """Whether some analysis or comparison has worked with a checkpoint."""
    analysed = select(AnalysisResult.id).where(
        AnalysisResult.checkpoint_id == checkpoint.id, AnalysisResult.error.is_(None)
    )
    sides = (Comparison.first_checkpoint_id, Comparison.second_checkpoint_id)
    compared = select(Comparison.id).where(or_(*(side == checkpoint.id for side in sides)))
    return any(session.scalar(query.limit(1)) is not None for query in (analysed, compared))


def _count(session: Session, column: Any, checkpoint_id: int) -> int:
    return session.scalar(select(func.count()).where(column == checkpoint_id)) or 0


def delete_rows_of(session: Session, checkpoint: Checkpoint) -> None:
    """Delete a checkpoint with its past promotions and comparisons; its children lose the link, not the name
    of their parent, which stands in their card."""
    session.execute(delete(Promotion).where(Promotion.checkpoint_id == checkpoint.id))
    for child in session.scalars(select(Checkpoint).where(Checkpoint.parent_id == checkpoint.id)):
        child.parent_id = None
    session.flush()
    session.delete(checkpoint)
    session.flush()


def list_checkpoints(session: Session, agency_id: int) -> list[dict[str, Any]]:
    """The checkpoints that an agency sees, the newest first, as plain values.

    Returns:
        Per checkpoint its columns, and `parent`, `survey`, `created_by_name` (None where there is none),
        `shipped`, and `audits`: the signed records of the agency's audits, with `survey` and `signed_name`.
    """
    parent = aliased(Checkpoint)
    rows = session.execute(
        select(Checkpoint, parent.name, Survey.name, User.name)
        .outerjoin(parent, parent.id == Checkpoint.parent_id)
        .outerjoin(Survey, Survey.id == Checkpoint.survey_id)
        .outerjoin(User, User.id == Checkpoint.created_by)
        .where(visible_to(agency_id))
        .order_by(Checkpoint.id.desc())
    ).all()
    audits = _signed_audits(session, agency_id)
    return [
        {
            **{column.key: getattr(checkpoint, column.key) for column in Checkpoint.__table__.columns},
            "parent": parent_name,
            "survey": survey,
            "created_by_name": person,
            "shipped": checkpoint.agency_id is None,
            "audits": audits.get(checkpoint.id, []),
        }
        for checkpoint, parent_name, survey, person in rows
    ]


def _signed_audits(session: Session, agency_id: int) -> dict[int, list[dict[str, Any]]]:
    rows = session.execute(
        select(AuditSample, Survey.name)
        .join(Survey, Survey.id == AuditSample.survey_id)
        .where(Survey.agency_id == agency_id, AuditSample.record.is_not(None))
        .order_by(AuditSample.id.desc())
    ).all()
    found: dict[int, list[dict[str, Any]]] = {}
    for sample, survey in rows:
        signed = {"survey": survey, "signed_name": sample.signed_name}
        if sample.record:  # JSON null is not SQL NULL
            found.setdefault(sample.checkpoint_id, []).append({**sample.record, **signed})
    return found


def shown_standard(session: Session, survey: Survey) -> SeverityStandard:
    """The severity standard of the analysis that a survey's pages show; D6433 where it names none."""
    settings = session.scalar(
        _settings_of(survey.id)
        .where(
            AnalysisResult.checkpoint_id == survey.shown_checkpoint_id,
            AnalysisResult.settings_hash == survey.shown_settings_hash,
        )
        .limit(1)
    )
    return standard_from((settings or {}).get("severity_standard", D6433.name))


def camera_settings(session: Session, survey: Survey) -> dict[str, Any] | None:
    """`camera` in the settings of the results that an analysis would give now; None: they stay in pixels."""
    if survey.camera_profile_id is not None:
        stored = get_profile(session, survey.agency_id, survey.camera_profile_id)
        profile = profile_from_dict(stored.kind, stored.parameters)
        return {"kind": str(profile.kind), "parameters": profile.as_dict()}
    if survey.gsd_mm_per_px is not None:
        return {"kind": str(CameraKind.DOWNWARD), "parameters": {"gsd_mm_per_px": survey.gsd_mm_per_px}}
    return None


def analysed_alike(
    session: Session, survey: Survey, checkpoint_id: int, standard: SeverityStandard
) -> dict[str, Any]:
    """What a survey has of the analysis that would be made now.

    Returns:
        `photos` with a result of this checkpoint, camera, standard and version of measuring; whether it is
        `shown`; and `differs`: which of "camera", "severity_standard" and "measurement_version" the newest
        result of the checkpoint had otherwise.
    """
    camera = camera_settings(session, survey)
    wanted = {
        "camera": camera,
        "severity_standard": standard.as_dict() if camera else None,
        "measurement_version": MEASUREMENT_VERSION,
    }
    of_checkpoint = (AnalysisResult.checkpoint_id == checkpoint_id, AnalysisResult.error.is_(None))
    newest = (
        _settings_of(survey.id, func.max(AnalysisResult.id))
        .where(*of_checkpoint)
        .group_by(AnalysisResult.settings_hash)
    )
    differs: list[str] = []
    alike: set[str] = set()
    runs = select(AnalysisResult.settings_hash, AnalysisResult.settings).where(AnalysisResult.id.in_(newest))
    for settings_hash, settings in session.execute(runs.order_by(AnalysisResult.id)):
        had = with_measurement_version(settings, settings_hash)
        differs = [name for name, value in wanted.items() if had.get(name) != value]
        if not differs:
            alike.add(settings_hash)
    photos = session.scalar(
        _settings_of(survey.id, func.count(AnalysisResult.image_id.distinct())).where(
            *of_checkpoint, AnalysisResult.settings_hash.in_(alike)
        )
    )
    shown = survey.shown_checkpoint_id == checkpoint_id and survey.shown_settings_hash in alike
    return {"photos": photos or 0, "shown": shown, "differs": differs}


def _settings_of(survey_id: int, what: Any = AnalysisResult.settings) -> Select[Any]:
    """Settings, or something else, of a survey's results."""
    of_image = SurveyImage.id == AnalysisResult.image_id
    return select(what).join(SurveyImage, of_image).where(SurveyImage.survey_id == survey_id)


def save_comparison(
    session: Session, survey_id: int, first_id: int, second_id: int, pictures: list[dict[str, Any]]
) -> None:
    """Keep a comparison in place of an earlier one of the same two on the same survey."""
    session.execute(
        delete(Comparison).where(
            Comparison.survey_id == survey_id,
            Comparison.first_checkpoint_id == first_id,
            Comparison.second_checkpoint_id == second_id,
        )
    )
    session.add(
        Comparison(
            survey_id=survey_id,
            first_checkpoint_id=first_id,
            second_checkpoint_id=second_id,
            pictures=pictures,
        )
    )


def list_comparisons(session: Session, agency_id: int) -> list[dict[str, Any]]:
    """An agency's comparisons, the newest first: id, survey, first, second (names), pictures, created_at."""
    first, second = aliased(Checkpoint), aliased(Checkpoint)
    rows = session.execute(
        select(
            Comparison.id,
            Comparison.survey_id,
            Survey.name.label("survey"),
            Comparison.first_checkpoint_id,
            first.name.label("first"),
            Comparison.second_checkpoint_id,
            second.name.label("second"),
            Comparison.pictures,
            Comparison.created_at,
        )
        .join(Survey, Survey.id == Comparison.survey_id)
        .join(first, first.id == Comparison.first_checkpoint_id)
        .join(second, second.id == Comparison.second_checkpoint_id)
        .where(Survey.agency_id == agency_id)
        .order_by(Comparison.id.desc())
    )
    return [dict(row) for row in rows.mappings()]


def comparison_mask(
    session: Session, agency_id: int, comparison_id: int, image_id: int, side: str
) -> str | None:
    """Hash of the mask that the "first" or "second" checkpoint of a comparison drew on a photo."""
    pictures = session.scalar(
        select(Comparison.pictures)
        .join(Survey, Survey.id == Comparison.survey_id)
        .where(Comparison.id == comparison_id, Survey.agency_id == agency_id)
    )
    for picture in pictures or []:
        if picture["image_id"] == image_id:
            found: str | None = picture.get(f"{side}_mask_hash")
            return found
    return None


def comparison_hashes(session: Session) -> set[str]:
    """Content hashes of all masks that comparisons name."""
    return {
        picture[key]
        for pictures in session.scalars(select(Comparison.pictures))
        for picture in pictures
        for key in ("first_mask_hash", "second_mask_hash")
    }
