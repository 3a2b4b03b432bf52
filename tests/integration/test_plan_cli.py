"""`pavescope plan` on sections in both databases: money, strategies, JSON, and errors in plain words."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from app import actions, plan_actions
from app.cli import app
from app.cli.plan import make_and_say
from app.layers import index_ends
from db import plan_store
from db.models import Network, Section, SectionResult, Survey
from db.plan_queries import read_plan_sections
from db.session import reading, transaction
from engine.errors import SettingsError
from engine.vocabulary import WishKind
from tests.unit.web.measured import UNSURVEYED, WEAR, Measured, fill_measured

both = pytest.mark.usefixtures("database")
one = pytest.mark.usefixtures("sqlite_database")
HOW = ("County", "--survey", "County 2025")


def plan(folder: Path, *arguments: object) -> dict[str, Any]:
    out = folder / "plan.json"
    ended = CliRunner().invoke(app, ["plan", *map(str, arguments), "--json", str(out)])
    assert ended.exit_code == 0, ended.exception or ended.output
    made: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    made["said"] = ended.output
    return made


def treatments(*arguments: object) -> str:
    ended = CliRunner().invoke(app, ["treatments", *map(str, arguments)])
    assert ended.exit_code == 0, ended.exception or ended.output
    return ended.output


def refusal(*arguments: object) -> str:
    error = CliRunner().invoke(app, ["plan", *map(str, arguments)]).exception
    assert isinstance(error, SettingsError), error
    return f"{error.what} {error.remedy}"


@both
def test_more_money_is_never_worse_and_the_best_plan_beats_the_worst_first(tmp_path: Path) -> None:
    fill_measured()
    nothing = plan(tmp_path, *HOW, "--budget", 0, "--years", 3)
    assert nothing["projects"] == [] and nothing["objective"] == 0
    assert [year["cost"] for year in nothing["cost_by_year"]] == [0, 0, 0]
    assert nothing["condition_by_year"] == nothing["without_plan"]

    little = plan(tmp_path, *HOW, "--budget", 80_000, "--years", 3)
    worst = plan(tmp_path, *HOW, "--budget", 80_000, "--years", 3, "--strategy", "worst-first")
    much = plan(tmp_path, *HOW, "--budget", 1e9, "--years", 3)
    unlimited = plan(tmp_path, *HOW, "--years", 3)
    assert 0 < little["objective"] < much["objective"]
    assert 0 < worst["objective"] <= little["objective"]
    assert much["objective"] == pytest.approx(unlimited["objective"], rel=1e-6)
    for made in (little, worst):
        spent = [year["cost"] for year in made["cost_by_year"]]
        assert all(sum(spent[:n]) <= 80_000 * n + 0.01 for n in (1, 2, 3))
        assert made["objective"] <= made["bound"]
    left_alone = plan(tmp_path, *HOW, "--budget", 80_000, "--years", 3, "--strategy", "nothing")
    assert left_alone["projects"] == [] and left_alone["bound"] >= little["objective"] * (1 - 1e-9)


@both
def test_a_plan_has_the_agencys_keys_and_says_why(tmp_path: Path) -> None:
    fill_measured()
    made = plan(tmp_path, *HOW, "--budget", 300_000, "--years", 2, "--first-year", 2030)
    assert made.keys() >= {
        "objective", "bound", "gap", "cost_by_year", "projects", "condition_by_year", "seconds"
    }  # fmt: skip
    assert made["projects"]
    for project in made["projects"]:
        assert set(project["section_ids"]) <= WEAR.keys()
        assert (
            project["year"] in (2030, 2031)
            and project["cost"] > 0
            and project["treatment"] in project["reason"]
        )
    assert {left["section_id"]: left["reason"] for left in made["unplanned"]}[UNSURVEYED] == (
        "The survey gave this section no condition index."
    )
    spent = sum(project["cost"] for project in made["projects"])
    assert spent == pytest.approx(sum(year["cost"] for year in made["cost_by_year"]))
    assert made["projects"][0]["treatment"] in made["said"] and "assumed" in made["said"]


@both
def test_the_plan_reads_what_the_shown_analysis_left() -> None:
    measured = fill_measured()
    with transaction() as session:
        # One drawn against its chainage, and one of which only its lane is known.
        session.execute(update(Section).where(Section.section_key == "R1-2").values(from_m=800.0, to_m=400.0))
        session.execute(
            update(Section)
            .where(Section.section_key == "R2-2")
            .values(lanes=None, lane_width_m=None, lane="1", direction="ascending")
        )
    with reading() as session:
        sections, notes = read_plan_sections(session, measured.survey)
        earlier, _ = read_plan_sections(session, measured.earlier)
        stored = session.query(SectionResult).filter_by(survey_id=measured.survey).all()
        ends = index_ends(session, measured.survey)
    found = {section.key: section for section in sections}
    assert list(found) == sorted([*WEAR, UNSURVEYED])
    keys = {section_id: key for key, section_id in measured.sections.items()}
    for row in stored:
        section = found[keys[row.section_id]]
        assert section.condition_index == row.condition_index
        assert (section.index_low, section.index_high) == ends[row.section_id]
        assert section.surveyed_area_m2 == row.surveyed_area_m2
        assert sum(q.length_m for q in section.quantities) == pytest.approx(
            sum(quantity["length_m"] for quantity in row.quantities or [])
        )
    assert found[UNSURVEYED].condition_index is None and found[UNSURVEYED].quantities == ()
    assert (found["R1-2"].from_m, found["R1-2"].to_m, found["R1-2"].area_m2) == (400, 800, 2800)
    assert (found["R2-2"].area_m2, found["R2-2"].lane) == (400 * 3.6, "ascending 1")
    assert len(notes) == 1 and notes[0].startswith("1 of 6 sections")
    worn = {section.key: section.condition_index for section in earlier}
    assert found["R2-2"].condition_index < worn["R2-2"]  # type: ignore[operator]


@one
def test_a_set_of_treatments_is_written_edited_and_read(tmp_path: Path) -> None:
    fill_measured()
    file = tmp_path / "ours.csv"
    treatments("export", "--out", file)
    again = CliRunner().invoke(app, ["treatments", "export", "--out", str(file)]).exception
    assert isinstance(again, SettingsError) and "exists already" in again.what
    few = (*HOW, "--budget", 200_000, "--years", 2)
    ready = plan(tmp_path, *few)
    same = plan(tmp_path, *few, "--treatments", file)
    assert same["projects"] == ready["projects"]

    assert "version 1" in treatments("import", file, "--name", "Ours")
    assert "version 2" in treatments("import", file, "--name", "Ours")
    listed = tmp_path / "sets.json"
    said = treatments("list", "--json", listed)
    sets = {one["name"]: one for one in json.loads(listed.read_text(encoding="utf-8"))}
    assert "Ours" in said and sets["Ours"]["version"] == 2 and sets["Metric, without costs"]["ready"]
    assert plan(tmp_path, *few, "--set", "Ours")["projects"] == ready["projects"]
    treatments("delete", "Ours")
    assert "no set of treatments named 'Ours'" in refusal(*few, "--set", "Ours")

    lines = file.read_text(encoding="utf-8").splitlines()
    broken = "\n".join([*lines[:3], lines[3].replace("3.3", "cheap", 1), *lines[4:]])
    file.write_text(broken, encoding="utf-8")
    said = refusal(*HOW, "--budget", 1, "--treatments", file)
    assert "ours.csv: Row 3 (Micro-surfacing): unit_cost is 'cheap'" in said
    file.write_text(broken.replace("cheap", "nan"), encoding="utf-8")
    said = refusal(*HOW, "--budget", 1, "--treatments", file)
    assert "ours.csv: Row 3 (Micro-surfacing): unit_cost is nan. Enter a number" in said
    file.write_bytes("name;Größe".encode("latin-1"))
    assert "not UTF-8" in refusal(*HOW, "--treatments", file)
    blank = tmp_path / "metric.csv"
    treatments("export", "--out", blank, "--set", "Metric, without costs")
    assert "Row 1 (Crack seal) has no unit cost" in refusal(*HOW, "--treatments", blank)
    assert "8 have no unit cost yet" in treatments("import", blank, "--name", "Metres")


@both
def test_a_named_plan_is_saved_with_wishes_scenarios_and_target(tmp_path: Path) -> None:
    measured = fill_measured()
    actor = actions.local_actor()
    r11 = measured.sections["R1-1"]
    plan_actions.set_wish(actor, r11, WishKind.PIN, treatment="Slurry seal", year=2031)
    made = plan(
        tmp_path, *HOW, "--budget", 80_000, "--years", 3, "--first-year", 2030, "--name", "Council",
        "--target", 50, "--currency", "EUR",
    )  # fmt: skip
    assert ["R1-1"] in [p["section_ids"] for p in made["projects"] if p["fixed"] and p["year"] == 2031]
    assert [one["scenario"] for one in made["scenarios"]] == ["nothing", "worst-first", "budget", "target"]
    assert "Saved as 'Council'" in made["said"] and "Cost (EUR)" in made["said"]
    assert "%" in made["said"].split("Stays")[1]
    with reading() as session:
        (saved,) = plan_store.plans_of(session, actor.agency_id, measured.survey)
        stored = plan_store.get_plan(session, actor.agency_id, made["plan_id"])
    assert (saved["id"], saved["name"], saved["currency"]) == (made["plan_id"], "Council", "EUR")
    assert stored.result["projects"] == made["projects"]
    plan(tmp_path, *HOW, "--budget", 80_000, "--years", 3)
    with reading() as session:
        assert len(plan_store.plans_of(session, actor.agency_id, measured.survey)) == 1


@both
def test_a_plan_from_files_names_them_and_keeps_to_them(tmp_path: Path) -> None:
    fill_measured()
    mine, ages = tmp_path / "county bids.csv", tmp_path / "ages.csv"
    treatments("export", "--out", mine)
    written = CliRunner().invoke(app, ["curves", str(ages), "--network", "County"])
    assert written.exit_code == 0 and "assumed curves are in" in written.output
    assert "exists already" in str(CliRunner().invoke(app, ["curves", str(ages)]).exception)
    usual = plan(tmp_path, *HOW, "--budget", 80_000, "--years", 3, "--curves", ages)
    assert {curve["source"] for curve in usual["curves"]} == {"assumed"}
    header, *lines = ages.read_text(encoding="utf-8").splitlines()
    cells = [line.split(",") for line in lines]
    ages.write_text("\n".join([header, *(",".join([*c[:2], "8", *c[3:]]) for c in cells)]), encoding="utf-8")
    made = plan(
        tmp_path, *HOW, "--budget", 80_000, "--years", 3, "--treatments", mine, "--curves", ages,
        "--minimum-index", 99, "--traffic-weight", 0, "--no-carry-over",
        "--name", "From files",
    )  # fmt: skip
    with reading() as session:
        request = plan_store.get_plan(session, actions.local_actor().agency_id, made["plan_id"]).request
    assert request["treatment_set"] == "county bids.csv"
    assert request["minimum_index"] == {"": 99}
    assert (request["traffic_exponent"], request["carry_over"]) == (0, False)
    assert {curve["source"] for curve in made["curves"]} == {"agency"} and "8.0 years, agency" in made["said"]
    assert made["without_plan"][-1]["average"] < usual["without_plan"][-1]["average"]
    assert len(made["shortfalls"]) == 3
    assert "class 'motorway'" in refusal(*HOW, "--minimum-index", 60, "--minimum-index", "motorway=75")
    assert "Surveyed: index" in made["said"] and "This budget" in made["said"]
    ages.write_text(f"{header}\nlocal,,soon,2,no,\n", encoding="utf-8")
    assert "ages.csv: Row 1 of deterioration (local, any surface): life_years is soon" in refusal(
        *HOW, "--curves", ages
    )
    assert "--minimum-index 'arterial' has no number" in refusal(*HOW, "--minimum-index", "arterial")


@both
def test_a_report_plans_again_only_where_something_changed() -> None:
    measured, actor = fill_measured(), actions.local_actor()
    chosen = {"name": "Report county", "years": 3, "yearly_budget": 80_000.0, "draws": 0}

    def made(**other: Any) -> int:
        return int(make_and_say(HOW[0], HOW[2], chosen | other, reuse=True)["plan_id"])

    first = made()
    assert made() == first
    plan_actions.set_wish(actor, measured.sections["R2-2"], WishKind.FORBID)
    second = made()
    assert second != first and made() == second
    assert made(yearly_budget=90_000.0) != second
    with transaction() as session:
        session.execute(update(Section).where(Section.section_key == "R1-1").values(aadt=123))
    assert made() != second


def forget_metres(measured: Measured) -> None:
    with transaction() as session:
        session.execute(
            update(SectionResult)
            .where(SectionResult.survey_id == measured.survey)
            .values(condition_index=None, condition=None, quantities=None, surveyed_area_m2=None)
        )


@one
def test_what_no_plan_can_be_made_of_is_said_in_plain_words() -> None:
    measured = fill_measured()
    agency_id = actions.local_actor().agency_id
    with transaction() as session:
        town = Network(agency_id=agency_id, name="Town")
        new = Survey(agency_id=agency_id, network_id=measured.network, name="New")
        bare = Survey(agency_id=agency_id, name="Bare")
        off = Survey(
            agency_id=agency_id, network_id=measured.network, name="Off road",
            shown_checkpoint_id=measured.checkpoint, shown_settings_hash="0" * 64,
        )  # fmt: skip
        session.add_all([town, new, bare, off])
    assert "no network named 'Nowhere'" in refusal("Nowhere", "--survey", "County 2025")
    assert "no survey named 'June'" in refusal("County", "--survey", "June")
    assert "runs over network 'County', not over 'Town'" in refusal("Town", "--survey", "County 2025")
    assert "runs over no network" in refusal("County", "--survey", "Bare")
    assert "'New' is not analysed" in refusal("County", "--survey", "New")
    assert "No analysed photo" in refusal("County", "--survey", "Off road")
    assert "budget of year 2030 is -5" in refusal(*HOW, "--budget", -5, "--first-year", 2030)
    assert "is nan. Enter 0 to" in refusal(*HOW, "--budget", "nan")
    assert "years is 0" in refusal(*HOW, "--years", 0)
    assert "strategy 'best'" in refusal(*HOW, "--strategy", "best")
    assert "target in percent of 140" in refusal(*HOW, "--target", 140)
    forget_metres(measured)
    assert "no results in metres" in refusal(*HOW, "--budget", 1000)
