"""Where the engine meets the database: the work of each kind of job."""

from collections.abc import Callable

from engine.vocabulary import JobKind
from jobs.adapting import adapt_survey
from jobs.analysing import analyse_survey
from jobs.calibrating import calibrate_camera
from jobs.comparing import compare_checkpoints
from jobs.exporting import export_survey
from jobs.importing import import_survey
from jobs.planning import make_plan_job
from jobs.rolling_up import roll_up_network
from jobs.running import RunningJob
from jobs.sampling import make_sample

WORK_OF: dict[JobKind, Callable[[RunningJob], None]] = {
    JobKind.IMPORT_SURVEY: import_survey,
    JobKind.ANALYSE_SURVEY: analyse_survey,
    JobKind.MAKE_SAMPLE: make_sample,
    JobKind.ADAPT_SURVEY: adapt_survey,
    JobKind.COMPARE_CHECKPOINTS: compare_checkpoints,
    JobKind.CALIBRATE_CAMERA: calibrate_camera,
    JobKind.ROLL_UP_NETWORK: roll_up_network,
    JobKind.EXPORT_SURVEY: export_survey,
    JobKind.MAKE_PLAN: make_plan_job,
}
