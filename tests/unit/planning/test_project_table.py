"""A plan's projects as CSV."""

import csv
from typing import Any

from engine.project_table import PROJECT_COLUMNS, projects_csv


def project(**more: Any) -> dict[str, Any]:
    plain = {"rank": 1, "year": 2027, "treatment": "Crack seal", "section_keys": ["R1-1", "=R1-2"]}
    return {**plain, "cost": 1234.5, "fixed": True, "cost_of_delay": float("nan"), "reason": "=1+1", **more}


def read(made: bytes) -> list[dict[str, str]]:
    assert made.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(made.decode("utf-8-sig").splitlines()))


def test_projects_carry_money_comments_and_provenance_and_nothing_that_runs() -> None:
    source = {"survey": "County 2025", "plan": "@plan"}
    (line,) = read(projects_csv([project()], "USD", source, {"=R1-2": "+wait", "R9": "no"}))
    assert list(line) == [*PROJECT_COLUMNS, "comments", "survey", "plan"]
    assert line["section_keys"] == "R1-1; =R1-2" and line["comments"] == "'+wait"
    assert (line["cost"], line["currency"], line["fixed"]) == ("1234.5", "USD", "True")
    assert line["cost_of_delay"] == "" == line["mobilisation"]
    assert line["reason"] == "'=1+1" and line["plan"] == "'@plan" and line["survey"] == "County 2025"


def test_without_comments_or_projects_there_is_a_head() -> None:
    assert projects_csv([], "USD", {}).decode("utf-8-sig").strip().split(",") == list(PROJECT_COLUMNS)
    assert "comments" not in read(projects_csv([project()], "", {}))[0]
