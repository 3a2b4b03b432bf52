"""Reads and writes that more than one room needs: plain functions on the caller's session."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import shapely
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from db.checkpoint_queries import comparison_hashes
from db.models import (
    AnalysisResult,
    Checkpoint,
    Distress,
    DistressQuantity,
    ExportedFile,
    Job,
    Network,
    RefusedFile,
    Section,
    Survey,
    SurveyImage,
)
from engine.errors import SettingsError
from engine.vocabulary import JobState

if TYPE_CHECKING:  # GeoPandas is slow to load and of no use here
    from engine.networks import SectionRecord


MEASURING = ("agreement", "camera", "measurement_version", "potholes", "severity_standard")
"""Settings of a result that say how it was measured, not how it was predicted."""


@dataclass(frozen=True)
class StoredSections:
    """A network's sections as parallel sequences, in order of `section_key`."""

    ids: list[int]
    keys: list[str]
    from_m: list[float]
    to_m: list[float]
    lengths_m: list[float]
    lines: list[shapely.LineString]


def find_network(session: Session, agency_id: int, name: str) -> Network | None:
    return session.scalar(select(Network).where(Network.agency_id == agency_id, Network.name == name))


def find_survey(session: Session, agency_id: int, name: str) -> Survey | None:
    return session.scalar(select(Survey).where(Survey.agency_id == agency_id, Survey.name == name))


def get_survey(session: Session, agency_id: int, survey_id: int) -> Survey:
    """Raises SettingsError where the agency has no such survey: another's is not told apart."""
    survey = session.get(Survey, survey_id)
    if survey is None or survey.agency_id != agency_id:
        raise SettingsError(f"There is no survey {survey_id}.", "See the list of surveys.")
    return survey


def count_images(session: Session, survey_id: int) -> int:
    return session.scalar(select(func.count()).where(SurveyImage.survey_id == survey_id)) or 0


def image_sizes(session: Session, survey_id: int) -> list[tuple[int, int]]:
    """The different (width, height) of a survey's photos in pixels, the most frequent first."""
    size = (SurveyImage.width_px, SurveyImage.height_px)
    rows = session.execute(
        select(*size).where(SurveyImage.survey_id == survey_id).group_by(*size).order_by(func.count().desc())
    )
    return [(row.width_px, row.height_px) for row in rows]


def add_sections(session: Session, network_id: int, sections: "Iterable[SectionRecord]") -> None:
    rows = []
    for section in sections:
        west, south, east, north = section.geometry.bounds
        rows.append(
            {
                "network_id": network_id,
                "section_key": section.section_key,
                "road": section.road,
                "from_m": section.from_m,
                "to_m": section.to_m,
                "functional_class": section.functional_class,
                "surface": section.surface,
                "direction": section.direction,
                "lane": section.lane,
                "lanes": section.lanes,
                "lane_width_m": section.lane_width_m,
                "aadt": section.aadt,
                "length_m": section.length_m,
                "geometry": shapely.to_wkb(section.geometry),
                "south": south,
                "north": north,
                "west": west,
                "east": east,
            }
        )
    if rows:
        session.execute(insert(Section), rows)


def load_sections(session: Session, network_id: int) -> StoredSections:
    rows = session.execute(
        select(
            Section.id, Section.section_key, Section.from_m, Section.to_m, Section.length_m, Section.geometry
        )
        .where(Section.network_id == network_id)
        .order_by(Section.section_key)
    ).all()
    return StoredSections(
        ids=[row.id for row in rows],
        keys=[row.section_key for row in rows],
        from_m=[row.from_m for row in rows],
        to_m=[row.to_m for row in rows],
        lengths_m=[row.length_m for row in rows],
        lines=[shapely.from_wkb(row.geometry) for row in rows],
    )


def known_hashes(session: Session, survey_id: int) -> dict[str, str]:
    """Content hash -> name of the photos a survey has already."""
    rows = session.execute(
        select(SurveyImage.content_hash, SurveyImage.original_name).where(SurveyImage.survey_id == survey_id)
    )
    return {row.content_hash: row.original_name for row in rows}


def add_images(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(SurveyImage), list(rows))


def replace_refused(
    session: Session, survey_id: int, names: Sequence[str], rows: Sequence[dict[str, Any]]
) -> None:
    """Keep what the last import of each name said: a file that was mended is no longer refused.

    Args:
        session: the transaction.
        survey_id: the survey.
        names: all files of the import.
        rows: those that were refused.
    """
    for start in range(0, len(names), 500):
        session.execute(
            delete(RefusedFile)
            .where(RefusedFile.survey_id == survey_id, RefusedFile.name.in_(names[start : start + 500]))
            .execution_options(synchronize_session=False)
        )
    if rows:
        session.execute(insert(RefusedFile), list(rows))


def survey_images(session: Session, survey_id: int) -> list[tuple[int, str, str]]:
    """(id, content hash, name) of a survey's photos along the road, then in the order of time."""
    rows = session.execute(
        select(SurveyImage.id, SurveyImage.content_hash, SurveyImage.original_name)
        .where(SurveyImage.survey_id == survey_id)
        .order_by(SurveyImage.section_id, SurveyImage.chainage_m, SurveyImage.captured_at, SurveyImage.id)
    )
    return [(row.id, row.content_hash, row.original_name) for row in rows]


