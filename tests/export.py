"""Whether a network survives ONNX export with sides of any length: ONNX Runtime is the judge."""

import logging
import warnings

import onnxruntime
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

from engine.models import CrackModel

# Traced with padding on both sides; then no padding at all, and other padding.
TRACED_PX = (65, 97)
OTHER_PX = ((96, 128), (90, 131))


def onnx_failure(model: CrackModel) -> str | None:
    """Export with dynamic height and width, run on three sizes; None if all equal torch, else the reason."""
    torch.manual_seed(0)
    model.eval()
    free = torch.export.Dim.DYNAMIC
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                model,
                (torch.rand(1, 3, *TRACED_PX),),
                dynamic_shapes={"image": {2: free, 3: free}},
                dynamo=True,
                optimize=False,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            return f"not exported: {_last_line(error)}"
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4  # a failure is told by its exception
    try:
        session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), quiet)
        for size in (TRACED_PX, *OTHER_PX):
            image = torch.rand(1, 3, *size)
            (logits,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
            with torch.inference_mode():
                expected = model(image)
            if logits.shape != expected.shape or not torch.allclose(
                torch.from_numpy(logits), expected, rtol=1e-3, atol=1e-3
            ):
                return f"other logits at {size[0]} x {size[1]} px"
    except (Fail, InvalidArgument, RuntimeException) as error:
        return f"does not run: {_last_line(error)}"
    return None


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
