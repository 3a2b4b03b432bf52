"""Reads the sections of a survey's shown analysis for a maintenance plan."""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from sqlalchemy import Row, and_, select
from sqlalchemy.orm import Session

from db.index_ends import ENDS_OF_INDEX, ends_of_index
from db.models import AnalysisResult, Network, Section, SectionResult, Survey, SurveyImage
from db.queries import find_network, find_survey
from engine.change import why_not_comparable
from engine.deterioration import RepeatedSurvey
from engine.errors import SettingsError
from engine.measurement_version import with_measurement_version
from engine.plan_inputs import Amount, PlanSection
from engine.vocabulary import DistressType, Severity

ASSUMED_LANES = 2
ASSUMED_LANE_WIDTH_M = 3.6
LEAST_YEARS_BETWEEN = 0.5
"""Surveys closer to each other say more about the measurement than about ageing."""
DAYS_PER_YEAR = 365.25
COLUMNS: tuple[Any, ...] = (
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
    Section.lane_width_m,
    Section.aadt,
    SectionResult.images,
    SectionResult.condition_index,
    Survey.surveyed_on,
    *ENDS_OF_INDEX,
)


def survey_to_plan(session: Session, agency_id: int, network: str, survey: str) -> int:
    """Id of an analysed survey of a network, both by name.

    Raises:
        SettingsError: there is no such network or survey, it runs over another one, or is not analysed.
    """
    its_network = find_network(session, agency_id, network)
    if its_network is None:
        raise SettingsError(f"There is no network named {network!r}.", "See: pavescope network list")
    found = find_survey(session, agency_id, survey)
    if found is None:
        raise SettingsError(f"There is no survey named {survey!r}.", "See: pavescope survey list")
    if found.network_id != its_network.id:
        other = session.get(Network, found.network_id) if found.network_id is not None else None
        over = f"network {other.name!r}, not over {network!r}" if other else "no network"
        raise SettingsError(
            f"The survey {survey!r} runs over {over}.", "Name a survey and the network it runs over."
        )
    if found.shown_checkpoint_id is None:
        raise SettingsError(
            f"The survey {survey!r} is not analysed.", f'Run: pavescope survey analyse "{survey}" --wait'
        )
    return found.id


def read_plan_sections(session: Session, survey_id: int) -> tuple[list[PlanSection], list[str]]:
    """All sections of the survey's network in order of their key, as its shown analysis left them.

    Their id is the agency's section key. Those that were not surveyed have no condition index. Half a
    millisecond each, for the interval of the index.

    Returns:
        The sections, and notes on what had to be assumed about them.

    Raises:
        SettingsError: no section has a result, or none was measured in metres.
    """
    shown = and_(
        SectionResult.section_id == Section.id,
        SectionResult.survey_id == Survey.id,
        SectionResult.checkpoint_id == Survey.shown_checkpoint_id,
        SectionResult.settings_hash == Survey.shown_settings_hash,
    )
    rows = session.execute(
        select(*COLUMNS)
        .join(Survey, Survey.network_id == Section.network_id)
        .outerjoin(SectionResult, shown)
        .where(Survey.id == survey_id)
        .order_by(Section.section_key)
    ).all()
    if not any(row.images for row in rows):
        raise SettingsError(
            "No analysed photo of the survey lies on a section of the network.",
            "Check the positions of the photos on the survey's page.",
        )
    if all(row.condition_index is None for row in rows):
        raise SettingsError(
            "The survey has no results in metres, and without them no section has a condition index.",
            "Give it a camera profile (pavescope camera use) or a GSD, and analyse it again.",
        )
    return [_plan_section(row) for row in rows], _notes(rows)


def _notes(rows: Sequence[Row[Any]]) -> list[str]:
    narrow = sum(row.lanes is None or row.lane_width_m is None for row in rows)
    if not narrow:
        return []
    return [
        f"{narrow} of {len(rows)} sections have no number of lanes or no lane width: their area is reckoned "
        f"with {ASSUMED_LANES} lanes (1 where the section names its lane) of {ASSUMED_LANE_WIDTH_M:g} m "
        "(assumed)."
    ]


