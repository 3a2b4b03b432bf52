"""Makes one file to hand out of a survey's analysis: reads, writes, and names it."""

import tempfile
import unicodedata
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session

from engine.vocabulary import ExportFormat
from jobs.export.data import ExportData, read_export_data
from jobs.export.gis import write_geojson, write_geopackage, write_shapefile
from jobs.export.inspections import write_inspections
from jobs.export.kml import write_kml
from jobs.export.overlays import stored_overlays, write_overlays
from jobs.export.progress import Progress, no_progress, part_of
from jobs.export.tables import write_csv, write_excel, write_sections_csv

UNFINISHED = ".writing-"
READING = 0.3
"""Part of the work that is reading."""
NAMES = {
    ExportFormat.PDF: "priority report.pdf",
    ExportFormat.EXCEL: "tables.xlsx",
    ExportFormat.CSV: "tables.zip",
    ExportFormat.GEOPACKAGE: "layers.gpkg",
    ExportFormat.SHAPEFILE: "shapefiles.zip",
    ExportFormat.GEOJSON: "sections.geojson",
    ExportFormat.KML: "map.kml",
    ExportFormat.OVERLAYS: "overlays.zip",
    ExportFormat.INSPECTIONS: "inspections.zip",
}
"""What a file is called after the survey's name."""
WITH_DISTRESSES = (
    ExportFormat.EXCEL, ExportFormat.CSV, ExportFormat.GEOPACKAGE, ExportFormat.SHAPEFILE,
)  # fmt: skip
LONGEST_STEM_BYTES = 160
NOT_IN_NAMES = '<>:"/\\|?*'
WINDOWS_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


def suffix_of(format: ExportFormat) -> str:
    """`.pdf` and so on; several files travel as `.zip`."""
    return Path(NAMES[format]).suffix


def file_name(survey: str, format: ExportFormat) -> str:
    """A name that every file system takes, made of a survey's: "Main Street 2026 - tables.xlsx"."""
    letters = "".join(
        "-" if char in NOT_IN_NAMES or not (char.isprintable() or char == " ") else char
        for char in unicodedata.normalize("NFC", survey)
    )
    # Nothing hidden, and nothing that a command would take for an option or a sheet for a formula.
    stem = " ".join(letters.split()).strip(" .-=+@~")
    stem = stem.encode("utf-8", "ignore")[:LONGEST_STEM_BYTES].decode("utf-8", "ignore").strip(" .")
    if not stem or stem.split(".")[0].lower() in WINDOWS_DEVICES:
        stem = f"Survey {stem}".strip()
    return f"{stem} - {NAMES[format]}"


def make_export(
    session: Session,
    agency_id: int,
    survey_id: int,
    format: ExportFormat,
    *,
    plan_id: int | None = None,
    paper: str = "A4",
    folder: Path,
    progress: Progress = no_progress,
) -> tuple[Path, dict[str, str]]:
    """Make one file; it is written under a temporary name and renamed when it is whole.

    Args:
        session: to read with.
        agency_id: whose survey.
        survey_id: an analysed survey.
        format: of the file.
        plan_id: None: without a plan.
        paper: A4 or Letter, for a PDF.
        folder: where the file goes; one of the same name is replaced.
        progress: called with the part done, 0 to 1, and what is being done, about once a second; what it
            raises ends the work, and nothing is left.

    Returns:
        The file, and its provenance.

    Raises:
        SettingsError: there is nothing to export, or not in this format; with the remedy.
    """
    with_distresses, reading = format in WITH_DISTRESSES, part_of(progress, 0, READING)
    data = read_export_data(
        session, agency_id, survey_id, plan_id, distresses=with_distresses, progress=reading
    )
    target = folder / file_name(data.provenance["survey"], format)
    _write_whole(data, target, _writer(session, agency_id, format, paper), progress)
    return target, data.provenance


def make_sections_csv(
    session: Session,
    agency_id: int,
    survey_id: int,
    *,
    plan_id: int | None = None,
    folder: Path,
    progress: Progress = no_progress,
) -> tuple[Path, dict[str, str]]:
    """The sections alone as one CSV file; arguments and answer as of `make_export`."""
    data = read_export_data(
        session, agency_id, survey_id, plan_id, distresses=False, progress=part_of(progress, 0, READING)
    )
    target = folder / "sections.csv"
    _write_whole(data, target, write_sections_csv, progress)
    return target, data.provenance


def _write_whole(data: ExportData, target: Path, write: Callable[..., None], progress: Progress) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=UNFINISHED) as place:
        unfinished = Path(place) / f"export{target.suffix}"
        write(data, unfinished, progress=part_of(progress, READING, 1.0))
        progress(1.0, "The file is written")
        unfinished.replace(target)


def _writer(session: Session, agency_id: int, format: ExportFormat, paper: str) -> Callable[..., None]:
    """The function of data, path and progress that writes a format."""
    if format is ExportFormat.PDF:
        # Fonts and page layout take a second to load, which no other format needs.
        from jobs.export.pdf import write_pdf
        from jobs.export.pictures import stored_pictures

        return partial(write_pdf, paper=paper, pictures=stored_pictures(session, agency_id))
    if format is ExportFormat.OVERLAYS:
        return partial(write_overlays, overlays=stored_overlays(session, agency_id))
    return WRITERS[format]


WRITERS: dict[ExportFormat, Callable[..., None]] = {
    ExportFormat.EXCEL: write_excel,
    ExportFormat.CSV: write_csv,
    ExportFormat.GEOPACKAGE: write_geopackage,
    ExportFormat.SHAPEFILE: write_shapefile,
    ExportFormat.GEOJSON: write_geojson,
    ExportFormat.KML: write_kml,
    ExportFormat.INSPECTIONS: write_inspections,
}
