"""The tables of a benchmark as data frames (torch-free)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from engine.benchmarking.ablations import ablation
from engine.benchmarking.results import Benchmark
from engine.benchmarking.statistics import holm, paired_test
from engine.metrics import LOWER_IS_BETTER


@dataclass(frozen=True)
class Measure:
    """How a measure is shown."""

    label: str
    digits: int = 4


MEASURES = {
    "miou": Measure("mIoU"),
    "iou": Measure("IoU"),
    "f1": Measure("F1 (Dice)"),
    "precision": Measure("Precision"),
    "recall": Measure("Recall"),
    "tolerant_f1": Measure("F1, tolerant"),
    "tolerant_precision": Measure("Precision, tolerant"),
    "tolerant_recall": Measure("Recall, tolerant"),
    "image_iou": Measure("IoU, mean of images"),
    "image_f1": Measure("F1, mean of images"),
    "ods_f1": Measure("ODS F1"),
    "ois_f1": Measure("OIS F1"),
    "xor": Measure("XOR"),
    "xor_over_truth": Measure("XOR over truth", 3),
    "hamming_px": Measure("Hamming (px)", 0),
    "hausdorff_px": Measure("Hausdorff (px)", 1),
    "hausdorff95_px": Measure("Hausdorff 95 % (px)", 1),
    "one_sided_images": Measure("Images without Hausdorff", 1),
}
TESTED = ("f1", "miou", "tolerant_f1")
UNITS = {"images": ["data", "number"], "seeds": ["seed"], "data sets": ["data"]}
"""What the tests are over: columns that name one of each."""
ALL_DATA = "all data sets"
HEADINGS = {
    "data": "Data set",
    "method": "Method",
    "variant": "Variant",
    "runs": "Runs",
    "measure": "Measure",
    "over": "Over",
    "difference": "Mean difference",
    "t_p": "t-test p",
    "t_p_holm": "t-test p, Holm",
    "wilcoxon_p": "Wilcoxon p",
    "wilcoxon_p_holm": "Wilcoxon p, Holm",
    "note": "Remark",
    "parameters_m": "Parameters (M)",
    "gflops_448": "GFLOPs at 448 px",
    "ms_448": "ms per 448 x 448 image",
    "device": "Device",
    "epochs": "Epochs",
    "steps": "Steps",
    "cpu_minutes": "CPU minutes",
    "wall_minutes": "Wall minutes",
    "predict_s": "Seconds per test image",
}
DIGITS = {"parameters_m": 2, "gflops_448": 2, "ms_448": 1, "t": 3, "epochs": 0, "steps": 0, "cpu_minutes": 1}
DIGITS |= {"wall_minutes": 1, "predict_s": 2}


def shown_measures(table: pd.DataFrame) -> list[str]:
    """Measures that a table has, in the order they are shown."""
    return [name for name in MEASURES if name in table and table[name].notna().any()]


def run_table(benchmark: Benchmark) -> pd.DataFrame:
    """One line a run: data, method, seed, threshold, every pooled measure, and what training took."""
    return pd.DataFrame(
        [
            {
                "data": run.data,
                "method": run.method,
                "seed": run.seed,
                "test_images": len(run.images),
                "threshold": run.threshold,
                **run.pooled,
                "epochs": run.training.get("epochs"),
                "steps": run.training.get("steps"),
                "cpu_minutes": run.training.get("cpu_minutes"),
                "wall_minutes": run.training.get("wall_minutes"),
                "stopped_because": run.training.get("stopped_because"),
                "predict_s": run.predict_s,
            }
            for run in benchmark.results
        ]
    )


def image_table(benchmark: Benchmark) -> pd.DataFrame:
    """One line an image of a run: data, method, seed, number, image (its name), and its measures."""
    return pd.DataFrame(
        [
            {"data": run.data, "method": run.method, "seed": run.seed}
            | {"number": image["number"], "image": image["name"]}
            | {name: image[name] for name in MEASURES if image.get(name) is not None}
            for run in benchmark.results
            for image in run.images
        ]
    )


def mean_and_deviation(runs: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Mean and sample standard deviation over seeds of every method on every data set, and over all data.

    The line `ALL_DATA` has the mean of the data sets' means; `deviation` there is that over data sets
    (undefined for one), and `seed_deviation` that over seeds of each seed's mean over the data sets. Of a
    method that lacks a data set nothing is said there: its mean would be one of other data.

    Args:
        runs: from `run_table`.
        measure: a column of it.

    Returns:
        data, method, mean, deviation, seed_deviation, runs; methods in the order they came.
    """
    lines = []
    everything = runs["data"].unique()
    for method, of_method in runs.groupby("method", sort=False):
        means = []
        for data, of_data in of_method.groupby("data", sort=False):
            values = of_data[measure].astype(float)
            means.append(values.mean())
            lines.append((data, method, values.mean(), values.std(), values.std(), len(values)))
        # a seed that lacks a data set is left out, and so is the mean of a method that does
        by_seed = of_method.pivot_table(measure, "seed", "data").reindex(columns=everything).dropna()
        over_data = pd.Series(means, dtype=float)
        whole = len(means) == len(everything) and over_data.notna().all()
        mean, deviation = (over_data.mean(), over_data.std()) if whole else (math.nan, math.nan)
        lines.append((ALL_DATA, method, mean, deviation, by_seed.mean(axis=1).std(), len(of_method)))
    columns = ["data", "method", "mean", "deviation", "seed_deviation", "runs"]
    return pd.DataFrame(lines, columns=columns)


