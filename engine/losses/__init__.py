"""The losses of the four papers and the usual ones; each takes logits and gives one scalar."""

from engine.losses.basic import cross_entropy, cross_entropy_and_dice, dice
from engine.losses.connectivity import cross_entropy_dice_cldice, soft_cldice
from engine.losses.multiclass import (
    bce_dice,
    count_class_pixels,
    inverse_frequency_weights,
    multiclass_cross_entropy_dice,
    multiclass_dice,
)

__all__ = [
    "bce_dice",
    "count_class_pixels",
    "cross_entropy",
    "cross_entropy_and_dice",
    "cross_entropy_dice_cldice",
    "dice",
    "inverse_frequency_weights",
    "multiclass_cross_entropy_dice",
    "multiclass_dice",
    "soft_cldice",
]
