"""A small agency with one analysed survey, and another agency beside it."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from shapely.geometry import LineString
from sqlalchemy import insert, update

from app import identity
from db import queries, rollup
from db.models import Agency, AnalysisResult, Checkpoint, Network, RefusedFile, Survey, SurveyImage
from db.session import transaction
from db.storage import get_storage
from engine.measurement_version import MEASUREMENT_VERSION
from engine.networks import SectionRecord

SETTINGS_HASH = "5" * 64


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def jpeg(seed: int, size: tuple[int, int] = (64, 48)) -> bytes:
    pixels = np.random.default_rng(seed).integers(60, 160, (size[1], size[0], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


@dataclass
class Filled:
    """Ids of what was made; `foreign_*` belong to another agency."""

    network: int
    survey: int
    photos: list[int]
    foreign_network: int
    foreign_survey: int
    foreign_photo: int


def give_intervals(filled: Filled) -> None:
    """The results of `fill` are like those of before there were intervals; give them some."""
    ends = {
        "crack_area_ratio_low": 0.025,
        "crack_area_ratio_high": 0.05,
        "crack_density_m_per_m2_low": 8.0,
        "crack_density_m_per_m2_high": 10.5,
    }
    with transaction() as session:
        session.execute(update(AnalysisResult).values(**ends))
        shown = session.get_one(Survey, filled.survey)
        assert shown.shown_checkpoint_id is not None
        rollup.refresh_sections(session, filled.survey, shown.shown_checkpoint_id, SETTINGS_HASH)


def image_row(survey_id: int, content: bytes, **more: object) -> dict[str, object]:
    return {
        "survey_id": survey_id,
        "content_hash": get_storage().put(content),
        "original_name": "`${alert(1)}`<b>.jpg",
        "size_bytes": len(content),
        "width_px": 64,
        "height_px": 48,
        "position_source": "exif",
        "latitude": 50.0,
        "longitude": 8.0,
        "flags": [],
        "notes": [],
        **more,
    }


def fill() -> Filled:
    """Fill the migrated database that the settings name."""
    store = get_storage()
    agency_id = identity.current_actor().agency_id
    mask = np.zeros((48, 64), np.uint8)
    mask[20:22, 5:60] = 255
    probability = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))
    with transaction() as session:
        other = Agency(name="Other agency")
        network = Network(agency_id=agency_id, name="Town")
        checkpoint = Checkpoint(name="base", content_hash="a" * 64, model="m", origin="shipped", card={})
        session.add_all([other, network, checkpoint])
        session.flush()
        foreign_network = Network(agency_id=other.id, name="Theirs")
        session.add(foreign_network)
        lines = [LineString([(8.0 + n / 100, 50.0), (8.01 + n / 100, 50.0)]) for n in range(3)]
        queries.add_sections(
            session,
            network.id,
            [
                SectionRecord(
                    f"S{n}", "A <b>1</b>", n * 700.0, n * 700.0 + 700, None, None, 2, 3.5, 900, line, 716.0
                )
                for n, line in enumerate(lines)
            ],
        )
        session.flush()
        sections = queries.load_sections(session, network.id)
        survey = Survey(agency_id=agency_id, network_id=network.id, name="May", gsd_mm_per_px=2.0)
        foreign = Survey(agency_id=other.id, name="Theirs")
        session.add_all([survey, foreign])
        session.flush()
        rows = [
            image_row(
                survey.id,
                jpeg(n),
                longitude=8.001 + n / 1000,
                section_id=sections.ids[0],
                chainage_m=100.0 * n,
            )
            for n in range(4)
        ]
        rows[3] |= {
            "flags": ["off_network", "blurred"],
            "section_id": None,
            "chainage_m": None,
            "latitude": 50.1,
        }
        session.execute(insert(SurveyImage), rows)
        session.execute(insert(SurveyImage), [image_row(foreign.id, jpeg(99))])
        session.add(
            RefusedFile(
                survey_id=survey.id,
                name="=cmd",
                code="empty_file",
                reason="=cmd has no bytes.",
                remedy="Copy it again.",
            )
        )
        ids = [id for id, _, _ in queries.pending_images(session, survey.id, checkpoint.id, SETTINGS_HASH)]
        ids.sort()
        foreign_ids = queries.pending_images(session, foreign.id, checkpoint.id, SETTINGS_HASH)
        results = [
            {
                "image_id": image_id,
                "checkpoint_id": checkpoint.id,
                "settings_hash": SETTINGS_HASH,
                "settings": {"working_scale": 0.5, "measurement_version": MEASUREMENT_VERSION},
                "attempt": 1,
                "threshold": 0.4,
                "mask_hash": store.put(png(mask)),
                "probability_hash": store.put(png(probability)),
                "crack_pixels": 110,
                "surveyed_pixels": 3072,
                "crack_area_ratio": 110 / 3072,
                "crack_length_px": 55.0,
                "mean_width_px": 2.0,
                "max_width_px": 2.5,
                "orientation_deg": 0.0,
                "gsd_mm_per_px": 2.0,
                "surveyed_area_m2": 3072 * 4e-6,
                "crack_length_m": 0.11,
                "crack_density_m_per_m2": 0.11 / (3072 * 4e-6),
            }
            for image_id in ids[:3]
        ]
        queries.add_results(session, results, [[] for _ in results])
        queries.show_analysis(session, survey.id, checkpoint.id, SETTINGS_HASH)
        rollup.refresh_sections(session, survey.id, checkpoint.id, SETTINGS_HASH)
        return Filled(network.id, survey.id, ids, foreign_network.id, foreign.id, foreign_ids[0][0])
