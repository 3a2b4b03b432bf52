"""How a camera sees the road: its values, checked, as they are stored (torch-free).

Ground coordinates: x metres to the right of the camera, y metres ahead of it along the lane. Picture
coordinates: pixels, centres at whole numbers, x to the right, y down.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from engine.errors import CalibrationError
from engine.lens import camera_rotation, fold_radius, undistort
from engine.vocabulary import CameraKind

Polygon = tuple[tuple[float, float], ...]

GSD_RANGE_MM_PER_PX = (0.01, 1000.0)
"""The ground sampling distances that a survey or a camera profile may have."""
# What a road survey's camera can be; outside of it a unit was mistaken (mm for m, say).
LIMITS: dict[str, tuple[float, float, str]] = {
    "width_px": (16, 30_000, "px"),
    "height_px": (16, 30_000, "px"),
    "gsd_mm_per_px": (*GSD_RANGE_MM_PER_PX, "mm/px"),
    "largest_gsd_mm_per_px": (*GSD_RANGE_MM_PER_PX, "mm/px"),
    "height_m": (0.1, 500, "m"),
    "focal_mm": (0.5, 2000, "mm"),
    "sensor_width_mm": (0.5, 200, "mm"),
    "focal_px": (20, 200_000, "px"),
    "pitch_deg": (-40, 89.9, "degrees"),
    "roll_deg": (-45, 45, "degrees"),
    "yaw_deg": (-60, 60, "degrees"),
    "k1": (-3, 3, ""),
    "k2": (-10, 10, ""),
    "lane_left_m": (-60, 60, "m"),
    "lane_right_m": (-60, 60, "m"),
    "near_m": (-60, 60, "m"),
}
TURNS_DEG = (0, 90, 180, 270)
NARROWEST_LANE_M = 0.3


@dataclass(frozen=True)
class DownwardProfile:
    """A camera that looks straight down.

    Attributes:
        width_px, height_px: size of its pictures.
        gsd_mm_per_px: ground sampling distance; None where the next three give it.
        height_m, focal_mm, sensor_width_mm: camera above the road, focal length, sensor along the picture's
            width.
        turn_deg: 0, 90, 180 or 270: the driving direction in the picture, clockwise from up.
        lane_left_m, lane_right_m: lane edges right of the picture's centre; None: the whole picture.
        focal_px: needed where k1 or k2 is not 0 and the focal length in mm is not given.
        k1, k2: radial lens distortion (Brown).
    """

    width_px: int
    height_px: int
    gsd_mm_per_px: float | None = None
    height_m: float | None = None
    focal_mm: float | None = None
    sensor_width_mm: float | None = None
    turn_deg: int = 0
    lane_left_m: float | None = None
    lane_right_m: float | None = None
    focal_px: float | None = None
    k1: float = 0.0
    k2: float = 0.0

    def __post_init__(self) -> None:
        _check_numbers(self)
        if self.turn_deg not in TURNS_DEG:
            raise CalibrationError(f"turn_deg is {self.turn_deg}.", "Give 0, 90, 180 or 270.")
        optics = ("height_m", "focal_mm", "sensor_width_mm")
        missing = [name for name in optics if getattr(self, name) is None]
        if self.gsd_mm_per_px is None and missing:
            raise CalibrationError(
                f"{'gsd_mm_per_px' if len(missing) == 3 else missing[0]} is missing.",
                "Give gsd_mm_per_px, or all of height_m, focal_mm and sensor_width_mm.",
            )
        low, high, _ = LIMITS["gsd_mm_per_px"]
        if not low <= self.gsd <= high:
            raise CalibrationError(
                f"height_m, focal_mm and sensor_width_mm give {self.gsd:g} mm/px.",
                f"Check their units: {low:g} to {high:g} mm/px can be used.",
            )
        if (self.lane_left_m is None) != (self.lane_right_m is None):
            edge = "lane_left_m" if self.lane_left_m is None else "lane_right_m"
            raise CalibrationError(f"{edge} is missing.", "Give both lane edges, or none.")
        _check_lane(self.lane_left_m, self.lane_right_m)
        if (self.k1 or self.k2) and self.lens_px is None:
            raise CalibrationError(
                "focal_px is missing.", "k1 and k2 need it, or focal_mm and sensor_width_mm."
            )
        _check_distortion(self)

    @property
    def kind(self) -> CameraKind:
        return CameraKind.DOWNWARD

    @property
    def gsd(self) -> float:
        """Ground sampling distance in mm/px."""
        if self.gsd_mm_per_px is not None:
            return self.gsd_mm_per_px
        height, focal, sensor = self.height_m or 0.0, self.focal_mm or 1.0, self.sensor_width_mm or 0.0
        return 1000 * height * sensor / (focal * self.width_px)

    @property
    def lens_px(self) -> float | None:
        """Focal length in pixels, where it is known."""
        if self.focal_px is None and self.focal_mm is not None and self.sensor_width_mm is not None:
            return self.focal_mm / self.sensor_width_mm * self.width_px
        return self.focal_px

    @property
    def centre(self) -> tuple[float, float]:
        return (self.width_px - 1) / 2, (self.height_px - 1) / 2

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON; `profile_from_dict` reads them."""
        return asdict(self)


