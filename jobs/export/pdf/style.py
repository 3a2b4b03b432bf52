"""How the report looks: fonts, colours, paragraphs, tables; and how numbers and foreign text are printed."""

import importlib.util
import math
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab import rl_config
from reportlab.lib.colors import Color, HexColor, white
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.fonts import addMapping
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import CondPageBreak, Flowable, LongTable, Paragraph, Spacer, TableStyle
from reportlab.platypus.tables import CellStyle

from engine.errors import MissingLibraryError

# Binary streams as they are: as text they would be a quarter larger.
rl_config.useA85 = 0
# Tables name a font even for cells that hold paragraphs; Helvetica would be named and not embedded.
CellStyle.fontname = "DejaVuSans"

REGULAR, BOLD, ITALIC = "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique"
INK, MUTED, RULE, PANEL = HexColor("#1b2733"), HexColor("#5b6875"), HexColor("#cfd6dd"), HexColor("#f2f5f8")
ACCENT = HexColor("#14568c")
# Blue, amber, wine: apart for every kind of sight, and from light to dark on a grey print. The pages and the
# GIS layers have viridis, on purpose: there its yellow for "good" has a dark casing or a grey ground; on
# white paper it would be lost.
GRADES = {"good": HexColor("#56a5d8"), "fair": HexColor("#d99a00"), "poor": HexColor("#7d1538")}
NOT_SURVEYED = HexColor("#a9b3bd")
# After Okabe and Ito.
SERIES = tuple(
    HexColor(code)
    for code in ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#6a51a3", "#7f8c97")
)
_EARLY_TO_LATE = ("#440154", "#3b528b", "#21918c", "#4fb85a", "#b9a800")
MISSING = "–"
UNKNOWN = "□"
LONGEST_CELL = 400
LONGEST_NUMBER = 16
MOST_LINES = 24
LEAST_TEXT = 0.12
"""Part of a table's width that its columns of text keep."""
GAP = 8.0
PART_HEIGHT = 250.0
"""What must be left of a page for a new part to begin on it."""


