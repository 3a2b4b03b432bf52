"""Tables. Pages see values, not rows.

Times are UTC without a zone in SQLite and PostgreSQL alike; positions are WGS84 degrees.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, one_of, utc_now
from db.plan_models import ExportedFile as ExportedFile
from db.plan_models import Plan as Plan
from db.plan_models import PlanWish as PlanWish
from db.plan_models import TreatmentSet as TreatmentSet
from db.result_models import AnalysisResult as AnalysisResult
from db.result_models import AuditSample as AuditSample
from db.result_models import AuditTile as AuditTile
from db.result_models import Comparison as Comparison
from db.result_models import Distress as Distress
from db.result_models import DistressQuantity as DistressQuantity
from db.result_models import SectionResult as SectionResult
from engine.vocabulary import CameraKind, JobKind, JobState, PositionSource, Role


class Agency(Base):
    """A road agency; everything below belongs to one and is kept apart from the others."""

    __tablename__ = "agency"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class User(Base):
    """A person. `password_hash` is empty where another system signs people in."""

    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    password_hash: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class UserRole(Base):
    """What a person may do in an agency."""

    __tablename__ = "role"
    __table_args__ = (one_of("role", Role),)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    agency_id: Mapped[int] = mapped_column(ForeignKey("agency.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(String(20))


class Network(Base):
    """A set of road sections, each cut into sample units of about `sample_unit_m`."""

    __tablename__ = "network"
    __table_args__ = (UniqueConstraint("agency_id", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    agency_id: Mapped[int] = mapped_column(ForeignKey("agency.id"))
    name: Mapped[str] = mapped_column(String(200))
    sample_unit_m: Mapped[float] = mapped_column(default=100.0)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Section(Base):
    """A homogeneous road length; `geometry` is a WKB LineString, longitude first."""

    __tablename__ = "section"
    __table_args__ = (
        UniqueConstraint("network_id", "section_key"),
        Index("ix_section_box", "network_id", "south", "north", "west", "east"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    network_id: Mapped[int] = mapped_column(ForeignKey("network.id", ondelete="CASCADE"))
    section_key: Mapped[str] = mapped_column(String(200))
    road: Mapped[str] = mapped_column(String(200))
    from_m: Mapped[float]
    to_m: Mapped[float]
    functional_class: Mapped[str | None] = mapped_column(String(100))
    surface: Mapped[str | None] = mapped_column(String(100))
    direction: Mapped[str | None] = mapped_column(String(50))
    lane: Mapped[str | None] = mapped_column(String(50))
    lanes: Mapped[int | None] = mapped_column(Integer)
    lane_width_m: Mapped[float | None]
    aadt: Mapped[int | None] = mapped_column(Integer)
    length_m: Mapped[float]
    geometry: Mapped[bytes]
    south: Mapped[float]
    north: Mapped[float]
    west: Mapped[float]
    east: Mapped[float]


class CameraProfile(Base):
    """How a camera sees the road; a change makes a new version. `parameters`: see `engine.geometry`."""

    __tablename__ = "camera_profile"
    __table_args__ = (UniqueConstraint("agency_id", "name", "version"), one_of("kind", CameraKind))
    id: Mapped[int] = mapped_column(primary_key=True)
    agency_id: Mapped[int] = mapped_column(ForeignKey("agency.id"))
    name: Mapped[str] = mapped_column(String(200))
    version: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(10))
    parameters: Mapped[dict[str, Any]]
    # What self-calibration said of itself: values, uncertainty, frames; empty where a person typed them.
    calibration: Mapped[dict[str, Any] | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Survey(Base):
    """One pass over a network."""

    __tablename__ = "survey"
    __table_args__ = (UniqueConstraint("agency_id", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    agency_id: Mapped[int] = mapped_column(ForeignKey("agency.id"))
    network_id: Mapped[int | None] = mapped_column(ForeignKey("network.id"))
    name: Mapped[str] = mapped_column(String(200))
    surveyed_on: Mapped[date | None]
    profile: Mapped[str | None] = mapped_column(String(100))
    gsd_mm_per_px: Mapped[float | None] = mapped_column(Float)
    camera_profile_id: Mapped[int | None] = mapped_column(ForeignKey("camera_profile.id"))
    clock_offset_s: Mapped[float] = mapped_column(default=0.0)
    # The analysis that the pages show: results of other checkpoints and settings stay beside it.
    shown_checkpoint_id: Mapped[int | None] = mapped_column(ForeignKey("checkpoint.id"))
    shown_settings_hash: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class SurveyImage(Base):
    """A stored picture of a survey; its bytes lie in storage under `content_hash`."""

    __tablename__ = "survey_image"
    __table_args__ = (
        UniqueConstraint("survey_id", "content_hash"),
        # The box query of the map walks this alone: no row is fetched to test the longitude.
        Index("ix_survey_image_box", "survey_id", "latitude", "longitude"),
        Index("ix_survey_image_section", "section_id", "survey_id"),
        one_of("position_source", PositionSource),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    survey_id: Mapped[int] = mapped_column(ForeignKey("survey.id", ondelete="CASCADE"))
    content_hash: Mapped[str] = mapped_column(String(64))
    original_name: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int]
    width_px: Mapped[int] = mapped_column(Integer)
    height_px: Mapped[int] = mapped_column(Integer)
    captured_at: Mapped[datetime | None]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    heading_deg: Mapped[float | None]
    position_source: Mapped[str] = mapped_column(String(10))
    section_id: Mapped[int | None] = mapped_column(ForeignKey("section.id", ondelete="SET NULL"))
    offset_m: Mapped[float | None]
    chainage_m: Mapped[float | None]
    brightness: Mapped[float | None]
    sharpness: Mapped[float | None]
    profile: Mapped[str | None] = mapped_column(String(100))
    flags: Mapped[list[Any]] = mapped_column(default=list)
    notes: Mapped[list[Any]] = mapped_column(default=list)


class RefusedFile(Base):
    """A file that preflight kept out of a survey, and why."""

    __tablename__ = "refused_file"
    id: Mapped[int] = mapped_column(primary_key=True)
    survey_id: Mapped[int] = mapped_column(ForeignKey("survey.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(Text)
    remedy: Mapped[str] = mapped_column(Text)


class Checkpoint(Base):
    """A model's weights in storage, named by their hash; `card` is what the file says of itself.

    `agency_id` is empty for what is shipped, which all agencies use; `accepted` is the gate's verdict,
    empty where no gate judged it; `report` is what `engine.adaptation` says of the adaptation that made it.
    """

    __tablename__ = "checkpoint"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    content_hash: Mapped[str] = mapped_column(String(64), unique=True)
    model: Mapped[str] = mapped_column(String(100))
    origin: Mapped[str] = mapped_column(String(100))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("checkpoint.id"))
    card: Mapped[dict[str, Any]]
    size_bytes: Mapped[int] = mapped_column(default=0)
    agency_id: Mapped[int | None] = mapped_column(ForeignKey("agency.id"))
    survey_id: Mapped[int | None] = mapped_column(ForeignKey("survey.id", use_alter=True))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    accepted: Mapped[bool | None]
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Promotion(Base):
    """The checkpoint that an agency's new analyses use: that of the newest row not rolled back, else base."""

    __tablename__ = "promotion"
    id: Mapped[int] = mapped_column(primary_key=True)
    agency_id: Mapped[int] = mapped_column(ForeignKey("agency.id"), index=True)
    checkpoint_id: Mapped[int] = mapped_column(ForeignKey("checkpoint.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    at: Mapped[datetime] = mapped_column(default=utc_now)
    rolled_back_at: Mapped[datetime | None]


class Job(Base):
    """The queue of record. `attempt` rises at every claim and fences writes; `failures` counts
    attempts in a row that ended without progress; `lease_until` is on the database's clock."""

    __tablename__ = "job"
    __table_args__ = (
        one_of("state", JobState),
        one_of("kind", JobKind),
        Index("ix_job_state", "state", "lease_until"),
        # The same work may be asked for again later, but never waits or runs twice at once.
        Index(
            "uq_job_active_key",
            "unique_key",
            unique=True,
            sqlite_where=text("state IN ('queued', 'running')"),
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    agency_id: Mapped[int] = mapped_column(ForeignKey("agency.id"))
    kind: Mapped[str] = mapped_column(String(40))
    parameters: Mapped[dict[str, Any]]
    survey_id: Mapped[int | None] = mapped_column(ForeignKey("survey.id", ondelete="SET NULL"))
    unique_key: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(20), default=JobState.QUEUED)
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    max_attempts: Mapped[int] = mapped_column(Integer, default=3)
    lease_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    progress_done: Mapped[int] = mapped_column(Integer, default=0)
    progress_total: Mapped[int] = mapped_column(Integer, default=0)
    progress_message: Mapped[str] = mapped_column(Text, default="")
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None] = mapped_column(Text)
    traceback: Mapped[str | None] = mapped_column(Text)
    requested_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class AuditEvent(Base):
    """Who did what, when; never changed, never deleted."""

    __tablename__ = "audit_event"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    agency_id: Mapped[int | None] = mapped_column(ForeignKey("agency.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    action: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(200))
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
