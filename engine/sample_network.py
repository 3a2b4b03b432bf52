"""The roads of the sample: three of them, 12 km, in 24 sections; all made up (torch-free).

They are laid out in an empty desert (25 S, 137 E) so that nobody takes them for existing roads.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from shapely.geometry import LineString

from engine.networks import WGS84, SectionRecord, geodesic_length_m

ORIGIN_LONGITUDE, ORIGIN_LATITUDE = 137.0, -25.0
SECTION_M = 500.0
VERTEX_M = 25.0


@dataclass(frozen=True)
class _Road:
    name: str
    start_m: tuple[float, float]  # east, north of the origin
    heading_deg: float
    sections: int
    functional_class: str
    surfaces: tuple[str, ...]  # shared out evenly over the length
    lanes: int
    lane_width_m: float
    aadt: int


# The second and third road leave the first where two of its sections meet.
_ROADS = (
    _Road("R1 Ridge Highway", (0.0, 0.0), 60.0, 10, "arterial", ("asphalt",), 2, 3.5, 9800),
    _Road("R2 Mill Road", (0.0, 0.0), 150.0, 8, "collector", ("asphalt", "chip seal"), 2, 3.25, 2600),
    _Road("R3 Orchard Lane", (0.0, 0.0), -20.0, 6, "local", ("slurry seal", "asphalt"), 2, 3.0, 420),
)
_BRANCHES_AT = {1: 3, 2: 6}  # road -> section of the first road at whose start it begins


def make_sample_network(seed: int) -> list[SectionRecord]:
    """The sample's 24 sections; the same seed gives the same network."""
    rng = np.random.default_rng([seed, 1])
    records: list[SectionRecord] = []
    starts = {0: _ROADS[0].start_m}
    for number, road in enumerate(_ROADS):
        path = _course(rng, starts[number], road)
        if number == 0:
            per_section = round(SECTION_M / VERTEX_M)
            starts |= {branch: tuple(path[at * per_section]) for branch, at in _BRANCHES_AT.items()}
        records += _sections(rng, road, path)
    return records


def _course(rng: np.random.Generator, start_m: tuple[float, float], road: _Road) -> npt.NDArray[np.float64]:
    """Winding course of (N, 2) metres east and north, a vertex each `VERTEX_M`."""
    steps = round(road.sections * SECTION_M / VERTEX_M)
    along = np.arange(steps) * VERTEX_M
    heading = np.full(steps, np.radians(road.heading_deg))
    for wave_m, swing_deg in ((2600.0, 32.0), (900.0, 16.0), (380.0, 5.0)):
        phase = rng.uniform(0, 2 * np.pi)
        # From zero at the start, so that a branch leaves at its own angle.
        swing = np.sin(2 * np.pi * along / (wave_m * rng.uniform(0.85, 1.15)) + phase) - np.sin(phase)
        heading += np.radians(swing_deg) * swing
    moves = VERTEX_M * np.column_stack([np.sin(heading), np.cos(heading)])
    course: npt.NDArray[np.float64] = np.concatenate([[start_m], start_m + np.cumsum(moves, axis=0)])
    return course


def _sections(rng: np.random.Generator, road: _Road, path: npt.NDArray[np.float64]) -> list[SectionRecord]:
    azimuth_deg = np.degrees(np.arctan2(path[:, 0], path[:, 1]))
    longitude, latitude, _ = WGS84.fwd(
        np.full(len(path), ORIGIN_LONGITUDE),
        np.full(len(path), ORIGIN_LATITUDE),
        azimuth_deg,
        np.hypot(*path.T),
    )
    points = np.round(np.column_stack([longitude, latitude]), 7)
    per_section = round(SECTION_M / VERTEX_M)
    code = road.name.split()[0]
    records = []
    for number in range(road.sections):
        line = LineString(points[number * per_section : (number + 1) * per_section + 1])
        records.append(
            SectionRecord(
                section_key=f"{code}-{number * SECTION_M:06.0f}",
                road=road.name,
                from_m=number * SECTION_M,
                to_m=(number + 1) * SECTION_M,
                functional_class=road.functional_class,
                surface=road.surfaces[number * len(road.surfaces) // road.sections],
                lanes=road.lanes,
                lane_width_m=road.lane_width_m,
                aadt=10 * round(road.aadt * rng.uniform(0.085, 0.115)),
                geometry=line,
                length_m=geodesic_length_m(line),
            )
        )
    return records
