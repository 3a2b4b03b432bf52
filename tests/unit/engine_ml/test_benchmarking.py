import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from typer.testing import CliRunner

from app.cli import app
from engine.benchmarking.ablations import ABLATIONS, ablation_methods
from engine.benchmarking.gallery import FALSE, MISSED, RIGHT, draw_comparison, make_gallery, read_gallery
from engine.benchmarking.identity import data_identity, identify
from engine.benchmarking.plan import Plan, Run, RunSettings, parse_method, parse_methods
from engine.benchmarking.report import make_report, render_html, render_markdown, write_report
from engine.benchmarking.results import check_writable, read_benchmark
from engine.benchmarking.runs import open_runs, run_benchmark
from engine.benchmarking.scoring import detector_threshold
from engine.benchmarking.statistics import holm, paired_test, smallest_wilcoxon_p
from engine.benchmarking.tables import (
    ALL_DATA,
    ablation_table,
    best_cells,
    comparison_table,
    for_people,
    mean_and_deviation,
    run_table,
    score_table,
    to_markdown,
)
from engine.benchmarking.training import _trained, resolve_method, split_validation, train_settings
from engine.checkpoints import base_checkpoint_path, load_checkpoint, save_checkpoint
from engine.errors import CancelledError, EngineError, SettingsError
from engine.models import SMALL
from engine.presets import PRESETS
from tests.unit.engine_ml.benchmarks import made_up_data

FIRST, SECOND = [0.7, 0.8, 0.75, 0.9, 0.6, 0.85], [0.6, 0.75, 0.76, 0.7, 0.55, 0.8]


def test_paired_tests_are_those_of_the_books():
    # differences 1, 2, 3: mean 2, deviation 1, so t = 2 / (1 / sqrt 3)
    found = paired_test([2, 4, 6], [1, 2, 3])
    assert found.n == 3 and found.mean_difference == 2
    assert found.t == pytest.approx(2 * 3**0.5)
    assert found.t_p == pytest.approx(0.0741799)  # 1 - t / sqrt(t^2 + 2) with t^2 = 12
    assert found.wilcoxon_p == pytest.approx(0.25) == smallest_wilcoxon_p(3)
    assert "0.25" in found.note
    found = paired_test(FIRST, SECOND)
    assert found.t_p == pytest.approx(stats.ttest_rel(FIRST, SECOND).pvalue)
    assert found.wilcoxon_p == pytest.approx(stats.wilcoxon(FIRST, SECOND).pvalue)
    assert paired_test(SECOND, FIRST).t == pytest.approx(-found.t)


def test_what_cannot_be_tested_is_said_and_not_computed():
    same = paired_test([0.3, 0.1 + 0.2], [0.3, 0.3])
    assert (same.t, same.t_p, same.wilcoxon_p) == (None, None, 1.0) and "no difference" in same.note
    shifted = paired_test([1, 2, 3], [0, 1, 2])
    assert shifted.t_p is None and "no t-test" in shifted.note
    assert paired_test([1], [0]).note == "one pair: no test is possible"
    assert paired_test([], []).n == 0
    assert paired_test(range(0, 24, 2), range(12)).note == ""
    assert [smallest_wilcoxon_p(n) for n in (1, 5, 6)] == [1, 0.0625, 0.03125]