def score_table(runs: pd.DataFrame) -> pd.DataFrame:
    """The table of the benchmark: for every method a line of all data sets, then one of each.

    Returns:
        data, method, runs, then for every measure its mean and, as `MEASURE_sd`, its deviation.
    """
    if runs.empty:
        return pd.DataFrame(columns=["data", "method", "runs"])
    joined: pd.DataFrame | None = None
    for measure in shown_measures(runs):
        one = mean_and_deviation(runs, measure).rename(
            columns={"mean": measure, "deviation": f"{measure}_sd"}
        )
        keep = ["data", "method", "runs", measure, f"{measure}_sd"]
        joined = one[keep] if joined is None else joined.join(one[keep[3:]])
    if joined is None:
        return pd.DataFrame(columns=["data", "method", "runs"])
    order = {data: number for number, data in enumerate([ALL_DATA, *runs["data"].unique()])}
    if len(order) == 2:
        joined = joined[joined["data"] != ALL_DATA]
    return joined.sort_values("data", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def _side_by_side(table: pd.DataFrame, method: str, against: str, measure: str) -> pd.DataFrame:
    """Values of two methods, in columns of their names, where both have them: what only one has is left out.

    What has no seed stands beside every seed of the other.

    Args:
        table: from `run_table` or `image_table`.
        method: text of one.
        against: text of the other.
        measure: a column of the table.

    Returns:
        data, number where the table has it, seed where one of the two has seeds, `method`, `against`.
    """
    places = [name for name in ("data", "number", "seed") if name in table]
    sides = []
    for name in (method, against):
        side = table.loc[table["method"] == name, [*places, measure]].rename(columns={measure: name})
        sides.append(side if side["seed"].notna().any() else side.drop(columns="seed"))
    on = [name for name in places if all(name in side for side in sides)]
    return sides[0].merge(sides[1], on=on).dropna(subset=[method, against])


def comparison_table(runs: pd.DataFrame, images: pd.DataFrame, against: str) -> pd.DataFrame:
    """Every other method against one, over images (mean of the seeds), over seeds and over data sets.

    Each pair is compared on the data sets and seeds that both of them have.

    Args:
        runs: from `run_table`.
        images: from `image_table`.
        against: text of the method they are compared with.

    Returns:
        measure, over, method, n, difference (method minus `against`), t, t_p, t_p_holm, wilcoxon_p,
        wilcoxon_p_holm, note. Holm's correction counts the methods of one measure and unit.
    """
    lines: list[dict[str, object]] = []
    methods = list(runs["method"].unique())
    others = [name for name in methods if name != against] if against in methods else []
    for measure in (name for name in TESTED if name in images and name in runs):
        for unit, keys in UNITS.items():
            if unit != "images" and runs[keys[0]].nunique() < 2:
                continue
            group = []
            for method in others:
                both = _side_by_side(images if unit == "images" else runs, method, against, measure)
                if not set(keys) <= set(both):
                    continue  # neither of the two has seeds
                # seeds of one image are not new evidence about images: their mean is one value
                values = both.groupby(keys)[[method, against]].mean()
                found = paired_test(values[method].tolist(), values[against].tolist())
                group.append(
                    {
                        "measure": measure, "over": unit, "method": method, "n": found.n,
                        "difference": found.mean_difference, "t": found.t, "t_p": found.t_p,
                        "wilcoxon_p": found.wilcoxon_p, "note": found.note,
                    }
                )  # fmt: skip
            for name in ("t_p", "wilcoxon_p"):
                for line, p in zip(group, holm([line[name] for line in group]), strict=True):
                    line[f"{name}_holm"] = p
            lines += group
    columns = ["measure", "over", "method", "n", "difference", "t", "t_p", "t_p_holm", "wilcoxon_p"]
    return pd.DataFrame(lines, columns=[*columns, "wilcoxon_p_holm", "note"])


def complexity_table(benchmark: Benchmark) -> pd.DataFrame:
    """method, parameters_m, gflops_448, ms_448, device."""
    columns = ["method", "parameters_m", "gflops_448", "ms_448", "device"]
    lines = [{"method": method, **found} for method, found in benchmark.complexity.items()]
    return pd.DataFrame(lines, columns=columns)


def cost_table(runs: pd.DataFrame) -> pd.DataFrame:
    """method, then mean of its runs: epochs, steps, cpu_minutes, wall_minutes, predict_s."""
    columns = ["epochs", "steps", "cpu_minutes", "wall_minutes", "predict_s"]
    numbers = runs[["method", *columns]].astype(dict.fromkeys(columns, float))
    return numbers.groupby("method", sort=False, as_index=False).mean()


def ablation_table(name: str, runs: pd.DataFrame) -> pd.DataFrame:
    """A paper's ablation table as measured here, the paper's claims beside it.

    Args:
        name: as `engine.benchmarking.ablations.ablation` takes it.
        runs: from `run_table`; variants without runs are left out.

    Returns:
        data, variant, one column a part (yes or empty), every measure, and `MEASURE_paper`.
    """
    table, lines = ablation(name), []
    for data, of_data in runs.groupby("data", sort=False):
        for variant in table.variants:
            values = of_data[of_data["method"] == variant.method]
            if values.empty:
                continue
            line: dict[str, object] = {"data": data, "variant": variant.title}
            line |= {part: "yes" if part in variant.parts else "" for part in table.parts}
            for measure in table.measures:
                line[measure] = values[measure].mean()
                line[f"{measure}_sd"] = values[measure].std()
                line[f"{measure}_paper"] = variant.claims.get(measure)
            lines.append(line)
    return pd.DataFrame(lines)


def heading(column: str) -> str:
    """A column's name for people."""
    for ending, words in (("_paper", ", paper"), ("_sd", " s.d.")):
        if column.endswith(ending) and column.removesuffix(ending) in MEASURES:
            return MEASURES[column.removesuffix(ending)].label + words
    return MEASURES[column].label if column in MEASURES else HEADINGS.get(column, column.replace("_", " "))


def cell(column: str, value: object) -> str:
    """A value for people: no digits that mean nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if column == "measure":
        return heading(str(value))
    if not isinstance(value, float):
        return str(value)
    if column.endswith("_p") or column.endswith("_p_holm"):
        return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
    base = column.removesuffix("_sd").removesuffix("_paper")
    digits = MEASURES[base].digits if base in MEASURES else DIGITS.get(column, 4)
    return f"{value:.{digits}f}"


def for_people(table: pd.DataFrame) -> pd.DataFrame:
    """The table as text: headings in words, mean and deviation in one cell."""
    shown = {}
    for column in table.columns:
        base = column.removesuffix("_sd")
        if base != column and base in table:
            continue
        texts = [cell(column, value) for value in table[column]]
        if column in MEASURES and f"{column}_sd" in table:
            spread = [cell(column, value) for value in table[f"{column}_sd"]]
            texts = [
                text if other == "–" else f"{text} ± {other}"
                for text, other in zip(texts, spread, strict=True)
            ]
        shown[heading(column)] = texts
    return pd.DataFrame(shown)


def best_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Which cells of a score table hold the best of their data set. Same shape, bool.

    A mean Hausdorff distance that leaves images out, since nothing was found in them, is no candidate: it
    would reward finding nothing.

    Args:
        table: from `score_table`.
    """
    best = pd.DataFrame(False, table.index, table.columns)
    for measure in (name for name in MEASURES if name in table and name != "one_sided_images"):
        values = table[measure]
        if measure.startswith("hausdorff") and "one_sided_images" in table:
            values = values.where(table["one_sided_images"] == 0)
        best[measure] = values == values.groupby(table["data"]).transform(
            "min" if measure in LOWER_IS_BETTER else "max"
        )
    return best


def to_markdown(table: pd.DataFrame) -> str:
    """A table of text in Markdown."""

    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(str(text).replace("|", "\\|") for text in cells) + " |"

    rule = "|" + "---|" * len(table.columns)
    return "\n".join([line(list(table.columns)), rule, *(line(row) for row in table.to_numpy().tolist())])
