"""An export as tables: an Excel workbook, and CSV files in a zip."""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import xlsxwriter

from engine.condition import FORMULAS
from engine.plan_words import SCENARIO_NAMES
from engine.project_table import csv_cell
from engine.spreadsheets import LONGEST_CELL, plain_text, safe_cell
from jobs.export.data import ExportData
from jobs.export.progress import Progress, no_progress, part_of
from jobs.export.rows import TABLES, heading, meaning_of, rows_of, unit_of
from jobs.export.zips import member

EXCEL_ROWS = 1_048_576
SHEETS = {
    "sections": "Sections", "projects": "Projects", "distresses": "Distresses", "photos": "Photos",
    "units": "Sample units",
}  # fmt: skip
PROVENANCE = {
    "agency": "Agency", "network": "Network", "survey": "Survey", "surveyed_on": "Surveyed on",
    "plan": "Plan", "checkpoint": "Checkpoint", "checkpoint_sha256": "Checkpoint SHA-256",
    "measurement_version": "Version of the measurement", "severity_standard": "Severity standard",
    "camera_profile": "Camera", "crs": "Coordinates", "made_at": "Made at (UTC)", "software": "Software",
    "settings_hash": "Settings SHA-256", "settings": "Settings",
}  # fmt: skip
YEAR_PLAN = (
    "Year", "Cost", "Average index (0-100)", "Good or fair (% of length)", "Backlog",
    "Remaining life (years)", "Average index without plan (0-100)",
    "Good or fair without plan (% of length)", "Backlog without plan",
)  # fmt: skip
SCENARIO = {
    "scenario": "Scenario", "yearly_budget": "Yearly budget", "total_cost": "Total cost",
    "objective": "Benefit (index points x km x years)", "average": "Average index at the end (0-100)",
    "good_or_fair_percent": "Good or fair at the end (% of length)", "backlog": "Backlog at the end",
    "remaining_life_years": "Remaining life at the end (years)",
    "preventive_share": "Preventive share of the cost (%)", "cost_of_delay": "Cost of delay",
}  # fmt: skip
MONEY = ("Cost", "Backlog", "Backlog without plan", "Yearly budget", "Total cost", "Backlog at the end",
         "Cost of delay")  # fmt: skip
CARRIED = (
    "agency", "network", "survey", "surveyed_on", "checkpoint", "checkpoint_sha256", "settings_hash",
    "plan", "made_at", "software", "crs",
)  # fmt: skip
CSV_TABLES = ("sections", "projects", "distresses", "photos")


def currency_of(data: ExportData) -> str:
    """Currency of the plan's money, "" where it has none."""
    return str((data.plan or {}).get("currency") or "")


class _Book:
    """A workbook that is written row by row, so that a large survey does not lie in memory."""

    def __init__(self, path: Path) -> None:
        options = {
            "constant_memory": True, "tmpdir": str(path.parent), "strings_to_formulas": False,
            "strings_to_urls": False, "strings_to_numbers": False, "nan_inf_to_errors": False,
        }  # fmt: skip
        self.file = xlsxwriter.Workbook(str(path), options)
        self.head = self.file.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.wrap = self.file.add_format({"text_wrap": True, "valign": "top"})
        self.formats: dict[str, Any] = {}

    def format(self, pattern: str) -> Any:
        return self.formats.setdefault(pattern, self.file.add_format({"num_format": pattern}))

    def table(
        self, name: str, headings: Sequence[str], widths: Sequence[float], patterns: Sequence[str], rows: int
    ) -> Any:
        """A sheet with a frozen head, filters over `rows` rows, and a number format for each column."""
        sheet = self.file.add_worksheet(name)
        sheet.freeze_panes(1, 1)
        for column, (width, pattern) in enumerate(zip(widths, patterns, strict=True)):
            sheet.set_column(column, column, width, self.format(pattern) if pattern else None)
        sheet.set_row(0, 45)
        for column, words in enumerate(headings):
            self.cell(sheet, 0, column, words, self.head)
        sheet.autofilter(0, 0, max(rows, 1), len(headings) - 1)
        return sheet

    def cell(self, sheet: Any, row: int, column: int, value: Any, look: Any = None) -> None:
        """A typed cell; text is never run, and never longer than a cell may be."""
        if value is None:
            return
        if isinstance(value, bool):
            sheet.write_boolean(row, column, value, look)
        elif isinstance(value, int | float):
            if value == value and abs(value) != float("inf"):
                sheet.write_number(row, column, value, look)
        elif isinstance(value, datetime):
            moment = value.astimezone(UTC).replace(tzinfo=None)
            sheet.write_datetime(row, column, moment, look or self.format("yyyy-mm-dd hh:mm:ss"))
        elif isinstance(value, date):
            sheet.write_datetime(row, column, value, look or self.format("yyyy-mm-dd"))
        else:
            text = str(safe_cell(plain_text(str(value))))
            if len(text) > LONGEST_CELL:
                text = text[: LONGEST_CELL - 1] + "…"
            sheet.write_string(row, column, text, look)


