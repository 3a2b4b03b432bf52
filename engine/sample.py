"""The sample: a made-up network and two surveys of it, a year apart, with every crack known (torch-free).

Nothing is stored: the same seed draws the same photos. Between the surveys cracks grow at the same places,
and three of the worst sections are resurfaced.
"""

import csv
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.camera_profiles import DownwardProfile
from engine.networks import WGS84, SectionRecord
from engine.sample_cracks import AREA_PATTERNS, CrackPattern, crack_courses
from engine.sample_network import make_sample_network as make_sample_network
from engine.sample_photos import HEIGHT_PX, WIDTH_PX, Scene, draw_scene, encode_photo, scene_mask
from engine.sample_truth import SampleTruth as SampleTruth
from engine.sample_truth import picture_truth, pooled

SAMPLE_SEED = 20
GSD_MM_PER_PX = 2.0
PHOTOS_PER_SECTION = 3
SAMPLE_CAMERA = DownwardProfile(WIDTH_PX, HEIGHT_PX, gsd_mm_per_px=GSD_MM_PER_PX)
SPEED_M_PER_S = 12.5
SURVEYS = (
    ("Sample survey 2024 (fictional)", date(2024, 5, 14)),
    ("Sample survey 2025 (fictional)", date(2025, 5, 13)),
)
# Traffic keeps left.
LANE_OFFSET_M, GPS_ERROR_M = -1.6, 0.6
EXTRAS = {"patch": 0.1, "stains": 0.15, "shadow": 0.12}  # chance of each in a photo
# Each section's mean width is clear of D6433's 10 mm, by more than networks draw cracks too wide.
WIDTHS_MM = ((3.5, 4.5), (13.0, 16.0))
WIDENING = (1.1, 1.2)
ROAD_CODES = ("R1", "R2", "R3")

_PATTERNS = (
    *[CrackPattern.LONGITUDINAL] * 5,
    *[CrackPattern.TRANSVERSE] * 6,
    *[CrackPattern.DIAGONAL] * 4,
    *[CrackPattern.ALLIGATOR] * 5,
    *[CrackPattern.BLOCK] * 4,
)
_SOUND, _REPAIRED = 3, 3


@dataclass(frozen=True)
class SamplePhoto:
    """One photo, drawn when asked for; looking straight down, image up is the driving direction."""

    name: str
    latitude: float
    longitude: float
    heading_deg: float
    taken_at: datetime
    truth: SampleTruth
    scene: Scene

    def render(self) -> bytes:
        """JPEG bytes with EXIF position, heading and time."""
        return encode_photo(
            draw_scene(self.scene),
            latitude=self.latitude,
            longitude=self.longitude,
            heading_deg=self.heading_deg,
            taken_at=self.taken_at,
        )

    def truth_mask(self) -> npt.NDArray[np.bool_]:
        """True extent of the drawn cracks, (H, W)."""
        return scene_mask(self.scene.courses)


@dataclass(frozen=True)
class SampleSurvey:
    """One pass over the sample network; photos in order of time."""

    name: str
    surveyed_on: date
    photos: tuple[SamplePhoto, ...]
    gsd_mm_per_px: float = GSD_MM_PER_PX

    @cached_property
    def section_truths(self) -> tuple[SampleTruth, ...]:
        """The truth per section, in order of the network."""
        groups: dict[str, list[SampleTruth]] = {}
        for photo in self.photos:
            groups.setdefault(photo.truth.section_key, []).append(photo.truth)
        return tuple(pooled(truths) for truths in groups.values())


@dataclass(frozen=True)
class _Plan:
    """How a section fares: extent and mean width of its cracks in each survey."""

    pattern: CrackPattern
    extents: tuple[float, float]
    widths_mm: tuple[float, float]
    repaired: bool


def sample_surveys(seed: int) -> list[SampleSurvey]:
    """The sample's two surveys of `make_sample_network(seed)`, 72 photos each."""
    sections = make_sample_network(seed)
    plans = _plans(seed, len(sections))
    surveys = []
    for number, (name, day) in enumerate(SURVEYS):
        photos = [
            _photo(seed, number, index, place, section, plans[index])
            for index, section in enumerate(sections)
            for place in range(PHOTOS_PER_SECTION)
        ]
        surveys.append(SampleSurvey(name, day, tuple(photos)))
    return surveys


