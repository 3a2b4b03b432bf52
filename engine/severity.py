"""How bad a distress is, by a named standard (torch-free)."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from engine.errors import SettingsError
from engine.vocabulary import DistressType, Severity

BY_WIDTH = frozenset(
    {DistressType.LONGITUDINAL, DistressType.TRANSVERSE, DistressType.DIAGONAL, DistressType.BLOCK}
)


@dataclass(frozen=True)
class SeverityStandard:
    """Thresholds of one standard; all of them may be an agency's own.

    Attributes:
        name: what pages and exports call it.
        low_below_mm: an unfilled crack of a mean width under it is low.
        high_above_mm: one of a mean width over it is high; between the two it is medium.
        spalled_above_mm: alligator cracking counts as spalled where its cracks are wider than this.
        spalled_share_high: from this share (0-1) of spalled crack length on, alligator cracking is high.
        largest_gsd_mm_per_px: no severity is told from a coarser picture.
    """

    name: str
    low_below_mm: float
    high_above_mm: float
    spalled_above_mm: float = 10.0
    spalled_share_high: float = 0.5
    largest_gsd_mm_per_px: float = 3.0

    def __post_init__(self) -> None:
        numbers = [getattr(self, field.name) for field in fields(self) if field.name != "name"]
        if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
            raise SettingsError(
                f"Severity standard {self.name!r}: a threshold is not a number.",
                "Give the thresholds in millimetres, the share between 0 and 1.",
            )
        if not 0 < self.low_below_mm < self.high_above_mm:
            raise SettingsError(
                f"Severity standard {self.name!r}: low under {self.low_below_mm} mm, "
                f"high over {self.high_above_mm} mm.",
                "Give two widths over 0 mm, the first smaller than the second.",
            )
        if not (0 < self.spalled_share_high <= 1 and self.spalled_above_mm > 0 < self.largest_gsd_mm_per_px):
            raise SettingsError(
                f"Severity standard {self.name!r}: spalled from {self.spalled_share_high} of the length over "
                f"{self.spalled_above_mm} mm, GSD up to {self.largest_gsd_mm_per_px} mm/px.",
                "Give a share between 0 and 1, and a width and a GSD over 0.",
            )

    def as_dict(self) -> dict[str, str | float]:
        """All values, as saved with a result."""
        return asdict(self)


D6433 = SeverityStandard("D6433", low_below_mm=10.0, high_above_mm=75.0)
LTPP = SeverityStandard("LTPP", low_below_mm=6.0, high_above_mm=19.0)
STANDARDS: dict[str, SeverityStandard] = {standard.name: standard for standard in (D6433, LTPP)}


def standard_from(value: str | Mapping[str, object]) -> SeverityStandard:
    """A standard by its name in `STANDARDS`, or an agency's own from its values (as of `as_dict`).

    Raises:
        SettingsError: for an unknown name, a missing or unknown value, or thresholds that make no sense.
    """
    if isinstance(value, str):
        if value not in STANDARDS:
            raise SettingsError(
                f"There is no severity standard {value!r}.", f"Choose one of {', '.join(STANDARDS)}."
            )
        return STANDARDS[value]
    try:
        return SeverityStandard(**value)  # type: ignore[arg-type]
    except TypeError as error:
        raise SettingsError(
            f"Severity standard with the values {', '.join(map(str, value)) or 'none'}: {error}.",
            "Give name, low_below_mm and high_above_mm; the others are optional.",
        ) from error


def severity_of(
    kind: DistressType,
    *,
    mean_width_mm: float | None,
    gsd_mm_per_px: float | None,
    piece_size_m: float | None = None,
    spalled_share: float | None = None,
    standard: SeverityStandard = D6433,
) -> Severity:
    """Severity of one distress, or `NOT_MEASURABLE` where the picture cannot tell it.

    Longitudinal, transverse, diagonal and block cracking go by mean width. Alligator cracking goes by its
    pattern: lines that close no pieces are low, a network is medium, a network of spalled cracks is high.
    Potholes go by depth, which no single photo shows; no ground plane, no width in millimetres.

    Args:
        kind: type of the distress.
        mean_width_mm: mean width over its length; None or NaN where unknown.
        gsd_mm_per_px: size of a pixel on the ground where it was seen; None without a ground plane.
        piece_size_m: typical size of the pieces that the cracks enclose; None where they enclose none.
        spalled_share: share (0-1) of the crack length wider than `standard.spalled_above_mm`; None: not
            looked for.
        standard: thresholds.

    Source: ASTM D6433 (10 and 75 mm; alligator by pattern); LTPP manual (6 and 19 mm). Spalling read from the
        crack's width is ours: a mask shows no broken edges.
    """
    if gsd_mm_per_px is None or not gsd_mm_per_px <= standard.largest_gsd_mm_per_px:
        return Severity.NOT_MEASURABLE
    if kind is DistressType.ALLIGATOR:
        if piece_size_m is None:
            return Severity.LOW
        spalled = spalled_share is not None and spalled_share >= standard.spalled_share_high
        return Severity.HIGH if spalled else Severity.MEDIUM
    if kind not in BY_WIDTH or mean_width_mm is None or not math.isfinite(mean_width_mm):
        return Severity.NOT_MEASURABLE
    if mean_width_mm < standard.low_below_mm:
        return Severity.LOW
    return Severity.HIGH if mean_width_mm > standard.high_above_mm else Severity.MEDIUM