def write_excel(
    data: ExportData, path: Path, progress: Progress = no_progress, *, most_rows: int = EXCEL_ROWS
) -> None:
    """Write a workbook with a sheet for each topic: summary, sections, projects, year plan, scenarios,
    distresses, photos, sample units, method. Cells are typed, units are in the headings.

    Args:
        data: what to write.
        path: the file; one that is there is replaced.
        progress: called with the part done, 0 to 1.
        most_rows: of a sheet with its heading; the summary says what was left out.
    """
    book = _Book(path)
    if created := _moment(data.provenance["made_at"]):
        book.file.set_properties(
            {"title": plain_text(data.provenance["survey"])[:250], "author": data.provenance["software"],
             "created": created.replace(tzinfo=None)}
        )  # fmt: skip
    _summary(book, data, most_rows)
    total = sum(len(getattr(data, name)) for name in SHEETS) or 1
    done = 0
    for name in SHEETS:
        rows = len(getattr(data, name))
        _sheet(
            book, data, name, most_rows, part_of(progress, 0.9 * done / total, 0.9 * (done + rows) / total)
        )
        done += rows
        if name == "projects" and data.plan is not None:
            _year_plan(book, data)
            _scenarios(book, data)
    _method(book, currency_of(data))
    progress(0.9, "Packing the workbook")
    book.file.close()


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _summary(book: _Book, data: ExportData, most_rows: int) -> None:
    sheet = book.file.add_worksheet("Summary")
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 1, 100, book.wrap)
    whole = book.file.add_format({"align": "left", "valign": "top", "num_format": "#,##0"})
    parts = book.file.add_format({"align": "left", "valign": "top", "num_format": "#,##0.00"})
    day = book.file.add_format({"align": "left", "num_format": "yyyy-mm-dd"})
    moment = book.file.add_format({"align": "left", "num_format": "yyyy-mm-dd hh:mm:ss"})
    for row, (name, value) in enumerate(_facts(data, most_rows)):
        book.cell(sheet, row, 0, name, book.head if row == 0 else None)
        text = book.head if row == 0 else book.wrap
        looks = {str: text, datetime: moment, date: day, int: whole, float: parts}
        book.cell(sheet, row, 1, value, looks.get(type(value)))
    sheet.freeze_panes(1, 0)


def _facts(data: ExportData, most_rows: int) -> Iterator[tuple[str, Any]]:
    """Lines of the summary."""
    yield "What", "This file"
    for name, words in PROVENANCE.items():
        value: Any = data.provenance.get(name) or None
        if value and name == "surveyed_on":
            value = date.fromisoformat(value)
        elif value and name == "made_at":
            value = _moment(value) or value
        yield words, value
    surveyed = data.sections["images"].fillna(0) > 0
    yield "Sections of the network", len(data.sections)
    yield "Sections surveyed", int(surveyed.sum())
    yield "Length of the network (km)", round(float(data.sections["length_m"].sum()) / 1000, 3)
    yield "Photos", len(data.photos)
    yield "Distresses", len(data.distresses)
    if data.plan is not None:
        currency = f" ({currency_of(data)})" if currency_of(data) else ""
        yield "Planned projects", len(data.projects)
        yield f"Cost of all projects{currency}", float(data.projects["cost"].sum())
    for name, words in SHEETS.items():
        if (rows := len(getattr(data, name))) > most_rows - 1:
            yield (
                "Left out",
                (
                    f"The sheet {words} holds the first {most_rows - 1:,} of {rows:,} rows: more do not fit "
                    "into a sheet. The CSV export has all of them."
                ),
            )
    for note in data.provenance["notes"].splitlines():
        yield "Note", note


