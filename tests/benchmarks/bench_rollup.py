"""Rolling up image results to sections and sample units, on SQLite and PostgreSQL.

Run: PYTHONPATH=. python tests/benchmarks/bench_rollup.py [--results 100000] [--sections 10000]
At full size: --results 1000000 --sections 100000. Rows are made by the database; the time is that of
`refresh_sections` alone, over all sections and over one, and of reading the totals. A tenth of the size is
run before, to see how the time grows.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from contextlib import nullcontext

import numpy as np
from sqlalchemy import func, select, text

from app.actions import SurveyForm, create_survey, local_actor
from db import rollup
from db.migrate import migrate
from db.models import Checkpoint, Network, SectionResult, Survey, SurveyImage
from db.session import get_engine, reading, transaction
from db.settings import get_settings
from tests.servers import postgres_server

HASH = "0" * 64
# About as large as what a result of a forward camera carries.
SETTINGS = json.dumps({"camera": {"kind": "forward", "parameters": {f"value_{n}": n / 7 for n in range(24)}}})
GROUND = json.dumps(
    {"gsd_mm_per_px": 2.0, "left_m": -1.8, "right_m": 1.8, "near_m": 4.0, "far_m": 9.0, "width_px": 1800,
     "height_px": 2500}
)  # fmt: skip
NUMBERS = "WITH RECURSIVE number(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM number WHERE i + 1 < :count) "
SECTIONS = """
INSERT INTO section (network_id, section_key, road, from_m, to_m, length_m, geometry, south, north, west,
  east)
SELECT :network, 'S' || i, 'R' || (i % 97), (i / 97) * 500.0, (i / 97) * 500.0 + 500.0, 500.0, :line, 0, 0,
  0, 0
FROM number"""
IMAGES = """
INSERT INTO survey_image (survey_id, content_hash, original_name, size_bytes, width_px, height_px,
  position_source, section_id, chainage_m, flags, notes)
SELECT :survey, 'h' || i, 'x.jpg', 1, 1024, 640, 'exif', :first + i % :sections,
  ((i % :sections) / 97) * 500.0 + ((i / :sections) * 53) % 500, '[]', '[]' FROM number"""
RESULTS = """
INSERT INTO analysis_result (image_id, checkpoint_id, settings_hash, settings, attempt, threshold,
  crack_pixels, surveyed_pixels, crack_area_ratio, crack_length_px, gsd_mm_per_px, surveyed_area_m2,
  crack_length_m,
  crack_density_m_per_m2, crack_area_ratio_low, crack_area_ratio_high, crack_density_m_per_m2_low,
  crack_density_m_per_m2_high, ground, left_out_m2, cracked_area_m2, cracked_tiles, tiles, created_at)
SELECT id, :checkpoint, :hash, :settings, 1, 0.5, id % 9000, 4500000, (id % 9000) / 4500000.0, id % 4000,
  2.0, 18.0, (id % 4000) * 0.002, (id % 4000) * 0.002 / 18, 0, 0.01, 0, 0.5, :ground, 3.0, (id % 40) * 0.1,
  id % 60, 200, '2026-01-01' FROM survey_image WHERE survey_id = :survey"""
QUANTITIES = """
INSERT INTO distress_quantity (result_id, kind, severity, zone, count, length_m, area_m2, mean_width_mm)
SELECT analysis_result.id, kind,
  CASE analysis_result.id % 3 WHEN 0 THEN 'low' WHEN 1 THEN 'medium' ELSE 'high' END,
  'left_wheel_path', 1, (analysis_result.id % 7) * 0.3, (analysis_result.id % 5) * 0.2, 6.0
FROM analysis_result JOIN survey_image ON survey_image.id = image_id,
  (SELECT 'longitudinal' AS kind UNION ALL SELECT 'transverse' UNION ALL SELECT 'alligator') AS kinds
