"""Tables for spreadsheets, in which no cell can become a formula."""

import pandas as pd

from engine.spreadsheets import safe_cell as safe_cell


def to_csv(table: pd.DataFrame) -> bytes:
    """UTF-8 with the mark that makes spreadsheets read it as such."""
    return bytes(table.map(safe_cell).to_csv(index=False).encode("utf-8-sig"))
