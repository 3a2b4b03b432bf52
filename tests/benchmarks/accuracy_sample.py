"""How well the sample's known truth is recovered, section by section, by the whole chain.

Run: python tests/benchmarks/accuracy_sample.py [--survey 2025] [--home folder]

The sample is made, imported and analysed by the shipped checkpoint as in a new installation; then each
section's density, main type, severity and condition index are compared with what was drawn. Exit status 1
where a goal is missed. `--home` keeps the installation, or compares one that is there.
"""

import argparse
import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from db.models import Job, Section, SectionResult, Survey
from db.session import reading
from engine.sample_truth import SampleTruth
from engine.vocabulary import DistressType, JobKind

DENSITY_SHARE, INDEX_POINTS, GOAL = 0.10, 5.0, 0.9
# 0.74 m in a section's three pictures: less than that is no cracking, as is what is too short to have a type.
LEAST_DENSITY_M_PER_M2 = 0.1
NONE = "none"


@dataclass(frozen=True)
class Comparison:
    """A section as measured, beside its truth."""

    truth: SampleTruth
    density_m_per_m2: float
    kind: str
    severity: str
    index: float
    hpms_percent: float

    @property
    def density_error(self) -> float:
        return self.density_m_per_m2 - self.truth.density_m_per_m2

    @property
    def index_error(self) -> float:
        return self.index - self.truth.condition_index

    @property
    def right(self) -> dict[str, bool]:
        """Which of the goals the section meets."""
        true = self.truth.density_m_per_m2
        allowed = DENSITY_SHARE * true if true else LEAST_DENSITY_M_PER_M2
        return {
            "density": abs(self.density_error) <= allowed,
            "type": self.kind == self.truth.pattern.value,
            "severity": self.severity == (self.truth.severity or NONE),
            "index": abs(self.index_error) <= INDEX_POINTS,
        }


def compare_sections(survey_id: int, truths: Iterable[SampleTruth]) -> list[Comparison]:
    """The shown results of a survey of the sample beside the truth, in order of the network."""
    with reading() as session:
        survey = session.get_one(Survey, survey_id)
        rows = session.execute(
            select(Section.section_key, SectionResult)
            .join(SectionResult, SectionResult.section_id == Section.id)
            .where(
                SectionResult.survey_id == survey_id,
                SectionResult.checkpoint_id == survey.shown_checkpoint_id,
                SectionResult.settings_hash == survey.shown_settings_hash,
            )
        ).all()
        found = {key: _compared_values(row) for key, row in rows}
    return [Comparison(truth, *found[truth.section_key]) for truth in truths]


def _compared_values(row: SectionResult) -> tuple[float, str, str, float, float]:
    density, index = row.crack_density_m_per_m2, row.condition_index
    if density is None or index is None or row.hpms_cracking_percent is None:
        raise ValueError(f"Section {row.section_id} was not measured on the ground.")
    kinds: dict[str, float] = defaultdict(float)
    grades: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for quantity in row.quantities or []:
        if quantity["kind"] != DistressType.CRACK:
            kinds[quantity["kind"]] += quantity["length_m"]
            grades[quantity["kind"]][quantity["severity"]] += quantity["length_m"]
    kind = severity = NONE
    if sum(kinds.values()) >= LEAST_DENSITY_M_PER_M2 * (row.surveyed_area_m2 or 0):
        kind = max(kinds, key=lambda name: kinds[name], default=NONE)
        severity = max(grades[kind], key=lambda name: grades[kind][name], default=NONE)
    return density, kind, severity, index, row.hpms_cracking_percent


def shares_right(compared: Sequence[Comparison]) -> dict[str, float]:
    """Share of the sections that meet each goal."""
    sums = Counter(name for one in compared for name, right in one.right.items() if right)
    return {name: sums[name] / len(compared) for name in compared[0].right}


def print_table(compared: Sequence[Comparison]) -> None:
    """Truth, what was found, and what is not right, a line for each section."""
    print(
        "section    true type     found type    true    found   m/m2   found  index  found  HPMS found  wrong"
    )
    for one in compared:
        truth = one.truth
        wrong = ", ".join(name for name, right in one.right.items() if not right)
        print(
            f"{truth.section_key:11}{truth.pattern.value:14}{one.kind:14}{truth.severity or NONE:8}"
            f"{one.severity:8}{truth.density_m_per_m2:4.2f}{one.density_m_per_m2:8.2f}"
            f"{truth.condition_index:7.1f}{one.index:7.1f}"
            f"{truth.hpms_cracking_percent:6}{one.hpms_percent:6.0f}  {wrong}"
        )
    for name, share in shares_right(compared).items():
        print(f"{name} right: {share:.0%} of {len(compared)} sections")


def _analysed(home: Path, year: int) -> int:
    """Make the sample in a home, if it is not there, and analyse one of its surveys."""
    os.environ["PAVESCOPE_HOME"] = str(home)
    from app import actions
    from db.migrate import migrate
    from jobs.pipeline import WORK_OF
    from jobs.running import run_job

    migrate()
    with reading() as session:
        made = session.scalar(select(Job.id).where(Job.kind == JobKind.MAKE_SAMPLE).limit(1))
    run_job(actions.request_sample(actions.local_actor()) if made is None else made, WORK_OF)
    with reading() as session:
        survey_id = session.scalars(select(Survey.id).where(Survey.name.contains(str(year)))).one()
        job_id = session.scalars(
            select(Job.id).where(Job.kind == JobKind.ANALYSE_SURVEY, Job.survey_id == survey_id)
        ).first()
    run_job(job_id or 0, WORK_OF)
    return survey_id


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--survey", type=int, default=2025, choices=(2024, 2025))
    ask.add_argument("--home", type=Path)
    told = ask.parse_args()
    from engine.sample import SAMPLE_SEED, sample_surveys

    truths = next(
        survey.section_truths
        for survey in sample_surveys(SAMPLE_SEED)
        if survey.surveyed_on.year == told.survey
    )
    with tempfile.TemporaryDirectory() as folder:
        survey_id = _analysed(told.home or Path(folder), told.survey)
        compared = compare_sections(survey_id, truths)
    print_table(compared)
    if min(shares_right(compared).values()) < GOAL:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
