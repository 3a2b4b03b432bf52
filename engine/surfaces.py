"""What a network's free words for a surface mean: asphalt, cement concrete or something else (torch-free)."""

import re
import unicodedata

ASPHALT = {
    "asphalt", "asphaltic", "bitumen", "bituminous", "bituminoso", "bitumineux", "blacktop", "tarmac",
    "tarmacadam", "macadam", "hma", "wma", "ac", "acp", "sma", "pma", "asphaltbeton", "asfalt", "asfalto",
    "asfaltico", "asphalte", "enrobe", "enrobes", "cbuq", "pmf", "flexible", "semirigid",
}  # fmt: skip
CONCRETE = {
    "concrete", "cement", "pcc", "pccp", "jpcp", "jrcp", "crcp", "beton", "betao", "concreto", "hormigon",
    "cemento", "cimento", "rigid",
}  # fmt: skip
OTHER = {
    "gravel", "unpaved", "unsealed", "dirt", "earth", "soil", "sand", "brick", "bricks", "paver",
    "pavers", "cobble", "cobbles", "cobblestone", "cobblestones", "sett", "setts", "block", "blocks",
    "stone", "stones", "grass", "wood", "metal", "steel", "terra",
}  # fmt: skip


def surface_words(surface: str | None) -> list[str]:
    """Words in small letters without accents: "Béton" -> ["beton"], "semi-rigid" -> ["semirigid"]."""
    plain = unicodedata.normalize("NFKD", surface or "")
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()
    return re.findall(r"[^\W_]+", re.sub(r"\bsemi[\s-]+ri[gj]id[oae]?\b", "semirigid", plain))


def is_asphalt(surface: str | None) -> bool:
    """Whether a surface is asphalt: it says so, or says nothing else. "asphalt concrete" is.

    What is known neither as asphalt, nor as concrete, nor as unbound or laid in pieces ("chip seal", empty)
    counts as asphalt, which most roads are.
    """
    words = set(surface_words(surface))
    if words & ASPHALT:
        return True
    return not words & (CONCRETE | OTHER)


def is_concrete(surface: str | None) -> bool:
    """Whether a surface is cement concrete; "asphalt concrete" is not."""
    words = set(surface_words(surface))
    return bool(words & CONCRETE) and not words & ASPHALT
