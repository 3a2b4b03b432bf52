"""Networks through the actions on both databases: import, edit by several people, sample units, places."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import LineString
from sqlalchemy import func, select, update

from app import actions, network_actions, network_data
from app.actions import Actor, PermissionDeniedError
from app.cli import main
from app.network_actions import CellEdit, ReadOptions, SectionEditError
from db import queries
from db.models import Agency, AnalysisResult, AuditEvent, Job, Network, Section, SectionResult, Survey
from db.rollup import refresh_sections
from db.session import reading, transaction
from db.settings import get_settings
from engine.errors import NetworkFileError, SettingsError
from engine.vocabulary import JobKind, JobState, Role
from jobs import rolling_up
from jobs.rolling_up import roll_up_network
from jobs.running import RunningJob, run_job
from tests.unit.web.rows import fill

LINES = [LineString([(7.0 + n / 100, 46.0), (7.01 + n / 100, 46.0)]) for n in range(3)]


@pytest.fixture
def road_file(tmp_path: Path) -> Path:
    columns = {"id": ["a", "b", "c"], "rt": ["N1"] * 3, "aadt": [100, 200, 300], "dir": ["asc"] * 3}
    path = tmp_path / "roads.gpkg"
    gpd.GeoDataFrame(columns, geometry=LINES, crs=4326).to_crs(32632).to_file(path)
    return path


@pytest.fixture
def actor(database: str) -> Actor:
    return actions.local_actor()


@pytest.fixture
def network_id(actor: Actor, road_file: Path) -> int:
    return network_actions.import_checked(actor, road_file, "N", ReadOptions({"road": "rt"})).network_id


@pytest.fixture
def ids(network_id: int) -> dict[str, int]:
    with reading() as session:
        rows = session.execute(select(Section.section_key, Section.id))
        return {row.section_key: row.id for row in rows}


def values(column: str) -> list[object]:
    with reading() as session:
        return list(session.scalars(select(getattr(Section, column)).order_by(Section.section_key)))


def events(action: str) -> list[AuditEvent]:
    with reading() as session:
        return list(session.scalars(select(AuditEvent).where(AuditEvent.action == action)))


def test_a_check_writes_nothing_and_the_import_what_it_said(actor: Actor, road_file: Path) -> None:
    options = ReadOptions(columns={"road": "rt"}, cut_every_m=300)
    checked = network_actions.check_network(actor, road_file, options, "mine.gpkg")
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(Section)) == 0
    made = network_actions.import_checked(actor, road_file, "N", options, sample_unit_m=50)
    assert (made.sections, made.problems) == (len(checked.sections), checked.problems)
    assert values("section_key") == sorted(section.section_key for section in checked.sections)
    assert values("road") == ["N1"] * made.sections
    assert values("direction") == ["ascending"] * made.sections
    assert network_data.network_named(actor.agency_id, "N").sample_unit_m == 50
    told = events("network.import")[0].detail
    assert (told["sections"], told["columns"], told["cut_every_m"]) == (made.sections, {"road": "rt"}, 300)


def test_nothing_is_left_of_a_refused_import(actor: Actor, network_id: int, road_file: Path) -> None:
    for name, options, unit_m in (
        ("N", ReadOptions(), 100.0),
        ("M", ReadOptions(), 5.0),
        ("M", ReadOptions(cut_every_m=1.0), 100.0),
        ("", ReadOptions(), 100.0),
    ):
        with pytest.raises(SettingsError):
            network_actions.import_checked(actor, road_file, name, options, sample_unit_m=unit_m)
    with pytest.raises(NetworkFileError, match="no column"):
        network_actions.import_checked(actor, road_file, "M", ReadOptions({"road": "x"}))
    with reading() as session:
        assert list(session.scalars(select(Network.name))) == ["N"]


def test_edits_are_saved_together_and_audited(actor: Actor, network_id: int, ids: dict[str, int]) -> None:
    edits = [
        CellEdit(ids["a"], "aadt", 100, 150.0),
        CellEdit(ids["a"], "surface", None, " asphalt\0 "),
        CellEdit(ids["b"], "lane_width_m", None, "3.25"),
        CellEdit(ids["b"], "direction", "ascending", "Desc"),
        CellEdit(ids["c"], "aadt", 300, None),
        CellEdit(ids["c"], "lanes", None, ""),
    ]
    assert network_actions.edit_sections(actor, network_id, edits) == 5
    assert values("aadt") == [150, 200, None]
    assert values("surface") == ["asphalt", None, None]
    assert values("lane_width_m") == [None, 3.25, None]
    assert values("direction") == ["ascending", "descending", "ascending"]
    event = events("network.edit_sections")[0]
    assert (event.user_id, event.subject) == (actor.user_id, "N")
    assert ["a", "aadt", 100, 150] in event.detail["changes"]
    assert len(event.detail["changes"]) == 5


@pytest.mark.parametrize(
    ("column", "value", "cause"),
    [
        ("aadt", -1, "-1 is not a whole number from 0 to 1,000,000"),
        ("aadt", "many", "'many' is not a whole number"),
        ("lanes", 2.5, "2.5 is not a whole number from 1 to 30"),
        ("lanes", float("inf"), "inf is not"),
        ("lane_width_m", 0.2, "0.2 is not a number from 1 to 30"),
        ("surface", "x" * 101, "has 101 characters, at most 100"),
        ("lane", "x" * 51, "at most 50"),
    ],
)
def test_a_senseless_value_is_named_with_its_row_and_nothing_is_saved(
    actor: Actor, network_id: int, ids: dict[str, int], column: str, value: object, cause: str
) -> None:
    good = CellEdit(ids["a"], "aadt", 100, 999)
    before = 200 if column == "aadt" else None
    with pytest.raises(SectionEditError) as refused:
        network_actions.edit_sections(actor, network_id, [good, CellEdit(ids["b"], column, before, value)])
    assert len(refused.value.problems) == 1
    assert refused.value.problems[0].startswith("Section b, ")
    assert cause in refused.value.what
    assert "Nothing was saved" in refused.value.what
    assert values("aadt") == [100, 200, 300]
    assert events("network.edit_sections") == []


def test_the_second_of_two_people_is_told_and_loses_nothing_of_the_first(
    actor: Actor, network_id: int, ids: dict[str, int]
) -> None:
    network_actions.edit_sections(actor, network_id, [CellEdit(ids["a"], "aadt", 100, 150)])
    second = [CellEdit(ids["a"], "aadt", 100, 175), CellEdit(ids["b"], "aadt", 200, 250)]
    with pytest.raises(SectionEditError, match="Section a, AADT: it is 150 now, not 100 as you saw it"):
        network_actions.edit_sections(actor, network_id, second)
    assert values("aadt") == [150, 200, 300]
    # Other cells of the same row, and the same value again, are no conflict.
    also = [CellEdit(ids["a"], "lanes", None, 2), CellEdit(ids["a"], "aadt", 100, 150)]
    assert network_actions.edit_sections(actor, network_id, also) == 1


def test_of_ten_who_save_the_same_cell_at_once_one_wins(
    actor: Actor, network_id: int, ids: dict[str, int]
) -> None:
    start, won = threading.Barrier(10), []

    def save(value: int) -> None:
        start.wait()
        try:
            network_actions.edit_sections(actor, network_id, [CellEdit(ids["a"], "aadt", 100, value)])
            won.append(value)
        except SectionEditError:
            pass

    threads = [threading.Thread(target=save, args=(1000 + n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert values("aadt")[0] == won[0]
    assert len(events("network.edit_sections")) == 1


def test_only_engineers_of_the_agency_change_its_network(
    actor: Actor, network_id: int, ids: dict[str, int]
) -> None:
    edit = [CellEdit(ids["a"], "aadt", 100, 1)]
    with pytest.raises(PermissionDeniedError):
        network_actions.edit_sections(replace(actor, role=Role.SURVEYOR), network_id, edit)
    with transaction() as session:
        other = Agency(name="Other")
        session.add(other)
        session.flush()
        stranger = replace(actor, agency_id=other.id)
    for call in (
        lambda: network_actions.edit_sections(stranger, network_id, edit),
        lambda: network_actions.set_sample_unit(stranger, network_id, 50),
        lambda: network_actions.edit_from_csv(stranger, network_id, "section_key,aadt\na,1\n", "x.csv"),
        lambda: network_data.network_facts(stranger.agency_id, network_id),
    ):
        with pytest.raises(SettingsError, match="no network"):
            call()
    with pytest.raises(SettingsError, match="section_key cannot be changed"):
        network_actions.edit_sections(actor, network_id, [CellEdit(ids["a"], "section_key", "a", "z")])
    with pytest.raises(SettingsError, match="no section 999"):
        network_actions.edit_sections(actor, network_id, [CellEdit(999, "aadt", 1, 2)])
    assert values("aadt") == [100, 200, 300]


def test_a_table_changes_many_sections(actor: Actor, network_id: int) -> None:
    content = "\ufeffsection_key,aadt,surface\na,111,asphalt\nb,,concrete\n"
    assert network_actions.edit_from_csv(actor, network_id, content, "t.csv") == 4
    assert (values("aadt"), values("surface")) == ([111, None, 300], ["asphalt", "concrete", None])
    for bad, cause in (
        ("section_key,aadt\na,1\nx,2\n", "section 'x', which"),
        ("section_key,aadt\na,1\na,2\n", "'a' twice"),
        ("section_key,length\na,1\n", "columns section_key, length"),
        ("", "not a CSV"),
    ):
        with pytest.raises(SettingsError, match=cause):
            network_actions.edit_from_csv(actor, network_id, bad, "t.csv")
    with pytest.raises(SectionEditError, match="Section b, AADT: 'x' is not"):
        network_actions.edit_from_csv(actor, network_id, "section_key,aadt\na,5\nb,x\n", "t.csv")
    assert values("aadt") == [111, None, 300]


@pytest.fixture
def analysed(database: str) -> Iterator[int]:
    """A network whose first section has three analysed photos at 0, 100 and 200 m, cracks typed; its id."""
    filled = fill()
    with transaction() as session:
        session.execute(update(AnalysisResult).values(tiles=4, cracked_tiles=1, cracked_area_m2=0.001))
    yield filled.network


def roll_up(job_id: int | None, work: Callable[[RunningJob], None] = roll_up_network) -> Job:
    assert job_id is not None
    run_job(job_id, {JobKind.ROLL_UP_NETWORK: work})
    with reading() as session:
        return session.get_one(Job, job_id)


def test_a_job_sums_results_up_by_new_sample_units(analysed: int) -> None:
    actor = actions.local_actor()

    def units() -> int:
        with reading() as session:
            return len(session.scalars(select(SectionResult.units)).one() or [])

    before = units()
    job_id = network_actions.set_sample_unit(actor, analysed, 50.0, 100.0)
    assert units() == before, "the person who asked does not wait"
    job = roll_up(job_id)
    assert (job.state, job.progress_done, job.progress_total) == (JobState.SUCCEEDED, 1, 1)
    fine = units()
    roll_up(network_actions.set_sample_unit(actor, analysed, 1000.0, 50.0))
    assert (fine, units()) == (3, 1)
    assert network_actions.set_sample_unit(actor, analysed, 1000.0) is None
    assert [event.detail for event in events("network.sample_unit")] == [
        {"before": 100.0, "after": 50.0}, {"before": 50.0, "after": 1000.0},
    ]  # fmt: skip
    with pytest.raises(SettingsError, match="1000 m now, not 100 m"):
        network_actions.set_sample_unit(actor, analysed, 200.0, 100.0)
    for senseless in (0.0, 9.0, 1001.0, float("nan")):
        with pytest.raises(SettingsError, match="not possible"):
            network_actions.set_sample_unit(actor, analysed, senseless)


def test_a_length_that_changes_during_the_roll_up_is_rolled_up_too(analysed: int) -> None:
    actor = actions.local_actor()
    asked: list[int | None] = []

    def change_midway(job: RunningJob) -> None:
        save = job.save

        def changed(*given: Any, **how: Any) -> None:
            save(*given, **how)
            if not asked:
                asked.append(network_actions.set_sample_unit(actor, analysed, 1000.0, 50.0))

        job.save = changed  # type: ignore[method-assign]
        roll_up_network(job)

    job = roll_up(network_actions.set_sample_unit(actor, analysed, 50.0), change_midway)
    assert asked == [job.id], "the job that runs does it"
    assert job.state == JobState.SUCCEEDED
    assert "of 1000 m" in (job.progress_message or "")
    with reading() as session:
        assert len(session.scalars(select(SectionResult.units)).one() or []) == 1


def test_a_big_network_is_rolled_up_in_parts(analysed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each commits, so that no other writer waits for all of them; a cancel takes effect between."""
    with transaction() as session:
        row = session.scalars(select(SectionResult)).one()
        values = {column.key: getattr(row, column.key) for column in SectionResult.__table__.columns}
        others = session.scalars(select(Section.id).where(Section.id != row.section_id)).all()
        session.add_all(SectionResult(**{**values, "id": None, "section_id": other}) for other in others)
    monkeypatch.setattr(rolling_up, "SECTIONS_A_COMMIT", 1)
    saved: list[tuple[int, int]] = []

    def watch(job: RunningJob) -> None:
        save = job.save

        def noted(*given: Any, **how: Any) -> None:
            save(*given, **how)
            saved.append((how["done"], how["total"]))

        job.save = noted  # type: ignore[method-assign]
        roll_up_network(job)

    assert others
    roll_up(network_actions.set_sample_unit(actions.local_actor(), analysed, 50.0), watch)
    count = 1 + len(others)
    assert saved == [*((done, count) for done in range(1, count + 1)), (count, count)]


