"""One photo's probability map measured: on the ground where its camera is known, else in its own pixels."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from db import profiles
from db.models import Survey
from db.photo_places import PhotoPlace
from engine.confidence import Agreement, Interval, measure_interval
from engine.distress import Quantity, TypedDistress, measure_ground, quantities
from engine.frame_chain import Extent, chain_extents, travel_directions
from engine.geometry import (
    CameraProfile,
    DownwardProfile,
    GroundFrame,
    coarsest_gsd,
    fit_to_picture,
    frame_polylines_to_ground,
    frame_polylines_to_image,
    lane_edges_px,
    plan_frame,
    profile_from_dict,
    rectify,
    surveyed_mask,
    visible_range_m,
)
from engine.lane_view import too_far_m2
from engine.measurement import Crack, CrackMeasurement, measure_cracks
from engine.potholes import pothole_distresses
from engine.severity import D6433, SeverityStandard, standard_from
from engine.vocabulary import CameraKind, DistressType

Probability = npt.NDArray[np.float32]

# Likelier than all other classes together.
POTHOLE_PROBABILITY = 0.5

RESULT_NUMBERS = (
    "crack_pixels",
    "surveyed_pixels",
    "crack_area_ratio",
    "crack_length_px",
    "mean_width_px",
    "max_width_px",
    "orientation_deg",
    "surveyed_area_m2",
    "crack_length_m",
    "crack_density_m_per_m2",
)
INTERVAL_NUMBERS = tuple(field.name for field in fields(Interval))
GROUND_NUMBERS = ("ground", "left_out_m2", "cracked_area_m2", "cracked_tiles", "tiles")
DISTRESS_NUMBERS = (
    "length_px", "mean_width_px", "max_width_px", "area_px", "orientation_deg", "length_m", "area_m2",
    "mean_width_mm", "median_width_mm", "p95_width_mm", "max_width_mm", "piece_size_m", "tortuosity", "nodes",
)  # fmt: skip


@dataclass(frozen=True)
class Camera:
    """How an analysis lays photos on the road and grades what it finds there.

    Attributes:
        profile_id: the stored profile; None where a survey has a ground sampling distance only.
        profile: of the stored profile; None likewise, for each photo is then a whole lane of its own size.
        parameters: the profile's, or the ground sampling distance.
        standard: of severity.
    """

    profile_id: int | None
    profile: CameraProfile | None
    parameters: Mapping[str, Any]
    standard: SeverityStandard

    @property
    def settings(self) -> dict[str, Any]:
        """What of it changes a result."""
        kind = CameraKind.DOWNWARD if self.profile is None else self.profile.kind
        camera = {"kind": str(kind), "parameters": dict(self.parameters)}
        return {"camera": camera, "severity_standard": self.standard.as_dict()}

    def at_size(self, width_px: int, height_px: int) -> CameraProfile:
        """The profile for a photo's size. Raises CalibrationError where it has another shape."""
        if self.profile is None:
            return DownwardProfile(width_px, height_px, **self.parameters)
        return fit_to_picture(self.profile, width_px, height_px)


@dataclass(frozen=True)
class Measured:
    """Columns of a photo's result, of its distresses and of its quantities."""

    values: dict[str, Any]
    distresses: list[dict[str, Any]]
    quantities: list[dict[str, Any]]


def camera_of(session: Session, survey: Survey, asked: Mapping[str, Any]) -> Camera | None:
    """The camera that a job's parameters name, else the survey's own; None: results stay in pixels."""
    standard = standard_from(asked.get("severity_standard", D6433.name))
    profile_id = asked.get("camera_profile_id", survey.camera_profile_id)
    if profile_id is not None:
        stored = profiles.get_profile(session, survey.agency_id, profile_id)
        profile = profile_from_dict(stored.kind, stored.parameters)
        return Camera(profile_id, profile, profile.as_dict(), standard)
    if survey.gsd_mm_per_px is not None:
        return Camera(None, None, {"gsd_mm_per_px": survey.gsd_mm_per_px}, standard)
    return None


def chain_photos(camera: Camera, photos: Sequence[PhotoPlace]) -> dict[int, Extent | None]:
    """Which part of its view each photo of a survey counts, in metres ahead; None where nothing is left.

    Photos are chained over the ends of sections where chainage runs on: a camera that looks ahead sees into
    the next section. With a ground sampling distance only nothing is said of where a photo lies across the
    lane: photos side by side would be taken for one, so each counts whole and is not in the answer.

    Args:
        camera: of the survey.
        photos: all of the survey, in the order in which they were taken.
    """
    if camera.profile is None:
        return {}
    seen = visible_range_m(camera.profile)
    directions = photo_directions(photos)
    extents: dict[int, Extent | None] = {}
    for own in _by_stretch(photos).values():
        along_m = [photo.along_m for photo in own]
        ways = [directions.get(photo.id, 1) for photo in own]
        parts = chain_extents(along_m, ways, seen, [photo.heading_deg for photo in own])
        extents.update(zip((photo.id for photo in own), parts, strict=True))
    return extents


def photo_directions(photos: Sequence[PhotoPlace]) -> dict[int, int]:
    """+1 or -1 for each photo on the network, see `travel_directions`; `photos` as for `chain_photos`."""
    directions: dict[int, int] = {}
    for stretch, own in _by_stretch(photos).items():
        if stretch is not None:
            ways = travel_directions(
                [photo.along_m for photo in own],
                [photo.heading_deg for photo in own],
                [photo.line_heading_deg for photo in own],
            )
            directions.update(zip((photo.id for photo in own), ways, strict=True))
    return directions


