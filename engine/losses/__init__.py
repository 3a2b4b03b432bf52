"""The losses of the four papers and the usual ones; each takes logits and gives one scalar."""

from engine.losses.basic import cross_entropy, cross_entropy_and_dice, dice

__all__ = ["cross_entropy", "cross_entropy_and_dice", "dice"]
