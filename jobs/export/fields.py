"""What the columns of exported layers mean: short name, unit and description of each."""

FIELDS: dict[str, tuple[str, str, str]] = {
    "section_key": ("sect_key", "", "name of the section in the network"),
    "road": ("road", "", "road"),
    "from_m": ("from_m", "m", "chainage where it starts"),
    "to_m": ("to_m", "m", "chainage where it ends"),
    "length_m": ("length_m", "m", "length"),
    "functional_class": ("func_class", "", "functional class of the road"),
    "surface": ("surface", "", "kind of surface"),
    "direction": ("direction", "", "direction of travel"),
    "lane": ("lane", "", "lane"),
    "lanes": ("lanes", "", "number of lanes"),
    "lane_width_m": ("lane_wid_m", "m", "lane width"),
    "aadt": ("aadt", "vehicles/day", "annual average daily traffic"),
    "images": ("images", "", "photos measured on the section"),
    "surveyed_area_m2": ("surv_m2", "m2", "pavement area measured"),
    "surveyed_share_percent": ("surv_pct", "%", "part of the section's length that was measured"),
    "crack_density_m_per_m2": ("crack_dens", "m/m2", "crack length / surveyed area"),
    "crack_density_m_per_m2_low": ("crk_den_lo", "m/m2", "lower end of the interval of crack density"),
    "crack_density_m_per_m2_high": ("crk_den_hi", "m/m2", "upper end of the interval of crack density"),
    "crack_area_percent": ("crk_ar_pct", "%", "crack area / surveyed area"),
    "crack_area_percent_low": ("crk_ar_lo", "%", "lower end of the interval of crack area"),
    "crack_area_percent_high": ("crk_ar_hi", "%", "upper end of the interval of crack area"),
    "condition_index": ("cond_index", "0-100", "condition by cracking alone; an upper bound of PCI"),
    "condition_index_low": ("cond_lo", "0-100", "lower end of the interval of the condition index"),
    "condition_index_high": ("cond_hi", "0-100", "upper end of the interval of the condition index"),
    "condition_index_at_worst": (
        "cond_worst",
        "0-100",
        "condition index if cracking without a measurable severity were the worst",
    ),
    "rating": ("rating", "", "rating of the condition index, ASTM D6433"),
    "paser": ("paser", "1-10", "PASER band, from the condition index"),
    "condition_class": (
        "cond_class",
        "",
        "good from index 70, fair from 55, else poor; by the index before rounding",
    ),
    "class_words": (
        "class_word",
        "",
        "the class; at best where cracking without a severity could make it worse",
    ),
    "hpms_cracking_percent": ("hpms_pct", "%", "HPMS cracking percent, 23 CFR 490.311"),
    "unified_crack_index": ("uni_crack", "%", "Unified Crack Index: tiles with a crack"),
    "unit_spread": ("unit_sprd", "points", "greatest difference of the sample units' indices"),
    "longitudinal_m": ("longit_m", "m", "longitudinal cracks on the surveyed area"),
    "transverse_m": ("transv_m", "m", "transverse cracks on the surveyed area"),
    "diagonal_m": ("diagon_m", "m", "diagonal cracks on the surveyed area"),
    "block_m2": ("block_m2", "m2", "block cracking on the surveyed area"),
    "alligator_m2": ("alligat_m2", "m2", "alligator cracking on the surveyed area"),
    "pothole_m2": ("pothole_m2", "m2", "potholes on the surveyed area"),
    "worst_severity": ("worst_sev", "", "gravest severity found"),
    "priority_rank": ("prio_rank", "", "place in the plan's order; 1 first"),
    "planned_year": ("plan_year", "year", "year of the planned project"),
    "planned_treatment": ("plan_treat", "", "planned treatment, the first of two where there are two"),
    "planned_cost": ("plan_cost", "currency of the plan", "the section's share of that project's cost"),
    "later_year": ("later_year", "year", "year of the second project on the section"),
    "later_treatment": ("later_trt", "", "treatment of the second project on the section"),
    "later_cost": (
        "later_cost",
        "currency of the plan",
        "share of the second project's cost, beside the planned cost",
    ),
    "reason": ("reason", "", "why it is planned so"),
    "photo_id": ("photo_id", "", "number of the photo"),
    "name": ("name", "", "file name of the photo"),
    "captured_at": ("captured", "ISO 8601, UTC", "when the photo was taken"),
    "chainage_m": ("chainage_m", "m", "chainage along the road"),
    "heading_deg": ("heading", "degrees from north", "direction in which the camera looked"),
    "gsd_mm_per_px": ("gsd_mm_px", "mm/px", "ground sampling distance"),
    "crack_length_m": ("crack_m", "m", "crack length in the photo"),
    "error": ("error", "", "why the photo has no result"),
    "distress_id": ("distr_id", "", "number of the distress"),
    "type": ("type", "", "type of distress"),
    "severity": ("severity", "", "severity by the survey's standard"),
    "zone": ("zone", "", "zone of the lane, AASHTO R 85"),
    "area_m2": ("area_m2", "m2", "area"),
    "mean_width_mm": ("mean_w_mm", "mm", "mean crack width"),
    "p95_width_mm": ("p95_w_mm", "mm", "crack width that 95 % of the course stay below"),
    "max_width_mm": ("max_w_mm", "mm", "greatest crack width"),
    "orientation_deg": ("orient_deg", "degrees", "orientation of the crack in the picture"),
    "length_px": ("length_px", "px", "length in the photo"),
    "mean_width_px": ("mean_w_px", "px", "mean width in the photo"),
    "area_px": ("area_px", "px", "area in the photo"),
    "placed_by": ("placed_by", "", "what the position on the map comes from"),
    "rank": ("rank", "", "place in the plan's order; 1 first"),
    "year": ("year", "year", "year of the project"),
    "treatment": ("treatment", "", "treatment"),
    "section_keys": ("sect_keys", "", "names of the project's sections"),
    "cost": ("cost", "see currency", "cost of the project, mobilisation included"),
    "mobilisation": ("mobilis", "see currency", "the part of the cost that is paid once for the project"),
    "fixed": ("pinned", "", "whether people pinned it"),
    "preventive": ("preventive", "", "whether its treatment is preventive"),
    "currency": ("currency", "", "currency of all costs of the project"),
    "benefit": (
        "benefit",
        "index points x km x years",
        "area gained under the condition curve, weighted by traffic",
    ),
    "benefit_cost": ("benef_cost", "per 1,000 of cost", "benefit for each 1,000 of cost"),
    "equivalent_annual_cost": ("eq_ann_cst", "see currency, per year", "equivalent annual cost"),
    "cost_of_delay": ("delay_cost", "see currency", "how much more the same index costs some years later"),
    "index_before": ("idx_before", "0-100", "condition index before the treatment"),
    "index_after": ("idx_after", "0-100", "condition index after the treatment"),
    "stays_percent": (
        "stays_pct",
        "%",
        "draws within the measured intervals in which the project stays planned",
    ),
}
"""Column -> (name of at most ten letters for shapefiles, unit, description)."""
LONGEST_NAME = 10


def field(column: str) -> tuple[str, str, str]:
    """Short name, unit and description; of a column that is not known its first ten letters and nothing."""
    return FIELDS.get(column, (column[:LONGEST_NAME], "", ""))


def short_names(columns: list[str]) -> list[str]:
    """A different name of at most ten letters for each column; letters do not differ by case alone."""
    taken: set[str] = set()
    names = []
    for column in columns:
        name, number = field(column)[0][:LONGEST_NAME], 1
        while name.lower() in taken:
            number += 1
            name = f"{field(column)[0][: LONGEST_NAME - len(str(number))]}{number}"
        taken.add(name.lower())
        names.append(name)
    return names
