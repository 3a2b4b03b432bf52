"""Tables for spreadsheets, in which no cell can become a formula."""

import pandas as pd

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: object) -> object:
    """Text that a spreadsheet would run gets a leading apostrophe; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def to_csv(table: pd.DataFrame) -> bytes:
    """UTF-8 with the mark that makes spreadsheets read it as such."""
    return bytes(table.map(safe_cell).to_csv(index=False).encode("utf-8-sig"))
