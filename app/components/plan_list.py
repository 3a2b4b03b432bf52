"""The plans of a survey: open an earlier one, delete those that nobody needs."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import plan_actions
from app.components.messages import plain, show_error
from app.components.plan_money import money
from app.identity import current_actor
from engine.errors import EngineError


def list_plans(plans: Sequence[dict[str, Any]], shown_id: int) -> None:
    """Draw the list; opening one changes the address.

    Args:
        plans: of `app.plan_data.plans`.
        shown_id: the one that the page shows.
    """
    table = pd.DataFrame(
        {
            "name": [row["name"] for row in plans],
            "budget": [
                "no limit" if row["yearly_budget"] is None else money(row["yearly_budget"], _currency(row))
                for row in plans
            ],
            "years": [row["years"] for row in plans],
            "cost": [money(row["total_cost"], _currency(row)) for row in plans],
            "at": [row["created_at"] for row in plans],
            "by": [row["by"] for row in plans],
            "remark": [_remark(row, shown_id) for row in plans],
        }
    )
    chosen = st.dataframe(
        table, hide_index=True, key=f"plans-{plans[0]['id']}-{len(plans)}", on_select="rerun",
        selection_mode="multi-row", placeholder="–", height=min(420, 38 + 35 * len(plans)),
        column_config={
            "name": "Plan", "budget": "Budget a year", "years": "Years", "cost": "Total cost",
            "at": st.column_config.DatetimeColumn("Made (UTC)", format="YYYY-MM-DD HH:mm"),
            "by": "By", "remark": "Remark",
        },
    )  # fmt: skip
    rows = [plans[row] for row in chosen["selection"]["rows"] if row < len(plans)]
    opening, deleting, told = st.columns([1, 1, 4], vertical_alignment="center")
    if opening.button("Open it", disabled=len(rows) != 1, icon=":material/open_in_new:", width="stretch"):
        st.query_params["plan"] = str(rows[0]["id"])
        st.rerun()
    with deleting.popover("Delete", disabled=not rows, icon=":material/delete:", width="stretch"):
        names = "this plan" if len(rows) == 1 else f"these {len(rows)} plans"
        st.write("Deletes for everybody in the agency; files that were made from it stay:")
        st.markdown(
            "\n".join(f"- {plain(row['name'])}, made {row['created_at']:%Y-%m-%d %H:%M}" for row in rows)
        )
        if st.button(f"Delete {names}", key="delete-plans"):
            _delete([row["id"] for row in rows])
    if not rows:
        told.caption("Select a line to open that plan, or several to delete them.")


def _currency(row: dict[str, Any]) -> str:
    return row.get("currency") or ""


def _remark(row: dict[str, Any], shown_id: int) -> str:
    said = ["shown"] if row["id"] == shown_id else []
    said += ["of another analysis than the survey shows now"] if row["stale"] else []
    said += [row["strategy"]] if row["strategy"] not in (None, "optimal") else []
    return ", ".join(said)


def _delete(plan_ids: Sequence[int]) -> None:
    try:
        for plan_id in plan_ids:
            plan_actions.delete_plan(current_actor(), plan_id)
    except EngineError as problem:
        show_error(problem)
        return
    st.rerun()
