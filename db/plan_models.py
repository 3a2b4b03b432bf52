"""Tables of what is planned and handed out: treatments, wishes, plans and exported files."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, one_of, utc_now
from engine.vocabulary import ExportFormat, WishKind


class TreatmentSet(Base):
    """An agency's own treatments; `treatments` holds one object for each (`engine.treatments.Treatment`).

    `version` rises with every save, so that two people do not overwrite each other.
    """

    __tablename__ = "treatment_set"
    __table_args__ = (UniqueConstraint("agency_id", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    agency_id: Mapped[int] = mapped_column(ForeignKey("agency.id"))
    name: Mapped[str] = mapped_column(String(200))
    version: Mapped[int] = mapped_column(Integer, default=1)
    treatments: Mapped[list[Any]]
    updated_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)


class PlanWish(Base):
    """What people decided about a section: a project that is fixed, one that is forbidden, a comment.

    `year` is a calendar year; for a pin both `treatment` and `year` are given, for a ban none means any.
    """

    __tablename__ = "plan_wish"
    __table_args__ = (UniqueConstraint("section_id", "kind"), one_of("kind", WishKind))
    id: Mapped[int] = mapped_column(primary_key=True)
    section_id: Mapped[int] = mapped_column(ForeignKey("section.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(10))
    treatment: Mapped[str | None] = mapped_column(String(100))
    year: Mapped[int | None] = mapped_column(Integer)
    comment: Mapped[str] = mapped_column(Text, default="")
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Plan(Base):
    """A maintenance plan of a network from one analysis of a survey; never changed.

    `request` is what was asked for (`app.plan_actions.PlanRequest`, with the treatments as they were),
    `result` what `engine.planning.make_plan` says, `scenarios` the same for each plan beside it without
    projects. `checkpoint_id` and `settings_hash` name the analysis.
    """

    __tablename__ = "plan"
    __table_args__ = (Index("ix_plan_survey", "survey_id", "created_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    agency_id: Mapped[int] = mapped_column(ForeignKey("agency.id"))
    survey_id: Mapped[int] = mapped_column(ForeignKey("survey.id", ondelete="CASCADE"))
    checkpoint_id: Mapped[int] = mapped_column(ForeignKey("checkpoint.id"))
    settings_hash: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    request: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any]]
    scenarios: Mapped[list[Any]]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id", ondelete="SET NULL"))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class ExportedFile(Base):
    """A file made for handing out; its bytes lie in storage under `content_hash`."""

    __tablename__ = "exported_file"
    __table_args__ = (one_of("format", ExportFormat), Index("ix_exported_file_survey", "survey_id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    agency_id: Mapped[int] = mapped_column(ForeignKey("agency.id"))
    survey_id: Mapped[int] = mapped_column(ForeignKey("survey.id", ondelete="CASCADE"))
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id", ondelete="SET NULL"))
    format: Mapped[str] = mapped_column(String(20))
    file_name: Mapped[str] = mapped_column(String(255))
    content_hash: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int]
    # What the file was made from and with: the provenance that it carries itself.
    provenance: Mapped[dict[str, Any]]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id", ondelete="SET NULL"))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
