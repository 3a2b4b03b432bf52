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

from engine.networks import WGS84, SectionRecord
from engine.sample_cracks import CrackPattern, crack_courses, visible_length_px
from engine.sample_network import make_sample_network as make_sample_network
from engine.sample_photos import HEIGHT_PX, WIDTH_PX, Scene, draw_scene, encode_photo, scene_mask

SAMPLE_SEED = 20
GSD_MM_PER_PX = 2.0
PHOTOS_PER_SECTION = 3
PHOTO_AREA_M2 = HEIGHT_PX * WIDTH_PX * (GSD_MM_PER_PX / 1000) ** 2
SPEED_M_PER_S = 12.5
SURVEYS = (
    ("Sample survey 2024 (fictional)", date(2024, 5, 14)),
    ("Sample survey 2025 (fictional)", date(2025, 5, 13)),
)
# Traffic keeps left.
LANE_OFFSET_M, GPS_ERROR_M = -1.6, 0.6
EXTRAS = {"patch": 0.1, "stains": 0.15, "shadow": 0.12}  # chance of each in a photo
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
class SampleTruth:
    """What is really to be seen, of one photo or as the mean over a section's photos.

    Attributes:
        section_key: the section.
        pattern: kind of cracking; `none` where nothing is visible.
        length_m: crack length within the picture (of a section: in all its pictures).
        mean_width_mm: length-weighted; 0 without cracks.
        density_m_per_m2: crack length / pictured area.
        resurfaced: repaired since the first survey.
    """

    section_key: str
    pattern: CrackPattern
    length_m: float
    mean_width_mm: float
    density_m_per_m2: float
    resurfaced: bool


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
        return tuple(_pooled(truths) for truths in groups.values())


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
    """Write `network.geojson`, a folder of photos per survey (`2024`, `2025`) and `truth.csv`.

    Args:
        folder: made if missing.
        seed: of the sample.
        on_progress: called with photos written and photos in total.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "network.geojson").write_text(json.dumps(_geojson(make_sample_network(seed))), encoding="utf-8")
    surveys = sample_surveys(seed)
    total, done = sum(len(survey.photos) for survey in surveys), 0
    columns = [field.name for field in dataclasses.fields(SampleTruth)]
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
    """Give each section its pattern, extent and width; the best begin sound, the worst get repaired."""
    rng = np.random.default_rng([seed, 2])
    patterns = [_PATTERNS[i % len(_PATTERNS)] for i in rng.permutation(count)]
    extents = rng.permutation(np.linspace(0.25, 0.75, count))
    widths = rng.permutation(np.linspace(5.0, 11.0, count))
    order = np.argsort(extents)
    plans = []
    for i in range(count):
        first, width = float(extents[i]), float(widths[i])
        if patterns[i] is CrackPattern.ALLIGATOR:
            width *= 0.7
        sound, repaired = i in order[:_SOUND], i in order[-_REPAIRED:]
        second = 0.0 if repaired else min(1.0, first * rng.uniform(1.25, 1.55))
        if sound:  # its cracks are new, few and fine
            first, second, width = 0.0, 0.15, 0.5 * width
        plans.append(
            _Plan(
                pattern=patterns[i],
                extents=(first, second),
                widths_mm=(width, width * rng.uniform(1.15, 1.4)),
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
        truth=_truth(section.section_key, plan.pattern, scene),
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


def _truth(section_key: str, pattern: CrackPattern, scene: Scene) -> SampleTruth:
    length_m = visible_length_px(list(scene.courses), HEIGHT_PX, WIDTH_PX) * GSD_MM_PER_PX / 1000
    lengths = [float(np.hypot(*np.diff(course.points_px, axis=0).T).sum()) for course in scene.courses]
    widths = [float(course.widths_px.mean()) for course in scene.courses]
    seen = length_m > 0
    return SampleTruth(
        section_key=section_key,
        pattern=pattern if seen else CrackPattern.NONE,
        length_m=length_m,
        mean_width_mm=float(np.average(widths, weights=lengths)) * GSD_MM_PER_PX if seen else 0.0,
        density_m_per_m2=length_m / PHOTO_AREA_M2,
        resurfaced=scene.resurfaced,
    )


def _pooled(truths: list[SampleTruth]) -> SampleTruth:
    length_m = sum(truth.length_m for truth in truths)
    widths = sum(truth.mean_width_mm * truth.length_m for truth in truths)
    patterns = [truth.pattern for truth in truths if truth.pattern is not CrackPattern.NONE]
    return SampleTruth(
        section_key=truths[0].section_key,
        pattern=patterns[0] if patterns else CrackPattern.NONE,
        length_m=length_m,
        mean_width_mm=widths / length_m if length_m else 0.0,
        density_m_per_m2=length_m / (len(truths) * PHOTO_AREA_M2),
        resurfaced=truths[0].resurfaced,
    )
