"""Photos and the road: there and back, lengths and areas that stay what they are, what is left out."""

import json
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.errors import CalibrationError
from engine.geometry import (
    DownwardProfile,
    ForwardProfile,
    GroundFrame,
    fit_to_picture,
    frame_polylines_to_ground,
    frame_polylines_to_image,
    gsd_along,
    lane_area_m2,
    lane_edges_m,
    lane_edges_px,
    lane_mask,
    plan_frame,
    profile_from_dict,
    rectify,
    surveyed_mask,
    to_ground,
    to_image,
    visible_range_m,
)

CAMERA = ForwardProfile(640, 400, 560.0, 2.5, 24.0, lane_left_m=-1.6, lane_right_m=2.0)
POTHOLE_M = 0.08


def between(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


@st.composite
def forward_profiles(draw: st.DrawFn, largest_roll_deg: float = 6.0) -> ForwardProfile:
    try:
        profile = ForwardProfile(
            width_px=640,
            height_px=draw(st.sampled_from([360, 480])),
            focal_px=draw(between(350, 900)),
            height_m=draw(between(1.2, 4)),
            pitch_deg=draw(between(8, 50)),
            roll_deg=draw(between(-largest_roll_deg, largest_roll_deg)),
            yaw_deg=draw(between(-8, 8)),
            k1=draw(st.just(0.0) | between(-0.25, 0.15)),
            k2=draw(st.just(0.0) | between(-0.03, 0.08)),
            lane_left_m=draw(between(-2.5, -1)),
            lane_right_m=draw(between(1, 2.5)),
        )
        visible_range_m(profile)
    except CalibrationError:
        assume(False)
        raise
    return profile


@st.composite
def downward_profiles(draw: st.DrawFn) -> DownwardProfile:
    return DownwardProfile(
        width_px=draw(st.integers(100, 400)),
        height_px=draw(st.integers(100, 400)),
        gsd_mm_per_px=draw(between(0.5, 10)),
        turn_deg=draw(st.sampled_from([0, 90, 180, 270])),
        focal_px=600.0,
        k1=draw(st.just(0.0) | between(-0.2, 0.2)),
    )


def photo_of(profile: ForwardProfile, spot_m: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """A photo, black but for a round white spot on the road, each pixel the mean of 3 x 3 places in it."""
    photo = np.zeros((profile.height_px, profile.width_px), np.float32)
    column, row = np.round(to_image(profile, spot_m[None])[0]).astype(int)
    window = np.s_[max(0, row - 80) : row + 81, max(0, column - 80) : column + 81]
    rows, columns = (axis[window].astype(float) for axis in np.indices(photo.shape))
    for down in (-1 / 3, 0, 1 / 3):
        for right in (-1 / 3, 0, 1 / 3):
            ground = to_ground(profile, np.column_stack(((columns + right).ravel(), (rows + down).ravel())))
            photo[window] += (np.hypot(*(ground - spot_m).T) < POTHOLE_M).reshape(rows.shape) / 9
    return photo


def centroid(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    rows, columns = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]]
    return np.array([(columns * picture).sum(), (rows * picture).sum()]) / picture.sum()


@settings(max_examples=60, deadline=None)
@given(forward_profiles(), st.lists(st.tuples(between(0, 1), between(0, 1)), min_size=1, max_size=8))
def test_road_to_photo_and_back(profile: ForwardProfile, places: list[tuple[float, float]]) -> None:
    near, far = visible_range_m(profile)
    left, right = lane_edges_m(profile)
    points = np.array([left, near]) + np.array(places) * (right - left, far - near)
    there = to_image(profile, points)
    inside = (there > 0).all(axis=1) & (there < (profile.width_px, profile.height_px)).all(axis=1)
    assume(inside.any())
    assert to_ground(profile, there)[inside] == pytest.approx(points[inside], abs=0.001)


@settings(max_examples=40, deadline=None)
@given(downward_profiles(), st.lists(st.tuples(between(0, 1), between(0, 1)), min_size=1, max_size=8))
def test_photo_to_road_and_back_looking_down(
    profile: DownwardProfile, places: list[tuple[float, float]]
) -> None:
    pixels = np.array(places) * (profile.width_px - 1, profile.height_px - 1)
    assert to_image(profile, to_ground(profile, pixels)) == pytest.approx(pixels, abs=0.01)


@settings(max_examples=30, deadline=None)
@given(forward_profiles())
def test_the_camera_is_the_one_of_opencv(profile: ForwardProfile) -> None:
    yaw, pitch, roll = np.radians([profile.yaw_deg, profile.pitch_deg, profile.roll_deg])
    # In camera axes (right, down, ahead): the road turns against the camera.
    turns = [cv2.Rodrigues(np.array(axis))[0] for axis in ((0, -yaw, 0), (pitch, 0, 0), (0, 0, -roll))]
    rotation = turns[2] @ turns[1] @ turns[0] @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    near, far = visible_range_m(profile)
    points = np.array([[x, y] for x in (-1.0, 0.5) for y in (near, far)])
    lens = np.array(
        [[profile.focal_px, 0, profile.centre[0]], [0, profile.focal_px, profile.centre[1]], [0, 0, 1]]
    )
    seen, _ = cv2.projectPoints(
        np.column_stack((points, np.zeros(4))),
        cv2.Rodrigues(rotation)[0],
        rotation @ [0, 0, -profile.height_m],
        lens,
        np.array([profile.k1, profile.k2, 0, 0]),
    )
    ours = to_image(profile, points)
    known = np.isfinite(ours).all(axis=1)
    assert ours[known] == pytest.approx(seen.reshape(-1, 2)[known], abs=1e-6)


def test_directions_of_the_angles() -> None:
    ahead = np.array([[0.0, 6.0]])
    straight = to_image(CAMERA, ahead)[0]
    assert straight[0] == pytest.approx(CAMERA.centre[0])
    assert to_image(replace(CAMERA, yaw_deg=2), ahead)[0, 0] < straight[0]
    assert to_image(replace(CAMERA, pitch_deg=26), ahead)[0, 1] < straight[1]
    # Turned clockwise, the camera sees what is on the right higher up.
    right = np.array([[1.5, 6.0]])
    assert to_image(replace(CAMERA, roll_deg=3), right)[0, 1] < to_image(CAMERA, right)[0, 1]


def test_nothing_of_the_road_is_above_the_horizon_or_behind() -> None:
    level = replace(CAMERA, pitch_deg=5)
    horizon = level.centre[1] - level.focal_px * np.tan(np.radians(5))
    ground = to_ground(level, np.array([[320, horizon - 1], [320, horizon + 1]]))
    assert np.isnan(ground[0]).all()
    assert ground[1, 1] > 500
    assert np.isnan(to_image(level, np.array([[0.0, -3.0]]))).all()


@settings(max_examples=12, deadline=None)
@given(forward_profiles(), between(0.2, 0.8), between(0.2, 0.8), between(0.1, 0.9))
def test_known_distances_are_right_in_the_rectified_picture(
    profile: ForwardProfile, across: float, start: float, length: float
) -> None:
    near, far = visible_range_m(profile)
    assume(far - near > 1)
    left, right = lane_edges_m(profile)
    low, high = near + 2 * POTHOLE_M, far - 2 * POTHOLE_M
    first = np.array([left + 0.3 + across * (right - left - 0.6), low + start * (high - low) / 2])
    second = np.array([-first[0] / 2, first[1] + length * (high - first[1])])
    frame = plan_frame(profile)
    seen = to_image(profile, np.stack((first, second)))
    assume(((seen > 30) & (seen < (profile.width_px - 30, profile.height_px - 30))).all())
    assume(np.hypot(*(second - first)) > 5 * POTHOLE_M)
    spots = [centroid(rectify(photo_of(profile, spot), profile, frame)) for spot in (first, second)]
    pitch = frame.gsd_mm_per_px / 1000
    assert np.hypot(*(spots[1] - spots[0])) == pytest.approx(np.hypot(*(second - first)) / pitch, abs=1)
    places = frame_polylines_to_ground([np.array(spots)], frame)[0]
    assert places == pytest.approx(np.stack((first, second)), abs=1.5 * pitch)


def test_a_coarse_rectified_picture_loses_no_narrow_spot() -> None:
    spot = np.array([0.3, 3.3])
    profile = replace(CAMERA, gsd_mm_per_px=40.0, largest_gsd_mm_per_px=60.0)
    photo = photo_of(profile, spot)
    true_area = np.pi * POTHOLE_M**2
    found = rectify(photo, profile, plan_frame(profile)).sum() * 0.04**2
    assert found == pytest.approx(true_area, rel=0.03)


@settings(max_examples=40, deadline=None)
@given(forward_profiles(largest_roll_deg=2.0))
def test_gsd_grows_with_distance(profile: ForwardProfile) -> None:
    near, far = visible_range_m(profile)
    across, along = gsd_along(profile, np.linspace(near, far, 30))
    assert (np.diff(along) > 0).all()
    if not profile.k1 and not profile.k2:
        assert (np.diff(across) > 0).all()


def test_gsd_is_that_of_the_pinhole() -> None:
    distance = np.array([3.0, 7.0])
    across, along = gsd_along(replace(CAMERA, lane_left_m=-1.8, lane_right_m=1.8), distance)
    pitch = np.radians(24)
    depth = distance * np.cos(pitch) + 2.5 * np.sin(pitch)
    assert across == pytest.approx(1000 * depth / 560)
    assert along == pytest.approx(1000 * depth**2 / (560 * 2.5))


def test_what_is_too_coarse_is_left_out_and_counted() -> None:
    areas = []
    for largest in (15.0, 30.0, 60.0):
        profile = replace(CAMERA, largest_gsd_mm_per_px=largest, gsd_mm_per_px=8.0)
        near, far = visible_range_m(profile)
        across, along = gsd_along(profile, np.array([near, far]))
        assert max(across[1], along[1]) == pytest.approx(largest, rel=0.01)
        frame = plan_frame(profile)
        surveyed = surveyed_mask(profile, frame, (400, 640))
        areas.append(surveyed.sum() * 0.008**2)
        assert areas[-1] == pytest.approx(3.6 * (far - near), rel=0.02)
        assert frame.far_m == pytest.approx(far, abs=0.01)
        assert frame.near_m == pytest.approx(near, abs=0.01)
    assert areas == sorted(areas)
    assert areas[-1] < lane_area_m2(CAMERA)
    assert lane_area_m2(CAMERA) == lane_area_m2(profile)


def test_automatic_gsd_is_the_finest_of_the_near_edge() -> None:
    near, far = visible_range_m(CAMERA)
    across, along = gsd_along(CAMERA, np.array([near, far]))
    assert plan_frame(CAMERA).gsd_mm_per_px == pytest.approx(min(across[0], along[0]), rel=0.01)
    assert max(across[1], along[1]) == pytest.approx(5 * min(across[0], along[0]), rel=0.02)
    # A large photo gets a coarser picture rather than one that fills the memory.
    huge = plan_frame(replace(CAMERA, width_px=12_800, height_px=8000, focal_px=11_200.0))
    assert huge.width_px * huge.height_px < 26_000_000


def test_the_near_end_keeps_out_the_bonnet_and_half_seen_lanes() -> None:
    near, _far = visible_range_m(CAMERA)
    assert visible_range_m(replace(CAMERA, near_m=near + 1))[0] == pytest.approx(near + 1, abs=0.02)
    wide = replace(CAMERA, lane_left_m=-4.0, lane_right_m=4.0, largest_gsd_mm_per_px=100.0)
    start, _ = visible_range_m(wide)
    seen = to_image(wide, np.array([[-4.0, start], [4.0, start]]))
    assert seen[1, 0] - seen[0, 0] == pytest.approx(640 / 0.9, rel=0.05)
    # The strip that it does not see counts as not surveyed.
    surveyed = surveyed_mask(wide, plan_frame(wide))
    assert 0.85 < surveyed[-5].mean() < 0.95
    assert surveyed[5].all()


@pytest.mark.parametrize("turn_deg", [0, 90, 180, 270])
def test_looking_down_the_driving_direction_comes_up_and_pixels_are_only_copied(turn_deg: int) -> None:
    profile = DownwardProfile(60, 40, 2.0, turn_deg=turn_deg)
    photo = np.random.default_rng(1).random((40, 60)).astype(np.float32)
    frame = plan_frame(profile)
    turned = rectify(photo, profile, frame)
    assert np.array_equal(turned, np.rot90(photo, turn_deg // 90))
    assert surveyed_mask(profile, frame).all()
    assert lane_area_m2(profile) == pytest.approx(60 * 40 * 4e-6)
    # What lies ahead is at the side of the photo that turn_deg names, clockwise from up.
    right, down = (to_image(profile, np.array([[0, 0.01]])) - profile.centre)[0]
    assert np.degrees(np.arctan2(right, -down)) % 360 == pytest.approx(turn_deg, abs=1e-6)
    # The tables for bent lenses say the same.
    bent = rectify(photo, replace(profile, focal_px=1e5, k1=1e-9), frame)
    assert bent == pytest.approx(turned, abs=1e-3)


def test_a_lane_narrower_than_the_downward_photo() -> None:
    profile = DownwardProfile(100, 50, 10.0, lane_left_m=-0.2, lane_right_m=0.3)
    frame = plan_frame(profile)
    assert (frame.width_px, frame.height_px) == (50, 50)
    assert surveyed_mask(profile, frame).all()
    photo = np.arange(5000, dtype=np.float32).reshape(50, 100)
    assert np.array_equal(rectify(photo, profile, frame), photo[:, 30:80])
    assert lane_area_m2(profile) == pytest.approx(0.25)
    assert lane_mask(profile).sum() == 2500
    around = plan_frame(profile, margin_m=0.1)
    assert around.width_px == 70
    assert surveyed_mask(profile, around).sum() == 2500
    assert lane_edges_px(profile, around) == pytest.approx((9.5, 59.5))


@pytest.mark.parametrize("profile", [CAMERA, DownwardProfile(120, 80, 5.0)])
def test_parts_that_touch_make_the_whole(profile: ForwardProfile | DownwardProfile) -> None:
    near, far = visible_range_m(profile)
    cut = near + 0.37 * (far - near)
    photo = np.random.default_rng(2).integers(
        0, 255, (profile.height_px, profile.width_px, 3), dtype=np.uint8
    )
    whole = plan_frame(profile)
    parts = [plan_frame(profile, (cut, far)), plan_frame(profile, (near, cut))]
    assert sum(part.height_px for part in parts) == whole.height_px
    pictures = [rectify(photo, profile, part) for part in parts]
    assert np.array_equal(np.concatenate(pictures), rectify(photo, profile, whole))
    masks = [surveyed_mask(profile, part) for part in parts]
    assert np.array_equal(np.concatenate(masks), surveyed_mask(profile, whole))
    with pytest.raises(CalibrationError, match="nothing of"):
        plan_frame(profile, (far + 1, far + 2))


def test_a_lane_polygon_of_the_same_lane_changes_nothing() -> None:
    corners = to_image(CAMERA, np.array([[-1.6, 2.0], [-1.6, 12.0], [2.0, 12.0], [2.0, 2.0]]))
    polygon = tuple((float(x), float(y)) for x, y in corners)
    drawn = replace(CAMERA, lane_left_m=None, lane_right_m=None, lane_polygon_px=polygon)
    assert lane_edges_m(drawn) == pytest.approx((-1.6, 2.0), abs=0.005)
    assert visible_range_m(drawn) == pytest.approx(visible_range_m(CAMERA), abs=0.03)
    area = [surveyed_mask(profile, plan_frame(profile)).sum() for profile in (drawn, CAMERA)]
    assert area[0] == pytest.approx(area[1], rel=0.01)
    whole, part = lane_mask(CAMERA), lane_mask(drawn)
    assert (part & whole).sum() > 0.99 * part.sum()
    ahead = to_ground(CAMERA, np.argwhere(whole & ~part)[:, ::-1].astype(float))[:, 1]
    assert np.quantile(ahead, 0.05) > 11.5


def test_photos_of_another_size() -> None:
    half = fit_to_picture(replace(CAMERA, k1=-0.1, largest_gsd_mm_per_px=20.0), 320, 200)
    corners = to_ground(replace(CAMERA, k1=-0.1), np.array([[-0.5, 399.5], [639.5, 399.5], [320, 250]]))
    assert to_ground(half, np.array([[-0.5, 199.5], [319.5, 199.5], [159.75, 124.75]])) == pytest.approx(
        corners
    )
    # Half as many pixels: the asked GSD is kept nearer to the camera.
    assert visible_range_m(half)[1] < visible_range_m(replace(CAMERA, k1=-0.1, largest_gsd_mm_per_px=20.0))[1]
    down = fit_to_picture(DownwardProfile(100, 50, 4.0), 200, 100)
    assert isinstance(down, DownwardProfile)
    assert down.gsd == 2
    with pytest.raises(CalibrationError, match="400 x 400"):
        fit_to_picture(CAMERA, 400, 400)
    with pytest.raises(CalibrationError, match="320 x 200"):
        rectify(np.zeros((200, 320), np.uint8), CAMERA, plan_frame(CAMERA))
    with pytest.raises(CalibrationError, match="320 x 200"):
        surveyed_mask(CAMERA, plan_frame(CAMERA), (200, 320))


def test_profiles_and_frames_survive_storage() -> None:
    stored = [
        DownwardProfile(100, 50, height_m=2.0, focal_mm=8.0, sensor_width_mm=10.0, turn_deg=90, k1=-0.1),
        replace(
            CAMERA, centre_px=(300.0, 210.0), near_m=3.0, lane_polygon_px=((100, 390), (500, 390), (330, 60))
        ),
    ]
    for profile in stored:
        again = profile_from_dict(profile.kind, json.loads(json.dumps(profile.as_dict())))
        assert again == profile
        assert hash(again) == hash(profile)
    frame = plan_frame(CAMERA)
    assert GroundFrame.from_dict(json.loads(json.dumps(frame.as_dict()))) == frame


def test_lines_of_the_rectified_picture_lie_where_the_photo_shows_them() -> None:
    frame = plan_frame(CAMERA)
    corners = np.array([[0, 0], [frame.width_px - 1, 0], [frame.width_px - 1, frame.height_px - 1]], float)
    ground = frame_polylines_to_ground([corners], frame)[0]
    expected = [[frame.left_m, frame.far_m], [frame.right_m, frame.far_m], [frame.right_m, frame.near_m]]
    assert ground == pytest.approx(np.array(expected))
    there = frame_polylines_to_image([corners, corners[:0]], CAMERA, frame)
    assert there[0] == pytest.approx(to_image(CAMERA, ground))
    assert there[1].shape == (0, 2)
