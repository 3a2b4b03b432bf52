"""Reads for people, as plain values: what the command line prints."""

from collections import Counter
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from db.models import AnalysisResult, Checkpoint, Job, Network, RefusedFile, Survey, SurveyImage
from engine.errors import SettingsError
from engine.vocabulary import JobState


def job_values(session: Session, agency_id: int, job_id: int) -> dict[str, Any]:
    """All columns of a job. Raises SettingsError where the agency has no such job."""
    job = session.get(Job, job_id)
    if job is None or job.agency_id != agency_id:
        raise SettingsError(f"There is no job {job_id}.", "See: pavescope jobs list")
    return {column.key: getattr(job, column.key) for column in Job.__table__.columns}


def newest_jobs(session: Session, agency_id: int, limit: int) -> list[int]:
    query = select(Job.id).where(Job.agency_id == agency_id).order_by(Job.id.desc()).limit(limit)
    return list(session.scalars(query))


def open_jobs(session: Session, agency_id: int) -> list[int]:
    """Jobs that wait or run, oldest first."""
    active = (JobState.QUEUED, JobState.RUNNING)
    query = select(Job.id).where(Job.agency_id == agency_id, Job.state.in_(active)).order_by(Job.id)
    return list(session.scalars(query))


def has_survey(session: Session, agency_id: int) -> bool:
    return session.scalar(select(Survey.id).where(Survey.agency_id == agency_id).limit(1)) is not None


def analysis_counts(session: Session, survey_id: int) -> dict[str, int]:
    """Photos of a survey; results and failures of the analysis that is shown."""
    photos = session.scalar(select(func.count()).where(SurveyImage.survey_id == survey_id)) or 0
    shown = and_(
        AnalysisResult.checkpoint_id == Survey.shown_checkpoint_id,
        AnalysisResult.settings_hash == Survey.shown_settings_hash,
    )
    row = session.execute(
        select(func.count(AnalysisResult.id), func.count(AnalysisResult.error))
        .join(SurveyImage, SurveyImage.id == AnalysisResult.image_id)
        .join(Survey, Survey.id == SurveyImage.survey_id)
        .where(Survey.id == survey_id, shown)
    ).one()
    return {"photos": photos, "analysed": row[0] - row[1], "failed": row[1]}


def list_surveys(session: Session, agency_id: int) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Survey, Network.name, Checkpoint.name)
        .join(Network, Network.id == Survey.network_id, isouter=True)
        .join(Checkpoint, Checkpoint.id == Survey.shown_checkpoint_id, isouter=True)
        .where(Survey.agency_id == agency_id)
        .order_by(Survey.surveyed_on, Survey.id)
    ).all()
    return [
        {
            "name": survey.name,
            "network": network,
            "surveyed_on": survey.surveyed_on,
            **analysis_counts(session, survey.id),
            "checkpoint": checkpoint,
        }
        for survey, network, checkpoint in rows
    ]


def preflight_report(session: Session, survey_id: int) -> dict[str, Any]:
    """What the imports of a survey accepted, flagged and refused."""
    flags: Counter[str] = Counter()
    accepted = 0
    for found in session.scalars(select(SurveyImage.flags).where(SurveyImage.survey_id == survey_id)):
        accepted += 1
        flags.update(found)
    refused = session.scalars(select(RefusedFile).where(RefusedFile.survey_id == survey_id))
    files = [
        {"name": file.name, "code": file.code, "reason": file.reason, "remedy": file.remedy}
        for file in refused
    ]
    return {
        "accepted": accepted,
        "refused": len(files),
        "flags": dict(flags.most_common()),
        "refused_files": files,
    }
