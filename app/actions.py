"""One function for each thing a person does, for the pages and the command line alike.

Each checks the role, writes in one transaction with its audit event, and only then sends its job.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import jobs as job_rows
from db import profiles, queries
from db.checkpoint_queries import shown_standard
from db.models import (
    Agency,
    AnalysisResult,
    AuditEvent,
    Checkpoint,
    Job,
    Survey,
    SurveyImage,
    User,
    UserRole,
)
from db.registry import ensure_checkpoint, promoted_checkpoint
from db.session import reading, transaction
from db.storage import get_storage
from engine.camera_profiles import GSD_RANGE_MM_PER_PX
from engine.errors import EngineError, SettingsError
from engine.severity import D6433, STANDARDS, standard_from
from engine.vocabulary import JobKind, Role
from jobs import queue

# A camera whose clock was never set may be decades off.
MAX_CLOCK_OFFSET_S = 100 * 366 * 24 * 3600.0
RANK = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True)
class Actor:
    """Who acts, in which agency, as what."""

    user_id: int
    agency_id: int
    role: Role


@dataclass(frozen=True)
class SurveyForm:
    """What is asked for when a survey is made.

    Attributes:
        name: the survey's own name, unique in the agency.
        network: name of the network it runs over, or None.
        surveyed_on: day of the survey.
        profile: name of the camera and its mounting, for the record.
        gsd_mm_per_px: ground sampling distance of a camera that looks straight down; without it and without
            a camera profile all results stay in pixels.
        camera_profile_id: how the camera sees the road; it counts before `gsd_mm_per_px`.
        clock_offset_s: added to the camera's time before it is looked up in a track.
    """

    name: str
    network: str | None = None
    surveyed_on: date | None = None
    profile: str | None = None
    gsd_mm_per_px: float | None = None
    clock_offset_s: float = 0.0
    camera_profile_id: int | None = None


class PermissionDeniedError(EngineError):
    """The person's role does not allow the action."""


def local_actor() -> Actor:
    """The one engineer of an installation without sign-in (it listens on this machine only)."""
    with transaction() as session:
        agency = session.scalar(select(Agency).order_by(Agency.id))
        if agency is None:
            agency = Agency(name="Local agency")
            session.add(agency)
            session.flush()
        user = session.scalar(select(User).where(User.email == "engineer@localhost"))
        if user is None:
            user = User(email="engineer@localhost", name="Local engineer")
            session.add(user)
            session.flush()
        if session.get(UserRole, (user.id, agency.id)) is None:
            session.add(UserRole(user_id=user.id, agency_id=agency.id, role=Role.ENGINEER))
        return Actor(user.id, agency.id, Role.ENGINEER)


def require(actor: Actor, role: Role, action: str) -> None:
    """Raises PermissionDeniedError unless the actor has the role or a higher one."""
    if RANK[actor.role] < RANK[role]:
        raise PermissionDeniedError(
            f"A {actor.role} may not {action}.", f"Ask for the role {role} or somebody who has it."
        )


def record_event(session: Session, actor: Actor, action: str, subject: str, **detail: Any) -> None:
    """Who did what to what, in the transaction that does it."""
    session.add(
        AuditEvent(
            agency_id=actor.agency_id, user_id=actor.user_id, action=action, subject=subject, detail=detail
        )
    )


def clean_name(name: str, thing: str) -> str:
    """A name of 1 to 200 printable characters. Raises SettingsError."""
    cleaned = " ".join("".join(c for c in name if c.isprintable()).split())
    if not cleaned or len(cleaned) > 200:
        raise SettingsError(f"The name of the {thing} has {len(cleaned)} characters.", "Give it 1 to 200.")
    return cleaned


