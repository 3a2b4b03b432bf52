"""What was asked of a plan, as plain values that JSON can hold: what is stored, queued and read back.

A request is a mapping with the keys of `app.plan_actions.PlanRequest`. Torch-free.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from engine.deterioration import curves_from_rows
from engine.errors import SettingsError
from engine.plan_inputs import FixedProject, Forbidden, PlanSettings, Requirement, check_settings
from engine.plan_stability import MAX_DRAWS
from engine.planning import STRATEGIES
from engine.treatments import Treatment, check_costs, check_treatments
from engine.vocabulary import DistressType, Severity

LONGEST_CURRENCY = 10
ALL_CLASSES = ""
"""Key of `minimum_index` that stands for all roads, where JSON knows no null."""


def treatments_to_values(treatments: Sequence[Treatment]) -> list[dict[str, Any]]:
    """Treatments as objects that JSON can hold, in their order."""
    return [
        {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(one).items()}
        for one in treatments
    ]


def treatments_from_values(values: Sequence[Mapping[str, Any]]) -> tuple[Treatment, ...]:
    """What `treatments_to_values` wrote."""
    words = {"kinds": DistressType, "excluded_kinds": DistressType, "severities": Severity}

    def read(name: str, value: Any) -> Any:
        if name in words:
            return tuple(words[name](word) for word in value)
        return tuple(value) if isinstance(value, list) else value

    return tuple(Treatment(**{name: read(name, value) for name, value in one.items()}) for one in values)


def settings_of(
    request: Mapping[str, Any],
    fixed: Sequence[FixedProject] = (),
    forbidden: Sequence[Forbidden] = (),
) -> PlanSettings:
    """How the engine has to plan for a request.

    Args:
        fixed: projects that are decided; forbidden: what must not be planned.
    """
    return PlanSettings(
        years=request["years"],
        first_year=request["first_year"],
        yearly_budget=request["yearly_budget"],
        carry_over=request["carry_over"],
        traffic_exponent=request["traffic_exponent"],
        requirements=tuple(
            Requirement(least, name or None) for name, least in request["minimum_index"].items()
        ),
        fixed=tuple(fixed),
        forbidden=tuple(forbidden),
    )


def check_request(request: Mapping[str, Any]) -> None:
    """See what can be seen without the sections, so that a wrong budget is refused at once.

    Raises:
        SettingsError: names the value and the remedy.
    """
    treatments = treatments_from_values(request["treatments"])
    check_treatments(treatments)
    check_costs(treatments)
    check_settings(settings_of(request))
    curves_from_rows(request.get("curves", ()))
    if request["strategy"] not in STRATEGIES:
        raise SettingsError(
            f"The strategy {request['strategy']!r} is not known.", f"Use {', '.join(STRATEGIES)}."
        )
    currency = request["currency"]
    if not currency.strip() or len(currency) > LONGEST_CURRENCY or not currency.isprintable():
        raise SettingsError(
            f"The currency {currency[:30]!r} is not possible.", f"Enter 1 to {LONGEST_CURRENCY} letters."
        )
    for name, value, most in (
        ("preventive share", request["preventive_share"], 1),
        ("target in percent", request["target_percent"], 100),
    ):
        if value is not None and not 0 <= value <= most:
            raise SettingsError(f"A {name} of {value} is not possible.", f"Enter 0 to {most}.")
    if not 0 <= request["draws"] <= MAX_DRAWS:
        raise SettingsError(
            f"{request['draws']} draws are not possible.", f"Choose 0 (none) to {MAX_DRAWS:,}."
        )
