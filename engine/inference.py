"""Predict a crack probability map for an image of any size."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.errors import EngineError, SettingsError
from engine.models.base import CrackModel
from engine.tiling import predict_tiled

FloatArray = npt.NDArray[np.float32]
SMALLEST_TILE_PX = 128


@dataclass(frozen=True)
class InferenceSettings:
    """How to predict; saved with every result.

    Attributes:
        threshold: probability from which a pixel is a crack; None means the checkpoint's own.
        working_scale: factor the image is resized by before the network sees it; None means estimated
            (see `engine.scale`), and 1 where nothing estimated it.
        tile_px: side of a tile at the working scale.
        overlap_px: overlap of neighbouring tiles.
        flips: average over the image and its three mirror images: slower, steadier.
        device: "auto", "cpu" or "cuda".
        bf16: bfloat16 autocast where the processor has it in hardware.
    """

    threshold: float | None = None
    working_scale: float | None = None
    tile_px: int = 512
    overlap_px: int = 64
    flips: bool = False
    device: str = "auto"
    bf16: bool = True


def resolve_device(name: str) -> str:
    """The device meant: "cpu" or "cuda".

    Raises:
        SettingsError: an unknown name, or CUDA asked for where there is none.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise SettingsError(f"There is no device {name!r}.", "Choose auto, cpu or cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise SettingsError("A CUDA device was asked for, but none is usable here.", "Choose auto or cpu.")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


def fast_bf16(device: str) -> bool:
    """Whether bfloat16 is computed in hardware; emulated it is slower than float32."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _flipped_probability(model: CrackModel, image: Tensor, flips: bool, potholes: bool) -> Tensor:
    probability = model.pothole_probability if potholes else model.probability
    total = probability(image)
    if not flips:
        return total
    axes: tuple[list[int], ...] = ([-1], [-2], [-1, -2])
    for dims in axes:
        total = total + probability(image.flip(dims)).flip(dims)
    return total / 4


def _tile_predictor(
    model: CrackModel, settings: InferenceSettings, device: str, potholes: bool
) -> Callable[[npt.NDArray[np.uint8]], FloatArray]:
    bf16 = settings.bf16 and fast_bf16(device)

    def predict(tiles: npt.NDArray[np.uint8]) -> FloatArray:
        # (B, h, w, 3) seen as (B, 3, h, w) is channels_last as it lies: no copy on this side
        image = torch.from_numpy(tiles).to(device).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=bf16):
            probability = _flipped_probability(model, image, settings.flips, potholes)
        return np.asarray(probability.float().cpu().numpy(), np.float32)

    return predict


def _out_of_memory(error: Exception) -> bool:
    """PyTorch has an error of its own for the GPU only; the CPU's allocator says it in words."""
    kinds = (MemoryError, torch.cuda.OutOfMemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)


def predict_probability_map(
    model: CrackModel,
    image_rgb: npt.NDArray[np.uint8],
    settings: InferenceSettings,
    on_tile: Callable[[int, int], None] | None = None,
    *,
    potholes: bool = False,
) -> FloatArray:
    """Crack probability of every pixel, or that of potholes.

    Args:
        model: on any device; moved to the settings' device and put into evaluation mode.
        image_rgb: uint8 (H, W, 3).
        settings: how.
        on_tile: called with tiles done and tiles in all; may raise `CancelledError` to stop.
        potholes: predict these instead; the model must have a class of them.

    Returns:
        float32 (H, W) in [0, 1], of the image's own size.

    Raises:
        SettingsError: no such device, no class of potholes, or tiles that cannot be.
        EngineError: memory does not hold even the smallest tile.
    """
    if image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or image_rgb.dtype != np.uint8 or image_rgb.size == 0:
        raise EngineError(
            f"An RGB image of bytes is needed, not {image_rgb.dtype} {image_rgb.shape}.", "Decode it as RGB."
        )
    device = resolve_device(settings.device)
    model = model.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    height, width = image_rgb.shape[:2]
    scale = settings.working_scale or 1.0
    if not 0.01 <= scale <= 8:
        raise SettingsError(f"The working scale {scale} is out of range.", "Choose one between 0.01 and 8.")
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = image_rgb
    if small != (width, height):
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image_rgb, small, interpolation=method), np.uint8)
    predict = _tile_predictor(model, settings, device, potholes)
    tile_px, overlap_px = settings.tile_px, settings.overlap_px
    batch = 16 if device == "cuda" else 1
    while True:
        try:
            result = predict_tiled(
                image, predict, tile_px=tile_px, overlap_px=overlap_px, batch=batch, on_tile=on_tile
            )
            break
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            if device == "cuda":
                torch.cuda.empty_cache()
            if batch == 1 and tile_px <= SMALLEST_TILE_PX:
                raise EngineError(
                    f"The memory of the {device.upper()} does not hold a tile of {tile_px} px.",
                    "Close other programs that use it, then try again.",
                ) from error
            if batch > 1:
                batch //= 2
            else:
                tile_px = max(SMALLEST_TILE_PX, math.ceil(tile_px / 2))
                overlap_px = min(overlap_px, tile_px // 4)
    if small != (width, height):
        result = np.asarray(cv2.resize(result, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
        np.clip(result, 0, 1, out=result)
    return result
