"""`pavescope jobs …`"""

from typing import Annotated

import typer

from app.cli.output import JsonFile, say, say_table, write_json

jobs_app = typer.Typer(no_args_is_help=True, help="Queued work: list, show, cancel, retry.")

JobId = Annotated[
    int, typer.Argument(min=1, max=2**63 - 1, help="Number of the job (see `pavescope jobs list`).")
]


@jobs_app.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the newest.")] = 20,
    json: JsonFile = None,
) -> None:
    """The newest jobs, with their progress."""
    from app.cli import work
    from db import reports
    from db.session import reading

    agency_id = work.ready().agency_id
    with reading() as session:
        numbers = reports.newest_jobs(session, agency_id, limit)
        jobs = [reports.job_values(session, agency_id, number) for number in numbers]
    say_table(
        ["Job", "Kind", "State", "Done", "Of", "Message", "Error"],
        [
            [job[key] for key in ("id", "kind", "state", "progress_done", "progress_total")]
            + [job["progress_message"], job["error"]]
            for job in jobs
        ],
    )
    write_json(json, jobs)


@jobs_app.command()
def show(job: JobId, json: JsonFile = None) -> None:
    """One job with everything that is known of it."""
    from app.cli import work
    from db import reports
    from db.session import reading

    agency_id = work.ready().agency_id
    with reading() as session:
        found = reports.job_values(session, agency_id, job)
    say_table(["Field", "Value"], [[key, value] for key, value in found.items() if key != "traceback"])
    if found["traceback"]:
        say(found["traceback"])
    write_json(json, found)


@jobs_app.command()
def cancel(job: JobId) -> None:
    """Ask a job to stop; what it saved is kept."""
    from app import actions
    from app.cli import work

    stopped = actions.cancel_job(work.ready(), job)
    say(f"Job {job} will stop within seconds." if stopped else f"Job {job} had ended already.")


@jobs_app.command()
def retry(
    job: JobId,
    wait: Annotated[bool, typer.Option(help="Wait until it has ended.")] = False,
) -> None:
    """Queue a failed or cancelled job again; what it saved is not done again."""
    from app import actions
    from app.cli import work

    if not actions.retry_job(work.ready(), job):
        say(f"Job {job} is neither failed nor cancelled: nothing to retry.", error=True)
        raise typer.Exit(1)
    say(f"Job {job} is queued again.")
    if wait:
        work.follow(job)
