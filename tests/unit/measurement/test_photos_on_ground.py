"""A photo's probability map laid on the road and measured there, as an analysis does it."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from db.photo_places import PhotoPlace
from engine.confidence import Agreement
from engine.errors import CalibrationError
from engine.geometry import (
    DownwardProfile,
    ForwardProfile,
    coarsest_gsd,
    plan_frame,
    to_image,
    visible_range_m,
)
from engine.lane_view import FARTHEST_M
from engine.severity import D6433, LTPP
from jobs.measuring import (
    Camera,
    chain_photos,
    frame_of,
    measure_in_pixels,
    measure_on_ground,
    photo_directions,
)

AGREEMENT = Agreement(band=1.0, area_floor=0.05, length_floor=0.05, covered=0.9, photos=3)
FORWARD = ForwardProfile(
    1024, 640, focal_px=900.0, height_m=1.6, pitch_deg=12.0, lane_left_m=-1.8, lane_right_m=1.8,
    largest_gsd_mm_per_px=20.0,
)  # fmt: skip
GSD_ONLY = Camera(None, None, {"gsd_mm_per_px": 2.0}, D6433)


def stored(profile: DownwardProfile | ForwardProfile) -> Camera:
    return Camera(1, profile, profile.as_dict(), D6433)


def drawn(lines_px: list[npt.NDArray[np.float64]], width_px: int, height_px: int) -> npt.NDArray[np.float32]:
    """A probability map with soft lines 6 px wide."""
    picture = np.zeros((height_px, width_px), np.uint8)
    for line in lines_px:
        cv2.polylines(picture, [np.round(line * 16).astype(np.int32)], False, 255, 6, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(picture.astype(np.float32) / 255, (0, 0), 1.0).astype(np.float32)


def test_crack_of_known_length_on_the_road_is_found_in_a_forward_photo() -> None:
    near, far = plan_frame(FORWARD).near_m, plan_frame(FORWARD).far_m
    along = np.column_stack((np.full(200, 0.4), np.linspace(near + 1, min(far, near + 5), 200)))
    probability = drawn([to_image(FORWARD, along)], 1024, 640)
    camera = stored(FORWARD)
    frame = frame_of(camera, 1024, 640, {}, 7)
    found = measure_on_ground(probability, 0.5, AGREEMENT, camera, frame)
    true_m = along[-1, 1] - along[0, 1]
    assert found.values["crack_length_m"] == pytest.approx(true_m, rel=0.03)
    assert [distress["kind"] for distress in found.distresses] == ["longitudinal"]
    # The surveyed area is the lane, and what is left out of it is told.
    assert found.values["surveyed_area_m2"] == pytest.approx(3.6 * (far - near), rel=0.02)
    assert found.values["left_out_m2"] > 0
    low, high = (found.values[f"crack_density_m_per_m2_{end}"] for end in ("low", "high"))
    assert low < found.values["crack_density_m_per_m2"] < high
    # In both frames the same crack: metres of the road, and pixels of the photo.
    on_ground = np.concatenate(found.distresses[0]["polylines_m"])
    assert np.abs(on_ground[:, 0] - 0.4).max() < 0.05
    in_photo = np.concatenate(found.distresses[0]["polylines_px"])
    assert np.abs(to_image(FORWARD, on_ground) - in_photo).max() < 1.0
    assert all(
        len(widths) == len(line)
        for crack in found.distresses
        for widths, line in zip(crack["widths_mm"], crack["polylines_m"], strict=True)
    )
    assert sum(quantity["length_m"] for quantity in found.quantities) == pytest.approx(
        found.values["crack_length_m"]
    )


def test_severity_goes_by_the_photo_where_the_crack_lies() -> None:
    """Rectified at 1 mm/px throughout, a forward photo is coarser than 3 mm/px from some distance on."""
    low = replace(FORWARD, height_m=0.8, pitch_deg=25.0, lane_left_m=-0.4, lane_right_m=0.4)
    camera = stored(low)
    frame = frame_of(camera, 1024, 640, {}, 7)
    assert frame is not None and frame.gsd_mm_per_px < 2
    gsd = coarsest_gsd(low, frame)
    middle = [int(np.argmin(np.abs(gsd - wanted))) for wanted in (2.3, 6.0)]
    lines = [
        np.column_stack(
            (np.linspace(-0.3, 0.3, 99), np.full(99, frame.far_m - row * frame.gsd_mm_per_px / 1000))
        )
        for row in middle
    ]
    probability = drawn([to_image(low, line) for line in lines], 1024, 640)
    found = measure_on_ground(probability, 0.5, AGREEMENT, camera, frame)
    nearest_first = sorted(found.distresses, key=lambda distress: distress["polylines_m"][0][0][1])
    assert [distress["severity"] for distress in nearest_first] == ["medium", "not_measurable"]
    assert {quantity["severity"] for quantity in found.quantities} == {"medium", "not_measurable"}


def test_what_lies_beside_the_lane_counts_nowhere() -> None:
    beside = np.column_stack((np.full(50, 2.4), np.linspace(5, 9, 50)))
    camera = stored(FORWARD)
    probability = drawn([to_image(FORWARD, beside)], 1024, 640)
    frame = frame_of(camera, 1024, 640, {}, 7)
    found = measure_on_ground(probability, 0.5, AGREEMENT, camera, frame)
    assert probability.max() > 0.9
    assert found.distresses == []
    assert found.values["crack_pixels"] == found.values["crack_area_ratio_high"] == 0


def test_a_ground_sampling_distance_alone_counts_the_whole_picture_as_before() -> None:
    line = np.array([[40.0, 200.0], [300.0, 210.0], [560.0, 190.0]])
    probability = drawn([line], 600, 400)
    frame = frame_of(GSD_ONLY, 600, 400, {}, 7)
    on_ground = measure_on_ground(probability, 0.5, AGREEMENT, GSD_ONLY, frame)
    in_pixels = measure_in_pixels(probability, 0.5, AGREEMENT)
    for number in ("surveyed_pixels", "crack_pixels", "crack_area_ratio", "crack_area_ratio_high"):
        assert on_ground.values[number] == in_pixels.values[number]
    assert on_ground.values["crack_length_px"] == pytest.approx(in_pixels.values["crack_length_px"], rel=1e-6)
    assert on_ground.values["surveyed_area_m2"] == pytest.approx(600 * 400 * 4e-6)
    assert on_ground.values["left_out_m2"] == pytest.approx(0, abs=0.01)
    assert [distress["kind"] for distress in on_ground.distresses] == ["transverse"]
    assert [distress["kind"] for distress in in_pixels.distresses] == ["crack"]
    assert in_pixels.quantities == []
    assert "ground" not in in_pixels.values


def test_photos_of_another_size_are_scaled_and_of_another_shape_refused() -> None:
    camera = stored(DownwardProfile(960, 640, gsd_mm_per_px=2.0))
    small = frame_of(camera, 480, 320, {}, 7)
    assert small is not None
    assert small.gsd_mm_per_px == pytest.approx(4.0)
    with pytest.raises(CalibrationError, match="480 x 480"):
        frame_of(camera, 480, 480, {}, 7)


def test_metres_that_two_photos_show_count_once() -> None:
    camera = stored(FORWARD)
    photos = [PhotoPlace(number, 1, 1.5 * number, 90.0) for number in range(6)]
    extents = chain_photos(camera, photos)
    seen = []
    for photo in photos:
        frame = frame_of(camera, 1024, 640, extents, photo.id)
        if frame is not None:
            half = frame.gsd_mm_per_px / 2000
            at = 1.5 * photo.id
            seen.append((at + frame.near_m - half, at + frame.far_m + half))
    assert all(end <= start + 0.021 for (_, end), (start, _) in pairwise(seen))
    total = sum(end - start for start, end in seen)
    assert total == pytest.approx(seen[-1][1] - seen[0][0], abs=0.15)


def test_a_photo_of_which_nothing_is_left_surveys_nothing() -> None:
    camera = stored(FORWARD)
    extents = chain_photos(camera, [PhotoPlace(1, 1, 10.0, 90.0), PhotoPlace(2, 1, 10.0, 90.0)])
    assert extents[2] is None
    frame = frame_of(camera, 1024, 640, extents, 2)
    found = measure_on_ground(np.ones((640, 1024), np.float32), 0.5, AGREEMENT, camera, frame)
    assert (frame, found.distresses, found.values["surveyed_pixels"]) == (None, [], 0)
    assert found.values["left_out_m2"] > 1
    assert "crack_area_ratio" not in found.values


def test_road_that_neighbours_count_is_not_left_out() -> None:
    camera = stored(FORWARD)
    photos = [PhotoPlace(number, 1, 1.5 * number, 90.0) for number in range(3)]
    extents = chain_photos(camera, photos)
    nothing = np.zeros((640, 1024), np.float32)
    left_out = [
        measure_on_ground(nothing, 0.5, AGREEMENT, camera, frame_of(camera, 1024, 640, extents, photo.id))
        .values["left_out_m2"]
        for photo in photos
    ]  # fmt: skip
    whole = measure_on_ground(nothing, 0.5, AGREEMENT, camera, frame_of(camera, 1024, 640, {}, 0)).values
    assert left_out == [pytest.approx(whole["left_out_m2"])] * 3
    assert whole["left_out_m2"] == pytest.approx(3.6 * (FARTHEST_M - visible_range_m(FORWARD)[1]), rel=0.05)


def test_directions_come_from_headings_against_the_line() -> None:
    photos = [PhotoPlace(1, 1, 10.0, 271.0, 90.0), PhotoPlace(2, 1, 12.0, 269.0, 90.0)]
    photos += [PhotoPlace(3, None, None, None), PhotoPlace(4, 2, 9.0, 0.0), PhotoPlace(5, 2, 3.0, 0.0)]
    assert photo_directions(photos) == {1: -1, 2: -1, 4: -1, 5: -1}


def test_with_a_ground_sampling_distance_alone_no_photo_hides_another() -> None:
    assert chain_photos(GSD_ONLY, [PhotoPlace(1, 1, 10.0, 90.0), PhotoPlace(2, 1, 10.0, 90.0)]) == {}


def test_settings_name_the_camera_and_the_standard() -> None:
    settings = stored(FORWARD).settings
    assert settings["camera"] == {"kind": "forward", "parameters": FORWARD.as_dict()}
    assert replace(stored(FORWARD), standard=LTPP).settings != settings
    assert stored(replace(FORWARD, pitch_deg=12.5)).settings != settings
    assert GSD_ONLY.settings["camera"] == {"kind": "downward", "parameters": {"gsd_mm_per_px": 2.0}}
