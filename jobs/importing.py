"""Import of a survey's photos: check each, store it, place it on the network, then write all rows at once."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from db import queries
from db.models import Survey
from db.session import reading
from db.storage import Storage, get_storage
from db.uploads import discard_upload, uploaded_files
from engine.archives import RefusedFile, SourceFile, iter_files
from engine.errors import ArchiveError
from engine.preflight import PreflightItem, finish_positions, flag_network, preflight
from engine.snapping import snap_points
from engine.tracks import Track, read_track
from engine.vocabulary import ImageFlag, Refusal
from jobs.running import RunningJob


@dataclass(frozen=True)
class PlacedItem:
    """A checked photo and the section it lies on, if any."""

    item: PreflightItem
    section_id: int | None = None
    offset_m: float | None = None
    chainage_m: float | None = None


def import_survey(job: RunningJob) -> None:
    """Check and store the photos of `parameters["source"]`.

    The bytes are stored as they are checked; the rows follow in one transaction, so a killed import leaves
    nothing half done and starts again (bytes that are stored already cost a look).

    Raises:
        ArchiveError: nothing of the source can be read.
        TrackError: the track cannot be used.
    """
    storage = get_storage()
    with reading() as session:
        survey = session.get_one(Survey, job.claimed.survey_id)
        known = queries.known_hashes(session, survey.id)
        sections = queries.load_sections(session, survey.network_id) if survey.network_id else None
    track_path = job.parameters.get("track")
    track = read_track(Path(track_path), name=job.parameters.get("track_name")) if track_path else None
    source = Path(job.parameters["source"])
    files = source_files(source)
    items = check_and_store(job, files, storage, track, survey.clock_offset_s, set(known))
    job.beat(message="Placing the photos on the network")
    save_items(job, survey, place(items, sections), last=True)
    discard_upload(source)


def check_and_store(
    job: RunningJob,
    files: Iterable[SourceFile | RefusedFile],
    storage: Storage,
    track: Track | None = None,
    clock_offset_s: float = 0.0,
    known_hashes: Collection[str] = (),
) -> list[PreflightItem]:
    """Preflight every file and keep the bytes of those that are accepted."""
    checked = preflight(
        files,
        track=track,
        clock_offset_s=clock_offset_s,
        known_hashes=known_hashes,
        now=datetime.now(UTC),
    )
    items = []
    for number, item in enumerate(checked, start=1):
        if item.accepted:
            storage.put(item.read())
        items.append(item)
        job.beat(done=number, message=f"{number} files checked")
    return finish_positions(items)


def source_files(source: Path) -> Iterator[SourceFile | RefusedFile]:
    """The files of a photo, folder or zip on this machine, or of an upload under the names people know.

    A zip that cannot be read is refused by its name where it is one of several files.
    """
    for path, name in uploaded_files(source) or [(source, source.name)]:
        yield from _readable(path, name, alone=path == source)


def _readable(path: Path, name: str, *, alone: bool) -> Iterator[SourceFile | RefusedFile]:
    try:
        yield from iter_files(path, name)
    except ArchiveError as problem:
        if alone:
            raise
        yield RefusedFile(name, Refusal.DAMAGED_ARCHIVE, problem.what, problem.remedy)


def place(items: list[PreflightItem], sections: queries.StoredSections | None) -> list[PlacedItem]:
    """Snap photos to sections and flag those off the network; without a network nothing is flagged."""
    if sections is None or not items:
        return [PlacedItem(item) for item in items]

    def column(name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        values = [getattr(item, name) if item.accepted else None for item in items]
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    latitudes, longitudes, headings_deg = column("latitude"), column("longitude"), column("heading_deg")
    snapped = snap_points(latitudes, longitudes, headings_deg, sections.lines, section_ids=sections.keys)
    exchanged = np.where(np.abs(longitudes) <= 90, longitudes, np.nan)
    swapped = snap_points(exchanged, latitudes, None, sections.lines, section_ids=sections.keys)
    flagged = flag_network(items, snapped.nearest_m, swapped.nearest_m)
    placed = []
    for item, index, offset_m, along_m in zip(
        flagged, snapped.section_index, snapped.offset_m, snapped.along_m, strict=True
    ):
        if index < 0:
            placed.append(PlacedItem(item))
            continue
        # The agency's chainage need not fit the drawn length: share it out along the section.
        share = along_m / sections.lengths_m[index]
        chainage_m = sections.from_m[index] + share * (sections.to_m[index] - sections.from_m[index])
        placed.append(PlacedItem(item, sections.ids[index], float(offset_m), float(chainage_m)))
    return placed


def save_items(
    job: RunningJob,
    survey: Survey,
    placed: list[PlacedItem],
    *,
    last: bool = False,
    also: Callable[[Session], None] | None = None,
) -> None:
    """Write all rows of an import, and those of `also`, in one transaction, which ends the job if `last`."""
    accepted = [_image_row(survey, found) for found in placed if found.item.accepted]
    refused = [
        {
            "survey_id": survey.id,
            "name": item.name,
            "code": item.code,
            "reason": item.reason,
            "remedy": item.remedy,
        }
        for item in (found.item for found in placed)
        if not item.accepted
    ]

    def write(session: Session) -> None:
        queries.add_images(session, accepted)
        queries.replace_refused(session, survey.id, [found.item.name for found in placed], refused)
        if survey.surveyed_on is None:
            queries.date_survey(session, survey.id, _middle_day(placed))
        if also is not None:
            also(session)

    message = f"{len(accepted)} photos accepted, {len(refused)} files refused (duplicates included)"
    job.save(write, last=last, done=len(placed), total=len(placed), message=message)


def _middle_day(placed: list[PlacedItem]) -> date | None:
    """The day on which the middle one of the photos was taken; a camera's wrong clock moves it little."""
    days = sorted(
        found.item.captured_at.date()
        for found in placed
        if found.item.accepted and found.item.captured_at is not None
    )
    return days[len(days) // 2] if days else None


def _image_row(survey: Survey, found: PlacedItem) -> dict[str, Any]:
    item = found.item
    header, quality = item.header, item.quality
    if header is None or quality is None:
        raise ValueError(f"{item.name} was accepted without having been read")
    return {
        "survey_id": survey.id,
        "content_hash": item.sha256,
        "original_name": item.name,
        "size_bytes": item.size_bytes,
        "width_px": header.width_px,
        "height_px": header.height_px,
        "captured_at": item.captured_at,
        "latitude": item.latitude,
        "longitude": item.longitude,
        "heading_deg": item.heading_deg,
        "position_source": item.position_source,
        "section_id": found.section_id,
        "offset_m": found.offset_m,
        "chainage_m": found.chainage_m,
        "brightness": quality.brightness,
        "sharpness": quality.sharpness,
        "profile": survey.profile,
        "flags": sorted(ImageFlag(flag) for flag in item.flags),
        "notes": list(item.notes),
    }
