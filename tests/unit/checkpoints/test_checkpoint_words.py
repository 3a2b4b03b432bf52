"""What people read of a checkpoint."""

from typing import Any

import pytest

from app.checkpoint_words import accuracy, checks, made_from, reasons, verdict


def row(**values: Any) -> dict[str, Any]:
    return {"shipped": False, "accepted": None, "report": {}, "card": {}, "audits": [], **values}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"accepted": True}, "Accepted"),
        ({"accepted": False}, "Refused"),
        ({"accepted": None}, "Not judged"),
        ({"shipped": True}, "Shipped"),
    ],
)
def test_the_verdict(values: dict[str, Any], words: str) -> None:
    assert verdict(row(**values)) == words


def test_an_adaptation_is_told_by_its_data_and_work() -> None:
    report = {"images": 1120, "steps": 900, "minutes": 14.26, "reasons": ["Too faint."]}
    assert made_from(row(report=report)) == "1,120 photos · 900 steps · 14.3 min"
    assert reasons(row(report=report)) == ["Too faint."]
    assert made_from(row()) == ""
    assert checks(row(report={"gate": {"checks": [{"words": "w", "passed": True}]}})) == [
        {"words": "w", "passed": True}
    ]
    assert checks(row(report={"gate": None})) == []


def test_audits_come_before_labels_and_look_and_gate_are_no_accuracy() -> None:
    known = {"value": 0.914, "low": 0.84, "high": 0.95}
    nothing = {"value": None, "low": 0.0, "high": 1.0}
    audit = {"survey": "May", "signed_name": "Ada", "figures": {"precision": known, "recall": nothing}}
    scores = {"CFD": {"f1": 0.7, "tolerant_f1": 0.9}, "look": {"brightness": 0.4}, "gate": {"accepted": True}}
    assert accuracy(row(audits=[audit], card={"scores": scores})) == [
        ("Audit of May, signed by Ada", "precision 0.91 (0.84 to 0.95), recall not known of tiles"),
        ("CFD", "F1 0.700, tolerant F1 0.900"),
    ]
    assert accuracy(row()) == []