def test_the_length_stays_while_results_are_rolled_up(analysed: int, database: str) -> None:
    if database.startswith("sqlite"):
        pytest.skip("one writer at a time")
    actor = actions.local_actor()
    with reading() as session:
        run = session.execute(
            select(SectionResult.survey_id, SectionResult.checkpoint_id, SectionResult.settings_hash)
        ).one()
    ended: list[bool] = []

    def again() -> None:
        with transaction() as session:
            refresh_sections(session, *run)
        ended.append(True)

    setter = threading.Thread(target=network_actions.set_sample_unit, args=(actor, analysed, 50.0))
    with transaction() as session:
        refresh_sections(session, *run)
        setter.start()
        setter.join(0.5)
        assert setter.is_alive()
        # Another that rolls the same sections up waits as well, where both would insert the same line.
        other = threading.Thread(target=again)
        other.start()
        other.join(0.5)
        assert other.is_alive()
    setter.join(20)
    other.join(20)
    assert ended
    with reading() as session:
        assert session.get_one(Network, analysed).sample_unit_m == 50.0
        assert session.scalar(select(func.count()).select_from(SectionResult)) == 1


def test_places_are_found_both_ways_and_stretches_cut(actor: Actor, network_id: int) -> None:
    with reading() as session:
        end_m = session.scalar(select(func.max(Section.to_m)))
    assert end_m is not None
    for chainage_m in np.linspace(0, end_m, 7):
        place = network_data.place_at(network_id, "N1", float(chainage_m))
        found = network_data.place_near(network_id, place.longitude, place.latitude)
        assert found is not None
        assert found.chainage_m == pytest.approx(chainage_m, abs=0.01)
    assert network_data.place_near(network_id, 7.005, 46.0008) is not None  # 89 m away
    assert network_data.place_near(network_id, 7.005, 46.0010) is None  # 111 m away
    parts = network_data.stretch(network_id, "N1", 1500.0, 100.0)
    assert [part.section.section_key for part in parts] == ["b", "a"]
    with pytest.raises(SettingsError, match="not on the globe"):
        network_data.place_near(network_id, 46.0, 137.0)
    with pytest.raises(SettingsError, match="no road 'N2'"):
        network_data.place_at(network_id, "N2", 0.0)


