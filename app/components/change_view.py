"""Change between two surveys: why it cannot be told, the sections, and pairs of photos."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import actions, change_data, data
from app.change_pictures import TOLERANCE_M, TOLERANCE_PX, pair_pictures
from app.components.change_slider import change_slider
from app.components.job_progress import watch_jobs
from app.components.measures import AREA_SHARE, DENSITY, INDEX, INDEX_INTERVAL, Measure, severity_words
from app.components.messages import plain, show_error
from app.components.spreadsheet import to_csv
from app.components.text import chainage, interval, number
from app.identity import current_actor
from app.layers import MAX_INTERVALS
from engine.change import real_by_chance
from engine.errors import EngineError

MEASURES: dict[str, Measure] = {"density": DENSITY, "index": INDEX, "area_pct": AREA_SHARE}
INTERVAL_HELP = (
    "90 % interval of the difference: the photos' own intervals and the error of looking only where photos "
    "were taken, of both surveys. Errors made in both alike cancel in part: it is rather too wide."
)
DIFFERENCE = "low and high: 90 % interval; real: it leaves out 0"


def refused(
    pair: change_data.AnalysisPair, names: tuple[str, str], ids: tuple[int, int], standard: Any
) -> None:
    """Say why two surveys are not compared, and offer what makes them comparable.

    Args:
        pair: with a reason.
        names: of the earlier and the later survey.
        ids: likewise.
        standard: severity standard of the later analysis, None without one.
    """
    st.warning(f"{plain(names[0])} and {plain(names[1])} are not compared. {plain(pair.reason or '')}")
    st.write(
        "A difference is shown only between analyses by the same checkpoint with the same settings: else a "
        "change of the model would look like a change of the road."
    )
    place, checkpoint, advice = _remedy(pair)
    if advice:
        st.write(advice)
    if place is None:
        return
    by = plain(checkpoint) if checkpoint else "the checkpoint in force"
    label = f"Analyse {plain(names[place])} with {by}"
    if st.button(label, type="primary", icon=":material/search_insights:"):
        try:
            actions.request_analysis(current_actor(), ids[place], checkpoint, severity_standard=standard)
            st.rerun()
        except EngineError as problem:
            show_error(problem)
    st.caption("Its present results stay; the survey's page switches between them.")


def _remedy(pair: change_data.AnalysisPair) -> tuple[int | None, str | None, str]:
    """Which survey to analyse (0 the earlier, None neither), with which checkpoint, and advice before it."""
    first, second = pair.first, pair.second
    if second is None:
        return 1, first["checkpoint"] if first else None, ""
    checkpoint: str = second["checkpoint"]
    if first is None or first["checkpoint_id"] != second["checkpoint_id"]:
        return 0, checkpoint, ""
    ours, theirs = first["settings"], second["settings"]
    if (ours.get("camera") is None) != (theirs.get("camera") is None):
        pixels = 0 if ours.get("camera") is None else 1
        return pixels, checkpoint, "First give the one in pixels a camera or a GSD, on its own page."
    versions = ours["measurement_version"] or 0, theirs["measurement_version"] or 0
    if versions[0] != versions[1]:
        return (0 if versions[0] < versions[1] else 1), checkpoint, ""
    if ours.get("severity_standard") != theirs.get("severity_standard"):
        return 0, checkpoint, ""
    return None, None, (
        "Analysing again would change nothing: the surveys' own photos decide what differs. Photos of the "
        "same camera, or one checkpoint with a fixed working scale for both, make them comparable."
    )  # fmt: skip


def working(ids: tuple[int, int]) -> bool:
    """Draw what is being done with the two surveys; whether something is."""
    active = [survey for survey in ids if any(job["state"] in data.ACTIVE for job in data.jobs(survey))]
    for survey in active:
        watch_jobs(survey, place=f"change-{survey}", limit=1)
    return bool(active)


def choose_measure(table: pd.DataFrame) -> str:
    """Density and index where metres are known, else the cracked area."""
    known = [name for name in ("density", "index") if table[f"difference_{name}"].notna().any()]
    options = known or ["area_pct"]
    if len(options) == 1:
        return options[0]
    chosen = st.segmented_control(
        "Measure", options, default=options[0], format_func=lambda name: MEASURES[name].name
    )
    return chosen or options[0]


def summary(table: pd.DataFrame, name: str) -> None:
    """How many sections changed, and how many of them may have by chance."""
    real = table[f"real_{name}"]
    better = table[f"difference_{name}"] * (1 if name == "index" else -1) > 0
    told = real.notna()
    known = table[f"difference_{name}"].notna()
    changed = real.eq(True)
    cells = st.columns(4)
    cells[0].metric("Sections in both surveys", f"{len(table):,}", border=True)
    cells[1].metric("Worse, really", f"{int((changed & ~better).sum()):,}", border=True)
    cells[2].metric("Better, really", f"{int((changed & better).sum()):,}", border=True)
    cells[3].metric("No change that can be told", f"{int((~changed).sum()):,}", border=True)
    chance = real_by_chance(int(told.sum()))
    st.caption(
        f"Really: the 90 % interval of the difference leaves out 0. Of {int(told.sum()):,} unchanged "
        f"sections up to {chance:.0f} would be called changed by chance."
    )
    if name == "index" and int(known.sum()) > MAX_INTERVALS:
        st.caption(
            f"Intervals of the index are worked out for the {MAX_INTERVALS:,} sections where it differs most."
        )


def section_changes(table: pd.DataFrame, name: str, key: str) -> int | None:
    """The sections, the greatest worsening first; the id of the chosen one."""
    measure = MEASURES[name]
    shown = sorted_changes(table, name)
    low, high = shown[f"low_{name}"], shown[f"high_{name}"]
    lines = pd.DataFrame({
        "road": shown["road"],
        "section": shown["section_key"],
        "first": shown[f"first_{name}"],
        "second": shown[f"second_{name}"],
        "difference": shown[f"difference_{name}"],
        "interval": [interval(*ends, measure.digits) for ends in zip(low, high, strict=True)],
        "real": [_real_word(value) for value in shown[f"real_{name}"]],
    })  # fmt: skip
    number_format = f"%.{measure.digits}f"
    chosen = st.dataframe(
        lines,
        hide_index=True,
        key=key,
        on_select="rerun",
        selection_mode="single-row",
        height=min(420, 38 + 35 * max(1, len(lines))),
        column_config={
            "road": "Road",
            "section": "Section",
            "first": st.column_config.NumberColumn("Earlier", format=number_format, help=measure.formula),
            "second": st.column_config.NumberColumn("Later", format=number_format, help=measure.formula),
            "difference": st.column_config.NumberColumn(
                f"Difference {measure.unit}".rstrip(), format=f"%+.{measure.digits}f"
            ),
            "interval": st.column_config.TextColumn(
                "Interval", help=f"{INTERVAL_HELP} {INDEX_INTERVAL if name == 'index' else ''}"
            ),
            "real": "Real",
        },
    )  # fmt: skip
    rows = chosen["selection"]["rows"]
    return int(shown["id"].iloc[rows[0]]) if rows else None


def sorted_changes(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Sections whose change is real first, then the greatest worsening."""
    worse = table[f"difference_{name}"] * (-1 if name == "index" else 1)
    order = pd.DataFrame({"real": table[f"real_{name}"].eq(True), "worse": worse})
    return table.loc[order.sort_values(["real", "worse"], ascending=False, kind="stable").index]


