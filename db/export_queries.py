"""Reads what exported files are made of: a survey's shown analysis, its sections, photos and distresses."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from sqlalchemy import Row, and_, select
from sqlalchemy.orm import Session

from db.index_ends import ENDS_OF_INDEX
from db.models import (
    Agency,
    AnalysisResult,
    CameraProfile,
    Checkpoint,
    Distress,
    Network,
    Plan,
    Section,
    SectionResult,
    Survey,
    SurveyImage,
)
from db.queries import get_survey
from db.section_sums import of_sections, quantity_sums
from engine.errors import SettingsError
from engine.linear_reference import sample_units

ROWS_AT_ONCE = 2_000
SECTIONS_AT_ONCE = 10_000
SHOWN_RESULT = and_(
    AnalysisResult.image_id == SurveyImage.id,
    AnalysisResult.checkpoint_id == Survey.shown_checkpoint_id,
    AnalysisResult.settings_hash == Survey.shown_settings_hash,
)
SECTION = (
    Section.section_key, Section.road, Section.from_m, Section.to_m, Section.length_m,
    Section.functional_class, Section.surface, Section.direction, Section.lane, Section.lanes,
    Section.lane_width_m, Section.aadt,
)  # fmt: skip
SECTION_RESULT = (
    SectionResult.images, SectionResult.surveyed_share, SectionResult.crack_area_ratio,
    SectionResult.crack_area_ratio_low, SectionResult.crack_area_ratio_high, SectionResult.condition_index,
    SectionResult.hpms_cracking_percent, SectionResult.unified_crack_index, SectionResult.unit_spread,
    SectionResult.units, *ENDS_OF_INDEX,
)  # fmt: skip
PHOTO_RESULT = (
    AnalysisResult.gsd_mm_per_px, AnalysisResult.surveyed_area_m2, AnalysisResult.crack_length_m,
    AnalysisResult.crack_density_m_per_m2, AnalysisResult.crack_density_m_per_m2_low,
    AnalysisResult.crack_density_m_per_m2_high, AnalysisResult.crack_area_ratio,
    AnalysisResult.crack_area_ratio_low, AnalysisResult.crack_area_ratio_high, AnalysisResult.error,
    AnalysisResult.travel_direction,
)  # fmt: skip
DISTRESS = (
    Distress.kind, Distress.severity, Distress.zone, Distress.length_m, Distress.area_m2,
    Distress.mean_width_mm, Distress.p95_width_mm, Distress.max_width_mm, Distress.orientation_deg,
    Distress.length_px, Distress.mean_width_px, Distress.area_px, Distress.polylines_m, Distress.outline_m,
)  # fmt: skip


def shown_analysis(session: Session, agency_id: int, survey_id: int) -> Row[Any]:
    """Names of the survey and of what its shown analysis was made with.

    Raises:
        SettingsError: the agency has no such survey, it has no photos, or is not analysed.
    """
    survey = get_survey(session, agency_id, survey_id)
    if session.scalar(select(SurveyImage.id).where(SurveyImage.survey_id == survey_id).limit(1)) is None:
        raise SettingsError(f"The survey {survey.name!r} has no photos.", "Add photos and analyse them.")
    row: Any = session.execute(
        select(
            Agency.name.label("agency"),
            Network.name.label("network"),
            Survey.name.label("survey"),
            Survey.surveyed_on,
            Survey.network_id,
            Network.sample_unit_m,
            Survey.shown_checkpoint_id,
            Survey.shown_settings_hash,
            Checkpoint.name.label("checkpoint"),
            Checkpoint.content_hash,
            AnalysisResult.settings,
            CameraProfile.name.label("camera"),
            CameraProfile.version.label("camera_version"),
        )
        .join(Agency, Agency.id == Survey.agency_id)
        .join(Checkpoint, Checkpoint.id == Survey.shown_checkpoint_id)
        .join(SurveyImage, SurveyImage.survey_id == Survey.id)
        .join(AnalysisResult, SHOWN_RESULT)
        .outerjoin(Network, Network.id == Survey.network_id)
        .outerjoin(CameraProfile, CameraProfile.id == AnalysisResult.camera_profile_id)
        .where(Survey.id == survey_id)
        .limit(1)
    ).one_or_none()
    if row is None:
        raise SettingsError(
            f"The survey {survey.name!r} is not analysed, so there is nothing to export.",
            "Analyse it on its page, or run: pavescope survey analyse",
        )
    found: Row[Any] = row
    return found


def plan_of(session: Session, agency_id: int, survey_id: int, plan_id: int) -> Plan:
    """A plan of the survey.

    Raises:
        SettingsError: the survey has no such plan.
    """
    own = select(Plan).where(Plan.agency_id == agency_id, Plan.survey_id == survey_id)
    found = session.scalar(own.where(Plan.id == plan_id))
    if found is None:
        raise SettingsError(f"The survey has no plan {plan_id}.", "Choose one of its plans.")
    return found


def section_rows(session: Session, survey_id: int) -> Iterator[Row[Any]]:
    """All sections of the survey's network by road and chainage, with its shown roll-up if there is one."""
    shown = and_(
        SectionResult.section_id == Section.id,
        SectionResult.survey_id == Survey.id,
        SectionResult.checkpoint_id == Survey.shown_checkpoint_id,
        SectionResult.settings_hash == Survey.shown_settings_hash,
    )
    query = (
        select(Section.id, Section.geometry, *SECTION, *SECTION_RESULT)
        .join(Survey, Survey.network_id == Section.network_id)
        .outerjoin(SectionResult, shown)
        .where(Survey.id == survey_id)
        .order_by(Section.road, Section.direction, Section.lane, Section.from_m, Section.section_key)
    )
    return iter(session.execute(query.execution_options(yield_per=ROWS_AT_ONCE)))


