"""Surfaces are told by whole words, whatever language the network is in."""

import pytest

from engine.deterioration import assumed_curve
from engine.surfaces import is_asphalt, is_concrete


@pytest.mark.parametrize(
    "surface",
    ["asphalt", "Asphalt concrete", "bituminous", "Béton bitumineux", "concreto asfáltico", "AC",
     "semi-rigid", "semi rigid", "chip seal", "", None, "tarmac", "enrobé"],
)  # fmt: skip
def test_asphalt_by_its_many_names(surface: str | None) -> None:
    assert is_asphalt(surface)
    assert not is_concrete(surface)


@pytest.mark.parametrize(
    "surface", ["concrete", "PCC", "béton", "Beton", "cement-concrete", "portland cement concrete", "rigid"]
)
def test_concrete_is_not_asphalt_and_lasts_longer(surface: str) -> None:
    assert not is_asphalt(surface)
    assert is_concrete(surface)
    longer = assumed_curve("local", surface).scale_years
    assert longer == assumed_curve("local", "concrete").scale_years > assumed_curve("local", "").scale_years


@pytest.mark.parametrize("surface", ["gravel", "brick", "cobble stones", "unpaved"])
def test_what_is_neither(surface: str) -> None:
    assert not is_asphalt(surface)
    assert not is_concrete(surface)


def test_a_word_within_a_word_says_nothing() -> None:
    assert is_asphalt("sandstone mastic asphalt")
    assert is_asphalt("ironstone seal")
    assert (
        assumed_curve("local", "asphalt concrete").scale_years
        == assumed_curve("local", "asphalt").scale_years
    )