def _by_stretch(photos: Sequence[PhotoPlace]) -> dict[int | None, list[PhotoPlace]]:
    of_stretch: dict[int | None, list[PhotoPlace]] = defaultdict(list)
    for photo in photos:
        of_stretch[photo.stretch].append(photo)
    return of_stretch


def frame_of(
    camera: Camera, width_px: int, height_px: int, extents: Mapping[int, Extent | None], image_id: int
) -> GroundFrame | None:
    """The part of the road that a photo counts; None where others count all that it shows.

    Raises:
        CalibrationError: the photo is not of this camera.
    """
    extent = extents.get(image_id, ())
    if extent is None:
        return None
    return plan_frame(camera.at_size(width_px, height_px), extent or None)


def measure_in_pixels(probability: Probability, threshold: float, agreement: Agreement | None) -> Measured:
    """A photo whose camera is not known.

    Args:
        probability: float32 (H, W) in [0, 1].
        threshold: probability from which a pixel is a crack.
        agreement: gives intervals; None: there are none.
    """
    measured = measure_cracks(probability >= threshold, probability)
    values = _numbers(measured, probability, threshold, agreement)
    return Measured(values, [_crack(crack) for crack in measured.cracks], [])


def measure_on_ground(
    probability: Probability,
    threshold: float,
    agreement: Agreement | None,
    camera: Camera,
    frame: GroundFrame | None,
    potholes: Probability | None = None,
) -> Measured:
    """A photo laid on the road; only the lane within `frame` counts.

    Args:
        probability: float32 (H, W) in [0, 1], of the photo as taken.
        threshold: probability from which a pixel is a crack.
        agreement: gives intervals; None: there are none.
        camera: of the survey.
        frame: see `frame_of`.
        potholes: float32 (H, W), probability of a pothole; None: the network has no such class.
    """
    height_px, width_px = probability.shape
    profile = camera.at_size(width_px, height_px)
    # What neighbours count is not left out of the survey.
    left_out_m2 = too_far_m2(profile)
    if frame is None:
        nothing = {"surveyed_pixels": 0, "surveyed_area_m2": 0.0, "left_out_m2": left_out_m2, "tiles": 0}
        return Measured(nothing, [], [])
    surveyed = surveyed_mask(profile, frame, (height_px, width_px))
    on_ground = np.where(surveyed, rectify(probability, profile, frame), np.float32(0))
    found = measure_ground(
        on_ground >= threshold,
        on_ground,
        gsd_mm_per_px=frame.gsd_mm_per_px,
        surveyed=surveyed,
        lane_px=lane_edges_px(profile, frame),
        standard=camera.standard,
        photo_gsd_mm_per_px=coarsest_gsd(profile, frame),
    )
    values = _numbers(found.measurement, on_ground, threshold, agreement)
    values |= {
        "gsd_mm_per_px": frame.gsd_mm_per_px,
        "ground": frame.as_dict(),
        "left_out_m2": left_out_m2,
        "cracked_area_m2": found.cracked_area_m2,
        "cracked_tiles": found.cracked_tiles,
        "tiles": found.tiles,
    }
    typed, sums = found.distresses, found.quantities
    if potholes is not None:
        left, right = lane_edges_px(profile, frame)
        holes = surveyed & (rectify(potholes, profile, frame) >= POTHOLE_PROBABILITY)
        typed += pothole_distresses(
            holes, gsd_mm_per_px=frame.gsd_mm_per_px, lane_left_px=left, lane_right_px=right
        )
        sums = quantities(typed)
    distresses = [_distress(distress, profile, frame) for distress in typed]
    return Measured(values, distresses, [_quantity(quantity) for quantity in sums])


def _numbers(
    measured: CrackMeasurement, probability: Probability, threshold: float, agreement: Agreement | None
) -> dict[str, Any]:
    values = {number: getattr(measured, number) for number in RESULT_NUMBERS}
    if agreement is not None:
        values |= asdict(measure_interval(probability, measured, threshold, agreement))
    return values


def _crack(crack: Crack) -> dict[str, Any]:
    return {
        "kind": DistressType.CRACK,
        "length_px": crack.length_px,
        "mean_width_px": crack.mean_width_px,
        "max_width_px": crack.max_width_px,
        "area_px": crack.area_px,
        "orientation_deg": crack.orientation_deg,
        "polylines_px": [line.round(1).tolist() for line in crack.polylines_px],
    }


def _distress(distress: TypedDistress, profile: CameraProfile, frame: GroundFrame) -> dict[str, Any]:
    """A distress as stored: on the ground to the millimetre, in the photo to a tenth of a pixel."""
    outlines = [] if distress.outline is None else [distress.outline]
    lines = [*distress.polylines, *outlines]
    in_photo = [line.round(1).tolist() for line in frame_polylines_to_image(lines, profile, frame)]
    on_ground = [line.round(3).tolist() for line in frame_polylines_to_ground(lines, frame)]
    count = len(distress.polylines)
    return {
        "kind": distress.kind,
        "severity": distress.severity,
        "zone": distress.zone,
        **{number: getattr(distress, number) for number in DISTRESS_NUMBERS},
        "polylines_px": in_photo[:count],
        "polylines_m": on_ground[:count],
        "widths_mm": [widths.round(2).tolist() for widths in distress.widths_mm],
        "outline_px": in_photo[count] if outlines else None,
        "outline_m": on_ground[count] if outlines else None,
    }


def _quantity(quantity: Quantity) -> dict[str, Any]:
    return asdict(quantity)
