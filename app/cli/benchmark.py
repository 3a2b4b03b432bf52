"""`pavescope benchmark`: methods x data sets x seeds on the same splits, told apart by statistics."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.output import JsonFile, say, say_table, write_json

if TYPE_CHECKING:
    from engine.benchmarking.plan import Plan
    from engine.benchmarking.runs import Progress

ON_SCREEN = ("iou", "f1", "tolerant_f1")

HELP = (
    "Train and score methods on labelled data sets: one table, statistics, plots, pictures.\n\n"
    "A method is MODEL[:option=value...] (see `pavescope models list`), LOSS+MODEL (as cirl+jtfn), detector "
    "(the classical one, its threshold chosen on the training images) or checkpoint:NAME (as it is).\n\n"
    "A benchmark that was stopped goes on where it was when the same command is given again."
)


def benchmark(
    data: Annotated[list[Path], typer.Option(help="Folder of a labelled data set; may be given again.")],
    models: Annotated[
        list[str] | None, typer.Option(help="Methods, separated by commas; may be given again.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Training settings: seed-000 ... seed-003, or fast.")] = "fast",
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Of every training, in place of the preset's.")
    ] = None,
    cpu_minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Of every training (wall minutes on a GPU).")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Numbers with commas, or a count as x3 (0, 1, 2).")] = "0",
    out: Annotated[
        Path | None, typer.Option(help="Folder; by default one of the installation's, which the page shows.")
    ] = None,
    against: Annotated[str | None, typer.Option(help="Method that the others are tested against.")] = None,
    ablation: Annotated[
        list[str] | None,
        typer.Option(help="Add a paper's ablation table: 000, 001 or 002; with options as 001:small=true."),
    ] = None,
    layout: Annotated[str | None, typer.Option(help="Layout of the data; recognised by default.")] = None,
    tolerance_px: Annotated[float, typer.Option(min=0, help="Distance that still counts as a hit.")] = 2.0,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Runs at once, each with one thread.")] = 1,
    json: JsonFile = None,
) -> None:
    from db.settings import get_settings
    from engine.benchmarking.gallery import make_gallery
    from engine.benchmarking.report import make_report, write_report
    from engine.benchmarking.results import check_writable, read_benchmark
    from engine.benchmarking.runs import run_benchmark

    settings = {"preset": preset, "epochs": epochs, "cpu_minutes": cpu_minutes}
    settings |= {"tolerance_px": tolerance_px, "device": get_settings().device}
    plan = make_plan(data, models or [], ablation or [], seeds, against, layout, settings)
    folder = out or get_settings().benchmarks_dir / default_name(plan)
    check_writable(folder)
    say(f"{len(plan.runs())} runs into {folder}")
    run_benchmark(plan, folder, jobs=jobs, on_progress=ProgressLines())
    say("Drawing the pictures and writing the report ...")
    make_gallery(plan, folder)
    found = read_benchmark(folder)
    report = make_report(found)
    page = write_report(report)
    show(report.sections)
    for run, why in found.errors.items():
        say(f"Could not be made: {run}: {why}", error=True)
    say(f"The report is {page}.")
    write_json(
        json,
        {"folder": str(folder), "complete": found.complete, "errors": found.errors}
        | as_records(report.sections),
    )
    if found.errors:
        raise typer.Exit(1)


def show(tables: list[Any]) -> None:
    """The measures most asked for; a screen has no room for all that the report has."""
    from engine.benchmarking.tables import for_people

    found = {section.key: section for section in tables}
    if "results" in found:
        measures = [part for name in ON_SCREEN for part in (name, f"{name}_sd")]
        scores = for_people(found["results"].table[["data", "method", "runs", *measures]])
        say_table(list(scores.columns), scores.to_numpy().tolist())
    if "tests" in found:
        tests = found["tests"].table
        tests = tests[tests["measure"].isin(ON_SCREEN[1:])]
        shown = for_people(tests.drop(columns=["t", "note"]))
        say(found["tests"].title)
        say_table(list(shown.columns), shown.to_numpy().tolist())
        for note in sorted({text for text in tests["note"] if text}):
            say(f"  {note}")


def as_records(tables: list[Any]) -> dict[str, Any]:
    """Every table as a list of lines; what is not known is null."""
    return {
        section.key: section.table.astype(object).where(section.table.notna(), None).to_dict("records")
        for section in tables
    }


def read_seeds(text: str) -> tuple[int, ...]:
    """`0,1,2`, or `x3` for the same.

    Raises:
        SettingsError: anything else.
    """
    from engine.errors import SettingsError

    try:
        seeds = range(int(text[1:])) if text.startswith("x") else [int(part) for part in text.split(",")]
    except ValueError as error:
        raise SettingsError(
            f"{text!r} are no seeds.", "Give numbers with commas, or a count as x3."
        ) from error
    if not seeds or min(seeds) < 0:
        raise SettingsError(f"{text!r} are no seeds.", "Give whole numbers of 0 or more.")
    return tuple(dict.fromkeys(seeds))


def make_plan(
    data: list[Path],
    models: list[str],
    ablations: list[str],
    seeds: str,
    against: str | None,
    layout: str | None,
    settings: dict[str, Any],
) -> "Plan":
    """The plan of what was typed; the ablations' variants come after the models named."""
    from engine.benchmarking.ablations import ablation_methods
    from engine.benchmarking.plan import Plan, RunSettings, parse_methods
    from engine.datasets import open_data_set

    methods = parse_methods([*models, *(text for name in ablations for text in ablation_methods(name))])
    return Plan(
        data=tuple(open_data_set(path, layout) for path in data),
        methods=methods,
        seeds=read_seeds(seeds),
        settings=RunSettings(**settings),
        against=against,
        ablations=tuple(dict.fromkeys(ablations)),
    )


def default_name(plan: "Plan") -> str:
    """The same for the same data and training, so that the same command goes on."""
    from engine.benchmarking.plan import folder_name

    settings = plan.settings
    limit = [f"{settings.epochs}-epochs"] if settings.epochs is not None else []
    limit += [f"{settings.cpu_minutes:g}-min"] if settings.cpu_minutes is not None else []
    return folder_name("-".join([*(data.name for data in plan.data), settings.preset, *limit]))


class ProgressLines:
    """A line when a run ends, and one a minute with the time left."""

    def __init__(self, every_s: float = 60.0) -> None:
        import time

        self.clock, self.every_s = time.monotonic, every_s
        self.last = self.clock()

    def __call__(self, progress: "Progress") -> None:
        from app.components.text import duration

        if not progress.event and self.clock() - self.last < self.every_s:
            return
        self.last = self.clock()
        left = f", about {duration(progress.seconds_left)} left" if progress.seconds_left else ""
        failed = f", {progress.failed} failed" if progress.failed else ""
        head = f"{progress.finished} of {progress.total} runs{failed}, {progress.share:.0%}{left}"
        say(f"{progress.event} ({head})" if progress.event else head)
