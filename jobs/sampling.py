"""Makes the sample network and its two surveys, so that a new installation has something to show."""

from sqlalchemy.orm import Session

from db import jobs as job_rows
from db import profiles, queries
from db.models import Network, Survey
from db.registry import promoted_checkpoint
from db.session import reading, transaction
from db.storage import get_storage
from engine.archives import SourceFile
from engine.errors import SettingsError
from engine.sample import SAMPLE_CAMERA, SAMPLE_SEED, SampleSurvey, make_sample_network, sample_surveys
from engine.vocabulary import JobKind
from jobs import queue
from jobs.importing import check_and_store, place, save_items
from jobs.running import RunningJob

NETWORK_NAME = "Sample network (fictional)"
# The sample is drawn at the pixel size that the shipped network learnt on: nothing is to be chosen. At a
# smaller scale, which its own choice may take, fine cracks look 10 mm wide.
WORKING_SCALE = 1.0
CAMERA_NAME = "Sample camera, looking straight down"


def make_sample(job: RunningJob) -> None:
    """Render the sample, import it, and queue its analysis; a restart goes on with the missing survey."""
    job.beat(message="Drawing the sample roads")
    network_id = _network(job)
    for sample in sample_surveys(SAMPLE_SEED):
        survey = _survey(job, network_id, sample)
        with reading() as session:
            if queries.count_images(session, survey.id):
                continue
            sections = queries.load_sections(session, network_id)
        files = (SourceFile(photo.name, 0, photo.render) for photo in sample.photos)
        items = check_and_store(job, files, get_storage())
        analyses: list[int] = []

        def queue_analysis(session: Session, survey: Survey = survey, analyses: list[int] = analyses) -> None:
            checkpoint = promoted_checkpoint(session, get_storage(), job.claimed.agency_id)
            analysis, _ = job_rows.create_job(
                session,
                agency_id=job.claimed.agency_id,
                kind=JobKind.ANALYSE_SURVEY,
                parameters={
                    "checkpoint_id": checkpoint.id,
                    "checkpoint": checkpoint.name,
                    "working_scale": WORKING_SCALE,
                },
                unique_key=f"analyse:{survey.id}:{checkpoint.id}",
                survey_id=survey.id,
            )
            analyses.append(analysis.id)

        save_items(job, survey, place(items, sections), also=queue_analysis)
        for analysis_id in analyses:
            queue.send(analysis_id, JobKind.ANALYSE_SURVEY)
    job.save(lambda _session: None, last=True, message="The sample network and its surveys are made")


def _network(job: RunningJob) -> int:
    with transaction() as session:
        network = queries.find_network(session, job.claimed.agency_id, NETWORK_NAME)
        if network is None:
            network = Network(agency_id=job.claimed.agency_id, name=NETWORK_NAME)
            session.add(network)
            session.flush()
            queries.add_sections(session, network.id, make_sample_network(SAMPLE_SEED))
        return network.id


def _survey(job: RunningJob, network_id: int, sample: SampleSurvey) -> Survey:
    with transaction() as session:
        survey = queries.find_survey(session, job.claimed.agency_id, sample.name)
        if survey is None:
            survey = Survey(
                agency_id=job.claimed.agency_id,
                network_id=network_id,
                name=sample.name,
                surveyed_on=sample.surveyed_on,
                profile=CAMERA_NAME,
                gsd_mm_per_px=sample.gsd_mm_per_px,
                camera_profile_id=_camera(session, job.claimed.agency_id),
            )
            session.add(survey)
            session.flush()
        return survey


def _camera(session: Session, agency_id: int) -> int:
    """The sample's camera profile: an agency's own of that name stays as it is."""
    try:
        return profiles.find_profile(session, agency_id, CAMERA_NAME).id
    except SettingsError:
        return profiles.add_profile(
            session, agency_id=agency_id, name=CAMERA_NAME, kind=SAMPLE_CAMERA.kind,
            parameters=SAMPLE_CAMERA.as_dict(),
        ).id  # fmt: skip
