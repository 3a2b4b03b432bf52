"""The report's projects: the first ones with pictures, all of them in a table; without a plan, sections."""

import io
from collections.abc import Iterator, Sequence

from reportlab.platypus import Flowable, Image, KeepTogether, Table, TableStyle

from engine.errors import EngineError
from engine.vocabulary import DistressType
from jobs.export.pdf.condition import at_best_words
from jobs.export.pdf.facts import (
    Facts,
    Row,
    at_best,
    class_words,
    index_with_ends,
    mean_of,
    worst_first,
    worst_photo,
)
from jobs.export.pdf.maps import Layer, RoadMap
from jobs.export.pdf.style import (
    ACCENT,
    GAP,
    INK,
    MISSING,
    NOT_SURVEYED,
    PANEL,
    RULE,
    Heading,
    chainage,
    data_table,
    kilometres,
    money,
    number,
    paragraph,
    part_end,
    safe,
    shortened,
    space,
    with_interval,
)
from jobs.export.pdf.summary import place_of, work_words
from jobs.export.pictures import Picture, PictureSource
from jobs.export.progress import Progress
from jobs.export.styles import TYPE_COLOURS

KIND_WORDS = {DistressType.CRACK: "of no type"}
PICTURED = 20
"""Projects (without a plan: sections) that get pictures."""
MOST_ROWS = 1_000
"""Lines of a table; the spreadsheet has the rest."""
MOST_NAMED_SECTIONS = 12
LOCATION_WIDTH = 0.27
HIGHEST_PICTURE = 132.0
NOTE_HEIGHT = 84.0


def first_places(
    facts: Facts, pictures: PictureSource | None, width: float, progress: Progress
) -> list[Flowable]:
    """The first projects, or the worst sections, each on half a page.

    Args:
        pictures: None leaves the photos out.
        progress: told the share of them done; may raise.
    """
    ranked = facts.projects if facts.has_plan else worst_first(facts)
    shown = ranked[:PICTURED]
    title = "The first projects" if facts.has_plan else "The sections in worst condition"
    story: list[Flowable] = [Heading(title, 0, "first")]
    if not shown:
        what = "The plan has no projects." if facts.has_plan else "No section was surveyed."
        return [*story, paragraph(what), part_end()]
    if len(ranked) > len(shown):
        story.append(
            paragraph(f"The first {len(shown)} of {len(ranked):,}; all are in the table that follows.")
        )
    for place, row in enumerate(shown):
        progress(place / len(shown), f"Picture {place + 1} of {len(shown)}")
        keys = row["keys"] if facts.has_plan else [row["section_key"]]
        # The part's heading stays with the first of them.
        before = story if place == 0 else []
        story = [] if place == 0 else story
        story.append(KeepTogether([*before, *_place(facts, row, place + 1, keys, pictures, width)]))
    return [*story, part_end()]


def _place(
    facts: Facts, row: Row, rank: int, keys: Sequence[str], pictures: PictureSource | None, width: float
) -> Iterator[Flowable]:
    sections = [facts.by_key[key] for key in keys if key in facts.by_key]
    rank = int(row.get("rank") or rank)
    yield Heading(f"{rank}. {shortened(place_of(row), 110)}", 1, f"place-{rank}")
    lines = _project_lines(facts, row, sections) if facts.has_plan else _section_lines(row)
    yield _lines_table(lines, width)
    yield space(5)
    map_width = width * LOCATION_WIDTH
    found, caption, high = _photos(worst_photo(facts, keys), pictures, width - map_width - GAP)
    location = RoadMap(
        [
            Layer([one["geometry"] for one in facts.sections], NOT_SURVEYED, 0.5),
            Layer([row["geometry"]], ACCENT, 3),
        ],
        map_width,
        high,
        ring=row["geometry"],
        base=f"whole-network-{high:.0f}",
        legend=False,
    )
    beside = Table([[found, location]], colWidths=[width - map_width, map_width], hAlign="LEFT")
    beside.setStyle(_plain())
    yield beside
    yield space(2)
    if caption:
        yield paragraph(caption, "note")
    if facts.has_plan and row["reason"]:
        yield paragraph(f"<b>Why.</b> {safe(row['reason'], 1_500)}", "small")
    yield space(10)


def _lines_table(lines: Sequence[tuple[str, str]], width: float) -> Flowable:
    """Facts in two columns, read downwards."""
    half = (len(lines) + 1) // 2
    cells = [[paragraph(safe(label), "label"), paragraph(safe(text, 240), "cell")] for label, text in lines]
    cells += [[None, None]] * (2 * half - len(cells))
    beside = [[*cells[place], None, *cells[place + half]] for place in range(half)]
    table = Table(
        beside, colWidths=[width * share for share in (0.145, 0.335, 0.02, 0.145, 0.355)], hAlign="LEFT"
    )
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 2),
                ("TOPPADDING", (0, 0), (-1, -1), 1),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1.6),
                ("LINEBELOW", (0, 0), (1, -1), 0.3, RULE),
                ("LINEBELOW", (3, 0), (4, -1), 0.3, RULE),
            ]
        )
    )
    return table


