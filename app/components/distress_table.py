"""What was found on a section, by type, severity and zone of the lane."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.components.text import words
from engine.condition import FORMULAS
from engine.vocabulary import DistressType, LaneZone, Severity

ORDER: dict[str, list[str]] = {"kind": list(DistressType), "severity": list(Severity), "zone": list(LaneZone)}
BY_AREA = (DistressType.ALLIGATOR, DistressType.BLOCK, DistressType.POTHOLE)


def distress_frame(quantities: Sequence[Mapping[str, Any]], surveyed_area_m2: float) -> pd.DataFrame:
    """The quantities in the order of type, severity, zone, with their densities.

    Columns beside those of the quantities: `density_m_per_m2`, and `density_percent` of the types that have
    an extent.
    """
    table = pd.DataFrame(quantities)
    if table.empty:
        return table
    places = {name: {word: place for place, word in enumerate(known)} for name, known in ORDER.items()}
    table = table.sort_values(
        list(ORDER), key=lambda column: column.map(places[str(column.name)]), na_position="last"
    )
    table["density_m_per_m2"] = table["length_m"] / surveyed_area_m2
    by_area = table["kind"].isin(BY_AREA)
    table["area_m2"] = table["area_m2"].where(by_area)
    table["density_percent"] = table["area_m2"] / surveyed_area_m2 * 100
    return table.reset_index(drop=True)


def draw_distress_table(quantities: Sequence[Mapping[str, Any]], surveyed_area_m2: float) -> None:
    """Lengths, areas and densities, or a line that says that nothing was found."""
    table = distress_frame(quantities, surveyed_area_m2)
    if table.empty:
        st.write("No distress was found on the surveyed part of this section.")
        return
    shown = table.assign(
        **{name: table[name].map(words, na_action="ignore") for name in ORDER if name in table}
    )
    st.dataframe(
        shown,
        hide_index=True,
        placeholder="–",
        height=min(460, 38 + 35 * len(shown)),
        column_order=[
            "kind", "severity", "zone", "count", "length_m", "area_m2", "density_m_per_m2", "density_percent",
            "mean_width_mm",
        ],
        column_config={
            "kind": "Type",
            "severity": st.column_config.TextColumn("Severity", help=_source("severity")),
            "zone": st.column_config.TextColumn("Zone", help="Five zones across the lane, AASHTO R 85."),
            "count": st.column_config.NumberColumn("Count", format="%,d"),
            "length_m": st.column_config.NumberColumn("Length (m)", format="%,.1f"),
            "area_m2": st.column_config.NumberColumn(
                "Area (m²)", format="%,.2f", help="Extent, of the types that have one."
            ),
            "density_m_per_m2": st.column_config.NumberColumn(
                "Density (m/m²)", format="%.3f", help=_source("crack_density_m_per_m2")
            ),
            "density_percent": st.column_config.NumberColumn(
                "Area density (%)", format="%.2f", help="area / surveyed area x 100. ASTM D6433."
            ),
            "mean_width_mm": st.column_config.NumberColumn("Mean width (mm)", format="%.1f"),
        },
    )  # fmt: skip
    st.caption(
        f"Found on {surveyed_area_m2:,.1f} m² that were surveyed, not scaled up to the whole section. "
        "Types and zones: AASHTO R 85. These sums have no interval of their own."
    )


def _source(measure: str) -> str:
    formula, standard = FORMULAS[measure]
    return f"{formula}. {standard}."
