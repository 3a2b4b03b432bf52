"""What people do with exported files: ask for them, delete them.

As in `app.actions`: each checks the role, writes in one transaction with its audit event, then sends its job.
"""

from app.actions import Actor, record_event, request_job, require
from db.export_queries import plan_of, shown_analysis
from db.export_store import get_export
from db.session import transaction
from engine.errors import SettingsError
from engine.vocabulary import ExportFormat, JobKind, Role
from jobs import queue

PAPERS = ("A4", "Letter")
NEED_NETWORK = (ExportFormat.INSPECTIONS,)


def request_export(
    actor: Actor, survey_id: int, format: str, plan_id: int | None = None, paper: str = "A4"
) -> int:
    """Queue a file of a survey's shown analysis; the job's parameters name it as `made_id` at the end.

    Args:
        actor: who asks.
        survey_id: an analysed survey.
        format: of `ExportFormat`.
        plan_id: None: without a plan, also where one is made before the job begins.
        paper: of a PDF, A4 or Letter.

    Returns:
        The job's id; that of the one that makes the same file already, if there is one.

    Raises:
        SettingsError: there is no such survey, plan, format or paper, or nothing to export.
        PermissionDeniedError: the role does not allow it.
    """
    require(actor, Role.SURVEYOR, "export a survey")
    if format not in list(ExportFormat):
        raise SettingsError(f"There is no format {format!r}.", f"Use one of: {', '.join(ExportFormat)}.")
    if paper not in PAPERS:
        raise SettingsError(f"The paper {paper!r} is not known.", f"Use {' or '.join(PAPERS)}.")
    with transaction() as session:
        shown = shown_analysis(session, actor.agency_id, survey_id)
        if plan_id is not None:
            plan_of(session, actor.agency_id, survey_id, plan_id)
        if shown.network is None and format in NEED_NETWORK:
            raise SettingsError(
                f"The survey {shown.survey!r} runs over no network, and inspections are of sections.",
                "Import the network and make the survey over it.",
            )
        parameters = {"format": str(format), "plan_id": plan_id, "paper": paper}
        key = f"export:{survey_id}:{format}:{plan_id}:{paper}"
        job_id = request_job(session, actor, JobKind.EXPORT_SURVEY, key, parameters, survey_id)
    queue.send(job_id, JobKind.EXPORT_SURVEY)
    return job_id


def delete_export(actor: Actor, export_id: int) -> None:
    """Take a file off the list; its bytes go with the next sweep of the storage.

    Raises:
        SettingsError: there is no such file.
        PermissionDeniedError: the role does not allow it.
    """
    require(actor, Role.ENGINEER, "delete an exported file")
    with transaction() as session:
        file = get_export(session, actor.agency_id, export_id)
        record_event(session, actor, "export.delete", f"export {export_id}", file_name=file.file_name)
        session.delete(file)