def photo_rows(session: Session, survey_id: int) -> Iterator[Row[Any]]:
    """All photos along the road, then by time, with the shown result where there is one."""
    query = (
        select(
            SurveyImage.id, SurveyImage.original_name, SurveyImage.captured_at, SurveyImage.latitude,
            SurveyImage.longitude, SurveyImage.heading_deg, SurveyImage.position_source,
            SurveyImage.section_id, SurveyImage.chainage_m, *PHOTO_RESULT,
        )
        .join(Survey, Survey.id == SurveyImage.survey_id)
        .outerjoin(AnalysisResult, SHOWN_RESULT)
        .where(SurveyImage.survey_id == survey_id)
        .order_by(SurveyImage.section_id, SurveyImage.chainage_m, SurveyImage.captured_at, SurveyImage.id)
    )  # fmt: skip
    return iter(session.execute(query.execution_options(yield_per=ROWS_AT_ONCE)))


def distress_rows(session: Session, survey_id: int) -> Iterator[Sequence[Row[Any]]]:
    """All distresses of the shown analysis along the road, `ROWS_AT_ONCE` at a time: of half a million the
    lines on the ground do not fit into memory as they are stored.

    Only ids are sorted: a database that sorts whole rows writes all their lines to disk first.
    """
    order = (
        select(Distress.id)
        .join(AnalysisResult, AnalysisResult.id == Distress.result_id)
        .join(SurveyImage, SurveyImage.id == AnalysisResult.image_id)
        .join(Survey, Survey.id == SurveyImage.survey_id)
        .where(
            Survey.id == survey_id,
            AnalysisResult.checkpoint_id == Survey.shown_checkpoint_id,
            AnalysisResult.settings_hash == Survey.shown_settings_hash,
        )
        .order_by(SurveyImage.section_id, SurveyImage.chainage_m, SurveyImage.id, Distress.id)
    )
    ids = session.scalars(order).all()
    whole = select(Distress.id, AnalysisResult.image_id, *DISTRESS).join(
        AnalysisResult, AnalysisResult.id == Distress.result_id
    )
    for start in range(0, len(ids), ROWS_AT_ONCE):
        some = ids[start : start + ROWS_AT_ONCE]
        with _collector_paused():
            found = {row.id: row for row in session.execute(whole.where(Distress.id.in_(some)))}
        # One that was replaced by another analysis in between is gone.
        yield [found[number] for number in some if number in found]


@contextmanager
def _collector_paused() -> Iterator[None]:
    """A batch's points are hundreds of thousands of lists, none of them garbage: looking through them for
    some takes twice as long as reading them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def photo_with_result(session: Session, agency_id: int, photo_id: int) -> Row[Any] | None:
    """content_hash and original_name of an agency's photo, and result_id, mask_hash and error of its shown
    result, None where it has none; None where the agency has no such photo."""
    row: Any = session.execute(
        select(
            SurveyImage.content_hash,
            SurveyImage.original_name,
            AnalysisResult.id.label("result_id"),
            AnalysisResult.mask_hash,
            AnalysisResult.error,
        )
        .join(Survey, Survey.id == SurveyImage.survey_id)
        .outerjoin(AnalysisResult, SHOWN_RESULT)
        .where(SurveyImage.id == photo_id, Survey.agency_id == agency_id)
    ).one_or_none()
    found: Row[Any] | None = row
    return found


def result_shapes(session: Session, result_id: int | None) -> Sequence[Row[Any]]:
    """kind, max_width_px, polylines_px, outline_px of a result's distresses, the longest last."""
    return session.execute(
        select(Distress.kind, Distress.max_width_px, Distress.polylines_px, Distress.outline_px)
        .where(Distress.result_id == result_id)
        .order_by(Distress.length_px)
    ).all()


def unit_quantities(
    session: Session, survey_id: int, shown: Row[Any]
) -> Iterator[tuple[str, int, str, str, int, float, float]]:
    """section_key, unit, kind, severity, count, length_m, area_m2 of each sample unit, zones added up.

    `unit` counts from 1 along rising chainage; 0 where the photo's chainage is unknown.
    """
    places = {
        row.id: (row.section_key, len(sample_units(row.from_m, row.to_m, row.sample_unit_m)))
        for row in session.execute(
            select(
                Section.id, Section.section_key, Section.from_m, Section.to_m, Network.sample_unit_m
            )
            .join(Network, Network.id == Section.network_id)
            .where(Section.network_id == shown.network_id)
        )
    }  # fmt: skip
    ids = sorted(places)
    for start in range(0, len(ids), SECTIONS_AT_ONCE):
        rows = session.execute(
            of_sections(
                quantity_sums(), survey_id, shown.shown_checkpoint_id, shown.shown_settings_hash,
                ids[start : start + SECTIONS_AT_ONCE],
            )
        )  # fmt: skip
        for section_id, own in groupby(rows, lambda row: row.section_id):
            key, units = places[section_id]
            sums: dict[tuple[int, str, str], list[float]] = {}
            for row in own:
                # The last unit may be longer than the others, and what a photo counts may lie beyond the end.
                unit = 0 if row.unit is None else min(max(row.unit, 0), units - 1) + 1
                total = sums.setdefault((unit, row.kind, row.severity), [0.0, 0.0, 0.0])
                for place, amount in enumerate((row.count, row.length_m, row.area_m2)):
                    total[place] += amount
            for (unit, kind, severity), (count, length_m, area_m2) in sorted(sums.items()):
                yield key, unit, kind, severity, int(count), length_m, area_m2
