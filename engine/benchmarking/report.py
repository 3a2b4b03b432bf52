"""The report of a benchmark: CSV, Markdown, and one HTML file that needs nothing beside it (torch-free)."""

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

import cv2
import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment
from plotly.offline import get_plotlyjs

from engine.benchmarking.ablations import ablation
from engine.benchmarking.gallery import LEGEND, Picture, Row, read_gallery
from engine.benchmarking.plan import folder_name
from engine.benchmarking.plots import all_plots
from engine.benchmarking.report_page import PAGE
from engine.benchmarking.results import Benchmark
from engine.benchmarking.tables import (
    ablation_table,
    best_cells,
    comparison_table,
    complexity_table,
    cost_table,
    for_people,
    heading,
    image_table,
    run_table,
    score_table,
    to_markdown,
)
from engine.errors import EngineError

THUMBNAIL_PX = 230
SHOWN = (
    "miou", "iou", "f1", "precision", "recall", "tolerant_f1", "ods_f1", "ois_f1", "hausdorff95_px",
    "one_sided_images",
)  # fmt: skip
"""Measures that fit a page; results.csv has them all."""

SCORES_NOTE = (
    "Counts of all pixels of the test images together, mean ± standard deviation over seeds; in the lines of "
    "all data sets, mean and deviation over the data sets. Tolerant measures forgive {tolerance} px. A mean "
    "Hausdorff distance leaves out images where only one of prediction and label has a crack: with some "
    "of those it says little."
)
TESTS_NOTE = (
    "Each method minus {against}, paired, two-sided. Over images: each image's mean of the seeds; this "
    "speaks of these trained networks on such images, not of training them again. Over seeds: each seed's "
    "mean of the data sets; this does speak of training again, and needs many seeds: with three, "
    "Wilcoxon's p cannot be below 0.25, and the t-test leans on a normal distribution that three values "
    "cannot show. Holm's correction counts the methods of one measure and unit. A large p does not say "
    "that two methods are equal."
)
COMPLEXITY_NOTE = (
    "A multiplication and an addition are two operations. One image at a time, here, after all runs."
)
ABLATION_NOTE = (
    "Beside each measured figure the paper's own, of its own data and training: compare the order. What the "
    "papers call mIoU is taken for the mean over images of the crack's IoU, which is what fits their Dice."
)


@dataclass(frozen=True)
class Section:
    """A table with its title and what must be known to read it.

    Attributes:
        key: short name, also of its CSV file.
        title: for people.
        note: below the title.
        table: raw values.
    """

    key: str
    title: str
    note: str
    table: pd.DataFrame

    @property
    def shown(self) -> pd.DataFrame:
        """The table as text for people."""
        table = self.table
        if self.key == "results":
            measures = [part for name in SHOWN if name in table for part in (name, f"{name}_sd")]
            table = table[["data", "method", "runs", *measures]]
        return for_people(table)


@dataclass(frozen=True)
class Report:
    """A benchmark's tables and plots, made once for all that shows them.

    Attributes:
        benchmark: what was measured.
        sections: every table that has lines, the scores first.
        plots: by name.
        runs: see `run_table`.
        images: see `image_table`.
    """

    benchmark: Benchmark
    sections: list[Section]
    plots: dict[str, go.Figure]
    runs: pd.DataFrame
    images: pd.DataFrame


def make_report(benchmark: Benchmark) -> Report:
    """Compute the tables and plots of a benchmark, finished or not."""
    runs, images = run_table(benchmark), image_table(benchmark)
    return Report(benchmark, _sections(benchmark, runs, images), all_plots(runs, images), runs, images)


def _sections(benchmark: Benchmark, runs: pd.DataFrame, images: pd.DataFrame) -> list[Section]:
    if runs.empty:
        return []
    tolerance = f"{benchmark.plan['settings']['tolerance_px']:g}"
    found = [
        Section("results", "Scores", SCORES_NOTE.format(tolerance=tolerance), score_table(runs)),
        Section(
            "tests", f"Against {benchmark.against}", TESTS_NOTE.format(against=benchmark.against),
            comparison_table(runs, images, benchmark.against),
        ),
        Section("complexity", "Complexity", COMPLEXITY_NOTE, complexity_table(benchmark)),
        Section("costs", "What training took", "Mean of the runs, this machine.", cost_table(runs)),
    ]  # fmt: skip
    for name in benchmark.plan["ablations"]:
        title = f"Ablation: {ablation(name).title}"
        found.append(
            Section(f"ablation-{folder_name(name)}", title, ABLATION_NOTE, ablation_table(name, runs))
        )
    return [section for section in found if not section.table.empty]


def title_of(benchmark: Benchmark) -> str:
    """Data sets, methods and seeds in one line."""
    plan = benchmark.plan
    names = ", ".join(data["name"] for data in plan["data"])
    counts = [(len(plan["methods"]), "method"), (len(plan["seeds"]), "seed")]
    methods, seeds = (f"{count} {word}" + ("s" if count != 1 else "") for count, word in counts)
    return f"{methods} on {names}, {seeds}"


