"""Loads one checkpoint and says what is wrong with it: `python -m engine.check_checkpoint FILE`.

It runs as a process of its own, with bounded memory, for files that came from elsewhere.
"""

import json
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

from engine.errors import EngineError

MEMORY_BYTES = 4 * 2**30
"""For the networks, beyond what torch itself maps."""


def main() -> int:
    """Returns 0, or 1 after a line of JSON with `what` and `remedy`."""
    path = Path(sys.argv[1])
    try:
        from engine import models  # noqa: F401 - torch, before memory is bounded
        from engine.checkpoints import load_checkpoint

        _bound_memory()
        load_checkpoint(path)
    except EngineError as problem:
        said = {"what": problem.what, "remedy": problem.remedy}
    except Exception as problem:  # noqa: BLE001 - whatever the file makes the libraries throw
        what = f"{path} cannot be loaded: {type(problem).__name__}."
        said = {"what": what, "remedy": "Choose another checkpoint."}
    else:
        return 0
    sys.stdout.write(json.dumps(said))
    return 1


def _bound_memory() -> None:
    mapped = 0
    with suppress(OSError):  # only Linux says it; elsewhere torch maps little
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):  # a system that keeps no such limit
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = mapped + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))


if __name__ == "__main__":
    sys.exit(main())