def test_holm_corrects_step_by_step():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, None, 0.01]) == pytest.approx([0.5, None, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([None]) == [None]


def test_methods_are_read_from_text():
    method = parse_method("cirl+context_cracknet:encoder=resnet18:decoder_channels=64/32:region_focus=false")
    assert (method.model, method.loss) == ("context_cracknet", "cirl")
    assert method.options == {"encoder": "resnet18", "decoder_channels": (64, 32), "region_focus": False}
    assert parse_method("m:encoder_weights=/a/b.pth:x=0.5").options == {
        "encoder_weights": "/a/b.pth",
        "x": 0.5,
    }
    assert [m.kind for m in parse_methods(["detector,checkpoint:base", "unet, unet"])] == [
        "detector", "checkpoint", "model",
    ]  # fmt: skip
    for wrong in ("unet:encoder", "cirl+", "checkpoint:", ""):
        with pytest.raises(SettingsError):
            parse_methods([wrong])


def test_folders_are_plain_and_tell_methods_apart():
    texts = ["unet", "unet:a=1/2", "unet:a=1_2", "checkpoint:../../x", "checkpoint:____x"]
    folders = [parse_method(text).folder for text in texts]
    assert folders[0] == "unet" and len(set(folders)) == len(texts)
    assert all("/" not in folder and ":" not in folder and not folder.startswith(".") for folder in folders)


def test_the_ablations_are_those_of_the_papers():
    assert ablation_methods("001")[1] == "context_cracknet:global_context=false"
    assert ABLATIONS["000"].variants[1].parts == {"SAE"}
    assert ablation_methods("000:small=true")[:2] == [
        "ce_dice+smp_unet:encoder=resnet18", "crack_segmenter:variant=v0:small=true",
    ]  # fmt: skip
    for name in ABLATIONS:
        for text in ablation_methods(name):
            with torch.device("meta"):  # shapes without numbers: the large networks in no time
                resolve_method(parse_method(text), RunSettings())
    base = ABLATIONS["002"].variants[0]  # the paper's JTFN is trained on outlines too
    assert (base.method, base.claims["f1"]) == ("refinement+jtfn", 0.5842)
    with pytest.raises(SettingsError, match="000, 001, 002"):
        ablation_methods("7")


def test_epochs_and_minutes_take_the_place_of_the_presets_limit():
    method = parse_method("cirl+attention_resunet:filters=4/8")
    chosen = train_settings(method, RunSettings(preset="seed-003", epochs=7), seed=5)
    assert (chosen.epochs, chosen.steps, chosen.cpu_minutes, chosen.seed) == (7, None, None, 5)
    assert (chosen.objective, chosen.optimiser) == ("cirl", "sgd")
    assert train_settings(method, RunSettings(preset="fast"), 0).cpu_minutes == PRESETS["fast"].cpu_minutes
    assert train_settings(parse_method("jtfn"), RunSettings(preset="seed-001"), 0).objective == "bce_dice"
    with pytest.raises(SettingsError, match="seed-002"):
        train_settings(method, RunSettings(preset="none"), 0)


def scores(**lines):
    """A run table from METHOD=[(data, seed, f1), ...]."""
    return pd.DataFrame(
        [
            {"data": data, "method": method, "seed": seed, "f1": f1, "hausdorff95_px": 1 - f1}
            for method, values in lines.items()
            for data, seed, f1 in values
        ]
    )


RUNS = scores(
    a=[("x", 0, 0.6), ("x", 1, 0.8), ("y", 0, 0.3), ("y", 1, 0.5)],
    b=[("x", None, 0.5), ("y", None, 0.2)],
    c=[("x", None, 0.4), ("y", None, 0.3)],
)


def test_mean_and_deviation_over_seeds_and_data_sets():
    found = mean_and_deviation(RUNS, "f1").set_index(["method", "data"])
    assert found.loc[("a", "x"), "mean"] == pytest.approx(0.7)
    assert found.loc[("a", "x"), "deviation"] == pytest.approx(0.2 / 2**0.5)
    everywhere = found.loc[("a", ALL_DATA)]
    assert everywhere["mean"] == pytest.approx(0.55)
    assert everywhere["deviation"] == pytest.approx(0.3 / 2**0.5)  # of 0.7 and 0.4
    assert everywhere["seed_deviation"] == pytest.approx(0.2 / 2**0.5)  # of 0.45 and 0.65
    assert np.isnan(found.loc[("b", "x"), "deviation"])


def test_the_score_table_says_who_is_best():
    table = score_table(RUNS)
    assert list(table["data"].unique()) == [ALL_DATA, "x", "y"]
    best = best_cells(table)
    assert list(table["method"][best["f1"]]) == ["a", "a", "a"]
    assert list(table["method"][best["hausdorff95_px"]]) == ["a", "a", "a"]  # the least
    shown = for_people(table)
    assert shown.loc[0, "F1 (Dice)"] == "0.5500 ± 0.2121"
    one = score_table(RUNS[RUNS["data"] == "x"])
    assert ALL_DATA not in set(one["data"])


def test_only_what_both_methods_have_is_compared():
    # a is 0.1 better wherever both have a run; its other runs, and those of b alone, would say otherwise
    lines = {
        "a": [("x", 0, 0.6), ("x", 1, 0.1), ("y", 0, 0.4), ("z", 0, 0.9), ("z", 1, 0.9)],
        "b": [("x", 0, 0.5), ("y", 0, 0.3), ("y", 1, 0.9)],
        "c": [("x", None, 0.2), ("y", None, 0.1)],
    }
    runs = scores(**lines)
    images = pd.concat([runs.assign(number=number, image="i") for number in range(3)])
    found = comparison_table(runs, images, "b").set_index(["over", "method"])
    for over, n in (("images", 6), ("seeds", 1), ("data sets", 2)):
        assert found.loc[(over, "a"), "n"] == n
        assert found.loc[(over, "a"), "difference"] == pytest.approx(0.1)
    # c beside each seed of b, on the data sets that b has with that seed: 0.15 - 0.4 and 0.1 - 0.9
    assert found.loc[("seeds", "c"), "difference"] == pytest.approx((-0.25 - 0.8) / 2)
    alone = comparison_table(scores(a=[("x", 0, 0.5)], b=[("y", 0, 0.5)]), images.iloc[:0], "b")
    assert (alone["n"] == 0).all()


def test_a_method_that_lacks_a_data_set_has_no_mean_of_all():
    runs = scores(a=[("x", 0, 0.2), ("x", 1, 0.4), ("y", 0, 0.3)], b=[("y", 0, 0.9)])
    found = mean_and_deviation(runs, "f1").set_index(["method", "data"])
    assert found.loc[("a", ALL_DATA), "mean"] == pytest.approx(0.3)
    assert np.isnan(found.loc[("a", ALL_DATA), "seed_deviation"])  # one seed has both data sets
    assert np.isnan(found.loc[("b", ALL_DATA), ["mean", "deviation"]].astype(float)).all()
    table = score_table(runs)
    assert list(table["method"][best_cells(table)["f1"]]) == ["a", "a", "b"]
    assert for_people(table).loc[1, "F1 (Dice)"] == "–"


def test_finding_nothing_does_not_win_by_hausdorff():
    runs = scores(a=[("x", 0, 0.6)], b=[("x", 0, 0.9)]).assign(one_sided_images=[0.0, 3.0])
    table = score_table(runs)
    best = best_cells(table)
    assert list(table["method"][best["hausdorff95_px"]]) == ["a"]  # b is nearer, in the images it counts
    assert list(table["method"][best["f1"]]) == ["b"] and not best["one_sided_images"].any()
    assert list(for_people(table)["Images without Hausdorff"]) == ["0.0", "3.0"]


def test_images_are_compared_by_the_mean_of_their_seeds_and_seeds_only_where_there_are_some():
    images = pd.DataFrame(
        [
            {"data": "x", "method": method, "seed": seed, "number": number, "image": "i", "f1": f1}
            for method, seed, shift in (("a", 0, 0.0), ("a", 1, 0.2), ("b", None, 0.0), ("c", None, 0.05))
            for number, f1 in enumerate((0.1 + shift, 0.3 + shift, 0.6 + 2 * shift))
        ]
    )
    found = comparison_table(RUNS, images, "b").set_index(["over", "method"])
    over_images = found.loc[("images", "a")]
    assert over_images["n"] == 3
    assert over_images["difference"] == pytest.approx((0.1 + 0.1 + 0.2) / 3)
    assert found.loc[("seeds", "a"), "n"] == 2
    assert found.loc[("seeds", "a"), "difference"] == pytest.approx((0.45 + 0.65) / 2 - 0.35)
    assert ("seeds", "c") not in found.index  # neither b nor c has seeds: no pairs to count
    assert found.loc[("data sets", "c"), "n"] == 2
    assert over_images["t_p_holm"] >= over_images["t_p"]


def test_an_ablation_stands_beside_the_papers_figures():
    runs = pd.DataFrame(
        [
            {"data": "x", "method": text, "seed": 0, "image_iou": 0.5, "image_f1": 0.6}
            for text in ablation_methods("000")[1:3]
        ]
    )
    table = ablation_table("000", runs)
    assert list(table["variant"]) == ["v0", "v1"]
    assert list(table["DAT"]) == ["", "yes"]
    assert list(table["image_f1_paper"]) == [0.7898, 0.7026]
    assert "F1, mean of images, paper" in for_people(table)


def test_markdown_keeps_bars_inside_cells():
    assert to_markdown(pd.DataFrame({"a": ["x|y"], "b": ["1"]})) == "| a | b |\n|---|---|\n| x\\|y | 1 |"


def test_a_comparison_is_coloured_by_right_and_wrong():
    truth = np.array([[True, True, False, False]])
    predicted = np.array([[True, False, True, False]])
    drawn = draw_comparison(np.zeros((1, 4, 3), np.uint8), truth, predicted)[0]
    assert [tuple(pixel) for pixel in drawn[:3]] == [RIGHT, MISSED, FALSE]
    assert drawn[3].tolist() == [114, 114, 114]  # black, 45 % paled


TINY = ("attention_resunet:filters=4/8", "crack_segmenter:embed_dim=4:blocks=1")
QUICK = RunSettings(preset="fast", epochs=2, device="cpu")


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
