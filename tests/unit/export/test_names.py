"""Names of exported files, made of whatever a survey is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.spreadsheets import plain_text, safe_cell
from engine.vocabulary import ExportFormat
from jobs.export import NAMES, WRITERS, file_name, suffix_of


@given(st.text(max_size=300), st.sampled_from(list(ExportFormat)))
def test_any_survey_gives_a_name_that_every_file_system_takes(survey: str, format: ExportFormat) -> None:
    name = file_name(survey, format)
    assert name.endswith(suffix_of(format)) and len(name.encode()) <= 255 and len(name) <= 255
    assert not set(name) & set('<>:"/\\|?*\n\r\t\0')
    assert name[0] not in ".-=+@ ~" and name.isprintable()
    assert not name.startswith(" - ")


@pytest.mark.parametrize(
    ("survey", "name"),
    [
        ("Main Street 2026", "Main Street 2026 - tables.xlsx"),
        ("../../etc/passwd", "etc-passwd - tables.xlsx"),
        ("=HYPERLINK(1)", "HYPERLINK(1) - tables.xlsx"),
        ("CON", "Survey CON - tables.xlsx"),
        ("", "Survey - tables.xlsx"),
        ("東京 2026", "東京 2026 - tables.xlsx"),
    ],
)
def test_names(survey: str, name: str) -> None:
    assert file_name(survey, ExportFormat.EXCEL) == name


def test_every_format_has_a_name_and_a_writer() -> None:
    assert set(NAMES) == set(ExportFormat)
    assert set(ExportFormat) - set(WRITERS) == {ExportFormat.PDF, ExportFormat.OVERLAYS}


@given(st.text())
def test_plain_text_can_be_written_anywhere(text: str) -> None:
    plain = plain_text(text)
    plain.encode("utf-8")
    assert not [char for char in plain if ord(char) < 32 and char not in "\n\t"]
    cell = str(safe_cell(plain))
    assert not cell.startswith(("=", "+", "-", "@", "\t"))
