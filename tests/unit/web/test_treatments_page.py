"""The page "Treatments": ready sets, own sets as a table, CSV, two people at once."""

import json
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from app import plan_actions, plan_data
from app.components.treatment_table import HELP, LABELS, UNIT_WORDS, plain_words, read_table, table_of
from app.identity import current_actor
from db import plan_store
from db.session import reading
from engine.treatment_sets import BLANK_METRIC, US_CITY_AVERAGES
from engine.treatments import COLUMNS, UNITS, Treatment, treatments_to_csv
from engine.vocabulary import DistressType, Severity
from tests.unit.web.test_pages import open_page, said

EVERY_FIELD = Treatment(
    "Chip | seal", 2.5, "crack_ft", 7, index_min=40, index_max=80,
    kinds=(DistressType.BLOCK, DistressType.CRACK), severities=(Severity.HIGH,), density_min_percent=3.5,
    density_max_percent=60.0, functional_classes=("main", "local"), surfaces=("asphalt",), aadt_min=100,
    aadt_max=5000, excluded_kinds=(DistressType.POTHOLE,), excluded_over_percent=2.0, reset_index=85.0,
    slope_factor=0.9, min_project_m=120.0, mobilisation_cost=900.0, preventive=True, source="x",
)  # fmt: skip


def own(name: str) -> dict[str, Any]:
    return next(one for one in plan_data.treatment_sets() if one["name"] == name and not one["ready"])


@pytest.fixture
def own_set(empty_app: None) -> str:
    plan_actions.save_treatments(current_actor(), "Our costs", US_CITY_AVERAGES, None)
    return "Our costs"


def edit(page: AppTest, **changes: Any) -> AppTest:
    """Run the page as the browser does after cells were changed: with the table's state beside the others."""
    (table,) = [frame.proto for frame in page.dataframe if frame.proto.editing_mode]
    states = page._tree.get_widget_states()
    parts = {"edited_rows": {}, "added_rows": [], "deleted_rows": [], **changes}
    states.widgets.append(WidgetState(id=table.id, string_value=json.dumps(parts)))
    page._run(states)
    assert not page.exception
    return page


def press(page: AppTest, label: str, **changes: Any) -> AppTest:
    """Click a button while the table holds changes."""
    page.button[button_of(page, label)].set_value(True)
    return edit(page, **changes)


def button_of(page: AppTest, label: str) -> int:
    return [button.label for button in page.button].index(label)


def test_every_column_has_a_name_a_meaning_and_every_unit_its_words() -> None:
    assert list(LABELS) == list(HELP) == list(COLUMNS)
    assert list(UNIT_WORDS) == list(UNITS)
    assert len(set(LABELS.values())) == len(LABELS)


@pytest.mark.parametrize("treatments", [US_CITY_AVERAGES, BLANK_METRIC, (EVERY_FIELD,)])
def test_a_table_gives_back_the_treatments_that_it_was_made_of(treatments: tuple[Treatment, ...]) -> None:
    assert read_table(table_of(treatments)) == (treatments, [])


def test_every_wrong_row_is_named_with_its_column_in_plain_words() -> None:
    table = table_of(US_CITY_AVERAGES)
    table.loc[1, "index_min"] = 95
    table.loc[3, "life_years"] = pd.NA
    table.loc[6, "source"] = "=cmd"
    treatments, problems = read_table(table)
    assert treatments == ()
    assert [problem.split(":")[0] for problem in problems] == [
        "Row 2 (Slurry seal)", "Row 4 (Thin lift overlay)", "Row 7 (Major rehabilitation)",
    ]  # fmt: skip
    assert "“Index from” 95 is over “Index to” 80" in problems[0]
    assert "“Life (years)” is empty" in problems[1]
    assert not any(code in problem for problem in problems for code in ("index_min", "life_years"))
    twins = table_of((US_CITY_AVERAGES[0], replace(US_CITY_AVERAGES[1], name="crack SEAL")))
    assert "Row 2 has the same name as row 1" in read_table(twins)[1][0]
    assert "holds no treatment" in read_table(table_of(()))[1][0]


def test_the_engines_words_for_columns_are_all_replaced() -> None:
    assert plain_words("severities: x; min_project_m is -1") == "“Severity”: x; “Shortest project (m)” is -1"
    assert (
        plain_words("Enter the cost per crack_m, or per m2.") == "Enter the cost per crack metre, or per m²."
    )


