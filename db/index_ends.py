"""The interval of a section's condition index, worked out of what its roll-up stored."""

from typing import Any

from db.models import SectionResult
from engine.change import Measured, index_interval

# What the ends of the index are made of.
ENDS_OF_INDEX = (
    SectionResult.condition["value_low"].as_float().label("value_low"),
    SectionResult.quantities,
    SectionResult.surveyed_area_m2,
    SectionResult.crack_density_m_per_m2,
    SectionResult.crack_density_m_per_m2_low,
    SectionResult.crack_density_m_per_m2_high,
)


def ends_of_index(row: Any) -> tuple[float, float] | None:
    """90 % interval of the condition index of a row with `ENDS_OF_INDEX`; None where the density has none.

    Half a millisecond each.
    """
    density = Measured(
        row.crack_density_m_per_m2, row.crack_density_m_per_m2_low, row.crack_density_m_per_m2_high
    )
    index = index_interval(row.quantities, row.surveyed_area_m2, density)
    if index.low is None or index.high is None:
        return None
    # Cracking of no measurable severity may be high.
    return min(index.low, row.value_low), index.high
