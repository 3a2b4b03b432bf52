import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from app.cli import app
from engine.benchmarking.gallery import make_gallery, read_gallery
from engine.benchmarking.identity import data_identity, identify
from engine.benchmarking.plan import Plan, Run, RunSettings, parse_method, parse_methods
from engine.benchmarking.report import make_report, render_html, render_markdown, write_report
from engine.benchmarking.results import check_writable, read_benchmark
from engine.benchmarking.runs import open_runs, run_benchmark
from engine.benchmarking.scoring import detector_threshold
from engine.benchmarking.tables import (
    run_table,
)
from engine.benchmarking.training import _trained, split_validation
from engine.checkpoints import base_checkpoint_path, load_checkpoint, save_checkpoint
from engine.errors import CancelledError, EngineError, SettingsError
from engine.models import SMALL
from engine.presets import PRESETS
from tests.unit.engine_ml.benchmarks import made_up_data

QUICK = RunSettings(preset="fast", epochs=2, device="cpu")
TINY = ("attention_resunet:filters=4/8", "crack_segmenter:embed_dim=4:blocks=1")


class Attributes(HTMLParser):
    """Every address that a page would load or lead to."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [
            value for name, value in attrs if name in ("src", "href", "action", "srcset", "poster")
        ]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A benchmark stopped after two runs and then gone on with: plan, folder, first results, progress."""
    root = tmp_path_factory.mktemp("benchmark")
    data = (made_up_data(root / "north"), made_up_data(root / "so|uth"))
    plan = Plan(data, parse_methods([*TINY, "detector"]), (0, 1), QUICK, against=TINY[0])
    out = root / "out"

    def stop(progress):
        if progress.finished == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_benchmark(plan, out, on_progress=stop)
    results = sorted(out.glob("runs/*/*/*/result.json"))
    first = {path: path.stat().st_mtime_ns for path in results}
    seen = []
    run_benchmark(plan, out, on_progress=seen.append)
    make_gallery(plan, out)
    write_report(make_report(read_benchmark(out)))
    return plan, out, first, seen


def test_a_stopped_benchmark_goes_on_and_makes_nothing_twice(finished):
    plan, out, first, seen = finished
    assert len(first) == 2
    assert all(path.stat().st_mtime_ns == before for path, before in first.items())
    # 2 networks x 2 data sets x 2 seeds, and the detector once on each
    assert len(plan.runs()) == 10 and open_runs(plan, out, identify(plan)) == []
    assert (seen[-1].finished, seen[-1].failed, seen[-1].share) == (10, 0, 1.0)
    found = read_benchmark(out)
    assert found.complete and found.errors == {} and set(found.complexity) == {*TINY, "detector"}
    assert {run.training.get("epochs") for run in found.results} == {2, None}
    assert all(len(run.images) == 2 for run in found.results)
    assert (out / "runs/north/detector/once/predictions/0001.png").is_file()


def test_scores_of_a_run_are_those_of_its_kept_predictions(finished):
    plan, out, _, _ = finished
    run = next(run for run in read_benchmark(out).results if run.method == "detector" and run.data == "north")
    hits = predicted = labelled = 0
    for number, pair in enumerate(plan.data[0].test):
        mask = cv2.imread(str(out / f"runs/north/detector/once/predictions/{number:04d}.png"), 0) > 0
        truth = cv2.imread(str(pair.mask), 0) > 0
        hits, predicted, labelled = (
            hits + (mask & truth).sum(),
            predicted + mask.sum(),
            labelled + truth.sum(),
        )
    assert run.pooled["f1"] == pytest.approx(2 * hits / (predicted + labelled))
    assert run.pooled["f1"] > 0.5 and "ods_f1" not in run.pooled
    assert run.threshold == detector_threshold(plan.data[0].train, 2.0)


def test_the_tables_parse_back(finished):
    _, out, _, _ = finished
    benchmark = read_benchmark(out)
    tables = {section.key: section for section in make_report(benchmark).sections}
    assert set(tables) == {"results", "tests", "complexity", "costs"}
    for key, section in tables.items():
        read = pd.read_csv(out / f"{key}.csv")
        assert list(read.columns) == list(section.table.columns)
        for column in read.select_dtypes("number"):
            np.testing.assert_allclose(read[column], section.table[column].astype(float))
    lines = (out / "report.md").read_text().split("## Scores")[1].split("\n\n")[2].splitlines()
    cells = [line.replace("\\|", "/").strip("| ").split(" | ") for line in lines]
    assert len(cells) == 2 + 3 * 3 and len({len(line) for line in cells[:1] + cells[2:]}) == 1
    runs = run_table(benchmark)
    expected = runs[(runs["data"] == "north") & (runs["method"] == "detector")]["f1"].iloc[0]
    column = cells[0].index("F1 (Dice)")
    assert [line[column] for line in cells if line[:2] == ["north", "detector"]] == [f"{expected:.4f}"]