def _font_file(name: str) -> Path:
    """DejaVu of matplotlib's data folder; matplotlib itself is not loaded."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or not spec.submodule_search_locations:
        raise MissingLibraryError(
            "The report's fonts come with matplotlib, which is not installed.", "pip install matplotlib"
        )
    return Path(spec.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf"


@lru_cache(maxsize=1)
def load_fonts() -> None:
    """Make DejaVu Sans known to reportlab, which embeds the characters that occur.

    Raises:
        MissingLibraryError: matplotlib, whose fonts they are, is not installed.
    """
    for name in (REGULAR, BOLD, ITALIC):
        pdfmetrics.registerFont(TTFont(name, str(_font_file(name))))
    for bold, italic, name in ((0, 0, REGULAR), (1, 0, BOLD), (0, 1, ITALIC), (1, 1, BOLD)):
        addMapping(REGULAR, bold, italic, name)


def clean(text: object) -> str:
    """Printable text: without control, format and half characters, line breaks as spaces, and a box for
    what the font does not have (DejaVu has all letters of Europe, none of East Asia)."""
    load_fonts()
    known = pdfmetrics.getFont(REGULAR).face.charToGlyph
    kept = "".join(
        " " if char.isspace() else char if ord(char) in known else UNKNOWN
        for char in str(text)
        if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    return " ".join(kept.split())


def shortened(text: object, most: int = LONGEST_CELL) -> str:
    """Clean text of at most `most` characters."""
    whole = clean(text)
    return whole if len(whole) <= most else whole[: most - 1].rstrip() + "…"


def safe(text: object, most: int = 2_000) -> str:
    """Foreign text for a reportlab paragraph, which reads its text as XML."""
    return escape(shortened(text, most))


def fitted(text: object, font: str, size: float, width: float) -> str:
    """Clean text cut to a width in points."""
    whole = clean(text)
    if pdfmetrics.stringWidth(whole, font, size) <= width:
        return whole
    while whole and pdfmetrics.stringWidth(whole + "…", font, size) > width:
        whole = whole[: -max(1, len(whole) // 30)]
    return whole.rstrip() + "…"


def number(value: float | None, digits: int = 0, unit: str = "") -> str:
    """`1,234.5 m`, or a dash where there is nothing."""
    if value is None or not math.isfinite(value):
        return MISSING
    shown = f"{value:,.{digits}f}"
    shown = shown.removeprefix("-") if float(shown.replace(",", "")) == 0 else shown
    return f"{shown} {unit}".rstrip()


def with_interval(value: float | None, low: float | None, high: float | None, digits: int) -> str:
    """`43 (38 to 51)`; the value alone where there is no interval."""
    if low is None or high is None or value is None:
        return number(value, digits)
    return f"{number(value, digits)} ({number(low, digits)} to {number(high, digits)})"


def money(value: float | None, currency: str) -> str:
    """`999,303 USD`, whole units and never in millions, the same on every page."""
    return MISSING if value is None else number(value, 0, clean(currency))


def kilometres(metres: float | None) -> str:
    """`12.3 km`, or `850 m` below one kilometre."""
    if metres is None:
        return MISSING
    return number(metres, 0, "m") if abs(metres) < 999.5 else number(metres / 1000, 1, "km")


def chainage(metres: float | None) -> str:
    """`13+170`, as engineers write it."""
    if metres is None:
        return MISSING
    whole = round(metres)
    return f"{'-' if whole < 0 else ''}{abs(whole) // 1000}+{abs(whole) % 1000:03d}"


def percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole > 0 else MISSING


def counted(many: int, noun: str) -> str:
    """`1 project`, `1,200 projects`."""
    return f"{many:,} {noun}{'' if many == 1 else 's'}"


def year_colour(place: int, years: int) -> Color:
    """Dark for the first year, light for the last."""
    at = place / max(years - 1, 1) * (len(_EARLY_TO_LATE) - 1)
    low = min(int(at), len(_EARLY_TO_LATE) - 2)
    first, second = HexColor(_EARLY_TO_LATE[low]), HexColor(_EARLY_TO_LATE[low + 1])
    mixed = [a + (b - a) * (at - low) for a, b in zip(first.rgb(), second.rgb(), strict=True)]
    return Color(*mixed)


@lru_cache(maxsize=1)
def styles() -> dict[str, ParagraphStyle]:
    """Paragraphs of the report by name."""
    load_fonts()
    body = ParagraphStyle(
        "body", fontName=REGULAR, bulletFontName=REGULAR, fontSize=9, leading=13.2, textColor=INK,
        spaceAfter=5, allowWidows=0, allowOrphans=0, splitLongWords=1,
    )  # fmt: skip

    def of(name: str, **changes: Any) -> ParagraphStyle:
        return ParagraphStyle(name, parent=body, **changes)

    made = [
        body,
        of("lead", fontSize=10.5, leading=15.5, spaceAfter=7),
        of("title", fontName=BOLD, fontSize=26, leading=32, spaceAfter=8),
        of("cover", fontSize=12, leading=18, textColor=MUTED, spaceAfter=2),
        of("h1", fontName=BOLD, fontSize=16, leading=21, textColor=ACCENT, spaceBefore=24,
           spaceAfter=8),
        of("h2", fontName=BOLD, fontSize=11, leading=15, spaceBefore=8, spaceAfter=4),
        of("note", fontSize=7.6, leading=10.8, textColor=MUTED, spaceAfter=4),
        of("small", fontSize=8.2, leading=11.4, spaceAfter=3),
        of("cell", fontSize=7.6, leading=10, spaceAfter=0),
        of("cell_right", fontSize=7.6, leading=10, spaceAfter=0, alignment=TA_RIGHT),
        of("head", fontName=BOLD, fontSize=7.2, leading=9.4, spaceAfter=0, textColor=white),
        of("head_right", fontName=BOLD, fontSize=7.2, leading=9.4, spaceAfter=0, textColor=white,
           alignment=TA_RIGHT),
        of("label", fontSize=7.4, leading=10, textColor=MUTED, spaceAfter=0),
        of("figure", fontName=BOLD, fontSize=14, leading=19, textColor=ACCENT, spaceAfter=0),
        of("toc", fontSize=10, leading=17, spaceAfter=0),
        of("bullet", leftIndent=11, bulletIndent=1, spaceAfter=3),
    ]  # fmt: skip
    return {style.name: style for style in made}


def paragraph(text: str, style: str = "body", **more: Any) -> Paragraph:
    """A paragraph of our own words; foreign parts must have gone through `safe`."""
    return Paragraph(text, styles()[style], **more)


def part_end() -> Flowable:
    """Between two parts: short ones share a page."""
    return CondPageBreak(PART_HEIGHT)


def bullets(texts: Sequence[str]) -> list[Flowable]:
    """Items of a list; foreign parts must have gone through `safe`."""
    return [Paragraph(text, styles()["bullet"], bulletText="•") for text in texts]


class Heading(Paragraph):  # type: ignore[misc]
    """A heading that goes into the outline; of level 0 into the table of contents too."""

    def __init__(self, text: str, level: int, key: str) -> None:
        super().__init__(safe(text), styles()["h1" if level == 0 else "h2"])
        self.plain, self.level, self.key = clean(text), level, key
        self.text_for_contents = safe(text)


def subheading(text: str, key: str) -> list[Flowable]:
    """A heading of level 1 that has room for a few lines below it on its page.

    Not `keepWithNext`: a table longer than what is left of the page would go to the next page whole.
    """
    return [CondPageBreak(90), Heading(text, 1, key)]


def data_table(
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    widths: Sequence[float],
    right: Sequence[int] = (),
    width: float = 480,
    last_bold: bool = False,
) -> Flowable:
    """A table whose head is repeated on every page; cells wrap and are never cut.

    Args:
        rows: foreign text or numbers as text; all of it is made safe here.
        widths: of the columns, in any unit; they are spread over `width` points.
        right: columns whose values stand on the right.
        last_bold: the last row is a total.
    """
    made = styles()

    spread = _column_widths(head, rows, widths, right, width)

    def cell(value: object, column: int, *, total: bool) -> Flowable:
        # A row must fit on a page.
        most = max(12, int(MOST_LINES * (spread[column] - 8) / 4.7))
        text = safe(MISSING if value is None else value, min(most, LONGEST_CELL))
        style = made["cell_right" if column in right else "cell"]
        return Paragraph(f"<b>{text}</b>" if total else text, style)

    lines: list[list[Flowable]] = [
        [Paragraph(safe(name), made["head_right" if n in right else "head"]) for n, name in enumerate(head)]
    ]
    for place, row in enumerate(rows):
        total = last_bold and place == len(rows) - 1
        lines.append([cell(value, column, total=total) for column, value in enumerate(row)])
    table = LongTable(lines, colWidths=spread, repeatRows=1, hAlign="LEFT")
    table.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, 0), ACCENT),
                ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
                ("VALIGN", (0, 1), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 1), (-1, -1), 0.4, RULE),
                ("LEFTPADDING", (0, 0), (-1, -1), 4),
                ("RIGHTPADDING", (0, 0), (-1, -1), 4),
                ("TOPPADDING", (0, 0), (-1, -1), 2.6),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3.2),
                *([("LINEABOVE", (0, -1), (-1, -1), 0.9, INK)] if last_bold and rows else []),
            ]
        )
    )
    return table


def space(height: float = GAP) -> Flowable:
    return Spacer(1, height)


def _column_widths(
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    widths: Sequence[float],
    right: Sequence[int],
    width: float,
) -> list[float]:
    """Shares of `width`, but with room for the longest number, which must not wrap; the text gives way."""
    found = [one * width / sum(widths) for one in widths]
    for column in right:
        words = [word for word in head[column].split() if word]
        cells = [str(row[column]) for row in rows if row[column] is not None]
        longest = max(
            (
                *(pdfmetrics.stringWidth(word, BOLD, 7.2) for word in words),
                *(pdfmetrics.stringWidth(cell, BOLD, 7.6) for cell in cells if len(cell) <= LONGEST_NUMBER),
            ),
            default=0.0,
        )
        found[column] = max(found[column], longest + 9)
    text = [column for column in range(len(widths)) if column not in right]
    room = width - sum(found[column] for column in right)
    wanted = sum(widths[column] for column in text)
    if text and room >= LEAST_TEXT * width:
        for column in text:
            found[column] = room * widths[column] / wanted
    share = width / sum(found)
    return [one * share for one in found]