def pending_images(
    session: Session, survey_id: int, checkpoint_id: int, settings_hash: str
) -> list[tuple[int, str, str]]:
    """`survey_images` without a result of this checkpoint and settings; those that failed are tried again."""
    done = select(AnalysisResult.image_id).where(
        AnalysisResult.checkpoint_id == checkpoint_id,
        AnalysisResult.settings_hash == settings_hash,
        AnalysisResult.error.is_(None),
    )
    finished = set(session.scalars(done))
    return [image for image in survey_images(session, survey_id) if image[0] not in finished]


def photo_sizes(session: Session, survey_id: int) -> dict[int, tuple[int, int]]:
    """Image id -> (width, height) in pixels."""
    rows = session.execute(
        select(SurveyImage.id, SurveyImage.width_px, SurveyImage.height_px).where(
            SurveyImage.survey_id == survey_id
        )
    )
    return {row.id: (row.width_px, row.height_px) for row in rows}


def stored_grounds(
    session: Session, survey_id: int, checkpoint_id: int, settings_hash: str
) -> list[tuple[int, int, int, dict[str, Any] | None, int | None]]:
    """(image id, width, height, `ground`, `travel_direction`) of an analysis's results without an error."""
    rows = session.execute(
        select(
            SurveyImage.id,
            SurveyImage.width_px,
            SurveyImage.height_px,
            AnalysisResult.ground,
            AnalysisResult.travel_direction,
        )
        .join(AnalysisResult, AnalysisResult.image_id == SurveyImage.id)
        .where(
            SurveyImage.survey_id == survey_id,
            AnalysisResult.checkpoint_id == checkpoint_id,
            AnalysisResult.settings_hash == settings_hash,
            AnalysisResult.error.is_(None),
        )
    )
    return [(row.id, row.width_px, row.height_px, row.ground, row.travel_direction) for row in rows]


def earlier_settings(session: Session, survey_id: int, checkpoint_id: int) -> dict[str, Any] | None:
    """How a survey's newest result of a checkpoint was predicted; None where there is none."""
    settings = earlier_analysis(session, survey_id, checkpoint_id)
    return settings and {key: value for key, value in settings.items() if key not in MEASURING}


def earlier_analysis(session: Session, survey_id: int, checkpoint_id: int) -> dict[str, Any] | None:
    """`earlier_settings` with those of `MEASURING` that the result had."""
    return session.scalar(
        select(AnalysisResult.settings)
        .join(SurveyImage, SurveyImage.id == AnalysisResult.image_id)
        .where(SurveyImage.survey_id == survey_id, AnalysisResult.checkpoint_id == checkpoint_id)
        .order_by(AnalysisResult.id.desc())
        .limit(1)
    )


def add_results(
    session: Session,
    rows: Sequence[dict[str, Any]],
    distresses: Sequence[Sequence[dict[str, Any]]],
    quantities: Sequence[Sequence[dict[str, Any]]] = (),
) -> None:
    """Write results, their distresses and quantities in bulk, in place of any earlier ones of the same key.

    Args:
        session: a transaction that has just proved, with a heartbeat, that the job is still held.
        rows: one for each image, all of one checkpoint and settings.
        distresses: for each row its distresses, without `result_id`.
        quantities: for each row its sums by type, severity and zone, without `result_id`; empty for none.
    """
    if not rows:
        return
    first = rows[0]
    session.execute(
        delete(AnalysisResult)
        .where(
            AnalysisResult.image_id.in_([row["image_id"] for row in rows]),
            AnalysisResult.checkpoint_id == first["checkpoint_id"],
            AnalysisResult.settings_hash == first["settings_hash"],
        )
        .execution_options(synchronize_session=False)
    )
    ids = session.scalars(
        insert(AnalysisResult).returning(AnalysisResult.id, sort_by_parameter_order=True), list(rows)
    ).all()
    tables: list[tuple[type[Distress] | type[DistressQuantity], Sequence[Sequence[dict[str, Any]]]]] = [
        (Distress, distresses), (DistressQuantity, quantities or [()] * len(ids)),
    ]  # fmt: skip
    for table, found in tables:
        parts = [
            {"result_id": result_id, **part}
            for result_id, own in zip(ids, found, strict=True)
            for part in own
        ]
        if parts:
            session.execute(insert(table), parts)


def date_survey(session: Session, survey_id: int, day: date | None) -> None:
    """Give a survey the day its photos were taken."""
    session.execute(
        update(Survey)
        .where(Survey.id == survey_id)
        .values(surveyed_on=day)
        .execution_options(synchronize_session=False)
    )


def show_analysis(session: Session, survey_id: int, checkpoint_id: int, settings_hash: str) -> None:
    """Choose which analysis of a survey the pages show."""
    session.execute(
        update(Survey)
        .where(Survey.id == survey_id)
        .values(shown_checkpoint_id=checkpoint_id, shown_settings_hash=settings_hash)
        .execution_options(synchronize_session=False)
    )


def referenced_hashes(session: Session) -> set[str]:
    """Content hashes that some row names."""
    columns = (
        SurveyImage.content_hash,
        AnalysisResult.mask_hash,
        AnalysisResult.probability_hash,
        Checkpoint.content_hash,
        ExportedFile.content_hash,
    )
    named = {found for column in columns for found in session.scalars(select(column).distinct()) if found}
    return named | comparison_hashes(session)


def active_jobs(session: Session) -> list[Job]:
    """Jobs that wait or run, in all agencies."""
    return list(session.scalars(select(Job).where(Job.state.in_((JobState.QUEUED, JobState.RUNNING)))))