def _plain() -> TableStyle:
    return TableStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            *((f"{side}PADDING", (0, 0), (-1, -1), 0) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")),
        ]
    )


def _project_lines(facts: Facts, row: Row, sections: Sequence[Row]) -> list[tuple[str, str]]:
    currency = facts.currency
    names = [shortened(section["section_key"], 30) for section in sections[:MOST_NAMED_SECTIONS]]
    more = len(sections) - len(names)
    benefit = number(row["benefit_cost"], 2) if row["benefit_cost"] is not None else MISSING
    lines = [
        ("Treatment", f"{row['treatment']}, {row['year']}"),
        ("Cost", money(row["cost"], currency)),
        ("Size", f"{kilometres(row['length_m'])}, {number(row['area_m2'], 0, 'm²')}"),
        ("Index surveyed", with_interval(*index_with_ends(sections), 0)),
        (
            f"Index in {row['year']}",
            f"{number(row['index_before'])} before, {number(row['index_after'])} after",
        ),
        ("Crack density", _density(sections)),
        ("Annual cost", f"{money(row['equivalent_annual_cost'], currency)}, equivalent over its life"),
        ("Benefit", f"{benefit} index-km-years per 1,000"),
        ("3 years later", _delay(facts, row)),
        ("Sections", ", ".join(names) + (f" and {more} more" if more > 0 else "")),
    ]
    if row["stays_percent"] is not None:
        lines.insert(-1, ("Stays", f"in {row['stays_percent']:.0f} % of draws within the intervals"))
    return lines


def _delay(facts: Facts, row: Row) -> str:
    cost = row["cost_of_delay"]
    if cost is None:
        return "beyond the treatments of the set"
    return f"{money(cost, facts.currency)} more" if cost > 0 else "no dearer"


def _density(sections: Sequence[Row]) -> str:
    """Of one section with its interval; of several the range."""
    if len(sections) == 1:
        return _measure(sections[0])
    mean = mean_of(sections, "crack_density_m_per_m2")
    known = [row["crack_density_m_per_m2"] for row in sections if row["crack_density_m_per_m2"] is not None]
    if mean is None or not known:
        return MISSING
    return f"{number(mean, 2)} m/m², sections {number(min(known), 2)} to {number(max(known), 2)}"


def _measure(row: Row) -> str:
    name = "crack_density_m_per_m2"
    shown = with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"], 2)
    return shown if shown == MISSING else f"{shown} m/m²"


def _section_lines(row: Row) -> list[tuple[str, str]]:
    amounts = [
        f"{kind} {number(row[column], digits, unit)}"
        for kind, column, digits, unit in (
            ("alligator", "alligator_m2", 1, "m²"),
            ("block", "block_m2", 1, "m²"),
            ("longitudinal", "longitudinal_m", 1, "m"),
            ("transverse", "transverse_m", 1, "m"),
            ("diagonal", "diagonal_m", 1, "m"),
            ("potholes", "pothole_m2", 2, "m²"),
        )
        if row[column]
    ]
    area = "crack_area_percent"
    return [
        ("Section", str(row["section_key"])),
        (
            "Condition index",
            with_interval(row["condition_index"], row["condition_index_low"], row["condition_index_high"], 1)
            + (f", {row['rating']}" if row["rating"] else "")
            + (" at best" if at_best(row) else ""),
        ),
        ("Crack density", _measure(row)),
        ("Cracked picture", f"{with_interval(row[area], row[f'{area}_low'], row[f'{area}_high'], 2)} %"),
        ("Found", ", ".join(amounts) or MISSING),
        ("Length, class", f"{kilometres(row['length_m'])}, {row['functional_class'] or 'class not known'}"),
        ("Vehicles a day", number(row["aadt"])),
        ("Photos", f"{row['images'] or 0}; {number(row['surveyed_share_percent'])} % of the length seen"),
    ]


def _photos(photo: Row | None, pictures: PictureSource | None, width: float) -> tuple[Flowable, str, float]:
    """Both pictures of a photo beside each other, the words under them and their height; or a note."""
    if photo is None:
        return _note("No analysed photo lies on it.", width), "", NOTE_HEIGHT
    if pictures is None:
        return _note("This report was made without photos.", width), "", NOTE_HEIGHT
    try:
        picture = pictures(int(photo["photo_id"]))
    except EngineError as error:
        return _note(error.what, width), "", NOTE_HEIGHT
    pair = [_image(data, picture, width) for data in (picture.plain, picture.marked)]
    table = Table([pair], colWidths=[pair[0].drawWidth + GAP / 2] * 2, hAlign="LEFT")
    table.setStyle(_plain())
    at = f" at {chainage(photo['chainage_m'])}" if photo["chainage_m"] is not None else ""
    taken = safe(str(photo["captured_at"] or "")[:10])
    density = photo["crack_density_m_per_m2"]
    said = [
        f"Its most cracked photo, {safe(photo['name'], 80)}{at}{', ' + taken if taken else ''}: "
        "as taken, and with the cracks found.",
        f"{number(density, 2)} m/m²." if density is not None else "",
        _kinds(picture.kinds),
    ]
    high = max(pair[0].drawHeight, NOTE_HEIGHT)
    return table, " ".join(part for part in said if part), high


