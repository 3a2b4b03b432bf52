"""The quality gate: is a checkpoint fit to be promoted? Judged on held-back photos, without a label.

Four questions, each against the base and against limits of its own: does it find cracks that are drawn on
the survey's own pavement, by width and contrast, and them alone; does it say the same of a photo that is
mirrored, resized or lit otherwise; does it mark about as much as the base; has it not collapsed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.gate_probes import CELLS, CONTRASTS, WIDTHS_PX, Answers, Network, OnTile, ask, make_scenes
from engine.metrics import Counts
from engine.metrics_boundary import Mask
from engine.models.base import CrackModel
from engine.pavement import RgbImage

VIEWS = {"flips": "mirrored", "scale": "made smaller or larger", "light": "lit otherwise"}

# Limits, between what good and what spoilt networks measured on CFD, Crack500 and DNIT.
LEAST_TO_JUDGE_PX = 200
LEAST_SPREAD = 0.05
LEAST_RISE, RISE_SHARE = 0.15, 0.5
LEAST_MARKED, MOST_MARKED = 0.002, 0.45
LEAST_F1, WORSE_F1 = 0.4, 0.15
LEAST_PRECISION, WORSE_PRECISION = 0.6, 0.15
WORSE_RECALL = 0.25
LEAST_AGREEMENT, WORSE_AGREEMENT = 0.6, 0.15
MOST_SHARE, MOST_TIMES, LEAST_TIMES = 0.3, 3.0, 0.1
SHARE_SLACK, SOUND_SLACK = 0.06, 0.01
"""Where the base marks next to nothing, a multiple of it is no limit."""


@dataclass(frozen=True)
class GateCheck:
    """One thing that was checked.

    Attributes:
        name: what; names that begin with "drawn cracks, " are details of "drawn cracks".
        passed: within the limit.
        value: the candidate's; None where it could not be measured.
        limit: what the value was held against.
        base: the base's own value.
        words: the finding in one plain sentence.
    """

    name: str
    passed: bool
    value: float | None
    limit: float | None
    base: float | None
    words: str


@dataclass(frozen=True)
class DrawnCracks:
    """How drawn cracks of one width and contrast were found; ratios in [0, 1], None where none was drawn.

    Attributes:
        width: key of `WIDTHS_PX`, contrast: of `CONTRASTS`.
        drawn_px: pixels of the drawn cracks.
        recall: share of them within 2 px of what drawing added to the prediction.
        precision: share of what was added that lies within 2 px of a drawn crack.
        base_recall: the base's.
        base_precision: the base's.
    """

    width: str
    contrast: str
    drawn_px: int
    recall: float | None
    precision: float | None
    base_recall: float | None
    base_precision: float | None


@dataclass(frozen=True)
class GateReport:
    """The verdict.

    Attributes:
        accepted: every check passed.
        checks: all of them.
        reasons: the words of those that did not pass.
        table: drawn cracks by width and contrast.
    """

    accepted: bool
    checks: tuple[GateCheck, ...]
    reasons: tuple[str, ...]
    table: tuple[DrawnCracks, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "accepted": self.accepted,
            "checks": [asdict(check) for check in self.checks],
            "reasons": list(self.reasons),
            "table": [asdict(cell) for cell in self.table],
        }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _agreed(counts: Counts | None) -> float:
    """Two empty masks agree about nothing."""
    return counts.tolerant_f1 if counts is not None and counts.predicted + counts.truth else 0.0


def _check(name: str, what: str, value: float, base: float, limit: float, *, most: bool = False) -> GateCheck:
    """`value` in [0, 1] held against the least, or the most, that is allowed."""
    limit = max(0.0, limit)
    passed = value <= limit if most else value >= limit
    asked = "at most" if most else "at least"
    words = f"{what} is {_percent(value)} (base: {_percent(base)}; {asked} {_percent(limit)} is asked for)."
    return GateCheck(name, bool(passed), float(value), float(limit), float(base), words)


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.1f} %" if ratio < 0.1 else f"{100 * ratio:.0f} %"


def _collapse_checks(own: Answers, base: Answers) -> Iterator[GateCheck]:
    yield GateCheck(
        "numbers", own.finite, None, None, None,
        "Every probability is a number." if own.finite else "Some probabilities are not numbers.",
    )  # fmt: skip
    yield _check(
        "not constant", "How much the probabilities vary (standard deviation)", own.spread, base.spread,
        LEAST_SPREAD,
    )  # fmt: skip
    lifted, base_lifted = (_ratio(a.lifted, a.drawn.truth) for a in (own, base))
    yield _check(
        "rise on drawn cracks", "The rise of the probability where a crack is drawn", lifted, base_lifted,
        max(LEAST_RISE, RISE_SHARE * base_lifted),
    )  # fmt: skip
    marked, base_marked = (_ratio(a.drawn_marked_px, a.drawn_region_px) for a in (own, base))
    what = "The share of photos with drawn cracks that is marked"
    yield _check("not nothing", what, marked, base_marked, LEAST_MARKED)
    yield _check("not everything", what, marked, base_marked, MOST_MARKED, most=True)


def _drawn_checks(own: Answers, base: Answers) -> Iterator[GateCheck]:
    mine, theirs = own.drawn, base.drawn
    yield _check(
        "drawn cracks", "F1 at 2 px of cracks drawn on the photos", mine.tolerant_f1, theirs.tolerant_f1,
        max(LEAST_F1, theirs.tolerant_f1 - WORSE_F1),
    )  # fmt: skip
    yield _check(
        "false marks", "The share that is true of what drawing cracks added", mine.tolerant_precision,
        theirs.tolerant_precision, max(LEAST_PRECISION, theirs.tolerant_precision - WORSE_PRECISION),
    )  # fmt: skip
    for word, unit, bounds in (
        *((width, "px wide", bounds) for width, bounds in WIDTHS_PX.items()),
        *((contrast, "of the light lost", bounds) for contrast, bounds in CONTRASTS.items()),
    ):
        mine, theirs = own.of(word), base.of(word)
        which = f"{word} drawn cracks ({bounds[0]:g} to {bounds[1]:g} {unit})"
        if mine.truth >= LEAST_TO_JUDGE_PX:
            yield _check(
                f"drawn cracks, {word}: found", f"The share of {which} that is found", mine.tolerant_recall,
                theirs.tolerant_recall, theirs.tolerant_recall - WORSE_RECALL,
            )  # fmt: skip
        if min(mine.predicted, theirs.predicted) >= LEAST_TO_JUDGE_PX:
            yield _check(
                f"drawn cracks, {word}: true", f"The share that is true of what is marked round {which}",
                mine.tolerant_precision, theirs.tolerant_precision,
                theirs.tolerant_precision - WORSE_PRECISION,
            )  # fmt: skip


def _agreement_checks(own: Answers, base: Answers) -> Iterator[GateCheck]:
    for name, what in VIEWS.items():
        theirs = _agreed(base.agreement.get(name))
        yield _check(
            f"agreement under {name}", f"F1 at 2 px of the marks of a photo against those of it {what}",
            _agreed(own.agreement.get(name)), theirs, max(LEAST_AGREEMENT, theirs - WORSE_AGREEMENT),
        )  # fmt: skip


def _share_checks(own: Answers, base: Answers) -> Iterator[GateCheck]:
    share, theirs = (_ratio(a.marked_px, a.region_px) for a in (own, base))
    what = "The share of the held-back photos that is marked as crack"
    most = min(MOST_SHARE, MOST_TIMES * theirs + SHARE_SLACK)
    yield _check("share not too high", what, share, theirs, most, most=True)
    yield _check("share not too low", what, share, theirs, LEAST_TIMES * theirs - 0.001)
    sound, theirs = (_ratio(a.marked_sound_px, a.sound_px) for a in (own, base))
    yield _check(
        "sound pavement", "The share marked where the classical detector suspects nothing", sound, theirs,
        MOST_TIMES * theirs + SOUND_SLACK, most=True,
    )  # fmt: skip


def _table(own: Answers, base: Answers) -> tuple[DrawnCracks, ...]:
    def ratios(counts: Counts) -> tuple[float | None, float | None]:
        if counts.truth == 0:
            return None, None
        return counts.tolerant_recall, counts.tolerant_precision if counts.predicted else None

    return tuple(
        DrawnCracks(*cell, own.cells[cell].truth, *ratios(own.cells[cell]), *ratios(base.cells[cell]))
        for cell in CELLS
    )


def judge(
    candidate: CrackModel,
    base: CrackModel,
    images: Sequence[RgbImage],
    regions: Sequence[Mask | None],
    *,
    threshold: float,
    base_threshold: float,
    working_scale: float,
    seed: int = 0,
    device: str = "cpu",
    on_tile: OnTile | None = None,
) -> GateReport:
    """Judge a candidate against its base, without labels.

    Args:
        candidate: the network that wants to be promoted.
        base: the network that it came from.
        images: photos of the survey that the candidate was not adapted on, uint8 (H, W, 3), of any size;
            at most `MOST_PHOTOS` of them, evenly spread, and of each at most a square of `CROP_PX`, are used.
        regions: the part of each that is judged, bool (H, W); None: all of it.
        threshold: the candidate's.
        base_threshold: the base's.
        working_scale: factor that the photos are resized by before either network sees them.
        seed: of the crops and of the drawn cracks; the same seed gives the same report.
        device: "auto", "cpu" or "cuda".
        on_tile: see `predict_probability_map`; may raise `CancelledError` to stop.

    Returns:
        The verdict; refused too where cracks cannot be drawn because no photo shows enough pavement.

    Raises:
        SettingsError: a region of another size than its photo, or no such device.
    """
    scenes = []
    for scene in make_scenes(images, regions, working_scale, seed):
        scenes.append(scene)
        if on_tile is not None:
            on_tile(0, 0)
    drawn_px = sum(
        int((mask & s.counted).sum()) for s in scenes for picture in s.drawn for _, mask in picture.cracks
    )
    if drawn_px < LEAST_TO_JUDGE_PX:
        words = (
            f"On the {len(scenes)} held-back photos there is no pavement where a drawn crack could be seen, "
            "so nothing can be judged."
        )
        check = GateCheck("held-back photos", False, float(drawn_px), float(LEAST_TO_JUDGE_PX), None, words)
        return GateReport(False, (check,), (words,))
    own = ask(Network(candidate, threshold, device, on_tile), scenes)
    theirs = ask(Network(base, base_threshold, device, on_tile), scenes)
    parts = (_collapse_checks, _drawn_checks, _agreement_checks, _share_checks)
    checks = tuple(check for part in parts for check in part(own, theirs))
    reasons = tuple(check.words for check in checks if not check.passed)
    return GateReport(not reasons, checks, reasons, _table(own, theirs))
