"""Amounts of money as people write them, and money and benefit as pages show them."""

import math
import re

from app.components.text import MISSING, number
from engine.errors import SettingsError
from engine.plan_inputs import LARGEST_BUDGET

_GROUPS = re.compile(r"[1-9]\d{0,2}(?:([.,' ’\u00a0\u202f])\d{3})(?:\1\d{3})*")
MOST = int(LARGEST_BUDGET)
REMEDY = f"Enter a whole amount from 0 to {MOST:,}, as 250000 or 250,000."


def read_amount(text: str, currency: str = "") -> int:
    """A whole amount of money from what somebody typed: `250000`, `250.000`, `250,000`, `250 000`.

    Args:
        currency: may stand before or behind the amount.

    Raises:
        SettingsError: it could mean two amounts (`12.5`, `1,000.00`), is no plain number (`1e13`), or lies
            outside 0 to `MOST`.
    """
    shown = text.strip()[:40]
    bare = text.strip()
    if currency.strip():
        bare = bare.removesuffix(currency.strip()).removeprefix(currency.strip()).strip()
    if not bare:
        raise SettingsError("No budget is entered.", f"{REMEDY} Without a limit, tick No limit.")
    if _GROUPS.fullmatch(bare):
        bare = re.sub(r"\D", "", bare)
    if bare.startswith("-") and bare[1:].isascii() and bare[1:].isdigit():
        raise SettingsError(f"The budget {shown} is below 0.", REMEDY)
    if not (bare.isascii() and bare.isdigit()):
        raise SettingsError(f"The budget {shown!r} cannot be told for certain.", REMEDY)
    if len(bare.lstrip("0")) > len(str(MOST)) or int(bare) > MOST:
        raise SettingsError(f"The budget {shown} is too large.", REMEDY)
    return int(bare)


def money(value: float | None, currency: str) -> str:
    """`85,300 USD`; from ten millions on `12.3 million USD`."""
    return _short(value, currency, 1e7, 1)


def short_money(value: float | None, currency: str) -> str:
    """As `money`, short from a million on (`1.50 million USD`): for figures, with the whole in their help."""
    return _short(value, currency, 1e6, 2)


def money_in_full(value: float | None, currency: str) -> str:
    """`12,340,000 USD`, however much it is."""
    return number(value, 0, currency)


def benefit_words(value: float | None) -> str:
    """`1,234.5 index-km-years`."""
    return number(value, 1, "index-km-years")


def ratio_words(value: float | None) -> str:
    """Benefit for each 1,000 of money with three figures that count: `0.0834`."""
    return MISSING if value is None or math.isnan(value) else f"{value:.3g}"


def _short(value: float | None, currency: str, from_: float, digits: int) -> str:
    if value is not None and abs(value) >= 1e10:
        return number(value / 1e9, digits, f"billion {currency}")
    if value is not None and abs(value) >= from_:
        return number(value / 1e6, digits, f"million {currency}")
    return number(value, 0, currency)