def test_the_report_is_one_file_that_asks_nobody_for_anything(finished):
    _, out, _, _ = finished
    text = (out / "report.html").read_text()
    parser = Attributes()
    parser.feed(text)
    assert parser.found and all(
        address.startswith(("data:", "gallery/")) for address in parser.found if address is not None
    )
    assert "@import" not in text and "url(http" not in text
    assert text.count("Plotly.newPlot(") == 4 + text.split("<body>")[0].count("Plotly.newPlot(")
    assert "so|uth" in text
    pictures = [picture.file for row in read_gallery(out) for picture in row.pictures]
    assert pictures and all((out / file).is_file() for file in pictures)
    assert any("attention" in picture.caption for row in read_gallery(out) for picture in row.pictures)


def test_names_in_a_report_are_text(finished):
    _, out, _, _ = finished
    found = read_benchmark(out)
    plan = {**found.plan, "data": [{**data, "name": "<b>x</b>"} for data in found.plan["data"]]}
    page = render_html(make_report(replace(found, plan=plan)))
    assert "&lt;b&gt;x" in page and "<b>x" not in page


def test_other_settings_or_data_are_not_mixed_in(finished, tmp_path):
    plan, out, _, _ = finished
    with pytest.raises(SettingsError, match="other settings"):
        run_benchmark(replace(plan, settings=replace(QUICK, epochs=3)), out)
    with pytest.raises(SettingsError, match="epochs 2"):
        run_benchmark(
            Plan(plan.data, parse_methods(["checkpoint:base"]), settings=replace(QUICK, epochs=3)), out
        )
    more = replace(plan, methods=(*plan.methods, parse_method("checkpoint:base")))
    assert [run.method.text for run in open_runs(more, out, identify(more))] == ["checkpoint:base"] * 2


def test_what_is_wrong_is_told_before_any_run(finished, tmp_path):
    plan = replace(finished[0], against=None)
    for wrong, words in (
        (replace(plan, against="unet"), "--against unet"),
        (replace(plan, data=plan.data[:1] * 2), "named north"),
        (replace(plan, methods=parse_methods(["nothing"])), "nothing"),
        (replace(plan, methods=parse_methods(["paper+attention_resunet:filters=4/8"])), "scales"),
        (replace(plan, settings=replace(QUICK, preset="none")), "preset"),
        (replace(plan, data=(replace(plan.data[0], test=()),)), "0 test images"),
    ):
        with pytest.raises(EngineError, match=words):
            run_benchmark(wrong, tmp_path / "out", jobs=1)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_else(tmp_path):
    made_up_data(tmp_path / "west")
    (tmp_path / "file").write_text("no folder")
    out = tmp_path / "file" / "out"
    done = CliRunner().invoke(
        app, ["benchmark", "--data", str(tmp_path / "west"), "--models", "detector", "--out", str(out)]
    )
    assert isinstance(done.exception, EngineError) and f"{out} cannot be written to" in str(done.exception)
    assert "runs into" not in done.output
    check_writable(tmp_path / "not" / "yet" / "there")
    assert not (tmp_path / "not").exists()


def test_a_run_that_cannot_be_made_is_told_and_the_others_go_on(tmp_path):
    data = made_up_data(tmp_path / "west")
    data.test[0].mask.write_bytes(b"no picture")
    good = made_up_data(tmp_path / "east")
    plan = Plan((data, good), parse_methods(["detector"]), settings=QUICK)
    run_benchmark(plan, tmp_path / "out")
    found = read_benchmark(tmp_path / "out")
    assert [run.data for run in found.results] == ["east"] and not found.complete
    assert list(found.errors) == ["detector on west"]
    assert "not a readable image" in render_markdown(make_report(found))


