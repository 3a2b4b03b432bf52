"""Two ready sets of treatments to start from: US city averages, and a metric one without costs.

Unit costs are per square yard, the middle of the published range. What no source gives (triggers beside the
PASER bands, effects, some lives, mobilisation, shortest projects) is marked "assumed" and is the agency's
to edit.
"""

from dataclasses import replace

from engine.treatments import Treatment
from engine.vocabulary import DistressType

_CRACKS = (
    DistressType.LONGITUDINAL,
    DistressType.TRANSVERSE,
    DistressType.DIAGONAL,
    DistressType.BLOCK,
    DistressType.CRACK,
)
_CITIES = "cost: public cost tables of Olathe, Ventura and Sacramento (US)"
_ASSUMED = "effect, mobilisation and shortest project assumed"

US_CITY_AVERAGES: tuple[Treatment, ...] = (
    Treatment(
        name="Crack seal",
        unit_cost=0.36,
        unit="yd2",
        life_years=4,
        index_min=65,
        index_max=85,
        kinds=_CRACKS,
        density_max_percent=15,
        excluded_kinds=(DistressType.ALLIGATOR, DistressType.POTHOLE),
        excluded_over_percent=1,
        slope_factor=0.65,
        mobilisation_cost=1_000,
        preventive=True,
        source=f"{_CITIES}; trigger PASER 7-8; greatest density (0.5 m per m2), life, {_ASSUMED}",
    ),
    Treatment(
        name="Slurry seal",
        unit_cost=3.0,
        unit="yd2",
        life_years=6,
        index_min=60,
        index_max=80,
        aadt_max=5_000,
        excluded_kinds=(DistressType.ALLIGATOR,),
        excluded_over_percent=5,
        reset_index=85,
        slope_factor=0.8,
        min_project_m=100,
        mobilisation_cost=3_000,
        preventive=True,
        source=f"{_CITIES}, 2-4; life 5-7 published; trigger, {_ASSUMED}",
    ),
    Treatment(
        name="Micro-surfacing",
        unit_cost=3.3,
        unit="yd2",
        life_years=7,
        index_min=55,
        index_max=75,
        excluded_kinds=(DistressType.ALLIGATOR,),
        excluded_over_percent=10,
        reset_index=85,
        slope_factor=0.8,
        min_project_m=100,
        mobilisation_cost=5_000,
        preventive=True,
        source=f"{_CITIES}; trigger PASER 5-6 and above, life, {_ASSUMED}",
    ),
    Treatment(
        name="Thin lift overlay",
        unit_cost=3.8,
        unit="yd2",
        life_years=8,
        index_min=45,
        index_max=65,
        excluded_kinds=(DistressType.ALLIGATOR,),
        excluded_over_percent=15,
        reset_index=90,
        min_project_m=100,
        mobilisation_cost=8_000,
        preventive=True,
        source=f"{_CITIES}; trigger PASER 5-6; life, {_ASSUMED}",
    ),
    Treatment(
        name="Cape seal",
        unit_cost=9.0,
        unit="yd2",
        life_years=8,
        index_min=45,
        index_max=65,
        aadt_max=10_000,
        excluded_kinds=(DistressType.ALLIGATOR,),
        excluded_over_percent=30,
        reset_index=90,
        slope_factor=0.9,
        min_project_m=100,
        mobilisation_cost=8_000,
        source=f"{_CITIES}, 7-11; trigger PASER 5-6; life, {_ASSUMED}",
    ),
    Treatment(
        name="Mill and overlay",
        unit_cost=19.0,
        unit="yd2",
        life_years=17,
        index_min=25,
        index_max=60,
        reset_index=100,
        min_project_m=150,
        mobilisation_cost=15_000,
        source=f"{_CITIES}, 17-21; trigger PASER 3-4 and above; life 15-20 published; {_ASSUMED}",
    ),
    Treatment(
        name="Major rehabilitation",
        unit_cost=26.0,
        unit="yd2",
        life_years=20,
        index_min=15,
        index_max=40,
        reset_index=100,
        slope_factor=0.9,
        min_project_m=150,
        mobilisation_cost=20_000,
        source=f"{_CITIES}; trigger, life, {_ASSUMED}",
    ),
    Treatment(
        name="Reconstruction",
        unit_cost=138.5,
        unit="yd2",
        life_years=25,
        index_min=0,
        index_max=25,
        reset_index=100,
        slope_factor=0.85,
        min_project_m=150,
        mobilisation_cost=30_000,
        source=f"{_CITIES}, 121-156; trigger PASER 1-2; life, {_ASSUMED}",
    ),
)

BLANK_METRIC: tuple[Treatment, ...] = tuple(
    replace(
        treatment,
        unit_cost=None,
        unit="crack_m" if treatment.name == "Crack seal" else "m2",
        mobilisation_cost=0.0,
        source="enter your own costs; triggers, effects and lives as in the US set, mostly assumed",
    )
    for treatment in US_CITY_AVERAGES
)

TREATMENT_SETS: dict[str, tuple[Treatment, ...]] = {
    "US city averages": US_CITY_AVERAGES,
    "Metric, without costs": BLANK_METRIC,
}
"""Name -> set, for pages and the command line."""