@dataclass(frozen=True)
class ForwardProfile:
    """A camera that looks ahead along the road, which is taken as a plane.

    Attributes:
        width_px, height_px: size of its pictures.
        focal_px: focal length in pixels, square pixels.
        height_m: above the road.
        pitch_deg: below the horizon, down is positive.
        roll_deg: clockwise as seen from behind the camera.
        yaw_deg: to the right of the lane's direction.
        k1, k2: radial lens distortion (Brown).
        centre_px: principal point; None: the picture's centre.
        lane_left_m, lane_right_m: lane edges, metres right of the camera.
        lane_polygon_px: corners of the lane in the photo; if given, these are the surveyed lane.
        near_m: nothing nearer is used (a bonnet, say); None: all that the picture shows.
        largest_gsd_mm_per_px: farther parts, where a pixel covers more, are left out; None: five times the
            finest of the near edge.
        gsd_mm_per_px: of the rectified picture; None: the finest of the near edge.
    """

    width_px: int
    height_px: int
    focal_px: float
    height_m: float
    pitch_deg: float
    roll_deg: float = 0.0
    yaw_deg: float = 0.0
    k1: float = 0.0
    k2: float = 0.0
    centre_px: tuple[float, float] | None = None
    lane_left_m: float | None = None
    lane_right_m: float | None = None
    lane_polygon_px: Polygon | None = None
    near_m: float | None = None
    largest_gsd_mm_per_px: float | None = None
    gsd_mm_per_px: float | None = None

    def __post_init__(self) -> None:
        _check_numbers(self)
        for name in ("focal_px", "height_m", "pitch_deg"):
            if getattr(self, name) is None:
                raise CalibrationError(f"{name} is missing.", "Measure it, or calibrate from four points.")
        if self.centre_px is not None:
            _check_centre(self)
        if self.lane_polygon_px is None and (self.lane_left_m is None or self.lane_right_m is None):
            missing = "lane_left_m" if self.lane_left_m is None else "lane_right_m"
            raise CalibrationError(
                f"{missing} is missing.",
                "Give both lane edges in metres right of the camera, or a lane polygon.",
            )
        _check_lane(self.lane_left_m, self.lane_right_m)
        _check_distortion(self)
        if self.lane_polygon_px is not None:
            _check_polygon(self.lane_polygon_px)
        _check_sees_road(self)

    @property
    def kind(self) -> CameraKind:
        return CameraKind.FORWARD

    @property
    def lens_px(self) -> float:
        """Focal length in pixels."""
        return self.focal_px

    @property
    def centre(self) -> tuple[float, float]:
        return self.centre_px or ((self.width_px - 1) / 2, (self.height_px - 1) / 2)

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON; `profile_from_dict` reads them."""
        values = asdict(self)
        if self.centre_px is not None:
            values["centre_px"] = list(self.centre_px)
        if self.lane_polygon_px is not None:
            values["lane_polygon_px"] = [list(corner) for corner in self.lane_polygon_px]
        return values


CameraProfile = DownwardProfile | ForwardProfile


def read_profile(kind: CameraKind | str, parameters: Mapping[str, Any]) -> CameraProfile:
    """The profile of stored or typed values, each checked by itself; see `engine.geometry.profile_from_dict`.

    Raises:
        CalibrationError: names the value that is missing, unknown or out of range.
    """
    if kind not in tuple(CameraKind):
        raise CalibrationError(f"kind is {kind!r}.", f"Give {' or '.join(CameraKind)}.")
    made = DownwardProfile if kind == CameraKind.DOWNWARD else ForwardProfile
    known = {field.name for field in fields(made)}
    for name in parameters:
        if name not in known:
            raise CalibrationError(
                f"{name!r} is no value of a {kind} profile.", f"Known are: {', '.join(sorted(known))}."
            )
    values = {name: value for name, value in parameters.items() if value is not None}
    for name in (
        "width_px",
        "height_px",
        *(("focal_px", "height_m", "pitch_deg") if kind == "forward" else ()),
    ):
        if name not in values:
            raise CalibrationError(f"{name} is missing.", f"A {kind} profile needs it.")
    for name in ("width_px", "height_px", "turn_deg"):
        if isinstance(values.get(name), float) and float(values[name]).is_integer():
            values[name] = int(values[name])
    for name in ("centre_px", "lane_polygon_px"):
        if name in values:
            values[name] = _pair(name, values[name]) if name == "centre_px" else _corners(values[name])
    return made(**values)


def _check_numbers(profile: "CameraProfile") -> None:
    """Every number is one, finite, and within its limits."""
    for field in fields(profile):
        value = getattr(profile, field.name)
        if field.name not in LIMITS or value is None:
            continue
        low, high, unit = LIMITS[field.name]
        remedy = f"Give a number from {low:g} to {high:g} {unit}".rstrip() + "."
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise CalibrationError(f"{field.name} is {value!r}.", remedy)
        if not low <= value <= high:
            raise CalibrationError(f"{field.name} is {value:g}.", remedy)
        if field.name in ("width_px", "height_px") and not isinstance(value, int):
            raise CalibrationError(f"{field.name} is {value!r}.", "Give whole pixels.")


def _check_lane(left_m: float | None, right_m: float | None) -> None:
    if left_m is None or right_m is None:
        return
    if right_m - left_m < NARROWEST_LANE_M:
        raise CalibrationError(
            f"lane_left_m is {left_m:g}, lane_right_m {right_m:g}.",
            f"The right edge must lie at least {NARROWEST_LANE_M} m to the right of the left one; what lies "
            "left of the camera is negative.",
        )


def _check_centre(profile: ForwardProfile) -> None:
    x, y = _pair("centre_px", profile.centre_px)
    if not (0 <= x < profile.width_px and 0 <= y < profile.height_px):
        raise CalibrationError(
            f"centre_px is ({x:g}, {y:g}).",
            "The principal point must lie in the picture; leave it out if unknown.",
        )


def _check_polygon(corners: Polygon) -> None:
    from shapely.geometry import Polygon as ShapelyPolygon

    shape = ShapelyPolygon(_corners(corners))
    if not shape.is_valid or shape.area < 100:
        raise CalibrationError(
            "lane_polygon_px crosses itself or encloses nothing.",
            "Give its corners in order around the lane.",
        )


def _check_distortion(profile: "CameraProfile") -> None:
    lens = profile.lens_px
    if lens is None or not (profile.k1 or profile.k2):
        return
    across, down = profile.centre
    # The corners may be lost: a single term fitted to the middle of a picture often folds there.
    edge = max(across, profile.width_px - across, down, profile.height_px - down) / lens
    fold = fold_radius(profile.k1, profile.k2)
    if math.isfinite(fold) and edge > fold * (1 + profile.k1 * fold**2 + profile.k2 * fold**4):
        raise CalibrationError(
            f"k1 {profile.k1:g} and k2 {profile.k2:g} fold the picture back within its edges.",
            "Give the radial terms as OpenCV's calibration does, for radii in focal lengths.",
        )


def _check_sees_road(profile: ForwardProfile) -> None:
    x = np.linspace(0.0, profile.width_px - 1.0, 33) - profile.centre[0]
    y = np.full(x.shape, profile.height_px - 1.0 - profile.centre[1])
    rays = undistort(np.stack((x, y), axis=1) / profile.focal_px, profile.k1, profile.k2)
    rotation = camera_rotation(profile.pitch_deg, profile.roll_deg, profile.yaw_deg)
    rising = (np.column_stack((rays, np.ones(len(rays)))) @ rotation)[:, 2]
    if not (rising < 0).any():
        raise CalibrationError(
            f"pitch_deg is {profile.pitch_deg:g}: the whole picture lies above the horizon.",
            "Give the angle below the horizon; looking down is positive.",
        )


def _pair(name: str, value: Any) -> tuple[float, float]:
    try:
        x, y = (float(number) for number in value)
    except (TypeError, ValueError):
        x = y = math.nan
    if not (math.isfinite(x) and math.isfinite(y)):
        raise CalibrationError(f"{name} is {value!r}.", "Give two numbers, x and y.")
    return x, y


def _corners(value: Any) -> Polygon:
    if not isinstance(value, list | tuple) or not 3 <= len(value) <= 100:
        raise CalibrationError(
            "lane_polygon_px has no 3 to 100 corners.", "Give [[x, y], …] in pixels of the photo."
        )
    return tuple(_pair("lane_polygon_px", corner) for corner in value)