def create_survey(actor: Actor, form: SurveyForm) -> int:
    """Make an empty survey; returns its id.

    Raises:
        SettingsError: the name is taken, the network unknown, or the GSD not a positive number.
    """
    require(actor, Role.SURVEYOR, "create a survey")
    name = clean_name(form.name, "survey")
    finest, coarsest = GSD_RANGE_MM_PER_PX
    if form.gsd_mm_per_px is not None and not finest <= form.gsd_mm_per_px <= coarsest:
        raise SettingsError(
            f"A ground sampling distance of {form.gsd_mm_per_px} mm per pixel is not possible.",
            f"Give {finest:g} to {coarsest:g}, or leave it empty to keep results in pixels.",
        )
    if form.profile is not None and len(form.profile) > 100:
        raise SettingsError(f"The camera's name has {len(form.profile)} characters.", "Give it at most 100.")
    if not abs(form.clock_offset_s) <= MAX_CLOCK_OFFSET_S:
        raise SettingsError(
            f"A clock offset of {form.clock_offset_s} s is not possible.", "Give the seconds to add, or 0."
        )
    with transaction() as session:
        if queries.find_survey(session, actor.agency_id, name) is not None:
            raise SettingsError(f"There is a survey named {name!r} already.", "Choose another name.")
        network_id = None
        if form.network is not None:
            network = queries.find_network(session, actor.agency_id, form.network)
            if network is None:
                raise SettingsError(f"There is no network named {form.network!r}.", "Import it first.")
            network_id = network.id
        if form.camera_profile_id is not None:
            profiles.get_profile(session, actor.agency_id, form.camera_profile_id)
        survey = Survey(
            agency_id=actor.agency_id,
            network_id=network_id,
            name=name,
            surveyed_on=form.surveyed_on,
            profile=form.profile,
            gsd_mm_per_px=form.gsd_mm_per_px,
            clock_offset_s=form.clock_offset_s,
            camera_profile_id=form.camera_profile_id,
        )
        session.add(survey)
        session.flush()
        record_event(session, actor, "survey.create", name)
        return survey.id


def survey_id_of(actor: Actor, name: str) -> int | None:
    """The id of the agency's survey of that name, if there is one."""
    with reading() as session:
        survey = queries.find_survey(session, actor.agency_id, clean_name(name, "survey"))
        return None if survey is None else survey.id


def request_job(
    session: Session,
    actor: Actor,
    kind: JobKind,
    key: str,
    parameters: dict[str, Any],
    survey_id: int | None = None,
) -> int:
    """Queue a job, or find the one that waits or runs for the same key; send it after the commit."""
    job, new = job_rows.create_job(
        session,
        agency_id=actor.agency_id,
        kind=kind,
        parameters=parameters,
        unique_key=key,
        survey_id=survey_id,
        requested_by=actor.user_id,
    )
    if new:
        record_event(session, actor, f"job.{kind}", f"job {job.id}", **parameters)
    return job.id


def request_import(
    actor: Actor, survey_id: int, source: Path, track: Path | None = None, track_name: str | None = None
) -> int:
    """Queue the check and storing of photos (a photo, folder or zip on this machine, or an upload's folder).

    Args:
        actor: who asks.
        survey_id: the survey that the photos are added to.
        source: where they are.
        track: GPX or CSV positions by time, or None for those in the photos.
        track_name: the name people know the track by, where it differs from the path's.

    Returns:
        The id of the job; the same one if this source already waits or is being read.
    """
    require(actor, Role.SURVEYOR, "import photos")
    for path in (source, track):
        if path is not None and not path.exists():
            raise SettingsError(f"{path} does not exist on this machine.", "Check the path.")
    with transaction() as session:
        survey = queries.get_survey(session, actor.agency_id, survey_id)
        parameters: dict[str, Any] = {"source": str(source.resolve())}
        if track is not None:
            parameters |= {"track": str(track.resolve()), "track_name": track_name or track.name}
        files = f"{parameters['source']}\0{parameters.get('track', '')}"
        key = f"import:{survey.id}:{hashlib.sha256(files.encode(errors='surrogateescape')).hexdigest()}"
        job_id = request_job(session, actor, JobKind.IMPORT_SURVEY, key, parameters, survey.id)
    queue.send(job_id, JobKind.IMPORT_SURVEY)
    return job_id


