"""A measured survey with drawn distresses and a plan, for the tests of exports."""

from dataclasses import asdict

from sqlalchemy import insert, select, update

from db.models import AnalysisResult, Distress, Plan, Survey, SurveyImage
from db.plan_queries import read_plan_sections
from db.session import reading, transaction
from engine.plan_inputs import PlanSettings
from engine.planning import make_plan
from engine.treatment_sets import US_CITY_AVERAGES
from tests.unit.web.measured import Measured, fill_measured

HEADING_DEG = 30.0
BRANCHES = [[[0.0, 1.0], [0.0, 3.0]], [[1.0, 2.0], [1.5, 2.0]]]
OUTLINE = [[0.0, 1.0], [1.0, 1.0], [1.0, 2.0], [0.0, 2.0]]


def fill_exported() -> Measured:
    """`fill_measured` with a crack on each photo: the first looks to 30 degrees, others along their road, one
    looks nowhere, and one has no position."""
    filled = fill_measured()
    with transaction() as session:
        ids = list(
            session.execute(
                select(AnalysisResult.id, AnalysisResult.image_id)
                .join(SurveyImage, SurveyImage.id == AnalysisResult.image_id)
                .where(SurveyImage.survey_id == filled.survey)
                .order_by(AnalysisResult.image_id)
            )
        )
        images = [image_id for _, image_id in ids]
        session.execute(
            update(AnalysisResult)
            .where(AnalysisResult.image_id.in_(images), AnalysisResult.image_id != images[1])
            .values(travel_direction=-1)
        )
        for image_id, values in (
            (images[0], {"heading_deg": HEADING_DEG}),
            (images[2], {"latitude": None, "longitude": None, "position_source": "none"}),
        ):
            session.execute(update(SurveyImage).where(SurveyImage.id == image_id).values(**values))
        session.execute(
            insert(Distress),
            [
                {
                    "result_id": result_id, "kind": "pothole" if number == 3 else "transverse",
                    "severity": "not_measurable" if number == 3 else "low", "zone": "centre",
                    "length_px": 2500.0, "mean_width_px": 4.0, "max_width_px": 6.0, "area_px": 10_000,
                    "length_m": 2.5, "area_m2": 0.01, "mean_width_mm": 4.0,
                    "polylines_px": [], "polylines_m": [] if number == 3 else BRANCHES,
                    "outline_m": OUTLINE if number == 3 else None,
                }
                for number, (result_id, _) in enumerate(ids)
            ],
        )  # fmt: skip
    return filled


def save_plan(filled: Measured, name: str = "Five years", budget: float = 150_000.0) -> int:
    """A plan of the shown analysis, as the job of a plan writes it; returns its id."""
    with reading() as session:
        sections, notes = read_plan_sections(session, filled.survey)
        survey = session.get_one(Survey, filled.survey)
    settings = PlanSettings(years=3, first_year=2027, yearly_budget=budget)
    made = make_plan(sections, US_CITY_AVERAGES, settings, draws=10)
    with transaction() as session:
        plan = Plan(
            agency_id=survey.agency_id,
            survey_id=survey.id,
            checkpoint_id=survey.shown_checkpoint_id,
            settings_hash=survey.shown_settings_hash,
            name=name,
            request={"years": 3, "yearly_budget": budget, "treatments": [asdict(US_CITY_AVERAGES[0])]},
            result=made | {"currency": "USD", "notes": [*made["notes"], *notes]},
            scenarios=[],
        )
        session.add(plan)
        session.flush()
        return plan.id
