"""Refuse files that must not be committed: large ones (bar the shipped weights), and ones with secrets.

Run: python scripts/refuse_large_or_secret.py FILE...
"""

import re
import sys
from pathlib import Path

MAX_BYTES = 500_000
# The shipped checkpoint has its own limit.
MAX_WEIGHTS_BYTES = 10_000_000
SECRETS = {
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an AWS access key": re.compile(rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
    "a password in an address": re.compile(rb"\b(?:postgresql|redis|https?)://[^\s:/@$]*:[^\s@$\{]{6,}@"),
}


def problems(path: Path) -> list[str]:
    """What speaks against committing a file, in plain words."""
    limit = MAX_WEIGHTS_BYTES if path.suffix == ".safetensors" else MAX_BYTES
    found = []
    if path.stat().st_size > limit:
        found.append(f"{path}: {path.stat().st_size} bytes, more than {limit}")
    data = path.read_bytes()
    found += [f"{path}: contains {what}" for what, pattern in SECRETS.items() if pattern.search(data)]
    if path.name == ".env":
        found.append(f"{path}: holds this machine's secrets; commit .env.example instead")
    return found


def main(names: list[str]) -> int:
    found = [problem for name in names if Path(name).is_file() for problem in problems(Path(name))]
    for problem in found:
        sys.stderr.write(problem + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
