"""Cached reads for the pages, as data frames and plain values, never rows of the database.

Each cache's key holds the version of what it shows, so a page is never older than the last batch.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st
from sqlalchemy import Executable, exists, func, select

from app.identity import current_actor
from app.layers import (
    MEASURES,
    measures,
    photo_status,
    shown_result,
    shown_section_result,
    survey_version,
    uses_density,
)
from db.checkpoint_queries import visible_to
from db.models import (
    AnalysisResult,
    Checkpoint,
    Job,
    Network,
    RefusedFile,
    Section,
    SectionResult,
    Survey,
    SurveyImage,
)
from db.session import database_now, reading
from db.settings import get_settings
from engine.vocabulary import ImageFlag, JobState

if TYPE_CHECKING:
    from engine.benchmarking.report import Report

# More rows than this help nobody on a page; the CSV download has them all.
SHOWN_ROWS = 20_000
ACTIVE = (JobState.QUEUED, JobState.RUNNING)
ROLLED = ["surveyed_area_m2", "surveyed_share", "unit_spread"]
ROLLED += ["condition_index", "hpms_cracking_percent", "unified_crack_index"]
# The index if all cracking without a severity were the worst that it can be.
AT_WORST = "condition_index_at_worst"


def _frame(statement: Executable) -> pd.DataFrame:
    with reading() as session:
        result = session.execute(statement)
        return pd.DataFrame(result.all(), columns=list(result.keys()))


def networks() -> pd.DataFrame:
    """id, name, sections, length_km, west, south, east, north; by name."""
    return _frame(
        select(
            Network.id,
            Network.name,
            func.count(Section.id).label("sections"),
            (func.coalesce(func.sum(Section.length_m), 0) / 1000).label("length_km"),
            func.min(Section.west).label("west"),
            func.min(Section.south).label("south"),
            func.max(Section.east).label("east"),
            func.max(Section.north).label("north"),
        )
        .outerjoin(Section, Section.network_id == Network.id)
        .where(Network.agency_id == current_actor().agency_id)
        .group_by(Network.id, Network.name)
        .order_by(Network.name)
    )


def _surveys() -> Any:
    return (
        select(
            Survey.id,
            Survey.name,
            Survey.network_id,
            Network.name.label("network"),
            Survey.surveyed_on,
            Survey.profile,
            Survey.gsd_mm_per_px,
            Survey.clock_offset_s,
            Checkpoint.name.label("checkpoint"),
            exists().where(SurveyImage.survey_id == Survey.id).label("has_photos"),
        )
        .outerjoin(Network, Network.id == Survey.network_id)
        .outerjoin(Checkpoint, Checkpoint.id == Survey.shown_checkpoint_id)
        .where(Survey.agency_id == current_actor().agency_id)
    )


def surveys() -> pd.DataFrame:
    """The agency's surveys, the newest first, with what their pages need to introduce them."""
    return _frame(_surveys().order_by(Survey.surveyed_on.desc(), Survey.id.desc()))


def survey(survey_id: int | None) -> Mapping[str, Any] | None:
    """One line of `surveys`; None where the agency has no such survey."""
    if survey_id is None:
        return None
    with reading() as session:
        row = session.execute(_surveys().where(Survey.id == survey_id)).mappings().one_or_none()
        return None if row is None else dict(row)


def version_of(survey_id: int) -> str:
    """Version of a survey's data; empty where the agency has no such survey."""
    return survey_version(current_actor().agency_id, survey_id) or ""


@st.cache_data(max_entries=200, show_spinner=False)
def survey_totals(survey_id: int, version: str) -> dict[str, int]:
    """photos, analysed, failed, no_position, refused."""
    with reading() as session:
        photos, placed = session.execute(
            select(func.count(), func.count(SurveyImage.latitude)).where(SurveyImage.survey_id == survey_id)
        ).one()
        done, failed = session.execute(
            select(func.count(AnalysisResult.id), func.count(AnalysisResult.error))
            .select_from(SurveyImage)
            .join(Survey, Survey.id == SurveyImage.survey_id)
            .join(AnalysisResult, shown_result())
            .where(SurveyImage.survey_id == survey_id)
        ).one()
        refused = session.scalar(select(func.count()).where(RefusedFile.survey_id == survey_id)) or 0
    return {
        "photos": photos,
        "analysed": done - failed,
        "failed": failed,
        "no_position": photos - placed,
        "refused": refused,
    }


