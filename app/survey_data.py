"""What a survey's page reads of its next analysis: by which camera, by which standard, what is done of it."""

from typing import Any

from app.identity import current_actor
from db import checkpoint_queries, queries
from db.session import reading
from engine.severity import SeverityStandard


def shown_standard(survey_id: int) -> SeverityStandard:
    """See `db.checkpoint_queries`; raises SettingsError where the agency has no such survey."""
    with reading() as session:
        survey = queries.get_survey(session, current_actor().agency_id, survey_id)
        return checkpoint_queries.shown_standard(session, survey)


def analysed_alike(survey_id: int, checkpoint_id: int, standard: SeverityStandard) -> dict[str, Any]:
    """See `db.checkpoint_queries`; raises SettingsError where the agency has no such survey."""
    with reading() as session:
        survey = queries.get_survey(session, current_actor().agency_id, survey_id)
        return checkpoint_queries.analysed_alike(session, survey, checkpoint_id, standard)
