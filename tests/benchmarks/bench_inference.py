"""Inference as ratios, A and B interleaved in one run.

1. Tiled inference of a 7360x4912 image against MONAI's `sliding_window_inference` with the same model: extra
   memory, time, greatest difference. The same tiles, precision and batch; each run in a fresh process.
2. The shipped checkpoint on CPU against a U-Net with a ResNet-34 encoder (smp) in eager float32.
3. The optimised path (channels_last, bfloat16 where the processor has it) against eager float32: speed, IoU.

Run: python tests/benchmarks/bench_inference.py [--width 7360 --height 4912] [--pairs 3] [--speed-pairs 7]
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from engine.checkpoints import load_checkpoint
from engine.inference import InferenceSettings, fast_bf16, predict_probability_map
from engine.pavement import procedural_pavement
from engine.synthesis import draw_cracks

TILE_PX, OVERLAP_PX = 512, 64
TARGETS = {"memory": 0.25, "time": 1.05, "difference": 1e-4, "smp": 4.0, "optimised": 1.3, "iou": 0.999}


def road(height_px: int, width_px: int) -> np.ndarray:
    """A cracked road of any size, repeated from one made picture."""
    rng = np.random.default_rng(0)
    piece, _ = draw_cracks(rng, procedural_pavement(rng, 512, 512, grain_px=3))
    copies = (-(-height_px // 512), -(-width_px // 512), 1)
    return np.ascontiguousarray(np.tile(piece, copies)[:height_px, :width_px])


def by_strips(model: torch.nn.Module, image: np.ndarray) -> np.ndarray:
    settings = InferenceSettings(
        working_scale=1.0, tile_px=TILE_PX, overlap_px=OVERLAP_PX, device="cpu", bf16=False
    )
    return predict_probability_map(model, image, settings)


def by_monai(model: torch.nn.Module, image: np.ndarray) -> np.ndarray:
    """The usual way, as its documentation shows it."""
    from monai.inferers import sliding_window_inference

    model = model.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        tensor = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        result = sliding_window_inference(
            tensor,
            (TILE_PX, TILE_PX),
            1,
            lambda tile: torch.sigmoid(model(tile)),
            overlap=OVERLAP_PX / TILE_PX,
        )
    return result[0, 0].numpy()


WAYS: dict[str, Callable[[torch.nn.Module, np.ndarray], np.ndarray]] = {
    "strips": by_strips,
    "monai": by_monai,
}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(way: str, height_px: int, width_px: int) -> tuple[float, float, float]:
    """Extra memory in MB over a warm process that holds image and model; CPU seconds; peak in MB."""
    torch.set_num_threads(2)
    model, _ = load_checkpoint("base")
    image = road(height_px, width_px)
    WAYS[way](model, image[: 2 * TILE_PX, : 2 * TILE_PX])
    before, started = peak_mb(), time.process_time()
    WAYS[way](model, image)
    return peak_mb() - before, time.process_time() - started, peak_mb()


def measure_apart(way: str, height_px: int, width_px: int) -> tuple[float, float, float]:
    command = [
        sys.executable,
        __file__,
        "--measure",
        way,
        "--height",
        str(height_px),
        "--width",
        str(width_px),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    memory, seconds, peak = map(float, done.stdout.split()[-3:])
    return memory, seconds, peak


def spread(ratios: list[float]) -> str:
    return f"median {statistics.median(ratios):.3f} (range {min(ratios):.3f} to {max(ratios):.3f})"


def verdict(good: bool) -> str:
    return "met" if good else "MISSED"


def large_image(height_px: int, width_px: int, pairs: int) -> bool:
    memory, seconds, peaks = [], [], []
    for _ in range(pairs):
        ours, theirs = (measure_apart(way, height_px, width_px) for way in ("strips", "monai"))
        memory.append(ours[0] / theirs[0])
        seconds.append(ours[1] / theirs[1])
        peaks.append(ours[2])
        print(
            f"  strips {ours[0]:.0f} MB {ours[1]:.1f} s, MONAI {theirs[0]:.0f} MB {theirs[1]:.1f} s",
            flush=True,
        )
    model, _ = load_checkpoint("base")
    small = road(1300, 1100)
    inner = np.s_[OVERLAP_PX:-OVERLAP_PX, OVERLAP_PX:-OVERLAP_PX]
    same = WAYS["strips"](model, small[:TILE_PX, :TILE_PX]) - WAYS["monai"](model, small[:TILE_PX, :TILE_PX])
    difference = float(np.abs(same[inner]).max())
    good = [
        statistics.median(memory) <= TARGETS["memory"],
        statistics.median(seconds) <= TARGETS["time"],
        difference <= TARGETS["difference"],
    ]
    print(f"{width_px}x{height_px}: extra memory / MONAI's {spread(memory)}, goal 0.25: {verdict(good[0])}")
    print(f"{width_px}x{height_px}: CPU time / MONAI's {spread(seconds)}, goal 1.05: {verdict(good[1])}")
    print(f"greatest difference on one tile {difference:.1e}, goal 1e-4: {verdict(good[2])}")
    print(f"peak of the whole process {max(peaks):.0f} MB, goal 1536: {verdict(max(peaks) <= 1536)}")
    return all(good) and max(peaks) <= 1536


def speed(pairs: int) -> bool:
    import segmentation_models_pytorch as smp

    torch.set_num_threads(2)
    model, card = load_checkpoint("base")
    image = road(768, 768)
    plain = InferenceSettings(working_scale=1.0, tile_px=768, bf16=False, device="cpu")
    fast = InferenceSettings(working_scale=1.0, tile_px=768, device="cpu")
    unet = smp.Unet("resnet34", encoder_weights=None, classes=1).eval()
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None].float().div(255).contiguous()

    def run_smp() -> None:
        with torch.inference_mode():
            torch.sigmoid(unet(tensor)).numpy()

    def run_eager() -> None:
        with torch.inference_mode():
            torch.sigmoid(eager(tensor)).numpy()

    eager, _ = load_checkpoint("base")
    runs: dict[str, Callable[[], object]] = {
        "smp": run_smp,
        "eager": run_eager,
        "fast": lambda: predict_probability_map(model, image, fast),
    }
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(pairs + 1):
        for name, run in runs.items():
            started = time.process_time()
            run()
            taken[name].append(time.process_time() - started)
    against_smp = [a / b for a, b in zip(taken["smp"][1:], taken["fast"][1:], strict=True)]
    against_eager = [a / b for a, b in zip(taken["eager"][1:], taken["fast"][1:], strict=True)]
    a, b = (predict_probability_map(model, image, s) >= card.threshold for s in (plain, fast))
    iou = float((a & b).sum() / max(1, (a | b).sum()))
    good = [
        statistics.median(against_smp) >= TARGETS["smp"],
        statistics.median(against_eager) >= TARGETS["optimised"],
        iou >= TARGETS["iou"],
    ]
    rate = image.shape[0] * image.shape[1] / 1e6 / statistics.median(taken["fast"][1:])
    print(f"bfloat16 in hardware: {fast_bf16('cpu')}; {rate:.2f} megapixels per CPU second")
    print(f"speed / U-Net ResNet-34 float32 {spread(against_smp)}, goal 4: {verdict(good[0])}")
    print(f"speed / eager float32 {spread(against_eager)}, goal 1.3: {verdict(good[1])}")
    print(f"IoU of optimised and plain masks {iou:.4f}, goal 0.999: {verdict(good[2])}")
    return all(good)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=7360)
    parser.add_argument("--height", type=int, default=4912)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--speed-pairs", type=int, default=7)
    parser.add_argument("--measure", choices=list(WAYS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(*measure(options.measure, options.height, options.width))
        return 0
    fine = speed(options.speed_pairs)
    return 0 if large_image(options.height, options.width, options.pairs) and fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
