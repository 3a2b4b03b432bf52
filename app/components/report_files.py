"""The files that were made of a survey: what is in each, whether it is out of date, download and deletion."""

import html
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st
from sqlalchemy import func, select

from app import export_actions
from app.components.messages import plain, show_error
from app.components.report_formats import KINDS
from app.components.text import size
from app.identity import current_actor
from app.layers import shown_section_result
from db import export_store
from db.models import SectionResult, Survey
from db.session import reading
from engine.errors import EngineError
from engine.vocabulary import ExportFormat

DONE = "reports-done"
SHOWN_AT_FIRST = 4
LINK = (
    "display:block;text-align:center;font-size:.875rem;padding:.42rem .6rem;border:1px solid #b9c3d0;"
    "border-radius:.5rem;text-decoration:none;color:inherit;white-space:nowrap"
)


def exported_files(survey_id: int) -> list[dict[str, Any]]:
    """See `db.export_store.exports_of`; the newest first."""
    with reading() as session:
        return export_store.exports_of(session, current_actor().agency_id, survey_id)


def results_at(survey_id: int) -> datetime | None:
    """When the shown analysis' results of any section changed last; None without any."""
    with reading() as session:
        return session.scalar(
            select(func.max(SectionResult.updated_at))
            .join(Survey, Survey.id == SectionResult.survey_id)
            .where(Survey.id == survey_id, shown_section_result())
        )


def why_old(
    file: Mapping[str, Any], changed_at: datetime | None, newest_plan: Mapping[str, Any] | None
) -> str:
    """What has changed since a file's data were read; empty where it is up to date.

    Args:
        file: of `exported_files`; changed_at: of `results_at`; newest_plan: of `app.plan_data.plans`, the
            newest one made from the shown analysis.
    """
    if file["stale"]:
        return "The survey shows another analysis now."
    if changed_at is not None and changed_at > file["read_at"]:
        return "Results of the survey have changed since."
    if newest_plan is not None and newest_plan["created_at"] > file["read_at"]:
        return f"There is a newer plan: {newest_plan['name']}."
    return ""


def list_files(
    files: Sequence[Mapping[str, Any]], changed_at: datetime | None, newest_plan: Mapping[str, Any] | None
) -> None:
    """A line for each file, the newest first; the arguments are those of `why_old`."""
    many = len(files) > SHOWN_AT_FIRST
    everything = many and st.toggle(f"Show all {len(files):,} files", key="reports-all")
    for file in files if everything else files[:SHOWN_AT_FIRST]:
        with st.container(border=True):
            _line(file, why_old(file, changed_at, newest_plan))


def _line(file: Mapping[str, Any], old: str) -> None:
    what, when, of, buttons = st.columns([3, 1.8, 2.4, 1.4], vertical_alignment="center")
    kind = KINDS[ExportFormat(file["format"])]
    badge = f"  \n:orange-badge[:material/history: out of date] :small[{plain(old)}]" if old else ""
    what.markdown(f"**{kind.icon} {kind.title}**  \n:small[{plain(file['file_name'])}]{badge}")
    person = f"  \nby {plain(file['by'])}" if file["by"] else ""
    when.caption(f"{file['created_at']:%Y-%m-%d %H:%M} UTC  \n{size(file['size_bytes'])}{person}")
    plan = file["plan"]
    of.caption(
        f"{'Plan ' + plain(plan) if plan else 'Without a plan'}  \n"
        f"Checkpoint {plain(str(file['provenance'].get('checkpoint', '–')))}"
    )
    name = html.escape(file["file_name"], quote=True)
    # Not a link button: that opens an empty tab beside the download.
    buttons.html(
        f'<a href="/api/exports/{int(file["id"])}" download="{name}" aria-label="Download {name}" '
        f'style="{LINK}">Download</a>'
    )
    with buttons.popover("Delete", width="stretch"):
        st.write(f"Delete {plain(file['file_name'])} for good? Copies that were downloaded stay.")
        if st.button("Delete it", key=f"delete-export-{file['id']}"):
            _delete(file)


def _delete(file: Mapping[str, Any]) -> None:
    try:
        export_actions.delete_export(current_actor(), file["id"])
    except EngineError as problem:
        show_error(problem)
        return
    st.session_state[DONE] = f"{file['file_name']} is deleted."
    st.rerun()
