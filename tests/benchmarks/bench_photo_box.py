"""The map's box query on SQLite: 1e6 photos against 1e4, through the function that serves the route.

Prints the median and 95th percentile of the time of 200 boxes of the size that a map shows at street
level, and of 20 boxes so large that cells are sent instead of photos.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from sqlalchemy import insert

from app import layers
from app.actions import SurveyForm, create_survey, local_actor
from db.migrate import migrate
from db.models import SurveyImage
from db.session import get_engine, transaction
from db.settings import get_settings

BATCH = 20_000


def fill(count: int) -> int:
    """A survey of photos 5 m apart along winding roads over about a degree; returns its id."""
    survey_id = create_survey(local_actor(), SurveyForm(f"{count} photos"))
    rng = np.random.default_rng(1)
    heading = np.cumsum(rng.normal(0, 0.02, count))
    latitudes = (np.cumsum(np.sin(heading)) * 4.5e-5) % 1.0 + 48
    longitudes = (np.cumsum(np.cos(heading)) * 6.7e-5) % 1.5 + 9
    common = {"survey_id": survey_id, "size_bytes": 1, "width_px": 1, "height_px": 1}
    common |= {"original_name": "x", "position_source": "exif", "flags": [], "notes": []}
    for start in range(0, count, BATCH):
        rows = [
            {**common, "content_hash": f"{n:064x}", "latitude": latitudes[n], "longitude": longitudes[n]}
            for n in range(start, min(start + BATCH, count))
        ]
        with transaction() as session:
            session.execute(insert(SurveyImage), rows)
    return survey_id


def measure(survey_id: int, side_deg: float, boxes: int) -> tuple[float, float]:
    """(median, 95th percentile) of the milliseconds of a box query."""
    rng = np.random.default_rng(2)
    taken = []
    for number in range(boxes):
        west, south = 9 + rng.random() * (1.5 - side_deg), 48 + rng.random() * (1 - side_deg)
        start = time.perf_counter()
        layers.photo_layer(survey_id, str(number), (west, south, west + side_deg, south + side_deg))
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken), float(np.percentile(taken, 95))


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["PAVESCOPE_HOME"] = home
        get_settings.cache_clear()
        migrate()
        small, large = fill(10_000), fill(1_000_000)
        size_mb = sum(path.stat().st_size for path in Path(home).iterdir() if path.is_file()) / 1e6
        print(f"database {size_mb:.0f} MB")
        for name, side_deg, boxes in (("street level", 0.02, 200), ("whole town", 0.3, 20)):
            few, many = measure(small, side_deg, boxes), measure(large, side_deg, boxes)
            print(
                f"{name}: 1e4 photos {few[0]:.1f} ms (95 %: {few[1]:.1f}), 1e6 photos {many[0]:.1f} ms "
                f"(95 %: {many[1]:.1f}), ratio of medians {many[0] / few[0]:.1f}"
            )
        get_engine().dispose()


if __name__ == "__main__":
    main()