def write_sample(folder: Path, seed: int, on_progress: Callable[[int, int], None] | None = None) -> None:
    """Write `network.geojson`, a folder of photos per survey (`2024`, `2025`), and what is true of each photo
    (`truth.csv`) and of each section (`section_truth.csv`).

    Args:
        folder: made if missing.
        seed: of the sample.
        on_progress: called with photos written and photos in total.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "network.geojson").write_text(json.dumps(_geojson(make_sample_network(seed))), encoding="utf-8")
    surveys = sample_surveys(seed)
    total, done = sum(len(survey.photos) for survey in surveys), 0
    columns = [field.name for field in dataclasses.fields(SampleTruth) if field.name != "quantities"]
    with (folder / "truth.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["survey", "photo", *columns])
        for survey in surveys:
            year = str(survey.surveyed_on.year)
            (folder / year).mkdir(exist_ok=True)
            for photo in survey.photos:
                (folder / year / photo.name).write_bytes(photo.render())
                table.writerow([year, photo.name, *(getattr(photo.truth, column) for column in columns)])
                done += 1
                if on_progress:
                    on_progress(done, total)
    with (folder / "section_truth.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["survey", *columns])
        for survey in surveys:
            for truth in survey.section_truths:
                table.writerow([survey.surveyed_on.year, *(getattr(truth, column) for column in columns)])


def _geojson(sections: list[SectionRecord]) -> dict[str, object]:
    names = [field.name for field in dataclasses.fields(SectionRecord) if field.name != "geometry"]
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {name: getattr(section, name) for name in names},
                "geometry": {
                    "type": "LineString",
                    "coordinates": [list(xy) for xy in section.geometry.coords],
                },
            }
            for section in sections
        ],
    }


def _plans(seed: int, count: int) -> list[_Plan]:
    """Give each section its pattern, extent and width; some begin sound, the worst get repaired."""
    rng = np.random.default_rng([seed, 2])
    patterns = [_PATTERNS[i % len(_PATTERNS)] for i in rng.permutation(count)]
    extents = rng.permutation(np.linspace(0.25, 0.75, count))
    widths = rng.permutation(np.concatenate([np.linspace(*span, count // 2) for span in WIDTHS_MM]))
    order = np.argsort(extents)
    sound = [i for i in order if patterns[i] not in AREA_PATTERNS][:_SOUND]
    plans = []
    for i in range(count):
        first, width = float(extents[i]), float(widths[i])
        if patterns[i] in AREA_PATTERNS:
            first = 0.5 + first / 2  # less of it would be single cracks
        repaired = i in order[-_REPAIRED:]
        second = 0.0 if repaired else min(1.0, first * rng.uniform(1.25, 1.55))
        if i in sound:  # its cracks are new, few and fine
            first, second, width = 0.0, 0.45, WIDTHS_MM[0][0]
        plans.append(
            _Plan(
                pattern=patterns[i],
                extents=(first, second),
                widths_mm=(width, width * rng.uniform(*WIDENING)),
                repaired=repaired,
            )
        )
    return plans


def _photo(
    seed: int, survey: int, index: int, place: int, section: SectionRecord, plan: _Plan
) -> SamplePhoto:
    here = np.random.default_rng([seed, 3, index, place])  # what both surveys share
    now = np.random.default_rng([seed, 4, index, place, survey])
    share = (place + here.uniform(0.35, 0.65)) / PHOTOS_PER_SECTION
    local = here.uniform(0.8, 1.2) if here.random() > 0.08 else 0.0
    edge_line = bool(here.random() < 0.3)
    extras = tuple(name for name, chance in EXTRAS.items() if here.random() < chance)
    resurfaced = plan.repaired and survey > 0
    scene = Scene(
        place_seed=[seed, 6, index, place, int(resurfaced)],
        photo_seed=[seed, 7, index, place, survey],
        surface=section.surface or "asphalt",
        courses=tuple(
            crack_courses(
                [seed, 5, index, place],
                plan.pattern,
                HEIGHT_PX,
                WIDTH_PX,
                extent=min(1.0, plan.extents[survey] * local),
                mean_width_px=plan.widths_mm[survey] / GSD_MM_PER_PX,
            )
        ),
        edge_line=edge_line,
        extras=() if resurfaced else extras,
        resurfaced=resurfaced,
    )
    longitude, latitude, heading_deg = _position(section, share, now)
    return SamplePhoto(
        name=f"{index * PHOTOS_PER_SECTION + place + 1:03d}.jpg",
        latitude=latitude,
        longitude=longitude,
        heading_deg=heading_deg,
        taken_at=_moment(survey, index, section, share, now),
        truth=picture_truth(
            section.section_key,
            plan.pattern,
            scene.courses,
            (HEIGHT_PX, WIDTH_PX),
            gsd_mm_per_px=GSD_MM_PER_PX,
            resurfaced=resurfaced,
        ),
        scene=scene,
    )


def _moment(
    survey: int, index: int, section: SectionRecord, share: float, now: np.random.Generator
) -> datetime:
    """UTC time of a photo: the roads are driven one after the other, with a quarter of an hour in between."""
    day = SURVEYS[survey][1]
    start = datetime(day.year, day.month, day.day, 1, 30, tzinfo=UTC)
    road_start = start + timedelta(minutes=15) * ROAD_CODES.index(section.section_key[:2])
    travelled_s = (section.from_m + share * (section.to_m - section.from_m)) / SPEED_M_PER_S
    return road_start + timedelta(milliseconds=round(1000 * (travelled_s + now.uniform(0, 0.5))))


def _position(section: SectionRecord, share: float, now: np.random.Generator) -> tuple[float, float, float]:
    """Longitude, latitude and heading of a camera in the left lane, with a GPS receiver's error."""
    behind, here, ahead = (
        section.geometry.interpolate(at, normalized=True) for at in (share - 0.02, share, share + 0.02)
    )
    azimuth_deg, _, _ = WGS84.inv(behind.x, behind.y, ahead.x, ahead.y)
    east_m, north_m = now.normal(0, GPS_ERROR_M, 2)
    longitude, latitude, _ = WGS84.fwd(here.x, here.y, azimuth_deg + 90, LANE_OFFSET_M)
    longitude, latitude, _ = WGS84.fwd(longitude, latitude, 90, east_m)
    longitude, latitude, _ = WGS84.fwd(longitude, latitude, 0, north_m)
    return float(longitude), float(latitude), float((azimuth_deg + now.normal(0, 0.8)) % 360)
