"""A network measured on the ground plane: two roads, two surveys a year apart, graded distresses."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from shapely.geometry import LineString
from sqlalchemy import insert, select

from app import identity
from db import queries, rollup
from db.models import (
    AnalysisResult,
    Checkpoint,
    DistressQuantity,
    Network,
    Section,
    Survey,
    SurveyImage,
)
from db.session import transaction
from engine.measurement_version import MEASUREMENT_VERSION
from engine.networks import SectionRecord
from tests.unit.web.rows import SETTINGS_HASH, image_row, jpeg

PHOTO_M2 = 3.5 * 5.0
SPACING_M = 20.0
# Per section: how its cracking grows along it (share of the full amounts below), first to last photo.
WEAR = {"R1-1": (0.0, 0.0), "R1-2": (0.1, 0.2), "=R1-3": (0.3, 0.4), "R2-1": (0.0, 1.0), "R2-2": (0.9, 1.0)}
UNSURVEYED = "R2-3"
# kind, severity, zone: metres, square metres and millimetres on one photo at full wear.
AMOUNTS = {
    ("longitudinal", "low", "left_wheel_path"): (4.0, 0.04, 4.0),
    ("longitudinal", "medium", "centre"): (2.0, 0.05, 14.0),
    ("transverse", "medium", None): (3.0, 0.05, 12.0),
    ("alligator", "high", "right_wheel_path"): (9.0, 1.6, 8.0),
    ("block", "not_measurable", "centre"): (3.0, 1.0, 5.0),
}


@dataclass
class Measured:
    """Ids of what was made; `sections` by key."""

    network: int
    survey: int
    earlier: int
    sections: dict[str, int]
    checkpoint: int
    other_checkpoint: int


def fill_measured() -> Measured:
    """Fill the migrated database that the settings name, beside whatever is there."""
    with transaction() as session:
        network = Network(agency_id=identity.current_actor().agency_id, name="County", sample_unit_m=100.0)
        checkpoints = [
            Checkpoint(name=name, content_hash=name[0] * 64, model="m", origin="shipped", card={})
            for name in ("county", "older")
        ]
        session.add_all([network, *checkpoints])
        session.flush()
        queries.add_sections(session, network.id, _records())
        session.flush()
        found = session.execute(
            select(Section.section_key, Section.id).where(Section.network_id == network.id)
        )
        sections = {row.section_key: row.id for row in found}
        surveys = [
            Survey(
                agency_id=network.agency_id, network_id=network.id, name=f"County {year}",
                surveyed_on=date(year, 5, 3), gsd_mm_per_px=1.0,
            )
            for year in (2025, 2024)
        ]  # fmt: skip
        session.add_all(surveys)
        session.flush()
        for survey, worn in zip(surveys, (1.0, 0.7), strict=True):
            _analyse(session, survey.id, checkpoints[0].id, sections, worn)
            queries.show_analysis(session, survey.id, checkpoints[0].id, SETTINGS_HASH)
        return Measured(
            network.id, surveys[0].id, surveys[1].id, sections, checkpoints[0].id, checkpoints[1].id
        )


def _records() -> list[SectionRecord]:
    keys = [*WEAR, UNSURVEYED]
    records = []
    for key in keys:
        road, number = ("B 10", int(key[-1])) if "R1" in key else ("L 7", int(key[-1]))
        start = 8.2 + (number - 1) * 0.0056
        latitude = 50.2 if road == "B 10" else 50.203
        line = LineString(
            [(start, latitude), (start + 0.0028, latitude + 0.0004), (start + 0.0056, latitude)]
        )
        ends = (number - 1) * 400.0, number * 400.0
        kind, surface = ("main", "asphalt") if road == "B 10" else ("local", None)
        records.append(SectionRecord(key, road, *ends, kind, surface, 2, 3.5, 4000, line, 400.0))
    return records


def _analyse(session: Any, survey_id: int, checkpoint_id: int, sections: dict[str, int], worn: float) -> None:
    """Photos of one survey every 20 m, their results and quantities, and the roll-up."""
    wear: list[float] = []
    rows: list[dict[str, Any]] = []
    for place, (key, (first, last)) in enumerate(WEAR.items()):
        offset_m = (int(key[-1]) - 1) * 400.0
        for number in range(19):
            along = number / 18
            wear.append((first + (last - first) * along) * worn)
            rows.append(
                image_row(
                    survey_id, jpeg(survey_id * 1000 + place * 20 + number), section_id=sections[key],
                    chainage_m=offset_m + 10 + number * SPACING_M,
                    longitude=8.2 + (int(key[-1]) - 1 + along) * 0.0056,
                    latitude=(50.2 if "R1" in key else 50.203) + 0.0004 * (1 - abs(2 * along - 1)),
                )
            )  # fmt: skip
    session.execute(insert(SurveyImage), rows)
    in_order = sorted(image_id for image_id, _, _ in queries.survey_images(session, survey_id))
    results = [
        _result(image_id, checkpoint_id, share) for image_id, share in zip(in_order, wear, strict=True)
    ]
    queries.add_results(session, results, [[] for _ in results])
    of_photo = dict(
        session.execute(
            select(AnalysisResult.image_id, AnalysisResult.id).where(
                AnalysisResult.checkpoint_id == checkpoint_id, AnalysisResult.image_id.in_(in_order)
            )
        ).all()
    )
    session.execute(
        insert(DistressQuantity),
        [
            {
                "result_id": of_photo[image_id], "kind": kind, "severity": severity, "zone": zone, "count": 1,
                "length_m": length_m * share, "area_m2": area_m2 * share, "mean_width_mm": width_mm,
            }
            for image_id, share in zip(in_order, wear, strict=True)
            for (kind, severity, zone), (length_m, area_m2, width_mm) in AMOUNTS.items()
            if share > 0.02
        ],
    )  # fmt: skip
    rollup.refresh_sections(session, survey_id, checkpoint_id, SETTINGS_HASH)


def _result(image_id: int, checkpoint_id: int, share: float) -> dict[str, Any]:
    length_m = share * sum(amount[0] for amount in AMOUNTS.values())
    return {
        "image_id": image_id,
        "checkpoint_id": checkpoint_id,
        "settings_hash": SETTINGS_HASH,
        "settings": {"measurement_version": MEASUREMENT_VERSION},
        "attempt": 1,
        "threshold": 0.4,
        "crack_pixels": int(length_m * 8000),
        "surveyed_pixels": int(PHOTO_M2 * 1e6),
        "crack_area_ratio": length_m * 8000 / (PHOTO_M2 * 1e6),
        "crack_area_ratio_low": length_m * 7000 / (PHOTO_M2 * 1e6),
        "crack_area_ratio_high": length_m * 9000 / (PHOTO_M2 * 1e6),
        "crack_length_px": length_m * 1000,
        "gsd_mm_per_px": 1.0,
        "surveyed_area_m2": PHOTO_M2,
        "crack_length_m": length_m,
        "crack_density_m_per_m2": length_m / PHOTO_M2,
        "crack_density_m_per_m2_low": length_m / PHOTO_M2 * 0.9,
        "crack_density_m_per_m2_high": length_m / PHOTO_M2 * 1.15,
        "ground": {"gsd_mm_per_px": 1.0, "left_m": -1.75, "right_m": 1.75, "near_m": 0.0, "far_m": 5.0,
                   "width_px": 3500, "height_px": 5000},
        "left_out_m2": 0.0,
        "cracked_area_m2": share * 4.2,
        "cracked_tiles": int(share * 80),
        "tiles": 187,
    }  # fmt: skip
