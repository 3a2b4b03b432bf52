"""Text that is safe in the cells of a spreadsheet."""

import unicodedata

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
LONGEST_CELL = 32_767
"""Characters that Excel keeps of a cell."""


def safe_cell(value: object) -> object:
    """Text that a spreadsheet would run gets a leading apostrophe; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def plain_text(text: str) -> str:
    """Text without the control characters and lone surrogates that no file format can hold."""
    if text.isprintable():
        return text
    kept = "".join(
        char for char in text if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs", "Cn")
    )
    return kept.encode("utf-8", "replace").decode("utf-8")