def facts(benchmark: Benchmark) -> list[str]:
    """What was run, for people: settings, splits, what is missing."""
    plan = benchmark.plan
    settings = plan["settings"]
    limit = [
        text
        for text in (
            f"{settings['epochs']} epochs" if settings["epochs"] is not None else "",
            f"{settings['cpu_minutes']:g} CPU minutes" if settings["cpu_minutes"] is not None else "",
        )
        if text
    ]
    said = [
        f"Preset {settings['preset']}; every training ends after "
        + (" or ".join(limit) or "the preset's own limit")
        + f". Seeds {', '.join(map(str, plan['seeds']))}."
    ]
    said += [
        f"{data['name']} ({data['layout']}): {data['train']} images to train with, {data['test']} to test on."
        for data in plan["data"]
    ]
    if len(plan["seeds"]) == 1:
        said.append("One seed: whether another training would give the same order cannot be told.")
    if not benchmark.complete:
        said.append(f"Not complete: {len(benchmark.results)} of {plan['runs']} runs are finished.")
    said += [f"Could not be made: {run}: {why}" for run, why in benchmark.errors.items()]
    return said


def _embedded(folder: Path, picture: Picture) -> dict[str, str]:
    """A small copy inside the page; a click opens the file in the gallery folder."""
    drawn = cv2.imread(str(folder / picture.file), cv2.IMREAD_COLOR)
    if drawn is None:
        raise EngineError(f"{folder / picture.file} is missing.", "Run the benchmark's command again.")
    shrink = min(1.0, THUMBNAIL_PX / max(drawn.shape[:2]))
    small = cv2.resize(drawn, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 82])[1].tobytes()
    return {
        "file": picture.file,
        "caption": picture.caption,
        "source": f"data:image/jpeg;base64,{b64encode(data).decode()}",
    }


def _gallery_rows(folder: Path, rows: list[Row]) -> list[dict[str, object]]:
    return [
        {
            "title": f"{row.data}, {row.image}"
            + (f": among the worst of {row.method}" if row.method else ""),
            "pictures": [_embedded(folder, picture) for picture in row.pictures],
        }
        for row in rows
    ]


def _for_page(section: Section) -> dict[str, object]:
    best = best_cells(section.table).rename(columns=heading) if section.key == "results" else None
    shown = section.shown
    return {
        "title": section.title,
        "note": section.note + (" Bold: the best of a data set." if best is not None else ""),
        "columns": list(shown.columns),
        "lines": [
            [
                {"text": line[column], "best": best is not None and bool(best.at[number, column])}
                for column in shown.columns
            ]
            for number, line in enumerate(shown.to_dict("records"))
        ],
    }


def render_html(report: Report) -> str:
    """The whole report as one page: its scripts, plots and small pictures are inside."""
    benchmark = report.benchmark
    config = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["sendDataToCloud"]}
    plots = [
        figure.to_html(full_html=False, include_plotlyjs=False, div_id=f"plot-{name}", config=config)
        for name, figure in report.plots.items()
    ]
    rows = read_gallery(benchmark.folder)
    tables = [_for_page(section) for section in report.sections]
    # escaped by default: names of files and data sets come from people
    return Environment(autoescape=True).from_string(PAGE).render(
        title=title_of(benchmark),
        facts=facts(benchmark),
        scores=tables[:1],
        tables=tables[1:],
        plots=plots,
        plotly=get_plotlyjs() if plots else "",
        legend=LEGEND,
        examples=_gallery_rows(benchmark.folder, [row for row in rows if not row.method]),
        failures=_gallery_rows(benchmark.folder, [row for row in rows if row.method]),
    )  # fmt: skip


def render_markdown(report: Report) -> str:
    """The report as Markdown, its pictures linked in the gallery folder."""
    benchmark = report.benchmark
    parts = [f"# {title_of(benchmark)}", *facts(benchmark)]
    for section in report.sections:
        parts += [f"## {section.title}", section.note, to_markdown(section.shown)]
    rows = read_gallery(benchmark.folder)
    if rows:
        parts += ["## Gallery", f"Predictions: {LEGEND}."]
    for row in rows:
        parts.append(
            f"**{row.data}, {row.image}**" + (f", among the worst of {row.method}" if row.method else "")
        )
        parts.append(" ".join(f"![{picture.caption}]({picture.file})" for picture in row.pictures))
    return "\n\n".join(parts) + "\n"


def write_report(report: Report) -> Path:
    """Write report.html, report.md and the tables as CSV into the benchmark's folder.

    Returns:
        The HTML file.
    """
    folder = report.benchmark.folder
    report.runs.to_csv(folder / "runs.csv", index=False)
    report.images.to_csv(folder / "images.csv", index=False)
    for section in report.sections:
        section.table.to_csv(folder / f"{section.key}.csv", index=False)
    (folder / "report.md").write_text(render_markdown(report), encoding="utf-8")
    page = folder / "report.html"
    page.write_text(render_html(report), encoding="utf-8")
    return page
