"""Closed forms: the camera from points of the road, the road's motion, focal lengths."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import IFD, Base

from engine.camera_profiles import ForwardProfile
from engine.errors import CalibrationError
from engine.focal_length import focal_from_exif, focal_from_field_of_view
from engine.geometry import to_image
from engine.lane_polygon import LaneEdges, vanishing_point_of
from engine.road_camera import RoadView, camera_of, focal_from_flow
from engine.road_flow import RoadStep, road_motion, road_step, step_towards
from tests.unit.calibration.conftest import render_road

cameras = st.builds(
    ForwardProfile,
    width_px=st.just(1000),
    height_px=st.just(600),
    focal_px=st.floats(500, 2000),
    height_m=st.floats(1.2, 3.5),
    pitch_deg=st.floats(4, 30),
    roll_deg=st.floats(-5, 5),
    yaw_deg=st.floats(-6, 6),
    lane_left_m=st.floats(-2.2, -1.2),
    lane_right_m=st.floats(1.2, 2.2),
)


def horizon_tilt(camera: ForwardProfile) -> float:
    far = to_image(camera, np.array([[-1e6, 1e7], [1e6, 1e7]]))
    return float(np.arctan2(*(far[1] - far[0])[::-1]))


def edges_of(camera: ForwardProfile, count: int = 3) -> LaneEdges:
    along = np.linspace(8, 12, count)
    points = [
        to_image(camera, np.column_stack((np.full(count, x), along)))
        for x in (camera.lane_left_m, camera.lane_right_m)
    ]
    none = (None,) * count
    return LaneEdges(
        -1.0, 1.0, points[0], points[1], none, none, np.zeros(count, bool), np.zeros(count, bool)
    )


def view_of(camera: ForwardProfile, focal_px: float | None = None) -> RoadView:
    width_m = (camera.lane_right_m or 0.0) - (camera.lane_left_m or 0.0)
    return RoadView(camera.width_px, camera.height_px, camera.centre, width_m, focal_px)


def step_of(camera: ForwardProfile, metres: float, turn_px: tuple[float, float] = (0.0, 0.0)) -> RoadStep:
    """The flow of places in the lane over so many metres."""
    x, y = np.meshgrid(np.linspace(-1.5, 1.5, 4), np.linspace(9, 22, 5))
    places = np.column_stack((x.ravel(), y.ravel()))
    before, after = to_image(camera, places), to_image(camera, places - (0, metres))
    return RoadStep(1e-3, before, after + turn_px, 1.0)


@settings(max_examples=60, deadline=None)
@given(cameras)
def test_camera_of_its_own_picture_is_itself(camera: ForwardProfile) -> None:
    point = np.array(vanishing_point_of(camera))
    found = camera_of(edges_of(camera), view_of(camera), point, horizon_tilt(camera), camera.focal_px)
    for name in ("height_m", "pitch_deg", "roll_deg", "yaw_deg", "lane_left_m", "lane_right_m"):
        assert getattr(found, name) == pytest.approx(getattr(camera, name), abs=1e-3), name


@settings(max_examples=40, deadline=None)
@given(cameras, st.floats(2, 5))
def test_motion_of_a_flat_road_gives_direction_tilt_and_focal_length(
    camera: ForwardProfile, metres: float
) -> None:
    point = vanishing_point_of(camera) or (0.0, 0.0)
    step = step_of(camera, metres)
    motion = road_motion(step, (point[0] + 6, point[1] - 6))
    assert motion is not None
    assert (motion.x_px, motion.y_px) == (pytest.approx(point[0], abs=0.5), pytest.approx(point[1], abs=0.5))
    assert motion.tilt == pytest.approx(horizon_tilt(camera), abs=1e-3)
    shift = step_towards(step, point, horizon_tilt(camera))
    focal = focal_from_flow(
        edges_of(camera), view_of(camera), np.array(point), horizon_tilt(camera), metres / shift
    )
    assert focal == pytest.approx(camera.focal_px, rel=0.01)


def test_turn_between_frames_leaves_the_distance_alone(camera: ForwardProfile) -> None:
    point = vanishing_point_of(camera) or (0.0, 0.0)
    still = step_towards(step_of(camera, 4.0), point, 0.0)
    turned = step_towards(step_of(camera, 4.0, (5.0, -4.0)), point, 0.0)
    assert turned == pytest.approx(still, rel=0.01)


def test_impossible_distances_give_no_focal_length(camera: ForwardProfile) -> None:
    point = np.array(vanishing_point_of(camera))
    assert focal_from_flow(edges_of(camera), view_of(camera), point, 0.0, 1.0) is None


def test_rendered_steps_are_as_long_as_driven(camera: ForwardProfile) -> None:
    point = vanishing_point_of(camera) or (0.0, 0.0)
    camera = replace(camera, yaw_deg=0.0)
    point = vanishing_point_of(camera) or point
    first, second, third = render_road(camera, [100.0, 103.0, 108.0])
    lane = (-0.75, 0.75)
    short, long = road_step(first, second, point, lane), road_step(second, third, point, lane)
    assert short is not None
    assert long is not None
    ratio = step_towards(long, point, 0.0) / step_towards(short, point, 0.0)
    assert ratio == pytest.approx(5 / 3, rel=0.02)


def test_pictures_of_different_places_give_no_step(camera: ForwardProfile) -> None:
    first, second = render_road(camera, [100.0, 700.0])
    assert road_step(first, second, vanishing_point_of(camera) or (0.0, 0.0), (-0.75, 0.75)) is None


def exif_image(tags: dict[int, float | int]) -> Image.Image:
    image = Image.new("RGB", (2000, 1500))
    image.getexif().get_ifd(IFD.Exif).update(tags)
    return image


def test_focal_length_of_a_field_of_view() -> None:
    assert focal_from_field_of_view(1000, 90) == pytest.approx(500)
    with pytest.raises(CalibrationError, match="field of view"):
        focal_from_field_of_view(1000, 180)


def test_focal_length_from_exif() -> None:
    # 8 mm on a sensor of 250 px/mm, the photo halved since.
    tags = {Base.FocalLength: 8.0, Base.FocalPlaneXResolution: 250.0, Base.FocalPlaneResolutionUnit: 4}
    assert focal_from_exif(exif_image(tags)) == pytest.approx(2000)
    assert focal_from_exif(exif_image(tags | {Base.ExifImageWidth: 4000})) == pytest.approx(1000)
    assert focal_from_exif(exif_image({Base.FocalLengthIn35mmFilm: 28})) == pytest.approx(28 / 43.27 * 2500)
    assert focal_from_exif(exif_image({Base.FocalLength: 8.0})) is None
    assert focal_from_exif(exif_image({Base.FocalLengthIn35mmFilm: 0})) is None
