"""The report's appendix names the settings in words: no key of the program, no JSON."""

import json
import re
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from engine.camera_profiles import CameraProfile, DownwardProfile, ForwardProfile
from engine.confidence import Agreement
from engine.inference import InferenceSettings
from engine.severity import D6433, SeverityStandard
from engine.treatments import UNITS
from jobs.export.pdf.method import COST_UNITS
from jobs.export.pdf.settings import OTHER, settings_in_words
from tests.unit.export.made_up import made_up_export
from tests.unit.export.test_pdf import text_of, written

FORWARD = ForwardProfile(
    1920, 1080, 1500.0, 2.1, 12.5, centre_px=(960.0, 540.0), lane_left_m=-1.8, lane_right_m=1.7, near_m=3.0,
    lane_polygon_px=((100.0, 1000.0), (800.0, 500.0), (1100.0, 500.0), (1800.0, 1000.0)),
    largest_gsd_mm_per_px=6.0, gsd_mm_per_px=2.0,
)  # fmt: skip
DOWNWARD = DownwardProfile(
    960, 640, 2.0, height_m=2.0, focal_mm=4.0, sensor_width_mm=6.0, lane_left_m=-1.0, lane_right_m=1.0,
    focal_px=900.0,
)  # fmt: skip


def settings_of(camera: CameraProfile) -> dict[str, Any]:
    """As an analysis saves them, none left empty."""
    predicted = asdict(InferenceSettings(threshold=0.45, working_scale=0.5))
    del predicted["device"]
    return {
        **predicted,
        "agreement": asdict(Agreement(2.0, 0.0144, 0.0112, 0.94, 10)),
        "camera": {"kind": str(camera.kind), "parameters": camera.as_dict()},
        "severity_standard": D6433.as_dict(),
        "potholes": True,
        "measurement_version": 3,
    }


@pytest.mark.parametrize("camera", [FORWARD, DOWNWARD])
def test_every_setting_of_an_analysis_has_words(camera: CameraProfile) -> None:
    settings = json.loads(json.dumps(settings_of(camera)))
    rows = settings_in_words(settings)
    assert OTHER not in {part for part, _, _ in rows}
    parts = (InferenceSettings, Agreement, type(camera), SeverityStandard)
    # The device is not saved; the camera's kind and the potholes are.
    assert len(rows) == sum(len(fields(part)) for part in parts) - 1 + 2
    for row in rows:
        assert not re.search(r"[_{}\[\]\"]|\btrue\b|\bfalse\b|\bnull\b|None", " ".join(row)), row


def test_values_have_units_and_edges_have_sides() -> None:
    said = {label: value for _, label, value in settings_in_words(settings_of(FORWARD))}
    assert said["A pixel is a crack from a probability of"] == "45 %"
    assert said["Photos are looked at in a size of"] == "50 % of their own"
    assert said["Low: mean width of the crack under"] == "10 mm"
    assert said["It looks"] == "ahead along the road"
    assert said["Pitch, below the horizon"] == "12.5°"
    assert said["Left edge of the lane"] == "1.8 m left of the camera"
    assert said["Right edge of the lane"] == "1.7 m right of the camera"
    assert said["Interval of a photo’s crack area"] == "± 1.44 % or more"


def test_the_report_prints_words_and_keeps_the_hash_and_the_version(tmp_path: Path) -> None:
    data = made_up_export(planned=False)
    settings = json.dumps(settings_of(DOWNWARD))
    text = text_of(written(replace(data, provenance={**data.provenance, "settings": settings}), tmp_path))
    for said in (
        "Ground sampling distance (GSD) 2 mm a pixel", "It looks straight down", "Potholes looked for yes",
        "SHA-256 of the settings " + data.provenance["settings_hash"], "Version of the measuring 3",
    ):  # fmt: skip
        assert said in text
    for key in ("gsd_mm_per_px", "severity_standard", "tile_px", "bf16", "agreement.", "true", "null"):
        assert key not in text


def test_a_setting_of_a_later_version_is_told_by_its_name() -> None:
    rows = settings_in_words(
        {"camera": None, "threshold": "auto", "smoothing": {"radius_mm": 2.5, "kernels": [3, {"size": 5}]}}
    )
    assert rows == [
        ("Finding cracks", "A pixel is a crack from a probability of", "auto"),
        (OTHER, "Smoothing radius", "2.5 mm"),
        (OTHER, "Smoothing kernels", "3, size 5"),
    ]


def test_every_unit_of_a_cost_has_words() -> None:
    assert set(COST_UNITS) == set(UNITS)
