"""Look at every file of a survey before any compute: what is kept, what is refused, and why (torch-free)."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.archives import RefusedFile, SourceFile, iter_files
from engine.errors import InvalidImageError
from engine.images import ImageHeader, ImageQuality, decode_image, image_quality
from engine.positions import spread_fixes
from engine.tracks import Track
from engine.vocabulary import ImageFlag, PositionSource, Refusal

OFF_NETWORK_M = 30.0
_FUTURE_TOLERANCE = timedelta(hours=14)  # a camera clock without a zone may be that far ahead of UTC


@dataclass(frozen=True, slots=True)
class PreflightItem:
    """One file after the check.

    Attributes:
        name: for people.
        sha256: of the bytes, hexadecimal; "" where they could not be read.
        size_bytes: of the file, unpacked.
        header: what the photo says about itself; None where refused.
        quality: brightness and sharpness; None where refused.
        position_source: where latitude and longitude came from.
        latitude: WGS84 degrees, or None.
        longitude: WGS84 degrees, or None.
        heading_deg: 0 <= heading < 360, clockwise from north, or None.
        captured_at: UTC-aware, clock offset applied, or None.
        flags: what was noticed about an accepted photo.
        notes: one plain sentence per thing noticed, for the row's detail.
        code: why the file was refused; None where accepted.
        reason: what was wrong, naming the file; "" where accepted.
        remedy: what the person can do; "" where accepted.
        source: where the bytes are.
    """

    name: str
    sha256: str = ""
    size_bytes: int = 0
    header: ImageHeader | None = None
    quality: ImageQuality | None = None
    position_source: PositionSource = PositionSource.NONE
    latitude: float | None = None
    longitude: float | None = None
    heading_deg: float | None = None
    captured_at: datetime | None = None
    flags: frozenset[ImageFlag] = frozenset()
    notes: tuple[str, ...] = ()
    code: Refusal | None = None
    reason: str = ""
    remedy: str = ""
    source: SourceFile | None = None

    @property
    def accepted(self) -> bool:
        """Whether the photo becomes part of the survey."""
        return self.code is None

    def read(self) -> bytes:
        """The bytes that were checked, for storing.

        Raises:
            InvalidImageError: the file was refused unread, or has changed since the check.
        """
        data = b"" if self.source is None else self.source.read()
        if self.source is None or hashlib.sha256(data).hexdigest() != self.sha256:
            raise InvalidImageError(
                Refusal.DAMAGED_IMAGE, f"{self.name} has changed since it was checked.", "Import it again."
            )
        return data


def preflight(
    source: Path | Iterable[Path | SourceFile | RefusedFile],
    *,
    track: Track | None = None,
    clock_offset_s: float = 0.0,
    known_hashes: Collection[str] = (),
    now: datetime,
    on_progress: Callable[[int], None] | None = None,
) -> Iterator[PreflightItem]:
    """Check files one by one; one decoded photo is in memory at a time.

    A position on the track goes before the one in the photo. Positions within one GPS second are told apart
    later, by `finish_positions`; distances to the network by `flag_network`.

    Args:
        source: a photo, folder or zip, several of them, or files with names of their own.
        track: where the camera was, by time.
        clock_offset_s: seconds to add to the camera's clock to get true (the track's) time.
        known_hashes: sha256 of photos that the survey already has.
        now: UTC-aware; photos from later are flagged.
        on_progress: called with the number of files done.

    Raises:
        ArchiveError: nothing is there, or a zip cannot be read at all.
    """
    first_names: dict[str, str] = {}
    for done, file in enumerate(_files(source), start=1):
        if isinstance(file, RefusedFile):
            item = PreflightItem(name=file.name, code=file.code, reason=file.reason, remedy=file.remedy)
        else:
            item = _check(file, first_names, known_hashes)
        if item.accepted:
            first_names[item.sha256] = item.name
            item = _locate(item, track, clock_offset_s, now)
        yield item
        if on_progress is not None:
            on_progress(done)


def _files(source: Path | Iterable[Path | SourceFile | RefusedFile]) -> Iterator[SourceFile | RefusedFile]:
    for entry in (source,) if isinstance(source, Path) else source:
        if isinstance(entry, Path):
            yield from iter_files(entry)
        else:
            yield entry


def _check(file: SourceFile, first_names: dict[str, str], known_hashes: Collection[str]) -> PreflightItem:
    item = PreflightItem(name=file.name, size_bytes=file.size_bytes, source=file)
    try:
        data = file.read()
        item = replace(item, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
        if item.sha256 in first_names:
            return _duplicate(item, f"the same photo as {first_names[item.sha256]}")
        if item.sha256 in known_hashes:
            return _duplicate(item, "already part of this survey")
        header, pixels = decode_image(data, file.name)
    except InvalidImageError as error:
        return replace(item, code=Refusal(error.code), reason=error.what, remedy=error.remedy)
    quality = image_quality(pixels)
    flags = {ImageFlag.DARK} if quality.is_dark else set()
    if quality.is_blurred:
        flags.add(ImageFlag.BLURRED)
    return replace(item, header=header, quality=quality, flags=frozenset(flags), notes=header.notes)


def _duplicate(item: PreflightItem, what: str) -> PreflightItem:
    return replace(
        item,
        code=Refusal.DUPLICATE,
        reason=f"{item.name} is {what}; it is stored once.",
        remedy="Nothing needs to be done.",
    )


def _locate(item: PreflightItem, track: Track | None, clock_offset_s: float, now: datetime) -> PreflightItem:
    """Add position, time, and what is doubtful about them."""
    header = item.header
    if header is None:
        return item
    flags, notes = set(item.flags), list(item.notes)
    captured_at = None
    if header.captured_at is not None:
        captured_at = header.captured_at + timedelta(seconds=clock_offset_s)
        if captured_at > now + _FUTURE_TOLERANCE:
            flags.add(ImageFlag.TIME_IN_FUTURE)
            notes.append(f"Its date, {captured_at:%Y-%m-%d}, lies in the future.")
    latitude, longitude, heading_deg = header.latitude, header.longitude, header.heading_deg
    position_source = PositionSource.NONE if latitude is None else PositionSource.EXIF
    if track is not None:
        if captured_at is None:
            notes.append("It has no time and cannot be placed on the track.")
        else:
            found = track.position_at([captured_at])
            if found.outside[0] or found.in_gap[0]:
                flags.add(ImageFlag.OUTSIDE_TRACK)
                where = "in a gap of" if found.in_gap[0] else "before the start or after the end of"
                notes.append(
                    f"Its time, {captured_at:%Y-%m-%d %H:%M:%S} UTC, is {where} the track {track.name}."
                )
            else:
                latitude, longitude = float(found.latitudes[0]), float(found.longitudes[0])
                track_heading_deg = float(found.headings_deg[0])
                heading_deg = heading_deg if np.isnan(track_heading_deg) else track_heading_deg
                position_source = PositionSource.TRACK
    if latitude is None:
        flags.add(ImageFlag.NO_POSITION)
        if not any("GPS position" in note for note in notes):
            notes.append("It carries no GPS position.")
    return replace(
        item,
        position_source=position_source,
        latitude=latitude,
        longitude=longitude,
        heading_deg=heading_deg,
        captured_at=captured_at,
        flags=frozenset(flags),
        notes=tuple(notes),
    )


def finish_positions(items: Sequence[PreflightItem]) -> list[PreflightItem]:
    """Tell apart photos that share one GPS second: spread them along the way to the next fix.

    GPS writes whole seconds: a camera that takes several photos a second gives them one position. Photos with
    one position within one second are spread by order of time and name; the last second goes on as the one
    before. A vehicle that stands for longer keeps its position.

    Returns:
        The items in the order given; moved ones carry `POSITION_INTERPOLATED`.
    """
    finished = list(items)
    order = sorted(
        (
            index
            for index, item in enumerate(items)
            if item.accepted and item.position_source == PositionSource.EXIF and item.captured_at is not None
        ),
        key=lambda index: (_moment(items[index]), items[index].name),
    )
    if len(order) < 3:  # fewer than two fixes do not tell a direction
        return finished
    latitudes = np.array([items[index].latitude for index in order], dtype=np.float64)
    longitudes = np.array([items[index].longitude for index in order], dtype=np.float64)
    moments_s = np.array([_moment(items[index]) for index in order], dtype=np.float64)
    moved, new_latitudes, new_longitudes = spread_fixes(latitudes, longitudes, moments_s)
    for place in np.flatnonzero(moved):
        item = finished[order[place]]
        finished[order[place]] = replace(
            item,
            latitude=float(new_latitudes[place]),
            longitude=float(new_longitudes[place]),
            flags=item.flags | {ImageFlag.POSITION_INTERPOLATED},
            notes=(
                *item.notes,
                "It shares its GPS second with another photo; its position was interpolated.",
            ),
        )
    return finished


def _moment(item: PreflightItem) -> float:
    return 0.0 if item.captured_at is None else item.captured_at.timestamp()


def flag_network(
    items: Sequence[PreflightItem],
    offsets_m: npt.ArrayLike,
    swapped_offsets_m: npt.ArrayLike | None = None,
    *,
    limit_m: float = OFF_NETWORK_M,
) -> list[PreflightItem]:
    """Flag photos that are not on the network.

    Args:
        items: N items.
        offsets_m: (N,) distance to the nearest section; NaN or infinite where there is none or no position.
        swapped_offsets_m: (N,) likewise with latitude and longitude exchanged.
        limit_m: the largest distance that still counts as on the network.
    """
    offsets = np.asarray(offsets_m, dtype=np.float64)
    swapped = (
        np.full(len(items), np.inf)
        if swapped_offsets_m is None
        else np.asarray(swapped_offsets_m, np.float64)
    )
    flagged = []
    for item, offset_m, swapped_m in zip(items, offsets, swapped, strict=True):
        if item.accepted and item.latitude is not None and not offset_m <= limit_m:
            if swapped_m <= limit_m:
                note = "Its latitude and longitude seem to be exchanged: swapped, it is on the network."
            elif np.isfinite(offset_m):
                note = f"It is {_distance(offset_m)} from the nearest road of the network."
            else:
                note = "It is far from all roads of the network."
            item = replace(item, flags=item.flags | {ImageFlag.OFF_NETWORK}, notes=(*item.notes, note))
        flagged.append(item)
    return flagged


def _distance(offset_m: float) -> str:
    return f"{offset_m / 1000:.1f} km" if offset_m >= 1000 else f"{offset_m:.0f} m"
