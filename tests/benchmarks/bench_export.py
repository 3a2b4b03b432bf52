"""Which networks, with their default options, torch.compile traces as one graph and ONNX takes at any size.

Takes minutes: the unit tests do it for our own networks and two peers. Names as arguments choose some.
"""

import sys

import torch

from engine.models import create_model, list_models
from tests.export import onnx_failure


def compile_failure(name: str) -> str | None:
    """Trace as one graph, without generating code; None if that gives the same logits, else the reason."""
    model = create_model(name).eval()
    image = torch.rand(1, 3, 65, 97)
    try:
        with torch.no_grad():
            logits = torch.compile(model, backend="eager", fullgraph=True)(image)
            return None if torch.allclose(logits, model(image), atol=1e-4) else "other logits"
    except torch._dynamo.exc.TorchDynamoException as error:
        return str(error).splitlines()[0]
    finally:
        torch._dynamo.reset()


def main() -> None:
    """Print a Markdown row per network."""
    print("| network | torch.compile | ONNX |\n|---|---|---|")
    for name in sys.argv[1:] or list_models():
        torch.manual_seed(0)
        compiled, exported = compile_failure(name), onnx_failure(create_model(name))
        print(f"| {name} | {compiled or 'yes'} | {exported or 'yes'} |", flush=True)


if __name__ == "__main__":
    main()
