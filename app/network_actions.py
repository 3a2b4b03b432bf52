"""What people do with road networks: check and import a file, change attributes and sample units."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import select, update

from app.actions import Actor, clean_name, record_event, request_job, require
from app.network_data import EDITABLE, get_network
from db import queries
from db.models import Network, Section, SectionResult
from db.session import transaction
from engine.errors import EngineError, SettingsError
from engine.linear_reference import LONGEST_UNIT_M, SHORTEST_UNIT_M
from engine.network_columns import FIELDS, RANGES, TEXT_LENGTHS, direction_word
from engine.networks import NetworkFile, read_network
from engine.vocabulary import JobKind, Role
from jobs import queue

# More than these help nobody in one message.
SAID_PROBLEMS = 10
ROWS_AT_ONCE = 500


@dataclass(frozen=True)
class ImportedNetwork:
    """What became of a GIS file."""

    network_id: int
    sections: int
    length_km: float
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ReadOptions:
    """How a GIS file is read; the attributes are those of `read_network`."""

    columns: Mapping[str, str | None] = field(default_factory=dict)
    chainage_unit: str | None = None
    layer: str | None = None
    cut_every_m: float | None = None


@dataclass(frozen=True)
class CellEdit:
    """One changed cell of the section table.

    Attributes:
        section_id: row.
        column: of `EDITABLE`.
        before: what the person saw; after: what was typed. None is an empty cell.
    """

    section_id: int
    column: str
    before: Any
    after: Any


class SectionEditError(EngineError):
    """Values that no section can have, or that somebody else changed meanwhile; nothing was saved.

    Attributes:
        problems: one sentence a cell.
    """

    def __init__(self, problems: Sequence[str], remedy: str) -> None:
        more = f" And {len(problems) - SAID_PROBLEMS} more." if len(problems) > SAID_PROBLEMS else ""
        super().__init__(" ".join(problems[:SAID_PROBLEMS]) + more + " Nothing was saved.", remedy)
        self.problems = list(problems)


def check_network(
    actor: Actor, path: Path, options: ReadOptions, file_name: str | None = None
) -> NetworkFile:
    """Read a GIS file and say what an import would take, change and refuse; nothing is written.

    Raises:
        NetworkFileError: the file cannot be used.
        SettingsError: an option makes no sense.
    """
    require(actor, Role.ENGINEER, "import a network")
    return read_network(path, name=file_name, **asdict(options))


def import_checked(
    actor: Actor,
    path: Path,
    name: str,
    options: ReadOptions,
    *,
    file_name: str | None = None,
    sample_unit_m: float = 100.0,
) -> ImportedNetwork:
    """Read a GIS file as `check_network` does, and make a network of its sections, all or none.

    Args:
        actor: who asks.
        path: the file on this machine.
        name: of the new network.
        options: those of the check.
        file_name: the name people know the file by, where it differs from the path's.
        sample_unit_m: length of its sample units, 10 to 1000.

    Raises:
        NetworkFileError: the file cannot be used; nothing was saved.
        SettingsError: the name is taken, or an option makes no sense.
    """
    name = clean_name(name, "network")
    _check_unit(sample_unit_m)
    read = check_network(actor, path, options, file_name)
    with transaction() as session:
        if queries.find_network(session, actor.agency_id, name) is not None:
            raise SettingsError(f"There is a network named {name!r} already.", "Choose another name.")
        network = Network(agency_id=actor.agency_id, name=name, sample_unit_m=sample_unit_m)
        session.add(network)
        session.flush()
        queries.add_sections(session, network.id, read.sections)
        given = {key: value for key, value in asdict(options).items() if value}
        record_event(session, actor, "network.import", name, sections=len(read.sections), **given)
        network_id = network.id
    length_km = sum(section.length_m for section in read.sections) / 1000
    return ImportedNetwork(network_id, len(read.sections), length_km, read.problems)


def edit_sections(actor: Actor, network_id: int, edits: Sequence[CellEdit]) -> int:
    """Change cells of the section table, all or none; returns how many differ from before.

    Raises:
        SectionEditError: a value makes no sense, or is no longer what the person saw.
        SettingsError: the agency has no such network, or a column cannot be changed.
    """
    require(actor, Role.ENGINEER, "change sections")
    wrong = sorted({edit.column for edit in edits} - set(EDITABLE))
    if wrong:
        raise SettingsError(f"{', '.join(wrong)} cannot be changed.", f"Change: {', '.join(EDITABLE)}.")
    with transaction() as session:
        network = get_network(session, actor.agency_id, network_id)
        rows: dict[int, Section] = {}
        ids = sorted({edit.section_id for edit in edits})
        for start in range(0, len(ids), ROWS_AT_ONCE):
            some = select(Section).where(
                Section.network_id == network.id, Section.id.in_(ids[start : start + ROWS_AT_ONCE])
            )
            # Locked until the end: what is compared here is what is replaced.
            rows |= {row.id: row for row in session.scalars(some.with_for_update())}
        if missing := [id for id in ids if id not in rows]:
            raise SettingsError(f"Network {network.name!r} has no section {missing[0]}.", "Reload the table.")
        changes, problems, conflicts = _checked(edits, rows)
        if problems:
            raise SectionEditError(problems, "Correct them and save again.")
        if conflicts:
            raise SectionEditError(conflicts, "Load the table anew, look at what changed, and edit again.")
        if changes:
            by_row: dict[int, dict[str, Any]] = defaultdict(dict)
            for edit, value in changes:
                by_row[edit.section_id][edit.column] = value
            session.execute(update(Section), [{"id": id, **values} for id, values in by_row.items()])
            told = [
                [rows[edit.section_id].section_key, edit.column, edit.before, value]
                for edit, value in changes
            ]
            record_event(session, actor, "network.edit_sections", network.name, changes=told)
        return len(changes)


def _checked(
    edits: Sequence[CellEdit], rows: Mapping[int, Section]
) -> tuple[list[tuple[CellEdit, Any]], list[str], list[str]]:
    """The real changes with their clean values; what makes no sense; what is not as it was shown."""
    changes, problems, conflicts = [], [], []
    for edit in edits:
        row = rows[edit.section_id]
        where = f"Section {row.section_key}, {FIELDS[edit.column]}:"
        now = getattr(row, edit.column)
        try:
            value = clean_value(edit.column, edit.after)
        except ValueError as problem:
            problems.append(f"{where} {problem}")
            continue
        if value == now:
            continue
        if now != edit.before:
            conflicts.append(f"{where} it is {_told(now)} now, not {_told(edit.before)} as you saw it.")
            continue
        changes.append((edit, value))
    return changes, problems, conflicts


def _told(value: Any) -> str:
    return "empty" if value is None else str(value)


def clean_value(column: str, value: Any) -> str | int | float | None:
    """A typed value as it is stored; None for an empty cell.

    Raises:
        ValueError: no section can have it; says why.
    """
    if value is None or (isinstance(value, float) and value != value) or str(value).strip() == "":
        return None
    if column in TEXT_LENGTHS:
        text = "".join(c for c in str(value) if c.isprintable()).strip()
        if len(text) > TEXT_LENGTHS[column]:
            raise ValueError(
                f"{text[:30]!r}... has {len(text)} characters, at most {TEXT_LENGTHS[column]} fit."
            )
        return direction_word(text) if column == "direction" else text or None
    lowest, highest = RANGES[column]
    whole = column != "lane_width_m"
    expected = f"not a {'whole ' if whole else ''}number from {lowest:,} to {highest:,}."
    try:
        number = float(str(value).strip())
    except ValueError:
        raise ValueError(f"{str(value)[:30]!r} is {expected}") from None
    if not lowest <= number <= highest or (whole and not number.is_integer()):
        raise ValueError(f"{value} is {expected}")
    return int(number) if whole else number


def edit_from_csv(actor: Actor, network_id: int, content: str, file_name: str) -> int:
    """Change sections by a table of `section_key` and columns of `EDITABLE`; an empty cell empties it.

    Raises:
        SettingsError: the table has other columns, names a section twice or one that is not there.
        SectionEditError: a value makes no sense; nothing was saved.
    """
    try:
        table = pd.read_csv(StringIO(content.removeprefix("\ufeff")), dtype=str, keep_default_na=False)
    except (ValueError, pd.errors.ParserError) as problem:
        raise SettingsError(f"{file_name} is not a CSV table: {problem}.", "Save it as CSV.") from problem
    columns = [str(column).strip() for column in table.columns]
    table.columns = pd.Index(columns)
    if "section_key" not in columns or len(columns) < 2 or set(columns) - {"section_key", *EDITABLE}:
        raise SettingsError(
            f"{file_name} has the columns {', '.join(columns)}.",
            f"Give section_key and some of: {', '.join(EDITABLE)}.",
        )
    if (twice := table["section_key"][table["section_key"].duplicated()]).size:
        raise SettingsError(f"{file_name} names section {twice.iloc[0]!r} twice.", "Leave one line of it.")
    with transaction() as session:
        get_network(session, actor.agency_id, network_id)
        found = select(Section.id, Section.section_key, *(getattr(Section, name) for name in EDITABLE))
        rows = {
            row.section_key: row for row in session.execute(found.where(Section.network_id == network_id))
        }
    edits = []
    for line in table.to_dict("records"):
        row = rows.get(line["section_key"])
        if row is None:
            raise SettingsError(
                f"{file_name} names section {line['section_key']!r}, which the network does not have.",
                "Correct it or leave it out; nothing was saved.",
            )
        edits += [
            CellEdit(row.id, str(column), getattr(row, str(column)), value)
            for column, value in line.items()
            if column != "section_key"
        ]
    return edit_sections(actor, network_id, edits)


def set_sample_unit(
    actor: Actor, network_id: int, unit_m: float, before_m: float | None = None
) -> int | None:
    """Change the length of a network's sample units, and queue the summing up of its results by the new ones.

    Until that job is through, some sections still have units of the old length.

    Args:
        actor: who asks.
        network_id: of the actor's agency.
        unit_m: 10 to 1000.
        before_m: what the person saw; None to set it whatever it was.

    Returns:
        The id of the job; None where the length is that already, or there are no results.

    Raises:
        SettingsError: outside the range, or somebody else changed it meanwhile.
    """
    require(actor, Role.ENGINEER, "change sample units")
    _check_unit(unit_m)
    with transaction() as session:
        network = get_network(session, actor.agency_id, network_id)
        session.refresh(network, with_for_update=True)
        if before_m is not None and network.sample_unit_m != before_m:
            raise SettingsError(
                f"The sample units are {network.sample_unit_m:g} m now, not {before_m:g} m as you saw it.",
                "Reload the page and decide again.",
            )
        if network.sample_unit_m == unit_m:
            return None
        record_event(
            session, actor, "network.sample_unit", network.name, before=network.sample_unit_m, after=unit_m
        )
        network.sample_unit_m = unit_m
        session.flush()
        some = select(SectionResult.id).join(Section).where(Section.network_id == network_id).limit(1)
        if session.scalar(some) is None:
            return None
        # A job that runs already begins again where it finds another length at its end.
        job_id = request_job(
            session, actor, JobKind.ROLL_UP_NETWORK, f"roll-up:{network_id}", {"network_id": network_id}
        )
    queue.send(job_id, JobKind.ROLL_UP_NETWORK)
    return job_id


def _check_unit(unit_m: float) -> None:
    if not SHORTEST_UNIT_M <= unit_m <= LONGEST_UNIT_M:
        raise SettingsError(
            f"Sample units of {unit_m:g} m are not possible.",
            f"Give {SHORTEST_UNIT_M:g} to {LONGEST_UNIT_M:g} m.",
        )