def _sheet(book: _Book, data: ExportData, name: str, most_rows: int, progress: Progress) -> None:
    columns = TABLES[name]
    headings = [heading(column, currency_of(data)) for column in columns]
    count = min(len(getattr(data, name)), most_rows - 1)
    widths = [_width(column) for column in columns]
    sheet = book.table(SHEETS[name], headings, widths, [_pattern(column) for column in columns], count)
    row = 1
    moments = {columns.index(column) for column in columns if column == "captured_at"}
    for rows in rows_of(data, name):
        progress((row - 1) / max(count, 1), f"{SHEETS[name]}: {row - 1:,} of {count:,}")
        for values in rows:
            if row > count:
                return
            for column, value in enumerate(values):
                typed = _moment(value) or value if value and column in moments else value
                book.cell(sheet, row, column, typed)
            row += 1


def _width(column: str) -> float:
    if column in ("reason", "error"):
        return 60
    if column in ("section_keys", "treatment", "planned_treatment", "later_treatment", "name", "road"):
        return 26
    return 19 if column in ("captured_at", "section_key") else 14


def _pattern(column: str) -> str:
    """How Excel shows a column's numbers; the cells hold all digits."""
    if column.endswith(("longitude", "latitude")):
        return "0.0000000"
    if column.startswith("crack_density"):
        return "0.000"
    if ("cost" in column and column != "benefit_cost") or column == "mobilisation":
        return "#,##0"
    if column in ("captured_at", "reason", "section_key") or unit_of(column) in ("", "year"):
        return "0.0" if column in ("offset_m",) else ""
    if column in ("paser", "aadt", "area_px"):
        return "0"
    return "0.00" if "m2" in unit_of(column) or column.startswith("crack_area") else "0.0"


def _money(words: str, currency: str) -> str:
    return f"{words} ({currency})" if currency and words in MONEY else words


def _year_plan(book: _Book, data: ExportData) -> None:
    plan, currency = data.plan or {}, currency_of(data)
    parts = (plan.get(name, ()) for name in ("cost_by_year", "condition_by_year", "without_plan"))
    years = list(zip(*parts, strict=True))
    headings = [_money(words, currency) for words in YEAR_PLAN]
    patterns = ["0", "#,##0", "0.0", "0.0", "#,##0", "0.0", "0.0", "0.0", "#,##0"]
    sheet = book.table("Year plan", headings, [18.0] * len(headings), patterns, len(years))
    for row, (cost, year, left) in enumerate(years, start=1):
        values = (
            cost["year"], cost["cost"], year["average"], year["good_or_fair_percent"], year["backlog"],
            year["remaining_life_years"], left["average"], left["good_or_fair_percent"], left["backlog"],
        )  # fmt: skip
        for column, value in enumerate(values):
            book.cell(sheet, row, column, value)


def _scenarios(book: _Book, data: ExportData) -> None:
    if not data.scenarios:
        return
    headings = [_money(words, currency_of(data)) for words in SCENARIO.values()]
    patterns = ["", "#,##0", "#,##0", "0.0", "0.0", "0.0", "#,##0", "0.0", "0.0", "#,##0"]
    sheet = book.table("Scenarios", headings, [30.0, *[18.0] * 9], patterns, len(data.scenarios))
    for row, scenario in enumerate(data.scenarios, start=1):
        values = {**scenario, "scenario": SCENARIO_NAMES.get(scenario["scenario"], scenario["scenario"])}
        if scenario["scenario"] == "nothing":
            values["yearly_budget"] = None  # nothing is spent whatever there is
        if (share := scenario.get("preventive_share")) is not None:
            values["preventive_share"] = 100 * share
        for column, name in enumerate(SCENARIO):
            book.cell(sheet, row, column, values.get(name))


