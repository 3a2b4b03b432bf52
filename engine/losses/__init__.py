"""The losses of the four papers and the usual ones; each takes logits and gives one scalar."""

from engine.losses.basic import cross_entropy, cross_entropy_and_dice, dice
from engine.losses.connectivity import cross_entropy_dice_cldice, soft_cldice

__all__ = ["cross_entropy", "cross_entropy_and_dice", "cross_entropy_dice_cldice", "dice", "soft_cldice"]