def _plan_section(row: Row[Any]) -> PlanSection:
    lanes = row.lanes or (1 if row.lane else ASSUMED_LANES)
    measured: dict[str, Any] = {}
    if row.condition_index is not None:
        low, high = ends_of_index(row) or (None, None)
        measured = {
            "condition_index": row.condition_index,
            "index_low": low,
            "index_high": high,
            "quantities": tuple(_amount(quantity) for quantity in row.quantities or ()),
            "surveyed_area_m2": row.surveyed_area_m2,
            "crack_density_m_per_m2": row.crack_density_m_per_m2,
            "density_low": row.crack_density_m_per_m2_low,
            "density_high": row.crack_density_m_per_m2_high,
        }
    return PlanSection(
        id=row.section_key,
        key=row.section_key,
        road=row.road,
        # Neighbours are found by rising chainage, whichever way the section was drawn.
        from_m=min(row.from_m, row.to_m),
        to_m=max(row.from_m, row.to_m),
        length_m=row.length_m,
        area_m2=row.length_m * lanes * (row.lane_width_m or ASSUMED_LANE_WIDTH_M),
        functional_class=row.functional_class,
        surface=row.surface,
        aadt=row.aadt,
        surveyed_on=row.surveyed_on,
        lane=f"{row.direction or ''} {row.lane or ''}".strip(),
        **measured,
    )


def _amount(quantity: Mapping[str, Any]) -> Amount:
    return Amount(
        DistressType(quantity["kind"]),
        Severity(quantity["severity"]),
        quantity["length_m"],
        quantity["area_m2"],
    )


def classes_and_surfaces(session: Session, network_id: int) -> list[tuple[str | None, str | None]]:
    """Each class and surface that a network's sections name, once."""
    rows = session.execute(
        select(Section.functional_class, Section.surface).where(Section.network_id == network_id).distinct()
    )
    return [(row.functional_class, row.surface) for row in rows]


def repeated_surveys(session: Session, survey_id: int) -> list[RepeatedSurvey]:
    """What each section's condition index was in two surveys after each other, `LEAST_YEARS_BETWEEN` apart.

    Taken are the shown analyses of the network's dated surveys that may be compared with this survey's:
    same checkpoint, comparable settings.
    """
    days = _comparable_surveys(session, survey_id)
    rows = session.execute(
        select(
            SectionResult.section_id,
            SectionResult.survey_id,
            SectionResult.condition_index,
            Section.functional_class,
            Section.surface,
        )
        .join(Section, Section.id == SectionResult.section_id)
        .join(Survey, Survey.id == SectionResult.survey_id)
        .where(
            SectionResult.survey_id.in_(days),
            SectionResult.checkpoint_id == Survey.shown_checkpoint_id,
            SectionResult.settings_hash == Survey.shown_settings_hash,
            SectionResult.condition_index.is_not(None),
        )
        .order_by(SectionResult.section_id, Survey.surveyed_on, Survey.id)
    )
    found = []
    for _, own in groupby(rows, lambda row: row.section_id):
        before, *later = own
        for after in later:
            years = (days[after.survey_id] - days[before.survey_id]).days / DAYS_PER_YEAR
            if years >= LEAST_YEARS_BETWEEN:
                pair = before.condition_index, after.condition_index, years
                found.append(RepeatedSurvey(after.functional_class or "", after.surface or "", *pair))
                before = after
    return found


def _comparable_surveys(session: Session, survey_id: int) -> dict[int, date]:
    """Dated surveys of the same network, analysed like this one, and this one: id -> day."""
    own = session.get_one(Survey, survey_id)
    surveys = session.scalars(
        select(Survey).where(
            Survey.network_id == own.network_id,
            Survey.shown_checkpoint_id == own.shown_checkpoint_id,
            Survey.surveyed_on.is_not(None),
        )
    )
    settings = _shown_settings(session, own)
    found = {}
    for survey in surveys:
        other = _shown_settings(session, survey)
        checkpoints = str(own.shown_checkpoint_id), str(survey.shown_checkpoint_id)
        if settings is None or other is None or survey.surveyed_on is None:
            continue
        if survey.id == survey_id or why_not_comparable(*checkpoints, settings, other) is None:
            found[survey.id] = survey.surveyed_on
    return found


def _shown_settings(session: Session, survey: Survey) -> dict[str, Any] | None:
    settings = session.scalar(
        select(AnalysisResult.settings)
        .join(SurveyImage, SurveyImage.id == AnalysisResult.image_id)
        .where(
            SurveyImage.survey_id == survey.id,
            AnalysisResult.checkpoint_id == survey.shown_checkpoint_id,
            AnalysisResult.settings_hash == survey.shown_settings_hash,
        )
        .limit(1)
    )
    return settings and with_measurement_version(settings, survey.shown_settings_hash or "")