def test_the_table_is_read_in_pages_and_searched_by_plain_text(actor: Actor, network_id: int) -> None:
    rows, count = network_data.section_rows(network_id, limit=2, offset=1)
    assert (list(rows["section_key"]), count) == (["b", "c"], 3)
    assert network_data.section_rows(network_id, search="B")[1] == 1
    assert network_data.section_rows(network_id, search="%")[1] == 0
    assert network_data.roads(network_id) == {"N1": 3}
    assert network_data.words_in_use(network_id, "direction") == ["ascending"]


def test_a_survey_stays_on_an_edited_network(actor: Actor, network_id: int, ids: dict[str, int]) -> None:
    survey_id = actions.create_survey(actor, actions.SurveyForm("S", network="N"))
    network_actions.edit_sections(actor, network_id, [CellEdit(ids["a"], "aadt", 100, 1)])
    with reading() as session:
        assert session.get_one(Survey, survey_id).network_id == network_id
        assert queries.load_sections(session, network_id).ids == sorted(ids.values())


def run_cli(*arguments: object) -> Any:
    """A command in this process; returns its JSON."""
    out = get_settings().root / "out.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["pavescope", "network", *map(str, arguments), "--json", str(out)])
        with pytest.raises(SystemExit) as end:
            main()
    assert not end.value.code
    return json.loads(out.read_text())