def _image(data: bytes, picture: Picture, width: float) -> Image:
    scale = min((width / 2 - GAP / 2) / picture.width_px, HIGHEST_PICTURE / picture.height_px)
    return Image(io.BytesIO(data), picture.width_px * scale, picture.height_px * scale, hAlign="LEFT")


def _kinds(kinds: Sequence[DistressType]) -> str:
    """The legend of a marked photo; a dark ground keeps the light colours readable."""
    if not kinds:
        return "No cracks were found on it."
    dark = INK.hexval().replace("0x", "#")
    named = [(TYPE_COLOURS[kind], KIND_WORDS.get(kind, kind.value)) for kind in kinds]
    return "Lines: " + " ".join(
        f'<font backColor="{dark}" color="{colour}">&nbsp;{words.replace(" ", "&nbsp;")}&nbsp;</font>'
        for colour, words in named
    )


def _note(text: str, width: float) -> Flowable:
    table = Table(
        [[paragraph(safe(text, 300), "note")]], colWidths=[width], rowHeights=[NOTE_HEIGHT], hAlign="LEFT"
    )
    style = [("BACKGROUND", (0, 0), (-1, -1), PANEL), ("VALIGN", (0, 0), (-1, -1), "MIDDLE")]
    table.setStyle(TableStyle(style))
    return table


def all_places(facts: Facts, width: float) -> list[Flowable]:
    """Every project, or every surveyed section, in one table."""
    if facts.has_plan:
        return _all_projects(facts, width) if facts.projects else []
    rows = worst_first(facts)
    if not rows:
        return []
    measure = "condition" if facts.surveyed else "share of cracked picture"
    return [
        Heading(f"All surveyed sections by {measure}", 0, "all"),
        *_cut(len(rows)),
        data_table(
            ("No.", "Section", "Where", "Class", "Length, m", "Index", "Condition", "Crack density, m/m²"),
            [
                (
                    n,
                    shortened(row["section_key"], 40),
                    shortened(place_of(row), 70),
                    shortened(row["functional_class"] or MISSING, 30),
                    number(row["length_m"]),
                    with_interval(
                        row["condition_index"], row["condition_index_low"], row["condition_index_high"], 1
                    ),
                    class_words(row),
                    with_interval(
                        row["crack_density_m_per_m2"],
                        row["crack_density_m_per_m2_low"],
                        row["crack_density_m_per_m2_high"],
                        2,
                    ),
                )
                for n, row in enumerate(rows[:MOST_ROWS], 1)
            ],
            (0.6, 1.5, 2.6, 1.3, 0.9, 1.4, 1.1, 1.9),
            (0, 4, 5, 7),
            width,
        ),
        paragraph(f"In brackets: 90 % intervals.{at_best_words(facts)}", "note"),
        part_end(),
    ]


def _all_projects(facts: Facts, width: float) -> list[Flowable]:
    total = sum(project["cost"] or 0.0 for project in facts.projects)
    rows: list[Sequence[object]] = [
        (
            project["rank"],
            shortened(place_of(project), 80),
            project["year"],
            shortened(project["treatment"], 40),
            number(project["length_m"]),
            number(project["cost"]),
            f"{number(project['index_before'])} → {number(project['index_after'])}",
            number(project["benefit_cost"], 2),
            MISSING if project["stays_percent"] is None else f"{project['stays_percent']:.0f} %",
        )
        for project in facts.projects[:MOST_ROWS]
    ]
    rows.append(("", "All projects", "", "", "", number(total), "", "", ""))
    cost = f"Cost, {shortened(facts.currency, 10)}" if facts.currency else "Cost"
    return [
        Heading("All projects", 0, "all"),
        *_cut(len(facts.projects)),
        data_table(
            ("No.", "Where", "Year", "Treatment", "Length, m", cost, "Index", "Benefit per 1,000", "Stays"),
            rows,
            (0.6, 3.2, 0.65, 1.85, 0.9, 1.2, 0.95, 1.0, 0.7),
            (0, 2, 4, 5, 6, 7, 8),
            width,
            last_bold=True,
        ),
        paragraph(
            f"{work_words(facts)} Index: when treated → just after. Benefit: area between the condition "
            "curves with and without the project, in index points × km × years at the network’s mean "
            "traffic, per 1,000 of cost. "
            "Stays: how often the project stays in the plan when the condition is drawn from its interval.",
            "note",
        ),
        part_end(),
    ]


def _cut(many: int) -> list[Flowable]:
    if many <= MOST_ROWS:
        return []
    return [paragraph(f"The first {MOST_ROWS:,} of {many:,}; the spreadsheet and the GIS files have all.")]
