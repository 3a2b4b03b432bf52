import json
import shutil
import subprocess

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.components.measures import CLASS_COLOURS, classes, nice_step
from app.components.messages import plain
from app.components.spreadsheet import to_csv
from app.components.text import chainage, duration, number, popup_text, size, with_interval

NASTY = [
    "`${alert(1)}`",
    "</script><b>",
    "a' b\" c",
    "{{ x }}",
    "\\u0060",
    "<img src=x onerror=alert(1)>",
    "\u2028",
]


@pytest.mark.parametrize("text", NASTY)
def test_nothing_in_a_popup_ends_its_literal_or_opens_a_tag(text: str) -> None:
    escaped = popup_text(text)
    assert not set("<>\"'`${}\\\u2028\0") & set(escaped)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node to read the literal as a browser would")
def test_a_template_literal_gives_back_inert_html() -> None:
    literals = ", ".join(f"`{popup_text(text)}`" for text in NASTY)
    program = f"let alert = () => {{ throw 1 }}; console.log(JSON.stringify([{literals}]))"
    said = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True).stdout
    assert json.loads(said) == [popup_text(text) for text in NASTY]


@given(st.text(alphabet="abc*_`[]()<>$:#~|\\ ", max_size=40))
def test_markdown_text_keeps_every_character_escaped(text: str) -> None:
    escaped = plain(text)
    assert escaped.replace("\\\\", "\0").replace("\\", "").replace("\0", "\\") == text


def test_numbers_carry_their_units_and_absence_is_a_dash() -> None:
    assert number(1234.56, 1, "m") == "1,234.6 m"
    assert number(None, 1, "m") == number(float("nan"), 2) == "–"
    assert (chainage(13170.4), chainage(5), chainage(None)) == ("km 13+170", "km 0+005", "–")
    assert (duration(45), duration(180), duration(7500)) == ("45 s", "3 min", "2 h 05 min")
    assert (size(900), size(8.4e6), size(3.2e9)) == ("900 bytes", "8 MB", "3.2 GB")


def test_an_interval_stands_behind_its_number() -> None:
    assert with_interval(0.42, 0.31, 0.576, 2, "%") == "0.42 % (0.31 to 0.58)"
    assert with_interval(0.42, None, None, 2, "%") == "0.42 % (–)"
    assert with_interval(float("nan"), 0.1, 0.2, 2, "%") == "–"


@given(st.floats(1e-6, 1e6))
def test_the_colour_classes_reach_the_largest_value(largest: float) -> None:
    step = nice_step(largest)
    assert step * len(CLASS_COLOURS) >= largest * 0.999
    assert step * len(CLASS_COLOURS) <= largest * 2.6


def test_classes_join_without_gaps_and_name_their_unit() -> None:
    found = classes(3.2, "m/m²")
    assert [step["label"] for step in found[:2]] == ["0 – 1 m/m²", "1 – 2 m/m²"]
    assert found[-1]["label"] == "4 and more m/m²"
    assert classes(0.0, "%")[0]["below"] == 1.0


def test_no_cell_of_a_csv_is_a_formula() -> None:
    table = pd.DataFrame({"name": ["=HYPERLINK(1)", "+1", "@x", "-5", "fine"], "value": [-1.5, 2, 3, 4, 5]})
    lines = to_csv(table).decode("utf-8-sig").splitlines()
    assert lines[1:] == ["'=HYPERLINK(1),-1.5", "'+1,2.0", "'@x,3.0", "'-5,4.0", "fine,5.0"]