def _real_word(real: Any) -> str:
    return "not known" if pd.isna(real) else "yes" if real else "no"


def downloads(
    make: Callable[[], pd.DataFrame], pair: change_data.AnalysisPair, names: tuple[str, str]
) -> None:
    """The list as CSV and, with the sections' lines, as GeoJSON.

    Args:
        make: gives `change_data.index_change_table`, when it is asked for.
        pair: the analyses.
        names: of the earlier and the later survey.
    """
    left, right, _ = st.columns([1, 1, 3])
    left.download_button(
        "CSV", lambda: change_csv(make(), pair, names), "change.csv", "text/csv",
        icon=":material/download:", width="stretch", on_click="ignore",
    )  # fmt: skip
    right.download_button(
        "GeoJSON", lambda: change_geojson(make(), pair, names), "change.geojson",
        "application/geo+json", icon=":material/map:", width="stretch", on_click="ignore",
    )  # fmt: skip


def change_csv(table: pd.DataFrame, pair: change_data.AnalysisPair, names: tuple[str, str]) -> bytes:
    """The list with formula and standard in the heads of the values, and what they were measured by."""
    heads: dict[str, str] = {}
    for measure in MEASURES.values():
        said = f"[{measure.formula}; {measure.standard}]"
        heads |= {
            f"{measure.column}_{side}": f"{measure.column}_{side} {said}" for side in ("first", "second")
        }
        heads[f"{measure.column}_difference"] = f"{measure.column}_difference [second - first; {DIFFERENCE}]"
    return to_csv(_named(table, pair, names).rename(columns=heads))


