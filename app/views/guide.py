"""What the numbers mean, and what this installation is."""

import streamlit as st

from app import data
from app.components.report_formats import KINDS
from app.components.text import words
from db.settings import get_settings
from engine.condition import FORMULAS

NAMES = {
    "crack_density_m_per_m2": "Crack density", "paser": "PASER", "hpms_cracking_percent": "HPMS percent",
    "unified_crack_index": "Unified Crack Index",
}  # fmt: skip

st.title("Help")
numbers, installation = st.columns([3, 2])
with numbers:
    st.subheader("What the numbers mean")
    st.markdown(
        """
| Number | Unit | Meaning |
|---|---|---|
| Crack density | m/m² | length of crack per area of photographed pavement; needs a ground sampling distance |
| Cracked area | % | pixels that are crack, of all surveyed pixels; known without a GSD |
| Crack length | px or m | length along the middle line of every crack |
| Width | px or mm | across the crack, mean and greatest |
| GSD | mm/px | millimetres of road that one pixel covers |
| Threshold | 0 to 1 | probability from which a pixel counts as crack; it belongs to the checkpoint |
| Working scale | × | size at which the checkpoint looks at the photo, relative to the original |

**Pixels are not millimetres.** Without a GSD nothing is given in metres or millimetres, and surveys made with
different cameras must not be compared by pixel numbers. Sections are averages over their photos, weighted
by the area seen; a section without photos is grey and counts as unknown, not as good. A crack's direction is
0° across the lane and 90° along it.
"""
    )
    st.subheader("Formulas and standards")
    st.table(
        {
            "Measure": [NAMES.get(name) or words(name) for name in FORMULAS],
            "Formula": [formula for formula, _ in FORMULAS.values()],
            "Standard": [standard for _, standard in FORMULAS.values()],
        },
        border="horizontal",
    )
    st.subheader("From photos to the map")
    st.markdown(
        "1. **Road networks**: import the agency's sections.\n"
        "2. **New survey**: upload photos with GPS, or with a track.\n"
        "3. **Check**: look at what was refused, and at positions off the network.\n"
        "4. **Cameras**: say how the camera looks at the road, or let the survey calibrate it.\n"
        "5. **Start the analysis**, and close the page if you like.\n"
        "6. **Network map** and **Sections**: the network by condition; click a section, then a photo.\n"
        "7. **Adapt** where the photos look unlike what the checkpoint knows; **Change** between two "
        "surveys.\n"
        "8. **Treatments**, **Plan**, **Priorities**: what is done, when, for how much.\n"
        "9. **Reports**: files to hand out."
    )
    st.subheader("Files to hand out")
    st.markdown(
        "**Reports** makes them of the analysis that a survey shows and of one of its plans. They stay "
        "listed there until they are deleted; *out of date* means that analysis, results or plan have "
        "changed since."
    )
    st.table(
        {
            "File": [kind.title for kind in KINDS.values()],
            "For whom": [kind.whom for kind in KINDS.values()],
            "What it holds": [kind.holds for kind in KINDS.values()],
        },
        border="horizontal",
    )
    st.markdown(
        "Each says what it was made of: survey, checkpoint, settings, plan, software and time. Empty cells "
        "are not known, never 0. Condition is by cracking alone; lengths and areas by type are those found "
        "on the surveyed area. A section's cost is its share of its project by length, in the plan's "
        "currency."
    )
with installation:
    st.subheader("This installation")
    st.markdown(
        "It listens on 127.0.0.1 unless started with another --host, and knows one local engineer: nobody "
        "signs in, and no other machine should reach it. "
        "Nothing is sent anywhere: maps, models and photos stay on this machine."
        if get_settings().embedded
        else "It uses the agency's own database and queue. "
        "Maps, models and photos stay on the agency's machines."
    )
    st.subheader("Checkpoints")
    checkpoints = data.checkpoints()
    if checkpoints.empty:
        st.write("No checkpoint has been used yet; the shipped one is registered by the first analysis.")
    else:
        st.dataframe(
            checkpoints,
            hide_index=True,
            column_config={"created_at": st.column_config.DatetimeColumn("since", format="YYYY-MM-DD")},
        )
    st.subheader("The sample is fictional")
    st.write(
        "Its roads, photos and cracks are drawn by this software, so that their true length and width are "
        "known. "
        "It says nothing about any real road."
    )
