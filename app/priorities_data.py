"""What was decided about sections over time, out of the audit trail; read anew each time, for it is short."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.identity import current_actor
from db.models import AuditEvent, Section, User
from db.session import reading
from engine.vocabulary import WishKind

SHOWN_EVENTS = 50


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
