"""What the page of priorities reads beside the plan's tables: its head, and the audit trail of decisions."""

from datetime import datetime
from typing import Any

import streamlit as st
from sqlalchemy import select

from app import plan_data
from app.identity import current_actor
from db.models import AuditEvent, Section, User
from db.session import reading
from engine.vocabulary import WishKind

SHOWN_EVENTS = 50
LONG = ("projects", "unplanned")


def plan_summary(plan_id: int) -> dict[str, Any]:
    """`plan_data.plan` without what is as long as the network: to read that at every click is slow.

    Raises:
        SettingsError: as `plan_data.plan`.
    """
    return _summary(plan_id, plan_data.plan_version(plan_id))


@st.cache_data(max_entries=10, show_spinner=False)
def _summary(plan_id: int, version: str) -> dict[str, Any]:
    made = plan_data.plan(plan_id)
    short = {name: value for name, value in made["result"].items() if name not in LONG}
    return {**made, "result": short}


def wish_events(section_id: int, section_key: str) -> list[dict[str, Any]]:
    """The last `SHOWN_EVENTS` decisions on a section, the newest first.

    Returns:
        at, by (a name), kind, removed (whether it was taken back), treatment, year, comment of each.
    """
    kinds = {f"plan.{prefix}{kind}": (kind, bool(prefix)) for kind in WishKind for prefix in ("", "remove_")}
    with reading() as session:
        rows = session.execute(
            select(AuditEvent.at, AuditEvent.action, AuditEvent.detail, User.name)
            .outerjoin(User, User.id == AuditEvent.user_id)
            .where(
                AuditEvent.agency_id == current_actor().agency_id,
                AuditEvent.subject == section_key,
                AuditEvent.action.in_(kinds),
                AuditEvent.detail["section_id"].as_integer() == section_id,
            )
            .order_by(AuditEvent.id.desc())
            .limit(SHOWN_EVENTS)
        ).all()
    return [
        {
            "at": row.at,
            "by": row.name,
            "kind": kinds[row.action][0],
            "removed": kinds[row.action][1],
            **{name: row.detail.get(name) for name in ("treatment", "year", "comment")},
        }
        for row in rows
    ]


def bans_at(network_id: int, at: datetime) -> dict[str, tuple[str | None, int | None]]:
    """Treatment and year (None: any) that were forbidden at a moment, by section key."""
    with reading() as session:
        rows = session.execute(
            select(Section.section_key, AuditEvent.action, AuditEvent.detail)
            .join(Section, Section.id == AuditEvent.detail["section_id"].as_integer())
            .where(
                AuditEvent.agency_id == current_actor().agency_id,
                Section.network_id == network_id,
                AuditEvent.action.in_([f"plan.{WishKind.FORBID}", f"plan.remove_{WishKind.FORBID}"]),
                AuditEvent.at <= at,
            )
            .order_by(AuditEvent.id)
        )
        found = {}
        for key, action, detail in rows:
            if action == f"plan.{WishKind.FORBID}":
                found[key] = (detail["treatment"], detail["year"])
            else:
                found.pop(key, None)
    return found