def test_a_ready_set_is_shown_with_its_sources_and_copied(empty_app: None) -> None:
    page = open_page("treatments")
    assert not page.error and not [frame for frame in page.dataframe if frame.proto.editing_mode]
    assert page.selectbox[0].options == ["US city averages (ready set)", "Metric, without costs (ready set)"]
    assert list(page.dataframe[0].value["name"])[:2] == ["Crack seal", "Slurry seal"]
    assert "Olathe" in said(page) and "assumed" in said(page)
    assert "Delete it" not in [button.label for button in page.button]
    page.text_input[0].set_value(" Our   costs ")
    page.button[button_of(page, "Make the set")].click().run()
    assert own("Our costs")["treatments"] == US_CITY_AVERAGES
    assert "Our costs is made from US city averages" in page.success[0].value
    assert page.selectbox[0].value == "own:Our costs"
    assert [frame for frame in page.dataframe if frame.proto.editing_mode]


def test_the_metric_set_says_that_costs_are_missing(empty_app: None) -> None:
    page = open_page("treatments")
    page.selectbox[0].set_value("ready:Metric, without costs").run()
    assert "Without a unit cost: Crack seal" in said(page)


def test_a_name_that_is_taken_or_empty_is_refused_in_words(own_set: str) -> None:
    page = open_page("treatments")
    page.text_input[0].set_value(own_set)
    page.button[button_of(page, "Make the set")].click().run()
    assert "is a set named" in said(page).replace("\\", "") and len(plan_data.treatment_sets()) == 3
    page.text_input[0].set_value(" ")
    page.button[button_of(page, "Make the set")].click().run()
    assert page.error and len(plan_data.treatment_sets()) == 3


def test_cells_are_changed_rows_added_and_deleted_and_saved(own_set: str) -> None:
    page = open_page("treatments")
    assert page.button[button_of(page, "Save the changes")].disabled
    added = {
        "name": "Chip seal", "unit_cost": 2, "unit": "m2", "life_years": 6, "slope_factor": 0.8,
        "kinds": ["block"], "functional_classes": ["local road"], "index_min": 40, "index_max": 70,
    }  # fmt: skip
    changes = {
        "edited_rows": {"0": {"unit_cost": 0.5, "kinds": ["pothole", "block"], "aadt_max": 900}},
        "added_rows": [added],
        "deleted_rows": [7],
    }
    edit(page, **changes)
    assert not page.warning and page.selectbox[0].disabled
    press(page, "Save the changes", **changes)
    saved = own(own_set)
    assert saved["version"] == 2 and len(saved["treatments"]) == 8
    first, last = saved["treatments"][0], saved["treatments"][-1]
    expected = replace(
        US_CITY_AVERAGES[0], unit_cost=0.5, kinds=(DistressType.POTHOLE, DistressType.BLOCK), aadt_max=900
    )
    assert first == expected and saved["treatments"][1:7] == US_CITY_AVERAGES[1:7]
    assert (last.name, last.kinds, last.functional_classes) == ("Chip seal", ("block",), ("local road",))
    assert "Our costs is saved\\: 8 treatments" in page.success[0].value
    assert page.button[button_of(page, "Save the changes")].disabled and not page.selectbox[0].disabled


def test_a_wrong_row_is_named_at_once_and_nothing_is_lost(own_set: str) -> None:
    page = open_page("treatments")
    changes = {"edited_rows": {"2": {"slope_factor": 7}, "4": {"unit_cost": 11}}, "added_rows": [{}]}
    edit(page, **changes)
    problems = page.warning[0].value.replace("\\", "")
    assert "Row 3 (Micro-surfacing): “Slope factor” is 7" in problems
    assert "Row 9 (no name)" in problems
    assert page.button[button_of(page, "Save the changes")].disabled
    assert own(own_set)["version"] == 1
    changes = {"edited_rows": {"2": {"slope_factor": 0.7}, "4": {"unit_cost": 11}}}
    edit(page, **changes)
    press(page, "Save the changes", **changes)
    costs = {one.name: (one.unit_cost, one.slope_factor) for one in own(own_set)["treatments"]}
    assert costs["Micro-surfacing"] == (3.3, 0.7) and costs["Cape seal"][0] == 11


