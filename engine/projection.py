"""Between pixels of a photo and metres of the road (torch-free); coordinates as in `engine.geometry`."""

import numpy as np

from engine.camera_profiles import CameraProfile, DownwardProfile, ForwardProfile
from engine.lens import Points, camera_rotation, distort, undistort


def to_image(profile: CameraProfile, points_m: Points) -> Points:
    """Where points of the road lie in the photo, lens distortion included.

    Args:
        profile: camera.
        points_m: float (N, 2), x and y in metres.

    Returns:
        float64 (N, 2) in pixels, inside the picture or not; nan where no picture could show them (behind the
        camera, beyond the lens).
    """
    points = np.asarray(points_m, dtype=np.float64).reshape(-1, 2)
    if isinstance(profile, DownwardProfile):
        pixels = points @ _turn(profile) * (1000 / profile.gsd)
        if profile.lens_px is not None:
            pixels = distort(pixels / profile.lens_px, profile.k1, profile.k2) * profile.lens_px
        return pixels + profile.centre
    rays = np.column_stack((points, np.full(len(points), -profile.height_m))) @ _rotation(profile).T
    depth = np.where(rays[:, 2] > 1e-6, rays[:, 2], np.nan)[:, None]
    seen: Points = distort(rays[:, :2] / depth, profile.k1, profile.k2) * profile.focal_px + profile.centre
    return seen


def to_ground(profile: CameraProfile, points_px: Points) -> Points:
    """Where the road is seen at points of the photo; inverse of `to_image`.

    Args:
        profile: camera.
        points_px: float (N, 2) in pixels.

    Returns:
        float64 (N, 2), x and y in metres; nan above the horizon.
    """
    points = np.asarray(points_px, dtype=np.float64).reshape(-1, 2) - profile.centre
    if isinstance(profile, DownwardProfile):
        if profile.lens_px is not None:
            points = undistort(points / profile.lens_px, profile.k1, profile.k2) * profile.lens_px
        flat: Points = points @ _turn(profile).T * (profile.gsd / 1000)
        return flat
    ideal = undistort(points / profile.focal_px, profile.k1, profile.k2)
    rays = np.column_stack((ideal, np.ones(len(ideal)))) @ _rotation(profile)
    falls = np.where(rays[:, 2] < -1e-9, -rays[:, 2], np.nan)[:, None]
    ground: Points = rays[:, :2] * (profile.height_m / falls)
    return ground


def _rotation(profile: ForwardProfile) -> Points:
    return camera_rotation(profile.pitch_deg, profile.roll_deg, profile.yaw_deg)


def _turn(profile: DownwardProfile) -> Points:
    """What takes (x, y) on the road to (right, down) in the picture, as a right factor."""
    across, along = {
        0: ((1, 0), (0, -1)),
        90: ((0, 1), (1, 0)),
        180: ((-1, 0), (0, 1)),
        270: ((0, -1), (-1, 0)),
    }[profile.turn_deg]
    return np.array([across, along], dtype=np.float64)
