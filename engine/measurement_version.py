"""By which version of the measuring results were made (torch-free)."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

MEASUREMENT_VERSION = 3
"""Raised when measuring changes what it reports, so that new numbers never mix with old ones."""
VERSIONS_TRIED = 50


def settings_hash(settings: Mapping[str, Any]) -> str:
    """Names a way to compute: results of the same checkpoint and hash are interchangeable."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def with_measurement_version(settings: Mapping[str, Any], saved_hash: str) -> dict[str, Any]:
    """Settings of an analysis with `measurement_version`, by which its cracks were measured.

    Args:
        settings: as saved with the results. Before version 3 the version was in their hash only.
        saved_hash: as saved with the results.

    Returns:
        the version None where none gives that hash.
    """
    if "measurement_version" in settings:
        return dict(settings)
    for version in range(1, VERSIONS_TRIED + 1):
        named = {**settings, "measurement_version": version}
        if settings_hash(named) == saved_hash:
            return named
    return {**settings, "measurement_version": None}