@st.cache_data(max_entries=50, show_spinner=False)
def measure_is_density(survey_id: int, version: str) -> bool:
    """Whether the survey's sections are shown in m/m² (else in % of the image area)."""
    with reading() as session:
        return uses_density(session, survey_id)


@st.cache_data(max_entries=20, show_spinner=False)
def section_table(survey_id: int, version: str) -> pd.DataFrame:
    """All sections of the survey's network; measures are empty where no photo was analysed."""
    table = _frame(
        select(
            Section.id,
            Section.section_key,
            Section.road,
            Section.from_m,
            Section.to_m,
            Section.length_m,
            Section.functional_class,
            Section.surface,
            Section.direction,
            Section.lane,
            Section.lanes,
            Section.aadt,
            SectionResult.images,
            *measures(SectionResult),
            *(getattr(SectionResult, column) for column in ROLLED),
            SectionResult.condition["value_low"].as_float().label(AT_WORST),
            Section.west,
            Section.south,
            Section.east,
            Section.north,
        )
        .join(Survey, Survey.network_id == Section.network_id)
        .outerjoin(SectionResult, (SectionResult.section_id == Section.id) & shown_section_result())
        .where(Survey.id == survey_id)
        .order_by(Section.road, Section.from_m)
    )
    return table.astype(dict.fromkeys(["images", *MEASURES, *ROLLED, AT_WORST], "float64"))


@st.cache_data(max_entries=50, show_spinner=False)
def section_photos(survey_id: int, section_id: int, version: str) -> pd.DataFrame:
    """A section's photos of one survey in the order of chainage, with the shown measures."""
    photos = _frame(
        select(
            SurveyImage.id,
            SurveyImage.chainage_m,
            SurveyImage.captured_at,
            *measures(AnalysisResult),
            AnalysisResult.error,
        )
        .join(Survey, Survey.id == SurveyImage.survey_id)
        .outerjoin(AnalysisResult, shown_result())
        .where(SurveyImage.survey_id == survey_id, SurveyImage.section_id == section_id)
        .order_by(SurveyImage.chainage_m, SurveyImage.captured_at, SurveyImage.id)
    )
    return photos.astype(dict.fromkeys(["chainage_m", *MEASURES], "float64"))


def neighbours(image_id: int, survey_id: int) -> tuple[int | None, int | None]:
    """The photo before and the one after along the road (or in time, off the network)."""
    ids = photo_order(survey_id, version_of(survey_id))
    if image_id not in ids:
        return None, None
    place = ids.index(image_id)
    return (
        ids[place - 1] if place else None,
        ids[place + 1] if place + 1 < len(ids) else None,
    )


@st.cache_data(max_entries=10, show_spinner=False)
def photo_order(survey_id: int, version: str) -> list[int]:
    """A survey's photos road by road along the chainage; those without a section last, in time."""
    with reading() as session:
        return list(
            session.scalars(
                select(SurveyImage.id)
                .outerjoin(Section, Section.id == SurveyImage.section_id)
                .where(SurveyImage.survey_id == survey_id)
                .order_by(
                    SurveyImage.section_id.is_(None),
                    Section.road,
                    Section.from_m,
                    SurveyImage.chainage_m,
                    SurveyImage.captured_at,
                    SurveyImage.id,
                )
            )
        )