def test_what_somebody_else_saved_is_not_overwritten_and_ones_own_is_kept_as_another_set(
    own_set: str,
) -> None:
    page = open_page("treatments")
    changes = {"edited_rows": {"0": {"unit_cost": 0.5}}}
    edit(page, **changes)
    theirs = (replace(US_CITY_AVERAGES[0], unit_cost=9.0),)
    plan_actions.save_treatments(current_actor(), own_set, theirs, 1)
    press(page, "Save the changes", **changes)
    assert "Somebody else saved" in page.error[0].value
    assert own(own_set)["treatments"] == theirs
    edited = [frame for frame in page.dataframe if frame.proto.editing_mode]
    assert len(edited[0].value) == 8  # what was edited stays on the page
    page.text_input[0].set_value("Mine")
    press(page, "Make the set", **changes)
    assert own("Mine")["treatments"][0].unit_cost == 0.5 and len(own("Mine")["treatments"]) == 8


def test_changes_outlive_a_set_that_somebody_else_deletes(own_set: str) -> None:
    page = open_page("treatments")
    changes = {"edited_rows": {"0": {"unit_cost": 0.5}}}
    edit(page, **changes)
    plan_actions.delete_treatments(current_actor(), own_set)
    edit(page, **changes)
    assert "Somebody else saved or deleted" in page.warning[0].value
    page.text_input[0].set_value("Mine")
    press(page, "Make the set", **changes)
    assert own("Mine")["treatments"][0].unit_cost == 0.5


def test_discarding_loads_the_saved_set(own_set: str) -> None:
    page = open_page("treatments")
    changes = {"edited_rows": {"0": {"unit_cost": 0.5}}}
    edit(page, **changes)
    press(page, "Discard the changes", **changes)
    assert not page.selectbox[0].disabled and own(own_set)["version"] == 1


def test_a_set_is_deleted_after_a_question(own_set: str) -> None:
    page = open_page("treatments")
    assert "Delete the set Our costs with its 8 treatments" in said(page)
    page.button[button_of(page, "Delete it")].click().run()
    assert not page.exception
    assert "Our costs is deleted" in page.success[0].value
    assert [one["ready"] for one in plan_data.treatment_sets()] == [True, True]
    assert page.selectbox[0].value == "ready:US city averages"


def upload(page: AppTest, name: str, content: bytes) -> AppTest:
    page.file_uploader[0].upload(name, content, "text/csv")
    page.run()
    assert not page.exception
    return page


def test_a_csv_becomes_a_set_or_replaces_one(own_set: str) -> None:
    text = treatments_to_csv((EVERY_FIELD,))
    page = upload(open_page("treatments"), "North.csv", text.encode("utf-8-sig"))
    assert "holds 1 treatment" in page.success[0].value
    assert page.text_input[1].value == "North" and not page.warning
    places = [place for place, button in enumerate(page.button) if button.label == "Make the set"]
    page.button[places[-1]].click().run()
    assert own("North")["treatments"] == (EVERY_FIELD,)
    page = upload(open_page("treatments"), "again.csv", text.encode())
    page.text_input[1].set_value(own_set).run()
    assert "its 8 treatments will be replaced" in page.warning[0].value
    page.button[button_of(page, "Replace the set")].click().run()
    assert own(own_set)["treatments"] == (EVERY_FIELD,) and own(own_set)["version"] == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\n1,2\n", "This is no list of treatments"),
        (b"\xff\xfe\x00", "not in UTF-8"),
        (
            b"name,unit_cost,unit,life_years,reset_index\nSeal,2,m2,x,90\n",
            "Row 1 (Seal): “Life (years)” is 'x'",
        ),
        (b"name,unit_cost,unit,life_years\nSeal,2,m2,5\n", "Row 1 (Seal) has no effect"),
    ],
)
def test_a_csv_that_is_none_is_refused_with_its_row_and_column(
    empty_app: None, content: bytes, words: str
) -> None:
    page = upload(open_page("treatments"), "bad.csv", content)
    assert words in page.error[0].value.replace("\\", "")
    assert len(plan_data.treatment_sets()) == 2


def test_sets_of_another_agency_are_not_seen(own_set: str) -> None:
    with reading() as session:
        assert all(one["ready"] for one in plan_store.treatment_sets(session, 99))