def test_the_command_line_does_the_same(actor: Actor, road_file: Path, tmp_path: Path) -> None:
    how = [road_file, "--name", "N", "--column", "road=rt", "--column", "aadt=", "--cut-every", 300]
    checked = run_cli("import", *how, "--check")
    assert run_cli("list") == []
    made = run_cli("import", *how, "--sample-unit", 50)
    assert {**checked, "saved": True} == made
    assert run_cli("list")[0] == {
        "network": "N", "sections": made["sections"], "sample_unit_m": 50.0,
        "length_km": pytest.approx(made["length_km"]),
    }  # fmt: skip
    (tmp_path / "t.csv").write_text("section_key,aadt\na-000000,77\n", encoding="utf-8")
    assert run_cli("edit", "N", tmp_path / "t.csv") == {"network": "N", "changed": 1}
    assert values("aadt")[0] == 77
    run_cli("sample-unit", "N", 200)
    assert network_data.network_named(actor.agency_id, "N").sample_unit_m == 200
    there = run_cli("locate", "N", "--road", "N1", "--chainage", 450)
    position = ["--latitude", there["latitude"], "--longitude", there["longitude"]]
    assert run_cli("locate", "N", *position)["chainage_m"] == pytest.approx(450, abs=0.01)
    between = run_cli("between", "N", "--road", "N1", "--from", 450, "--to", 100)
    assert [part["section"] for part in between["sections"]] == ["a-000300", "a-000000"]