def _method(book: _Book, currency: str) -> None:
    lines = list(_meanings(currency))
    sheet = book.table("Method", lines[0], [18.0, 40.0, 20.0, 80.0], ["", "", "", ""], len(lines) - 1)
    for row, line in enumerate(lines[1:], start=1):
        for column, value in enumerate(line):
            book.cell(sheet, row, column, value, book.wrap)


def _meanings(currency: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Topic, column, unit and meaning of every column, and the formula of every measure."""
    yield "Topic", "Column or measure", "Unit", "Meaning"
    for name, columns in TABLES.items():
        for column in columns:
            unit = currency if currency and "currency" in unit_of(column) else unit_of(column)
            yield SHEETS[name], heading(column, currency), unit, meaning_of(column)
    for measure, (formula, standard) in FORMULAS.items():
        yield "Formulas", measure.replace("_", " "), "", f"{formula}. Standard: {standard}."


def write_csv(data: ExportData, path: Path, progress: Progress = no_progress) -> None:
    """Write a zip of sections.csv, projects.csv, distresses.csv, photos.csv and README.txt.

    UTF-8 with the mark that makes spreadsheets read it as such, commas, a point before decimals, ISO dates,
    units in the column names; README.txt says what the files were made of and what each column means.
    """
    total, done = sum(len(getattr(data, name)) for name in CSV_TABLES) or 1, 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        write_text(archive, "README.txt", _readme(data))
        for name in CSV_TABLES:
            with CsvFile(archive, f"{name}.csv") as rows:
                rows.write([TABLES[name]])
                for some in rows_of(data, name):
                    progress(done / total, f"{name}.csv")
                    rows.write(some)
                    done += len(some)


def write_sections_csv(data: ExportData, path: Path, progress: Progress = no_progress) -> None:
    """Write the sections alone as one CSV file; the last columns of each row say what it was made of."""
    said = tuple(data.provenance[name] for name in CARRIED)
    with CsvFile(path) as rows:
        rows.write([(*TABLES["sections"], *CARRIED)])
        for some in rows_of(data, "sections"):
            progress(0.5, "Writing the sections")
            rows.write((*row, *said) for row in some)


class CsvFile:
    """A CSV file, in a zip or by itself, written as it comes; a spreadsheet runs no text of it."""

    def __init__(self, place: zipfile.ZipFile | Path, name: str = "") -> None:
        if isinstance(place, Path):
            binary: Any = place.open("wb")
        else:
            # A member opened for writing must not grow over 2 GB unless it was told to.
            binary = place.open(member(name), "w", force_zip64=True)
        self.text = io.TextIOWrapper(binary, encoding="utf-8-sig", newline="", errors="replace")
        self.rows = csv.writer(self.text)

    def __enter__(self) -> "CsvFile":
        return self

    def __exit__(self, *problem: object) -> None:
        self.text.close()

    def write(self, rows: Iterable[Sequence[Any]]) -> None:
        self.rows.writerows([csv_cell(value) for value in row] for row in rows)


def write_text(archive: zipfile.ZipFile, name: str, lines: Iterable[str]) -> None:
    """A text file in a zip, with the line ends that every editor shows."""
    archive.writestr(member(name), "\r\n".join(plain_text(line) for line in lines) + "\r\n")


def provenance_lines(data: ExportData) -> Iterator[str]:
    """What the export was made of, a line each, and its notes."""
    for name, words in PROVENANCE.items():
        yield f"{words}: {data.provenance.get(name) or '-'}"
    if data.provenance["notes"]:
        yield ""
        yield from data.provenance["notes"].splitlines()


def _readme(data: ExportData) -> Iterator[str]:
    yield from provenance_lines(data)
    yield ""
    yield "Text that a spreadsheet would run as a formula has an apostrophe before it."
    if currency := currency_of(data):
        yield f"All costs are in {currency}."
    for name in CSV_TABLES:
        yield ""
        yield f"{name}.csv ({len(getattr(data, name)):,} rows)"
        for column in TABLES[name]:
            unit = unit_of(column)
            yield f"  {column}: {meaning_of(column)}" + (f" [{unit}]" if unit else "")
