"""Benchmarks: which method finds cracks best, by how much, and whether that was luck."""

from pathlib import Path

import streamlit as st

from app import data
from app.components.messages import empty_state, plain
from app.components.spreadsheet import to_csv
from db.settings import get_settings
from engine.benchmarking.gallery import LEGEND, Row, read_gallery
from engine.benchmarking.report import Report, Section, facts, render_html, title_of

COMMAND = (
    "pavescope benchmark --data DATASET_FOLDER --models attention_resunet,smp_unet,detector,checkpoint:base "
    "--preset fast --cpu-minutes 8 --seeds x3"
)
PICTURES_A_ROW = 5


def choose(names: list[str]) -> str:
    """A selector that reads and writes `?benchmark=`."""
    asked = st.query_params.get("benchmark")
    start = names.index(asked) if asked in names else 0
    chosen = st.selectbox("Benchmark", names, index=start)
    if chosen != asked:
        st.query_params["benchmark"] = chosen
    return str(chosen)


def downloads(report: Report, name: str) -> None:
    page, table = st.columns(2)
    page.download_button(
        "Report (HTML)",
        lambda: render_html(report).encode(),
        f"{name}.html",
        "text/html",
        icon=":material/download:",
        on_click="ignore",
        width="stretch",
        help="One file with tables, plots and pictures inside.",
    )
    table.download_button(
        "Scores (CSV)",
        lambda: to_csv(report.sections[0].table),
        f"{name}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        width="stretch",
    )


def show_table(section: Section) -> None:
    st.subheader(plain(section.title))
    st.caption(plain(section.note))
    st.dataframe(section.shown, hide_index=True, key=f"table-{section.key}")


def show_plots(report: Report) -> None:
    columns = st.columns(2)
    for number, (key, figure) in enumerate(report.plots.items()):
        with columns[number % 2]:
            st.plotly_chart(figure, key=key, theme=None, config={"displaylogo": False})


def show_rows(folder: Path, rows: list[Row]) -> None:
    for row in rows:
        st.markdown(f"**{plain(row.image)}**")
        for first in range(0, len(row.pictures), PICTURES_A_ROW):
            places = st.columns(PICTURES_A_ROW)
            for place, picture in zip(places, row.pictures[first:], strict=False):
                if (folder / picture.file).is_file():
                    place.image(folder / picture.file, plain(picture.caption), width="stretch")


def show_pictures(folder: Path) -> None:
    rows = read_gallery(folder)
    if not rows:
        st.write("The pictures are drawn when the benchmark is finished.")
        return
    st.caption(f"In predictions, {LEGEND}. Attention: yellow is most.")
    where, whose = st.columns(2)
    chosen = where.selectbox("Data set", list(dict.fromkeys(row.data for row in rows)))
    failing = list(dict.fromkeys(row.method for row in rows if row.method))
    method = whose.selectbox(
        "Images",
        ["", *failing],
        format_func=lambda name: f"the worst of {name}" if name else "the same for every method",
    )
    show_rows(folder, [row for row in rows if (row.data, row.method) == (chosen, method)])


def draw() -> None:
    st.title("Benchmarks")
    names = data.benchmark_folders()
    if not names:
        empty_state(
            "No benchmark yet",
            "A benchmark trains and scores methods on labelled data sets, every one on the same images. Make "
            "one on the command line of this machine; it appears here as soon as it has started:",
        )
        st.code(COMMAND, language=None, wrap_lines=True)
        st.caption(f"Benchmarks are read from {plain(str(get_settings().benchmarks_dir))}.")
        return
    head, buttons = st.columns([3, 2], vertical_alignment="bottom")
    with head:
        name = choose(names)
    report = data.benchmark(name, data.benchmark_version(name))
    found, tables = report.benchmark, report.sections
    st.markdown(f"**{plain(title_of(found))}**")
    st.caption("  \n".join(plain(fact) for fact in facts(found)))
    if not found.complete:
        st.info("Some runs are not finished. The same command, given again, goes on where it stopped.")
    if not tables:
        st.write("No run is finished yet.")
        return
    with buttons:
        downloads(report, name)
    scores, plots, tests, costs, pictures = st.tabs(
        ["Scores", "Plots", "Statistics", "Complexity", "Predictions"]
    )
    with scores:
        show_table(tables[0])
    for section in tables[1:]:
        place = (
            tests if section.key == "tests" else costs if section.key in ("complexity", "costs") else scores
        )
        with place:
            show_table(section)
    if all(section.key != "tests" for section in tables):
        tests.write("There is nothing to compare yet: at least two methods are needed.")
    with plots:
        show_plots(report)
    with pictures:
        show_pictures(found.folder)


draw()
