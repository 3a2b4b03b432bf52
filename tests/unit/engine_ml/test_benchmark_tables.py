"""What a benchmark is told to do, its statistics and its tables: nothing here trains."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from engine.benchmarking.ablations import ABLATIONS, ablation_methods
from engine.benchmarking.gallery import FALSE, MISSED, RIGHT, draw_comparison
from engine.benchmarking.plan import RunSettings, parse_method, parse_methods
from engine.benchmarking.statistics import holm, paired_test, smallest_wilcoxon_p
from engine.benchmarking.tables import (
    ALL_DATA,
    ablation_table,
    best_cells,
    comparison_table,
    for_people,
    mean_and_deviation,
    score_table,
    to_markdown,
)
from engine.benchmarking.training import resolve_method, train_settings
from engine.errors import SettingsError
from engine.presets import PRESETS

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
