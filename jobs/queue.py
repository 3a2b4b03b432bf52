"""The queue: all that the web process imports of jobs.

A message carries a job's id and nothing else; the row in the database is the truth.
"""

import logging
from functools import lru_cache

from celery import Celery
from kombu.exceptions import OperationalError

from db.jobs import mark_sent
from db.session import transaction
from db.settings import Settings, get_settings
from engine.vocabulary import JobKind

# Short jobs never wait behind an analysis; the compute queue is where a GPU worker listens.
SHORT_QUEUE = "short"
COMPUTE_QUEUE = "compute"
QUEUE_OF = {
    JobKind.IMPORT_SURVEY: SHORT_QUEUE,
    JobKind.MAKE_SAMPLE: SHORT_QUEUE,
    JobKind.CALIBRATE_CAMERA: SHORT_QUEUE,
    JobKind.ROLL_UP_NETWORK: SHORT_QUEUE,
    JobKind.MAKE_PLAN: SHORT_QUEUE,
    JobKind.EXPORT_SURVEY: SHORT_QUEUE,
    JobKind.ANALYSE_SURVEY: COMPUTE_QUEUE,
    JobKind.ADAPT_SURVEY: COMPUTE_QUEUE,
    JobKind.COMPARE_CHECKPOINTS: COMPUTE_QUEUE,
}
RUN_TASK = "jobs.tasks.run"

log = logging.getLogger(__name__)


def make_celery(settings: Settings) -> Celery:
    """Celery on Redis, or on folders in the data folder where no broker is named."""
    options: dict[str, object] = {}
    broker_url = settings.broker_url
    if settings.embedded:
        broker_url = "filesystem://"
        folders = {name: settings.root / "broker" / name for name in ("messages", "processed", "control")}
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        options = {
            "data_folder_in": str(folders["messages"]),
            "data_folder_out": str(folders["messages"]),
            "processed_folder": str(folders["processed"]),
            "control_folder": str(folders["control"]),
            "store_processed": False,
        }
    celery = Celery("pavescope", broker=broker_url)
    celery.conf.update(
        broker_transport_options=options,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=4,
        task_ignore_result=True,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_default_queue=SHORT_QUEUE,
        imports=["jobs.tasks"],
    )
    return celery


@lru_cache
def get_celery() -> Celery:
    return make_celery(get_settings())


def send(job_id: int, kind: JobKind) -> None:
    """Put a job's message on its queue, after the commit of its row.

    A broker that cannot be reached loses nothing: the sweeper sends the message again.
    """
    try:
        get_celery().send_task(RUN_TASK, args=[job_id], queue=QUEUE_OF[kind], retry=False)
    except (OSError, OperationalError) as problem:
        log.warning("job %s waits: the broker cannot be reached (%s)", job_id, problem)
        return
    with transaction() as session:
        mark_sent(session, job_id)
