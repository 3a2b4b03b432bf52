"""Snapping 1e5 photos to 1e4 sections against geopandas.sjoin_nearest: ratio of CPU time, and same answer.

Run: python tests/benchmarks/bench_snapping.py [--photos 100000] [--sections 10000] [--pairs 7]
"""

import argparse
import json
import time
from collections.abc import Callable

import geopandas as gpd
import numpy as np
import numpy.typing as npt
from shapely.geometry import LineString

from engine.snapping import snap_points

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MAX_DISTANCE_M = 30.0


def make_network(count: int, rng: np.random.Generator) -> list[LineString]:
    """Winding roads of 20 sections of about 500 m that share their ends, over about 100 x 100 km."""
    lines: list[LineString] = []
    while len(lines) < count:
        turns = np.cumsum(rng.normal(0, 0.05, 20 * 20)) + rng.uniform(0, 2 * np.pi)
        steps = 25e-5 * np.column_stack([np.cos(turns), np.sin(turns)])
        road = np.vstack([[0.0, 0.0], steps.cumsum(axis=0)])
        road += rng.uniform(0, 1, 2)
        road += [7.0, 46.0]
        lines += [LineString(road[i : i + 21]) for i in range(0, 400, 20)]
    return lines[:count]


def make_photos(lines: list[LineString], count: int, rng: np.random.Generator) -> Floats:
    """(N, 2) longitude, latitude within about 15 m of a section; 5 % far off, 2 % where two sections meet."""
    chosen = rng.integers(len(lines), size=count)
    share = rng.uniform(0, 1, count)
    share[: count // 50] = 1.0
    points = np.array(
        [lines[i].interpolate(s, normalized=True).coords[0] for i, s in zip(chosen, share, strict=True)]
    )
    points[count // 50 :] += rng.uniform(-1.5e-4, 1.5e-4, (count - count // 50, 2))
    points[-count // 20 :] += 0.01
    return points


def by_snap_points(points: Floats, lines: list[LineString]) -> tuple[Integers, Floats]:
    snapped = snap_points(points[:, 1], points[:, 0], None, lines, max_distance_m=MAX_DISTANCE_M)
    return snapped.section_index, snapped.nearest_m


def by_sjoin_nearest(points: Floats, lines: list[LineString], *, limited: bool) -> tuple[Integers, Floats]:
    """The same from geopandas, without headings: nearest within the distance, ties by the smaller id.

    Limited to the distance it does less: it does not tell how far off the far photos are.
    """
    sections = gpd.GeoDataFrame({"section": np.arange(len(lines))}, geometry=lines, crs=4326)
    photos = gpd.GeoDataFrame(geometry=gpd.points_from_xy(*points.T), crs=4326)
    metric = sections.estimate_utm_crs()
    reach = MAX_DISTANCE_M if limited else None
    joined = gpd.sjoin_nearest(
        photos.to_crs(metric), sections.to_crs(metric), max_distance=reach, distance_col="distance"
    )
    best = joined.groupby(level=0)[["section", "distance"]].min().reindex(range(len(points)))
    section = np.where(best["distance"] <= MAX_DISTANCE_M, best["section"], -1)
    return section.astype(np.int64), best["distance"].to_numpy()


Answer = tuple[Integers, Floats]


def cpu_s(run: Callable[[], Answer]) -> tuple[float, Answer]:
    start = time.process_time()
    answer = run()
    return time.process_time() - start, answer


def ratio(own: list[float], other: list[float]) -> dict[str, float]:
    ratios = np.array(other) / own
    return {
        "median": round(float(np.median(ratios)), 2),
        "lowest": round(float(ratios.min()), 2),
        "highest": round(float(ratios.max()), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--sections", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=7)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    lines = make_network(args.sections, rng)
    points = make_photos(lines, args.photos, rng)
    seconds: dict[str, list[float]] = {"own": [], "same task": [], "limited": []}
    for _ in range(args.pairs):
        taken, (section, nearest_m) = cpu_s(lambda: by_snap_points(points, lines))
        seconds["own"].append(taken)
        taken, (same, distance_m) = cpu_s(lambda: by_sjoin_nearest(points, lines, limited=False))
        seconds["same task"].append(taken)
        taken, _ = cpu_s(lambda: by_sjoin_nearest(points, lines, limited=True))
        seconds["limited"].append(taken)
    away = distance_m > 1
    report = {
        "photos": args.photos,
        "sections": args.sections,
        "cpu_s": {name: round(float(np.median(values)), 3) for name, values in seconds.items()},
        "ratio_same_task": ratio(seconds["own"], seconds["same task"]),
        "ratio_sjoin_limited": ratio(seconds["own"], seconds["limited"]),
        "different": int((section != same).sum()),
        "nearest_distance_largest_relative_difference": float(
            np.abs(nearest_m[away] / distance_m[away] - 1).max()
        ),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