def test_whatever_a_run_throws_is_that_runs_failure(tmp_path, caplog):
    plan = Plan(
        (made_up_data(tmp_path / "west"), made_up_data(tmp_path / "east")), parse_methods(["detector"])
    )
    out = tmp_path / "out"
    for place in ("west", "east"):
        (out / "runs" / place / "detector").mkdir(parents=True)
    (out / "runs/west/detector/once").write_text("a file where the run's folder belongs")
    run_benchmark(plan, out)
    assert [run.data for run in read_benchmark(out).results] == ["east"]
    assert "FileExistsError" in caplog.text and "Traceback" in caplog.text
    (out / "runs/west/detector/once").unlink()
    (out / "runs/west/detector/once/predictions").mkdir(parents=True)
    (out / "runs/west/detector/once/predictions").rmdir()
    (out / "runs/west/detector/once/predictions").write_text("")
    run_benchmark(plan, out)
    assert "FileExistsError: " in read_benchmark(out).errors["detector on west"]


def test_a_benchmark_that_is_cancelled_stops(tmp_path):
    plan = Plan((made_up_data(tmp_path / "west"),), parse_methods(["detector"]))

    def cancel(progress):
        raise CancelledError

    with pytest.raises(CancelledError):
        run_benchmark(plan, tmp_path / "out", on_progress=cancel)
    assert not list((tmp_path / "out").rglob("error.json"))


def test_validation_is_taken_from_training_images_only_where_it_is_used(tmp_path):
    data = made_up_data(tmp_path / "set", images=20)
    assert split_validation(data, wanted=False) == (data.train, ())
    rest, held = split_validation(data, wanted=True)
    assert held and sorted([*rest, *held], key=lambda pair: pair.image) == list(data.train)
    own = replace(data, validation=data.test[:1])
    assert split_validation(own, wanted=True) == (data.train, data.test[:1])


def test_predictions_have_the_precision_that_the_threshold_was_chosen_for(tmp_path):
    data = made_up_data(tmp_path / "set")
    method = parse_method("attention_resunet:filters=4/8")
    settings = RunSettings(preset="seed-003", cpu_minutes=0.0001, device="cpu")
    _, threshold, inference, training = _trained(
        Run(data, method, 0), settings, tmp_path / "run", lambda share: None
    )
    assert not inference.bf16 and not training["settings"]["bf16"]
    assert inference.threshold == threshold


def test_a_damaged_result_is_named(finished, tmp_path):
    plan = finished[0]
    run = plan.runs()[0]
    file = tmp_path / "runs" / run.place / "result.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"data": "x"}))
    with pytest.raises(EngineError, match=r"result\.json is damaged .*: method: Field required"):
        open_runs(plan, tmp_path, identify(plan))
    with pytest.raises(EngineError, match="no benchmark"):
        read_benchmark(tmp_path)


def with_other_masks(folder):
    """The same folder name, images and mask names, the masks turned round: their files may be as large."""
    for path in (folder / "masks").iterdir():
        cv2.imwrite(str(path), cv2.flip(cv2.imread(str(path), 0), 0))


def test_results_of_other_masks_are_not_taken_for_these(tmp_path):
    first, second = made_up_data(tmp_path / "a/road"), made_up_data(tmp_path / "b/road")
    assert data_identity(first) == data_identity(second)  # a copied folder is the same data
    with_other_masks(tmp_path / "b/road")
    plan, other = (Plan((data,), parse_methods(["detector"]), settings=QUICK) for data in (first, second))
    run_benchmark(plan, tmp_path / "out")
    with pytest.raises(SettingsError, match=r"other settings, images, masks or weights.*--out"):
        run_benchmark(other, tmp_path / "out")
    shutil.rmtree(tmp_path / "out/runs")
    with pytest.raises(SettingsError, match=r"other data named road.*--out"):
        run_benchmark(other, tmp_path / "out")
    for changed in (
        replace(first, layout="cfd"),
        replace(first, train=first.train[:1]),
        replace(first, train=first.test, test=first.train),
        replace(first, validation=first.test),
    ):
        assert data_identity(changed) != data_identity(first)


def test_a_training_of_other_data_is_not_gone_on_with(tmp_path):
    data = made_up_data(tmp_path / "road")
    plan = Plan((data,), parse_methods([TINY[0]]), settings=QUICK)
    run = plan.runs()[0]
    folder = tmp_path / "out/runs" / run.place

    def stop(progress):
        # as after a kill between two epochs
        folder.joinpath("state.pt").write_bytes(b"state")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_benchmark(plan, tmp_path / "out", on_progress=stop)
    (folder / "result.json").unlink(missing_ok=True)
    assert open_runs(plan, tmp_path / "out", identify(plan)) == [run]
    with_other_masks(tmp_path / "road")
    with pytest.raises(SettingsError, match="other settings, images, masks"):
        open_runs(plan, tmp_path / "out", identify(plan))