def change_geojson(table: pd.DataFrame, pair: change_data.AnalysisPair, names: tuple[str, str]) -> bytes:
    """The same on a map; formulas and standards are members of the collection."""
    said = {
        measure.column: {"unit": measure.unit, "formula": measure.formula, "standard": measure.standard}
        for measure in MEASURES.values()
    }
    about = {"measures": said, "difference": f"second - first; {DIFFERENCE}"}
    return change_data.change_geojson(_named(table, pair, names), about)


def _named(table: pd.DataFrame, pair: change_data.AnalysisPair, names: tuple[str, str]) -> pd.DataFrame:
    """The measures' own names, with their units, in the heads; the surveys and how they were analysed."""
    heads = {
        f"{column}_{name}": f"{measure.column}_{column}"
        for name, measure in MEASURES.items()
        for column in change_data.COLUMNS
    }
    later = pair.second or {}
    return (
        table.drop(columns=["west", "south", "east", "north"])
        .rename(columns=heads)
        .assign(
            first_survey=names[0],
            second_survey=names[1],
            checkpoint=later.get("checkpoint"),
            severity_standard=severity_words(later.get("settings", {})),
        )
    )


def photo_changes(
    pairs: list[dict[str, Any]], runs: Any, versions: tuple[str, str], names: tuple[str, str], key: str
) -> None:
    """Pairs of photos of a section: choose one, see it before and after."""
    if not pairs:
        st.write(f"No two photos of the surveys stand within {change_data.FARTHEST_APART_M:g} m here.")
        return
    most = max(range(len(pairs)), key=lambda line: abs(_difference(pairs[line])))
    place = st.selectbox(
        "Photos", range(len(pairs)), index=most, format_func=lambda line: _pair_label(pairs[line]), key=key
    )
    pair = pairs[place]
    try:
        with st.spinner("Laying the two photos over each other"):
            pictures = pair_pictures(pair["first_id"], pair["second_id"], runs, versions)
    except EngineError as problem:
        show_error(problem)
        return
    if pictures["registered"]:
        change_slider(pictures, *names)
        error = (
            f"{number(pictures['error_mm'], 1)} mm on the road" if pictures["rectified"]
            else f"{number(pictures['error_px'], 1)} pixels"
        )  # fmt: skip
        st.caption(
            f"Laid over each other by what both photos show; they agree within {error} (median). New: no "
            f"crack of the earlier photo lies within {_tolerance(pictures)}. What the earlier photo does not "
            "reach is not new."
        )
        return
    st.info(
        "The two photos could not be laid over each other: too little shows in both. They stand side by side."
    )
    for column, side, name in zip(st.columns(2), ("before", "after"), names, strict=True):
        column.image(pictures[side], caption=plain(name))


def _tolerance(pictures: Mapping[str, Any]) -> str:
    return f"{TOLERANCE_M * 100:g} cm" if pictures["rectified"] else f"{TOLERANCE_PX:g} pixels"


def _difference(pair: Mapping[str, Any]) -> float:
    return (pair["second"] or 0.0) - (pair["first"] or 0.0)


def _pair_label(pair: Mapping[str, Any]) -> str:
    return f"{chainage(pair['chainage_m'])} · {pair['apart_m']:.1f} m apart · {_difference(pair):+.2f}"
