"""What a network costs: parameters, floating-point operations, time."""

import time
from dataclasses import dataclass
from itertools import chain
from statistics import median

import torch
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from engine.errors import SettingsError
from engine.models.base import CrackModel

PAPER_SIZE_PX = 448  # the size at which seeds 000 and 001 count


@dataclass(frozen=True)
class Complexity:
    """What a network costs, for one image of 448 x 448 px unless it was measured for another size.

    Attributes:
        parameters_m: trainable parameters, millions.
        gflops_448: 10^9 floating-point operations, see `count_gflops`.
        ms_448: milliseconds from image to logits, float32, batch of one; median.
        device: torch device of `ms_448`.
    """

    parameters_m: float
    gflops_448: float
    ms_448: float
    device: str


def count_gflops(model: CrackModel, size_px: int = PAPER_SIZE_PX) -> float:
    """10^9 operations of convolutions and matrix products for one image; nothing is computed for it.

    A multiplication and an addition are two operations. Papers often print multiply-adds under the name
    FLOPs: half of this. Element-wise work (activations, normalisation, interpolation) is not counted.
    Leaves the model in evaluation mode.

    Args:
        model: on any device, the meta device included.
        size_px: side of the square image.
    """
    model.eval()
    shapes = {
        name: tensor.detach().to("meta")
        for name, tensor in chain(model.named_parameters(), model.named_buffers())
    }
    image = torch.empty(1, 3, size_px, size_px, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        functional_call(model, shapes, (image,))
    return float(counter.get_total_flops()) / 1e9


def measure_complexity(
    model: CrackModel, size_px: int = PAPER_SIZE_PX, device: str = "cpu", runs: int = 5
) -> Complexity:
    """Count a network's work and time it.

    Moves the model to `device` and leaves it there, in evaluation mode. Other work on the machine is in the
    time: compare only what was measured beside each other.

    Args:
        model: any network.
        size_px: side of the square image.
        device: torch device.
        runs: timed runs, after one that is not.

    Raises:
        SettingsError: no run, or no size.
    """
    if runs < 1 or size_px < 1:
        raise SettingsError(f"{runs} runs on {size_px} px cannot be timed.", "Give 1 or more of both.")
    gflops = count_gflops(model, size_px)
    model.to(device)
    image = torch.rand(1, 3, size_px, size_px, device=device)
    times_ms = [_time_ms(model, image) for _ in range(runs + 1)]
    return Complexity(model.parameter_count / 1e6, gflops, median(times_ms[1:]), device)


@torch.inference_mode()
def _time_ms(model: CrackModel, image: torch.Tensor) -> float:
    start = time.perf_counter()
    model(image)
    if image.is_cuda:  # a GPU is asked, not waited for
        torch.cuda.synchronize(image.device)
    return (time.perf_counter() - start) * 1000
