"""What is known of a checkpoint in plain words, for the page and the command line."""

from collections.abc import Mapping
from typing import Any

Values = Mapping[str, Any]


def verdict(checkpoint: Values) -> str:
    """The gate's verdict in a few words."""
    if checkpoint["shipped"]:
        return "Shipped"
    if checkpoint["accepted"] is None:
        return "Not judged"
    return "Accepted" if checkpoint["accepted"] else "Refused"


def reasons(checkpoint: Values) -> list[str]:
    """Why the gate refused it."""
    return [str(reason) for reason in checkpoint["report"].get("reasons") or []]


def made_from(checkpoint: Values) -> str:
    """`120 photos · 900 steps · 14 min`; empty where no adaptation made it."""
    report = checkpoint["report"]
    parts = (("images", "photos", 0), ("steps", "steps", 0), ("minutes", "min", 1))
    said = [
        f"{report[key]:,.{digits}f} {unit}"
        for key, unit, digits in parts
        if isinstance(report.get(key), int | float)
    ]
    return " · ".join(said)


def accuracy(checkpoint: Values) -> list[tuple[str, str]]:
    """(against what, figures) of every measurement against labels or by a signed audit, audits first."""
    measured = [
        (
            f"Audit of {audit['survey']}, signed by {audit['signed_name']}",
            f"precision {_rate(audit, 'precision')}, recall {_rate(audit, 'recall')} of tiles",
        )
        for audit in checkpoint["audits"]
    ]
    for data, scores in checkpoint["card"].get("scores", {}).items():
        if isinstance(scores, dict) and isinstance(scores.get("f1"), int | float):
            tolerant = scores.get("tolerant_f1")
            said = f"F1 {scores['f1']:.3f}"
            if isinstance(tolerant, int | float):
                said += f", tolerant F1 {tolerant:.3f}"
            measured.append((str(data), said))
    return measured


def _rate(record: Values, name: str) -> str:
    """`0.91 (0.84 to 0.95)` of a signed record's figure, see `engine.audit.Estimate`."""
    found = record.get("figures", {}).get(name) or {}
    if found.get("value") is None:
        return "not known"
    return f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def checks(checkpoint: Values) -> list[dict[str, Any]]:
    """The gate's checks: `words`, `passed`, `value`, `limit`, `base` of each."""
    gate = checkpoint["report"].get("gate")
    found = gate.get("checks") if isinstance(gate, dict) else None
    return [dict(check) for check in found or [] if isinstance(check, dict)]
