"""Tables of what was found: results, their roll-up to sections, comparisons and audits of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, one_of, utc_now
from engine.vocabulary import AuditAnswer, DistressType, LaneZone, Severity


class Comparison(Base):
    """What two checkpoints find on the same photos of a survey.

    `pictures` holds one {image_id, first_mask_hash, second_mask_hash, first_crack_area_ratio,
    second_crack_area_ratio} for each photo.
    """

    __tablename__ = "comparison"
    id: Mapped[int] = mapped_column(primary_key=True)
    survey_id: Mapped[int] = mapped_column(ForeignKey("survey.id", ondelete="CASCADE"), index=True)
    first_checkpoint_id: Mapped[int] = mapped_column(ForeignKey("checkpoint.id", ondelete="CASCADE"))
    second_checkpoint_id: Mapped[int] = mapped_column(ForeignKey("checkpoint.id", ondelete="CASCADE"))
    pictures: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class AuditSample(Base):
    """A random sample of tiles that people judge without the model's answer, and what it measured.

    `record` is set, and nothing changes any more, once it is signed; `record_hash` is the SHA-256 of its
    canonical JSON.
    """

    __tablename__ = "audit_sample"
    id: Mapped[int] = mapped_column(primary_key=True)
    survey_id: Mapped[int] = mapped_column(ForeignKey("survey.id", ondelete="CASCADE"), index=True)
    checkpoint_id: Mapped[int] = mapped_column(ForeignKey("checkpoint.id"))
    settings_hash: Mapped[str] = mapped_column(String(64))
    seed: Mapped[int]
    tile_px: Mapped[int] = mapped_column(Integer)
    may_train: Mapped[bool] = mapped_column(default=False)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    signed_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    signed_name: Mapped[str | None] = mapped_column(String(200))
    signed_at: Mapped[datetime | None]
    record: Mapped[dict[str, Any] | None]
    record_hash: Mapped[str | None] = mapped_column(String(64))


class AuditTile(Base):
    """A tile of an audit sample. The blind answer is given first; only then the model's answer is shown."""

    __tablename__ = "audit_tile"
    __table_args__ = (UniqueConstraint("sample_id", "position"), one_of("answer", AuditAnswer))
    id: Mapped[int] = mapped_column(primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("audit_sample.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    image_id: Mapped[int] = mapped_column(ForeignKey("survey_image.id", ondelete="CASCADE"))
    left_px: Mapped[int] = mapped_column(Integer)
    top_px: Mapped[int] = mapped_column(Integer)
    width_px: Mapped[int] = mapped_column(Integer)
    height_px: Mapped[int] = mapped_column(Integer)
    stratum: Mapped[int] = mapped_column(Integer)
    stratum_tiles: Mapped[int]
    predicted_px: Mapped[int]
    answer: Mapped[str | None] = mapped_column(String(10))
    accepted: Mapped[bool | None]
    missed: Mapped[bool | None]
    answered_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    answered_at: Mapped[datetime | None]
    reviewed_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    reviewed_at: Mapped[datetime | None]


class AnalysisResult(Base):
    """What one checkpoint with one set of settings found in one image.

    `error` is set, and the numbers are empty, where that image could not be analysed.
    Lengths in m and widths in mm are empty without a ground sampling distance. With a camera profile all
    numbers are of the rectified ground plane within the lane; `ground` says which part of the road that is
    (`engine.geometry.GroundFrame.as_dict`), `left_out_m2` how much of the lane in view is too far for the
    asked GSD.
    """

    __tablename__ = "analysis_result"
    __table_args__ = (
        UniqueConstraint("image_id", "checkpoint_id", "settings_hash"),
        Index("ix_analysis_result_run", "checkpoint_id", "settings_hash"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("survey_image.id", ondelete="CASCADE"))
    checkpoint_id: Mapped[int] = mapped_column(ForeignKey("checkpoint.id"))
    settings_hash: Mapped[str] = mapped_column(String(64))
    settings: Mapped[dict[str, Any]]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id", ondelete="SET NULL"))
    attempt: Mapped[int] = mapped_column(Integer)
    threshold: Mapped[float]
    mask_hash: Mapped[str | None] = mapped_column(String(64))
    probability_hash: Mapped[str | None] = mapped_column(String(64))
    crack_pixels: Mapped[int | None]
    surveyed_pixels: Mapped[int | None]
    crack_area_ratio: Mapped[float | None]
    crack_length_px: Mapped[float | None]
    mean_width_px: Mapped[float | None]
    max_width_px: Mapped[float | None]
    orientation_deg: Mapped[float | None]
    gsd_mm_per_px: Mapped[float | None]
    surveyed_area_m2: Mapped[float | None]
    crack_length_m: Mapped[float | None]
    crack_density_m_per_m2: Mapped[float | None]
    camera_profile_id: Mapped[int | None] = mapped_column(ForeignKey("camera_profile.id"))
    ground: Mapped[dict[str, Any] | None]
    left_out_m2: Mapped[float | None]
    # Area with visible cracks (HPMS), and cracked tiles of all (Unified Crack Index).
    cracked_area_m2: Mapped[float | None]
    cracked_tiles: Mapped[int | None] = mapped_column(Integer)
    tiles: Mapped[int | None] = mapped_column(Integer)
    # +1 where the photo looks towards higher chainage, -1 towards lower.
    travel_direction: Mapped[int | None] = mapped_column(Integer)
    # Interval of the two, see `engine.confidence`; empty in results of before it was known.
    crack_area_ratio_low: Mapped[float | None]
    crack_area_ratio_high: Mapped[float | None]
    crack_density_m_per_m2_low: Mapped[float | None]
    crack_density_m_per_m2_high: Mapped[float | None]
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Distress(Base):
    """One distress of one result.

    `polylines_px` holds [[x, y], …] in pixels of the photo for each branch, `polylines_m` the same vertices
    on the ground (metres right of the camera, metres ahead), `widths_mm` the width at each of them.
    `outline_px` and `outline_m` surround a network of cracks or a pothole, whose extent is `area_m2`.
    """

    __tablename__ = "distress"
    __table_args__ = (one_of("kind", DistressType), one_of("severity", Severity), one_of("zone", LaneZone))
    id: Mapped[int] = mapped_column(primary_key=True)
    result_id: Mapped[int] = mapped_column(ForeignKey("analysis_result.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    severity: Mapped[str | None] = mapped_column(String(20))
    zone: Mapped[str | None] = mapped_column(String(20))
    length_px: Mapped[float]
    mean_width_px: Mapped[float]
    max_width_px: Mapped[float]
    area_px: Mapped[int]
    orientation_deg: Mapped[float | None]
    length_m: Mapped[float | None]
    area_m2: Mapped[float | None]
    mean_width_mm: Mapped[float | None]
    median_width_mm: Mapped[float | None]
    p95_width_mm: Mapped[float | None]
    max_width_mm: Mapped[float | None]
    piece_size_m: Mapped[float | None]
    tortuosity: Mapped[float | None]
    nodes: Mapped[int | None] = mapped_column(Integer)
    polylines_px: Mapped[list[Any]]
    polylines_m: Mapped[list[Any] | None]
    widths_mm: Mapped[list[Any] | None]
    outline_px: Mapped[list[Any] | None]
    outline_m: Mapped[list[Any] | None]


class DistressQuantity(Base):
    """How much of one type, severity and zone a result has: what sections are rolled up from."""

    __tablename__ = "distress_quantity"
    __table_args__ = (one_of("kind", DistressType), one_of("severity", Severity), one_of("zone", LaneZone))
    id: Mapped[int] = mapped_column(primary_key=True)
    result_id: Mapped[int] = mapped_column(ForeignKey("analysis_result.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    severity: Mapped[str] = mapped_column(String(20))
    zone: Mapped[str | None] = mapped_column(String(20))
    count: Mapped[int] = mapped_column(Integer)
    length_m: Mapped[float]
    area_m2: Mapped[float]
    mean_width_mm: Mapped[float | None]


class SectionResult(Base):
    """A section's photos of one survey rolled up, weighted by surveyed area.

    `condition` holds the index's steps (`engine.condition.ConditionIndex.as_dict`), `quantities` the sums by
    type, severity and zone, `units` one entry for each sample unit; all are empty without metres.
    `surveyed_share` is surveyed length along the road / section length, at most 1; `unit_spread` the greatest
    difference of the sample units' indices.
    """

    __tablename__ = "section_result"
    __table_args__ = (UniqueConstraint("survey_id", "section_id", "checkpoint_id", "settings_hash"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    section_id: Mapped[int] = mapped_column(ForeignKey("section.id", ondelete="CASCADE"), index=True)
    survey_id: Mapped[int] = mapped_column(ForeignKey("survey.id", ondelete="CASCADE"))
    checkpoint_id: Mapped[int] = mapped_column(ForeignKey("checkpoint.id"))
    settings_hash: Mapped[str] = mapped_column(String(64))
    images: Mapped[int] = mapped_column(Integer)
    crack_area_ratio: Mapped[float]
    crack_density_per_px: Mapped[float]
    crack_density_m_per_m2: Mapped[float | None]
    surveyed_area_m2: Mapped[float | None]
    crack_area_ratio_low: Mapped[float | None]
    crack_area_ratio_high: Mapped[float | None]
    crack_density_m_per_m2_low: Mapped[float | None]
    crack_density_m_per_m2_high: Mapped[float | None]
    surveyed_share: Mapped[float | None]
    condition_index: Mapped[float | None]
    hpms_cracking_percent: Mapped[float | None]
    unified_crack_index: Mapped[float | None]
    unit_spread: Mapped[float | None]
    condition: Mapped[dict[str, Any] | None]
    quantities: Mapped[list[Any] | None]
    units: Mapped[list[Any] | None]
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)
