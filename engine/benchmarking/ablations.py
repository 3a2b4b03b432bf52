"""The papers' ablation tables as lists of methods, with what the papers claim (torch-free).

What seeds 000 and 001 call mIoU fits the mean over images of the crack's IoU (see `engine.metrics`), so that
is what stands beside it here; likewise for Dice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.errors import SettingsError

PEER = "smp_"


@dataclass(frozen=True)
class Variant:
    """A line of an ablation table.

    Attributes:
        method: as `--models` takes it.
        title: the paper's name for it.
        parts: which of the paper's parts it has.
        claims: the paper's own figures, in [0, 1].
    """

    method: str
    title: str
    parts: frozenset[str]
    claims: Mapping[str, float]


@dataclass(frozen=True)
class Ablation:
    """A table of a paper.

    Attributes:
        title: where it stands and on which data its claims were measured.
        parts: what is switched on and off.
        measures: which measures it shows.
        variants: its lines.
    """

    title: str
    parts: tuple[str, ...]
    measures: tuple[str, ...]
    variants: tuple[Variant, ...]


def _variant(method: str, title: str, parts: str, **claims: float) -> Variant:
    return Variant(method, title, frozenset(parts.split()), claims)


ABLATIONS: dict[str, Ablation] = {
    "000": Ablation(
        "Seed 000, table 4 (claims: DeepCrack)",
        ("SAE", "DAT", "AGF"),
        ("image_iou", "image_f1"),
        (
            # supervised whatever the others are, as in the paper
            _variant(
                "ce_dice+smp_unet:encoder=resnet18", "Baseline (U-Net)", "",
                image_iou=0.5866, image_f1=0.7258,
            ),
            _variant("crack_segmenter:variant=v0", "v0", "SAE", image_iou=0.6955, image_f1=0.7898),
            _variant("crack_segmenter:variant=v1", "v1", "SAE DAT", image_iou=0.5698, image_f1=0.7026),
            _variant("crack_segmenter:variant=v2", "v2", "SAE AGF", image_iou=0.6836, image_f1=0.8013),
            _variant("crack_segmenter:variant=v3", "v3", "DAT AGF", image_iou=0.6797, image_f1=0.7996),
            _variant("crack_segmenter", "Crack-Segmenter", "SAE DAT AGF", image_iou=0.8217, image_f1=0.8952),
        ),
    ),
    "001": Ablation(
        "Seed 001, table 6 (the paper does not say on which data)",
        ("RFEM", "CAGM"),
        ("image_iou", "image_f1", "precision", "recall"),
        (
            _variant(
                "context_cracknet:region_focus=false:global_context=false", "Baseline", "",
                image_iou=0.4259, image_f1=0.5929, precision=0.5481, recall=0.6691,
            ),
            _variant(
                "context_cracknet:global_context=false", "RFEM only", "RFEM",
                image_iou=0.4355, image_f1=0.6057, precision=0.5439, recall=0.6990,
            ),
            _variant(
                "context_cracknet:region_focus=false", "CAGM only", "CAGM",
                image_iou=0.4263, image_f1=0.5954, precision=0.5392, recall=0.6827,
            ),
            _variant(
                "context_cracknet", "RFEM + CAGM", "RFEM CAGM",
                image_iou=0.4743, image_f1=0.6433, precision=0.5456, recall=0.7838,
            ),
        ),
    ),
    "002": Ablation(
        "Seed 002, tables 2 to 4 (claims: CrackSeg5k, JTFN as the base)",
        ("Aseg loss", "CI loss"),
        ("precision", "recall", "f1"),
        (
            # the original JTFN, of table 2: cracks and outlines of every pass
            _variant("refinement+jtfn", "JTFN's own loss", "", precision=0.6514, recall=0.5833, f1=0.5842),
            _variant("cldice+jtfn", "clDice loss", "", precision=0.6431, recall=0.5849, f1=0.5932),
            Variant(
                "aseg+jtfn", "Phase I", frozenset({"Aseg loss"}),
                {"precision": 0.6517, "recall": 0.5878, "f1": 0.5857},
            ),
            Variant(
                "cirl+jtfn", "Phase I + II", frozenset({"Aseg loss", "CI loss"}),
                {"precision": 0.6737, "recall": 0.5946, "f1": 0.6008},
            ),
        ),
    ),
}  # fmt: skip
"""Source: seed 000, table 4; seed 001, table 6; seed 002, tables 2 to 4."""


def ablation(text: str) -> Ablation:
    """One of `ABLATIONS`, written NAME or NAME:option=value...

    The options are given to all variants of the paper's own network, not to a peer: `001:small=true` is what
    a CPU can train.

    Raises:
        SettingsError: an unknown name.
    """
    name, _, options = text.partition(":")
    if name not in ABLATIONS:
        raise SettingsError(f"There is no ablation {name!r}.", f"Choose one of: {', '.join(ABLATIONS)}.")
    found = ABLATIONS[name]
    if not options:
        return found
    variants = tuple(
        variant if PEER in variant.method else replace(variant, method=f"{variant.method}:{options}")
        for variant in found.variants
    )
    return replace(found, title=f"{found.title}, {options}", variants=variants)


def ablation_methods(text: str) -> list[str]:
    """The methods of an ablation table, as `--models` takes them."""
    return [variant.method for variant in ablation(text).variants]
