"""What preflight found, in sentences for the page and the command line (torch-free)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from engine.preflight import PreflightItem
from engine.tracks import Track, suggest_clock_offset
from engine.vocabulary import ImageFlag, Refusal

_EXAMPLES = 3

# What follows "N photos" / "1 photo": (one, many, remedy).
_FLAG_WORDS: dict[ImageFlag, tuple[str, str, str]] = {
    ImageFlag.NO_POSITION: (
        "has no position and will not be on the map",
        "have no position and will not be on the map",
        "Add the GPS track of the drive, or switch on GPS in the camera.",
    ),
    ImageFlag.OFF_NETWORK: (
        "is not on any road of the network",
        "are not on any road of the network",
        "Check that the right network is chosen and that the camera had a GPS signal.",
    ),
    ImageFlag.BLURRED: (
        "looks blurred; fine cracks may be missed",
        "look blurred; fine cracks may be missed",
        "Check focus and shutter speed; take these photos again if you can.",
    ),
    ImageFlag.DARK: (
        "is very dark; cracks may be missed",
        "are very dark; cracks may be missed",
        "Take these photos again in daylight if you can.",
    ),
    ImageFlag.POSITION_INTERPOLATED: (
        "shared its GPS second with another; its position was worked out from its neighbours",
        "shared their GPS second with others; their positions were worked out from their neighbours",
        "Nothing needs to be done.",
    ),
    ImageFlag.TIME_IN_FUTURE: (
        "carries a date in the future",
        "carry a date in the future",
        "Set the camera's clock; enter the clock offset for this survey.",
    ),
    ImageFlag.OUTSIDE_TRACK: (
        "was taken when the GPS track was not recording",
        "were taken when the GPS track was not recording",
        "Check the clock offset and that the track is of the same day.",
    ),
}
_REFUSAL_WORDS: dict[Refusal, tuple[str, str, str]] = {
    Refusal.EMPTY_FILE: ("is empty", "are empty", "Copy them again from the camera."),
    Refusal.NOT_AN_IMAGE: ("is not a photo", "are not photos", "Nothing needs to be done if that is right."),
    Refusal.UNSUPPORTED_FORMAT: (
        "has a format that cannot be read",
        "have a format that cannot be read",
        "Save them as JPEG photos.",
    ),
    Refusal.DAMAGED_IMAGE: (
        "is damaged or incomplete",
        "are damaged or incomplete",
        "Copy them again from the camera.",
    ),
    Refusal.TOO_LARGE: ("is too large", "are too large", "Save them at a smaller size."),
    Refusal.TOO_SMALL: ("is too small", "are too small", "Use the original photos."),
    Refusal.ANIMATED: (
        "holds several pictures",
        "hold several pictures",
        "Save the one picture you need as a JPEG photo.",
    ),
    Refusal.DUPLICATE: (
        "is the same as another and is stored once",
        "are the same as others and are stored once",
        "Nothing needs to be done.",
    ),
    Refusal.UNSAFE_PATH: (
        "would be unpacked outside its folder",
        "would be unpacked outside their folder",
        "Make the zip again from the folder of photos.",
    ),
    Refusal.SYMLINK: (
        "is only a link to another place",
        "are only links to another place",
        "Put the photos themselves in.",
    ),
    Refusal.NESTED_ARCHIVE: (
        "is an archive inside the import",
        "are archives inside the import",
        "Unpack them, then import each by itself.",
    ),
    Refusal.ENCRYPTED: (
        "is locked with a password",
        "are locked with a password",
        "Make the zip again without a password.",
    ),
    Refusal.ARCHIVE_BOMB: (
        "unpacks to far more than a photo can",
        "unpack to far more than photos can",
        "Leave them out of the zip.",
    ),
    Refusal.DAMAGED_ARCHIVE: (
        "is damaged inside the zip",
        "are damaged inside the zip",
        "Make the zip again from the original photos.",
    ),
}


@dataclass(frozen=True, slots=True)
class PreflightProblem:
    """One kind of problem.

    Attributes:
        code: an `ImageFlag` or `Refusal` value.
        refused: whether these files are kept out of the survey.
        count: number of files.
        text: one plain sentence that says how many and what.
        remedy: what the person can do.
        examples: names of up to three of the files.
    """

    code: str
    refused: bool
    count: int
    text: str
    remedy: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PreflightSummary:
    """Counts over all files.

    Attributes:
        total: files looked at.
        accepted: photos that become part of the survey, flagged ones included.
        refused: files that do not.
        flag_counts: accepted photos per flag.
        refusal_counts: refused files per reason.
        problems: refusals first, each kind by falling count.
    """

    total: int
    accepted: int
    refused: int
    flag_counts: dict[ImageFlag, int]
    refusal_counts: dict[Refusal, int]
    problems: tuple[PreflightProblem, ...]

    @property
    def text(self) -> str:
        """The headline: how many photos are kept and how many are not."""
        return f"{_count(self.accepted, 'photo')} accepted, {_count(self.refused, 'file')} refused."


def summarise(items: Iterable[PreflightItem]) -> PreflightSummary:
    """Count flags and refusals and put each kind into words."""
    total = 0
    flags: Counter[ImageFlag] = Counter()
    refusals: Counter[Refusal] = Counter()
    examples: dict[str, list[str]] = {}
    for item in items:
        total += 1
        codes = sorted(item.flags) if item.code is None else [item.code]
        for code in codes:
            examples.setdefault(code, [])
            if len(examples[code]) < _EXAMPLES:
                examples[code].append(item.name)
        if item.code is None:
            flags.update(item.flags)
        else:
            refusals[item.code] += 1
    problems = [
        _problem(code, True, "file", count, _REFUSAL_WORDS[code], examples)
        for code, count in refusals.most_common()
    ]
    problems += [
        _problem(flag, False, "photo", count, _FLAG_WORDS[flag], examples)
        for flag, count in flags.most_common()
    ]
    refused = refusals.total()
    return PreflightSummary(total, total - refused, refused, dict(flags), dict(refusals), tuple(problems))


def clock_advice(items: Iterable[PreflightItem], track: Track, clock_offset_s: float = 0.0) -> str | None:
    """A sentence on the clock offset that would put most photos on the track, or None where none is needed.

    Args:
        items: checked with this track and offset.
        track: where the camera was.
        clock_offset_s: the offset they were checked with.
    """
    entered = timedelta(seconds=clock_offset_s)
    times = [item.captured_at - entered for item in items if item.accepted and item.captured_at is not None]
    positions = track.position_at(times, clock_offset_s) if times else None
    if positions is None or (~positions.outside).mean() > 0.5:
        return None
    offset_s = suggest_clock_offset(times, track)
    if offset_s is None:
        return None
    return (
        f"Most photos fall outside the track {track.name}; with a clock offset of {offset_s:+.0f} seconds "
        f"({offset_s / 3600:+g} hours) they lie on it. The camera's time zone may be set wrongly."
    )


def _problem(
    code: str,
    refused: bool,
    noun: str,
    count: int,
    words: tuple[str, str, str],
    examples: dict[str, list[str]],
) -> PreflightProblem:
    one, many, remedy = words
    text = f"{_count(count, noun)} {one if count == 1 else many}."
    return PreflightProblem(code, refused, count, text, remedy, tuple(examples[code]))


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
