"""Turn and lens of a camera: directions of view, and the bending of straight lines (torch-free)."""

import math

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def camera_rotation(pitch_deg: float, roll_deg: float, yaw_deg: float) -> Points:
    """Axes of a camera (rows: right, down, forward) on the road (x right, y ahead, z up).

    Returns:
        float64 (3, 3), a rotation.
    """
    pitch, roll, yaw = (math.radians(angle) for angle in (pitch_deg, roll_deg, yaw_deg))
    ahead = np.array([math.sin(yaw), math.cos(yaw), 0.0])
    right = np.array([math.cos(yaw), -math.sin(yaw), 0.0])
    up = np.array([0.0, 0.0, 1.0])
    forward = math.cos(pitch) * ahead - math.sin(pitch) * up
    down = -math.cos(pitch) * up - math.sin(pitch) * ahead
    return np.stack(
        (
            math.cos(roll) * right + math.sin(roll) * down,
            math.cos(roll) * down - math.sin(roll) * right,
            forward,
        )
    )


def fold_radius(k1: float, k2: float) -> float:
    """Radius / focal length beyond which the distortion folds back; inf where it never does."""
    # No picture reaches a radius of 100: terms too small to matter there would only overflow.
    roots = np.roots([5 * k2 if abs(k2) > 1e-12 else 0.0, 3 * k1 if abs(k1) > 1e-8 else 0.0, 1.0])
    squares = [root.real for root in roots if abs(root.imag) < 1e-12 and 0 < root.real < 1e4]
    return math.sqrt(min(squares)) if squares else math.inf


def distort(points: Points, k1: float, k2: float) -> Points:
    """Where the lens draws points (N, 2) of an ideal camera, both in focal lengths from the centre.

    Points beyond the fold, which no picture shows, become nan. Source: Brown (1971), two radial terms, as in
    OpenCV.
    """
    square = (points**2).sum(axis=1, keepdims=True)
    bent = points * (1 + k1 * square + k2 * square**2)
    return np.where(square <= fold_radius(k1, k2) ** 2, bent, np.nan)


def undistort(points: Points, k1: float, k2: float) -> Points:
    """Inverse of `distort`, by Newton's method on the radius (OpenCV's own stops at 5 rough steps in 4.x)."""
    if not k1 and not k2:
        return points
    seen = np.hypot(points[:, 0], points[:, 1])
    fold = fold_radius(k1, k2)
    radius = np.minimum(seen, fold)
    for _ in range(30):
        square = radius**2
        slope = 1 + 3 * k1 * square + 5 * k2 * square**2
        step = (radius * (1 + k1 * square + k2 * square**2) - seen) / np.maximum(slope, 1e-3)
        radius = np.clip(radius - step, 0, fold)
    left = np.abs(radius * (1 + k1 * radius**2 + k2 * radius**4) - seen)
    ratio = np.where(seen > 0, radius / np.maximum(seen, 1e-12), 1.0)
    return np.where((left < 1e-9)[:, None], points * ratio[:, None], np.nan)
