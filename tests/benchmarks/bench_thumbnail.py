"""Thumbnails by reduced decode against full decode and resize: CPU time and extra memory as ratios.

Both start from the same JPEG bytes and end with JPEG bytes of one size. Pairs are interleaved; memory is the
peak of a fresh process over what it held before.

Run: python tests/benchmarks/bench_thumbnail.py [--width 6000 --height 4000] [--pairs 7] [--max-px 256]
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from engine.images import load_image, thumbnail

TARGET_TIME_RATIO, TARGET_MEMORY_RATIO = 3.0, 0.35


def photo(width_px: int, height_px: int) -> bytes:
    """A grainy JPEG about as large as a camera's."""
    grain = np.random.default_rng(0).normal(130, 20, (height_px // 2, width_px // 2, 3)).clip(0, 255)
    out = io.BytesIO()
    Image.fromarray(grain.astype(np.uint8)).resize((width_px, height_px)).save(out, "JPEG", quality=90)
    return out.getvalue()


def by_full_decode(data: bytes, max_px: int) -> bytes:
    """The plain way: all pixels, then resize."""
    small = Image.fromarray(load_image(data))
    small.thumbnail((max_px, max_px), Image.Resampling.BILINEAR, reducing_gap=None)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=85)
    return out.getvalue()


WAYS: dict[str, Callable[[bytes, int], bytes]] = {"reduced": thumbnail, "full": by_full_decode}


def peak_kb() -> int:
    """Most memory this process ever held (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0])


def extra_memory_kb(way: str, file: Path, max_px: int) -> int:
    """Peak of one thumbnail in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", way, "--file", str(file), "--max-px", str(max_px)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    return int(done.stdout)


def measure(way: str, file: Path, max_px: int) -> int:
    data = file.read_bytes()
    WAYS[way](photo(64, 64), 32)  # what is loaded on first use is not the thumbnail's
    before_kb = peak_kb()
    WAYS[way](data, max_px)
    return peak_kb() - before_kb


def cpu_s(way: str, data: bytes, max_px: int) -> float:
    start = time.process_time()
    WAYS[way](data, max_px)
    return time.process_time() - start


def ratios(first: list[float], second: list[float]) -> dict[str, float]:
    each = sorted(a / b for a, b in zip(first, second, strict=True))
    return {
        "median": round(statistics.median(each), 3),
        "min": round(each[0], 3),
        "max": round(each[-1], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=6000)
    parser.add_argument("--height", type=int, default=4000)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--max-px", type=int, default=256)
    parser.add_argument("--measure", choices=sorted(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(measure(args.measure, args.file, args.max_px))
        return
    data = photo(args.width, args.height)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    memory: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "photo.jpg"
        file.write_bytes(data)
        for _ in range(args.pairs):
            for way in WAYS:
                seconds[way].append(cpu_s(way, data, args.max_px))
                memory[way].append(extra_memory_kb(way, file, args.max_px))
    times = ratios(seconds["full"], seconds["reduced"])
    memories = ratios(memory["reduced"], memory["full"])
    print(
        json.dumps(
            {
                "pixels": [args.width, args.height],
                "full_over_reduced_cpu_time": times,
                "reduced_over_full_memory": memories,
                "full_mb": round(statistics.median(memory["full"]) / 1024, 1),
                "holds": times["median"] >= TARGET_TIME_RATIO and memories["median"] <= TARGET_MEMORY_RATIO,
            }
        )
    )


if __name__ == "__main__":
    main()