def request_analysis(
    actor: Actor,
    survey_id: int,
    checkpoint: str | None = None,
    severity_standard: str | Mapping[str, Any] | None = None,
) -> int:
    """Queue the analysis of a survey's photos with the camera profile that it uses now; photos that have a
    result of the same checkpoint and settings are not analysed again.

    Args:
        actor: who asks.
        survey_id: the survey.
        checkpoint: the name of a registered or shipped one, or a .safetensors file on this machine; None
            is the one in force in the agency.
        severity_standard: a name of `engine.severity.STANDARDS`, or an agency's own thresholds (see
            `standard_from`); None is that of the analysis which the survey shows, D6433 at first.

    Returns:
        The id of the job.

    Raises:
        CheckpointError: no such checkpoint.
        SettingsError: the survey has no photos, or there is no such standard.
    """
    require(actor, Role.SURVEYOR, "start an analysis")
    asked = None if severity_standard is None else standard_from(severity_standard)
    with transaction() as session:
        survey = queries.get_survey(session, actor.agency_id, survey_id)
        standard = asked or shown_standard(session, survey)
        if queries.count_images(session, survey.id) == 0:
            raise SettingsError(f"Survey {survey.name!r} has no photos.", "Import photos first.")
        if checkpoint is None:
            registered = promoted_checkpoint(session, get_storage(), actor.agency_id)
        else:
            registered = ensure_checkpoint(session, get_storage(), checkpoint, actor.agency_id)
        key = f"analyse:{survey.id}:{registered.id}"
        parameters: dict[str, Any] = {"checkpoint_id": registered.id, "checkpoint": registered.name}
        if survey.camera_profile_id is not None:
            parameters["camera_profile_id"] = survey.camera_profile_id
            key += f":camera {survey.camera_profile_id}"
        if standard != D6433:
            named = STANDARDS.get(standard.name) == standard
            parameters["severity_standard"] = standard.name if named else standard.as_dict()
            thresholds = json.dumps(standard.as_dict(), sort_keys=True)
            key += f":standard {hashlib.sha256(thresholds.encode()).hexdigest()[:16]}"
        job_id = request_job(session, actor, JobKind.ANALYSE_SURVEY, key, parameters, survey.id)
    queue.send(job_id, JobKind.ANALYSE_SURVEY)
    return job_id


def show_analysis(actor: Actor, survey_id: int, checkpoint_id: int, settings_hash: str) -> None:
    """Choose which analysis of a survey the map and all pages show; the others stay.

    Raises:
        SettingsError: the survey has no results of that checkpoint and settings.
    """
    require(actor, Role.SURVEYOR, "choose the analysis that is shown")
    with transaction() as session:
        survey = queries.get_survey(session, actor.agency_id, survey_id)
        named = session.scalar(
            select(Checkpoint.name)
            .join(AnalysisResult, AnalysisResult.checkpoint_id == Checkpoint.id)
            .join(SurveyImage, SurveyImage.id == AnalysisResult.image_id)
            .where(
                SurveyImage.survey_id == survey.id,
                Checkpoint.id == checkpoint_id,
                AnalysisResult.settings_hash == settings_hash,
            )
            .limit(1)
        )
        if named is None:
            raise SettingsError(
                f"Survey {survey.name!r} has no such analysis.", "Choose one that the survey's page lists."
            )
        queries.show_analysis(session, survey.id, checkpoint_id, settings_hash)
        record_event(session, actor, "survey.show_analysis", survey.name, checkpoint=named)


def request_sample(actor: Actor) -> int:
    """Queue the making of the sample network and its two surveys, which are then analysed."""
    require(actor, Role.SURVEYOR, "make the sample")
    with transaction() as session:
        job_id = request_job(session, actor, JobKind.MAKE_SAMPLE, f"sample:{actor.agency_id}", {})
    queue.send(job_id, JobKind.MAKE_SAMPLE)
    return job_id


def cancel_job(actor: Actor, job_id: int) -> bool:
    """Ask a job to stop; it does within seconds. False if it had ended already."""
    require(actor, Role.SURVEYOR, "cancel a job")
    with transaction() as session:
        _own_job(session, actor, job_id)
        stopped = job_rows.cancel_job(session, job_id)
        record_event(session, actor, "job.cancel", f"job {job_id}", stopped=stopped)
        return stopped


def retry_job(actor: Actor, job_id: int) -> bool:
    """Queue a failed or cancelled job again; what it had saved is kept. False in any other state."""
    require(actor, Role.SURVEYOR, "retry a job")
    with transaction() as session:
        job = _own_job(session, actor, job_id)
        queued = job_rows.retry_job(session, job_id)
        record_event(session, actor, "job.retry", f"job {job_id}", queued=queued)
        kind = JobKind(job.kind)
    if queued:
        queue.send(job_id, kind)
    return queued


def _own_job(session: Session, actor: Actor, job_id: int) -> Job:
    job = session.get(Job, job_id)
    if job is None or job.agency_id != actor.agency_id:
        raise SettingsError(f"There is no job {job_id}.", "See the list of jobs.")
    return job