def test_what_a_name_stands_for_is_part_of_a_run(tmp_path, monkeypatch):
    data = made_up_data(tmp_path / "road")
    weights = tmp_path / "w.safetensors"
    shutil.copy(base_checkpoint_path(), weights)
    methods = parse_methods([f"checkpoint:{weights}", TINY[0], "context_cracknet:small=true"])
    plan = Plan((data,), methods, settings=QUICK)
    before = identify(plan)
    assert identify(plan) == before

    def changed():
        now = identify(plan)
        runs = [run.method.text for run in plan.runs() if now.runs[run.place] != before.runs[run.place]]
        return runs, [text for text in now.networks if now.networks[text] != before.networks[text]]

    model, card = load_checkpoint(weights)
    save_checkpoint(weights, model, replace(card, threshold=0.25))
    assert changed() == ([methods[0].text], [methods[0].text])
    shutil.copy(base_checkpoint_path(), weights)
    with monkeypatch.context() as patch:
        patch.setitem(PRESETS, "fast", replace(PRESETS["fast"], batch=4))
        assert changed() == ([TINY[0], methods[2].text], [])
    smaller = {**SMALL["context_cracknet"], "decoder_channels": (16, 16, 16, 16)}
    monkeypatch.setitem(SMALL, "context_cracknet", smaller)
    assert changed() == ([methods[2].text], [methods[2].text])


def test_the_cost_of_another_network_is_measured_again(tmp_path):
    plan = Plan((made_up_data(tmp_path / "road"),), parse_methods(["detector"]), settings=QUICK)
    out = tmp_path / "out"
    run_benchmark(plan, out)
    file = out / "complexity.json"
    known = json.loads(file.read_text())
    known["detector"] |= {"ms_448": -1.0}
    file.write_text(json.dumps(known))
    run_benchmark(plan, out)
    assert read_benchmark(out).complexity["detector"]["ms_448"] == -1  # the same: not measured again
    known["detector"] |= {"identity": "another"}
    file.write_text(json.dumps(known))
    run_benchmark(plan, out)
    assert read_benchmark(out).complexity["detector"]["ms_448"] > 0


def edited(benchmark, copy, file, change):
    """A copy of a benchmark's folder with one JSON file changed."""
    shutil.copytree(benchmark, copy, dirs_exist_ok=True)
    path = next(copy.glob(file))
    value = json.loads(path.read_text())
    path.write_text(json.dumps(change(value)))
    return copy


RESULT = "runs/north/detector/once/result.json"


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("benchmark.json", lambda plan: {}),
        ("benchmark.json", lambda plan: []),
        ("benchmark.json", lambda plan: plan | {"settings": {}}),
        ("benchmark.json", lambda plan: plan | {"methods": []}),
        ("complexity.json", lambda found: []),
        ("complexity.json", lambda found: {"detector": 3}),
        ("gallery.json", lambda rows: [{}]),
        ("gallery.json", lambda rows: {"rows": rows}),
        ("gallery.json", lambda rows: [rows[0] | {"pictures": ["a.jpg"]}]),
        (RESULT, lambda result: result | {"images": []}),
        (RESULT, lambda result: result | {"images": [{"name": "a"}]}),
        (RESULT, lambda result: result | {"pooled": {}}),
        (RESULT, lambda result: result | {"training": {"epochs": "many"}}),
    ],
)
def test_a_malformed_file_is_named(finished, tmp_path, file, change):
    folder = edited(finished[1], tmp_path / "copy", file, change)
    with pytest.raises(EngineError, match=f"{file} is damaged"):
        render_html(make_report(read_benchmark(folder)))


@pytest.mark.parametrize("path", ["../../secret.png", "/secret.png", "link/secret.png"])
@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("gallery.json", lambda path: lambda rows: [rows[0] | {"pictures": [[path, "caption"]]}]),
        ("benchmark.json", lambda path: lambda plan: plan | {"places": [path]}),
        (
            RESULT,
            lambda path: (
                lambda run: run | {"images": [image | {"prediction": path} for image in run["images"]]}
            ),
        ),
        (
            RESULT,
            lambda path: (
                lambda run: run | {"images": [image | {"attention": {"a": path}} for image in run["images"]]}
            ),
        ),
    ],
)
def test_a_copied_benchmark_reads_nothing_outside_its_folder(finished, tmp_path, file, change, path):
    folder = edited(finished[1], tmp_path / "copy", file, change(path))
    for place in (folder, folder / "runs", (folder / RESULT).parent):
        (place / "link").symlink_to(tmp_path)
    with pytest.raises(EngineError, match="outside its folder"):
        render_html(make_report(read_benchmark(folder)))
