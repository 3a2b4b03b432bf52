"""Tables that people edit in spreadsheets: rows of a CSV file with known columns (torch-free)."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from engine.errors import SettingsError


def rows_from_csv(
    text: str, columns: Sequence[str], required: Sequence[str], what: str, remedy: str
) -> list[dict[Any, Any]]:
    """Rows of a table with a header, in any order of columns; empty rows are left out.

    Args:
        text: separated by commas, semicolons or tabs.
        columns: all that may be there; required: those that must.
        what: it is a list of, for the error ("treatments"); remedy: what to do where it is none.

    Raises:
        SettingsError: columns are missing, twice there or not known, or it is no CSV.
    """
    text = text.removeprefix("\ufeff")
    header = text.splitlines()[0] if text.strip() else ""
    separator = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text), delimiter=separator)
    found = [(name or "").strip() for name in reader.fieldnames or []]
    missing = [name for name in required if name not in found]
    unknown = [name for name in found if name not in columns]
    if missing or unknown or len(set(found)) < len(found):
        said = f"columns missing: {', '.join(missing)}" if missing else f"columns: {', '.join(found)[:300]}"
        raise SettingsError(f"This is no list of {what} ({said}).", remedy)
    reader.fieldnames = found
    try:
        return [row for row in reader if any(cell for cell in row.values() if isinstance(cell, str))]
    except csv.Error as error:
        raise SettingsError(
            f"The list of {what} cannot be read: {error}.", "Save it as CSV, UTF-8."
        ) from error
