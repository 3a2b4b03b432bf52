"""What pages and exports call the parts of a plan (torch-free)."""

SCENARIO_NAMES = {
    "nothing": "Do nothing",
    "worst-first": "Worst first",
    "budget": "This budget",
    "preventive": "Prevention first",
    "target": "Target",
}
"""Scenario of `engine.plan_scenarios` -> its name."""
