"""The work of a roll-up: a network's results summed up again by sample units of another length."""

from itertools import groupby
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import rollup
from db.models import Network, Section, SectionResult
from db.session import reading
from jobs.running import RunningJob

SECTIONS_A_COMMIT = 500
"""A few seconds: far less than a worker may be silent, or than another waits to write to SQLite."""


class Part(NamedTuple):
    """Some sections of one analysis."""

    survey_id: int
    checkpoint_id: int
    settings_hash: str
    section_ids: tuple[int, ...]


class UnitChangedError(Exception):
    """Somebody changed the length of the sample units while they were rolled up."""


def roll_up_network(job: RunningJob) -> None:
    """Roll every result of the network up; what is done when the length changes again is done again."""
    network_id = job.parameters["network_id"]
    through = False
    while not through:
        with reading() as session:
            network = session.get(Network, network_id)
            parts = [] if network is None else _parts(session, network_id)
        total, done = sum(len(part.section_ids) for part in parts), 0
        for part in parts:
            done += len(part.section_ids)
            job.save(
                lambda session, part=part: rollup.roll_up(session, *part),  # type: ignore[misc]
                done=done, total=total, message="Summing up results by sample units",
            )  # fmt: skip
        through = network is None or _end(job, network_id, network.sample_unit_m, total)


def _end(job: RunningJob, network_id: int, unit_m: float, total: int) -> bool:
    def check(session: Session) -> None:
        now = select(Network.sample_unit_m).where(Network.id == network_id).with_for_update(read=True)
        if session.scalar(now) not in (unit_m, None):
            raise UnitChangedError

    message = f"Results of {total:,} sections are summed up by sample units of {unit_m:g} m"
    try:
        job.save(check, last=True, done=total, total=total, message=message)
    except UnitChangedError:
        return False
    return True


def _parts(session: Session, network_id: int) -> list[Part]:
    result = SectionResult
    rows = session.execute(
        select(result.survey_id, result.checkpoint_id, result.settings_hash, result.section_id)
        .join(Section, Section.id == result.section_id)
        .where(Section.network_id == network_id)
        .order_by(result.survey_id, result.checkpoint_id, result.settings_hash, result.section_id)
    )
    parts = []
    for run, own in groupby(rows, lambda row: (row.survey_id, row.checkpoint_id, row.settings_hash)):
        ids = tuple(row.section_id for row in own)
        parts += [
            Part(*run, ids[start : start + SECTIONS_A_COMMIT])
            for start in range(0, len(ids), SECTIONS_A_COMMIT)
        ]
    return parts