WHERE survey_id = :survey AND analysis_result.id % 4 > 0"""


def fill(results: int, sections: int) -> tuple[int, int, str]:
    """A network of 500 m sections and a survey of it, three quarters of its photos with distresses.

    Returns:
        Survey, checkpoint and settings, as the roll-up names an analysis.
    """
    survey_id = create_survey(local_actor(), SurveyForm(f"{results} photos"))
    with transaction() as session:
        network = Network(agency_id=local_actor().agency_id, name=f"{sections} sections")
        checkpoint = session.scalar(select(Checkpoint)) or Checkpoint(
            name="base", content_hash="a" * 64, model="m", origin="shipped", card={}
        )
        session.add_all([network, checkpoint])
        session.flush()
        session.get_one(Survey, survey_id).network_id = network.id
        values = {"network": network.id, "survey": survey_id, "checkpoint": checkpoint.id, "hash": HASH}
        values |= {"settings": SETTINGS, "ground": GROUND, "line": b"", "sections": sections}
        session.execute(text(_with_numbers(SECTIONS)), {**values, "count": sections})
        first = session.scalar(
            text("SELECT min(id) FROM section WHERE network_id = :network"), {"network": network.id}
        )
        session.execute(text(_with_numbers(IMAGES)), {**values, "count": results, "first": first})
        session.execute(text(RESULTS), values)
        session.execute(text(QUANTITIES), values)
        checkpoint_id = checkpoint.id
    with get_engine().connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()
    return survey_id, checkpoint_id, HASH


def _with_numbers(insert: str) -> str:
    """Both databases take a common table before the SELECT of an INSERT."""
    head, select_ = insert.split("SELECT", 1)
    return f"{head}{NUMBERS}SELECT{select_}"


def measure(run: tuple[int, int, str], sections: int) -> tuple[float, float, float, float]:
    """Seconds for all sections, and of them on the processor of this process (a database server has its own);
    median milliseconds for one section; milliseconds for all totals."""
    begun, own_begun = time.perf_counter(), time.process_time()
    with transaction() as session:
        rollup.refresh_sections(session, *run)
    whole_s, own_s = time.perf_counter() - begun, time.process_time() - own_begun
    with reading() as session:
        made = session.scalar(select(func.count()).where(SectionResult.survey_id == run[0]))
        images = session.scalars(
            select(SurveyImage.id).where(SurveyImage.survey_id == run[0]).order_by(SurveyImage.id).limit(2000)
        ).all()
    if made != sections:
        raise SystemExit(f"{made} sections were rolled up, not {sections}")
    taken = []
    for image_id in np.random.default_rng(0).choice(images, 50):
        begun = time.perf_counter()
        with transaction() as session:
            rollup.refresh_sections(session, *run, image_ids=[int(image_id)])
        taken.append((time.perf_counter() - begun) * 1000)
    begun = time.perf_counter()
    with reading() as session:
        rollup.road_totals(session, *run)
        rollup.network_totals(session, *run)
    return whole_s, own_s, statistics.median(taken), (time.perf_counter() - begun) * 1000


def bench(name: str, results: int, sections: int) -> None:
    get_settings.cache_clear()
    get_engine.cache_clear()
    migrate()
    small = measure(fill(results // 10, sections // 10), sections // 10)
    large = measure(fill(results, sections), sections)
    print(
        f"{name}: {results:,} results to {sections:,} sections in {large[0]:.1f} s "
        f"({large[1]:.1f} s on the processor), {large[0] / small[0]:.1f} times a tenth of them "
        f"(processor: {large[1] / small[1]:.1f}); one section {large[2]:.1f} ms (of a tenth "
        f"{small[2]:.1f} ms); totals of all roads {large[3]:.0f} ms",
        flush=True,
    )
    get_engine().dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=100_000)
    parser.add_argument("--sections", type=int, default=10_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    asked = parser.parse_args()
    for name in ("sqlite", "postgresql"):
        if asked.only not in (None, name):
            continue
        server = postgres_server() if name == "postgresql" else nullcontext()
        with tempfile.TemporaryDirectory() as home, server as running:
            os.environ["PAVESCOPE_HOME"] = home
            os.environ.pop("PAVESCOPE_DATABASE_URL", None)
            if running is not None:
                os.environ["PAVESCOPE_DATABASE_URL"] = running.url
            bench(name, asked.results, asked.sections)


if __name__ == "__main__":
    main()