@st.cache_data(max_entries=10, show_spinner=False)
def preflight(survey_id: int, version: str) -> pd.DataFrame:
    """One line a file: status, name, remark, remedy, time, position; refused ones first."""
    refused = _frame(
        select(RefusedFile.name, RefusedFile.code, RefusedFile.reason, RefusedFile.remedy)
        .where(RefusedFile.survey_id == survey_id)
        .order_by(RefusedFile.id)
    )
    accepted = _frame(
        select(
            SurveyImage.id,
            SurveyImage.original_name.label("name"),
            SurveyImage.flags,
            SurveyImage.captured_at,
            SurveyImage.latitude,
            SurveyImage.longitude,
            SurveyImage.position_source,
            Section.section_key.label("section"),
            SurveyImage.offset_m,
            SurveyImage.sharpness,
            SurveyImage.brightness,
        )
        .outerjoin(Section, Section.id == SurveyImage.section_id)
        .where(SurveyImage.survey_id == survey_id)
        .order_by(SurveyImage.captured_at, SurveyImage.id)
    )
    refused["status"] = "refused"
    refused["remarks"] = refused.pop("code").map(lambda code: [code])
    flags = accepted.pop("flags")
    without = ImageFlag.NO_POSITION.value
    accepted["status"] = [without if without in given else photo_status(given) for given in flags]
    accepted["remarks"] = flags
    # The ones that need a look come before the many that are fine.
    accepted = accepted.sort_values("status", key=lambda status: status == "ok", kind="stable")
    tables = [table for table in (refused, accepted) if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else accepted


def jobs(survey_id: int | None = None, limit: int = 200) -> list[dict[str, Any]]:
    """The agency's last jobs, the newest first; of one survey where it is given."""
    statement = (
        select(
            Job.id,
            Job.kind,
            Job.state,
            Job.survey_id,
            Survey.name.label("survey"),
            Job.attempt,
            Job.progress_done,
            Job.progress_total,
            Job.progress_message,
            Job.cancel_requested,
            (Job.lease_until < database_now()).label("silent"),
            Job.error,
            Job.traceback,
            Job.created_at,
            Job.started_at,
            Job.finished_at,
        )
        .outerjoin(Survey, Survey.id == Job.survey_id)
        .where(Job.agency_id == current_actor().agency_id)
        .order_by(Job.id.desc())
        .limit(limit)
    )
    if survey_id is not None:
        statement = statement.where(Job.survey_id == survey_id)
    with reading() as session:
        return [dict(row) for row in session.execute(statement).mappings()]


def checkpoints() -> pd.DataFrame:
    """name, model, origin, created_at of those that the agency sees; the newest first."""
    return _frame(
        select(Checkpoint.name, Checkpoint.model, Checkpoint.origin, Checkpoint.created_at)
        .where(visible_to(current_actor().agency_id))
        .order_by(Checkpoint.id.desc())
    )


def now() -> datetime:
    return datetime.now(UTC)


@st.cache_data(max_entries=50, show_spinner=False)
def photo_bounds(survey_id: int, version: str) -> tuple[float, float, float, float] | None:
    """west, south, east, north of a survey's photos; None where none has a position."""
    with reading() as session:
        edges = session.execute(
            select(
                func.min(SurveyImage.longitude),
                func.min(SurveyImage.latitude),
                func.max(SurveyImage.longitude),
                func.max(SurveyImage.latitude),
            ).where(SurveyImage.survey_id == survey_id)
        ).one()
    west, south, east, north = (edge if edge is None else float(edge) for edge in edges)
    if west is None or south is None or east is None or north is None:
        return None
    return west, south, east, north


def benchmark_folders() -> list[str]:
    """Names of the installation's benchmarks, the one written last first."""
    from engine.benchmarking.results import PLAN_FILE, is_benchmark

    folder = get_settings().benchmarks_dir
    found = [path for path in folder.iterdir() if is_benchmark(path)] if folder.is_dir() else []
    return [path.name for path in sorted(found, key=lambda path: -(path / PLAN_FILE).stat().st_mtime)]


def benchmark_version(name: str) -> str:
    """Changes whenever a benchmark has written something that its page shows."""
    files = sorted((get_settings().benchmarks_dir / name).rglob("*.json"))
    return f"{len(files)}-{max(file.stat().st_mtime_ns for file in files)}"


@st.cache_data(max_entries=8, show_spinner="Reading the benchmark ...")
def benchmark(name: str, version: str) -> "Report":
    """One of `benchmark_folders`, finished or not, with its tables and plots."""
    # loaded by the one page that needs statistics and plots, not at every start
    from engine.benchmarking.report import make_report
    from engine.benchmarking.results import read_benchmark

    return make_report(read_benchmark(get_settings().benchmarks_dir / name))
