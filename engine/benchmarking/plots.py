"""The plots of a benchmark, for its report and for the page (torch-free)."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from engine.benchmarking.tables import ALL_DATA, MEASURES, mean_and_deviation

# Okabe and Ito's colours, told apart by colour-blind readers; more methods change the dash and the pattern.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d", "#b8a600")
DASHES = ("solid", "dash", "dot")
PATTERNS = ("", "/", ".")
SHORT = 34
GRID = "#d3dce4"


def short_name(method: str) -> str:
    """A method's name that fits a legend."""
    return method if len(method) <= SHORT else f"{method[: SHORT - 1]}…"


def _style(methods: Sequence[str], method: str) -> tuple[str, str, str]:
    number = methods.index(method)
    turn = number // len(COLOURS) % len(DASHES)
    return COLOURS[number % len(COLOURS)], DASHES[turn], PATTERNS[turn]


def _laid_out(figure: go.Figure, title: str, height: int, names: Sequence[str]) -> go.Figure:
    rows = 1 + sum(len(short_name(name)) + 6 for name in names) // 90
    figure.update_layout(
        template="plotly_white",  # named: Streamlit sets another default
        title={"text": title, "font": {"size": 15}},
        height=height + 22 * rows,
        margin={"l": 55, "r": 20, "t": 48, "b": 40},
        font={"family": "system-ui, sans-serif", "size": 12, "color": "#16222e"},
        legend={"orientation": "h", "yanchor": "top", "y": -0.13, "x": 0},
        paper_bgcolor="#ffffff",
        plot_bgcolor="#f7f9fb",
        yaxis={"gridcolor": GRID, "zerolinecolor": GRID},
    )
    return figure


def radar_plot(runs: pd.DataFrame, measure: str) -> go.Figure:
    """Mean over seeds by data set, one outline a method. Source: seed 000, figure 5.

    Args:
        runs: from `run_table`; three data sets and more make a radar, fewer are better read as bars.
        measure: a column of it, in [0, 1].
    """
    methods = list(runs["method"].unique())
    means = runs.pivot_table(measure, "data", "method", aggfunc="mean", sort=False)
    figure = go.Figure()
    for method in methods:
        colour, dash, _ = _style(methods, method)
        spokes = [*means.index, means.index[0]]
        figure.add_scatterpolar(
            r=[*means[method], means[method].iloc[0]],
            theta=spokes,
            name=short_name(method),
            line={"color": colour, "dash": dash, "width": 2},
            hovertemplate="%{theta}: %{r:.4f}<extra>" + short_name(method) + "</extra>",
        )
    grid = {"gridcolor": GRID, "linecolor": GRID}
    figure.update_layout(
        polar={
            "radialaxis": {"range": [0, 1], "dtick": 0.2, **grid},
            "angularaxis": grid,
            "bgcolor": "#f7f9fb",
        }
    )
    return _laid_out(figure, f"{MEASURES[measure].label} by data set", 400, methods)


def bar_plot(runs: pd.DataFrame, measure: str) -> go.Figure:
    """Mean over seeds by data set, and over all data sets where there are several; whiskers: one s.d."""
    methods = list(runs["method"].unique())
    table = mean_and_deviation(runs, measure)
    data = [*runs["data"].unique(), *([ALL_DATA] if runs["data"].nunique() > 1 else [])]
    figure = go.Figure()
    for method in methods:
        colour, _, pattern = _style(methods, method)
        lines = table[table["method"] == method].set_index("data").reindex(data)
        figure.add_bar(
            x=data,
            y=lines["mean"],
            name=short_name(method),
            marker={"color": colour, "pattern": {"shape": pattern}},
            error_y={"type": "data", "array": lines["deviation"], "thickness": 1.2, "width": 3},
            hovertemplate="%{x}: %{y:.4f}<extra>" + short_name(method) + "</extra>",
        )
    figure.update_layout(barmode="group", yaxis={"range": [0, 1.02], "title": MEASURES[measure].label})
    return _laid_out(figure, f"{MEASURES[measure].label}, all pixels of the test images", 300, methods)


def box_plot(images: pd.DataFrame, measure: str) -> go.Figure:
    """The measure of every test image (mean of the seeds). Source: seed 000, figure 7; seed 001, figure 7."""
    methods = list(images["method"].unique())
    values = images.groupby(["data", "method", "number", "image"], sort=False)[measure].mean().reset_index()
    figure = go.Figure()
    for method in methods:
        colour, _, _ = _style(methods, method)
        of_method = values[values["method"] == method]
        figure.add_box(
            x=of_method["data"],
            y=of_method[measure],
            text=of_method["image"],
            name=short_name(method),
            marker={"color": colour, "size": 4},
            line={"width": 1.4},
            boxpoints="outliers",
            hovertemplate="%{text}: %{y:.4f}<extra>" + short_name(method) + "</extra>",
        )
    figure.update_layout(boxmode="group", yaxis={"range": [-0.02, 1.02], "title": MEASURES[measure].label})
    return _laid_out(figure, f"{MEASURES[measure].label} of every test image", 340, methods)


def all_plots(runs: pd.DataFrame, images: pd.DataFrame) -> dict[str, go.Figure]:
    """Every plot that the results allow, by a name for its place in a page."""
    if runs.empty:
        return {}
    plots: dict[str, go.Figure] = {}
    if runs["data"].nunique() >= 3:
        plots |= {f"radar-{measure}": radar_plot(runs, measure) for measure in ("miou", "f1")}
    plots |= {f"bars-{measure}": bar_plot(runs, measure) for measure in ("f1", "tolerant_f1", "iou")}
    plots["box-f1"] = box_plot(images, "f1")
    return plots
