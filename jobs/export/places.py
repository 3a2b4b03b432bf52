"""Puts distresses on the map: from metres beside a camera to degrees.

The camera stands where its photo's position is, so a crack is as exact as that: GPS, usually 3 to 10 m. Among
themselves the cracks of one photo lie to the centimetre, turned by the heading's error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from engine.linear_reference import headings_along

PHOTO_HEADING, ROAD_HEADING, PHOTO_POINT = "photo heading", "road heading", "photo point"
EQUATOR_M, FLATTENING = 6_378_137.0, 1 / 298.257223563
DIGITS = 8
"""Of degrees: a millimetre."""
LEAST_BEND_M = 0.005
"""A vertex nearer to the line between its neighbours tells nothing, where GPS is right to metres."""
Lines = list[list[list[float]]]


@dataclass(frozen=True, slots=True)
class PhotoPlace:
    """Where a photo was taken.

    Attributes:
        longitude: WGS84 degrees, NaN where unknown; latitude likewise.
        heading_deg: where it looks, clockwise from north; None where unknown.
        heading_from: `PHOTO_HEADING`, or `ROAD_HEADING` where the road and the direction of travel tell it.
        section_key: None off the network; chainage_m likewise.
    """

    longitude: float
    latitude: float
    heading_deg: float | None
    heading_from: str
    section_key: str | None
    chainage_m: float | None


def place_of(photo: Any, section: Any) -> PhotoPlace:
    """The place of a row of `db.export_queries.photo_rows` and of its section, which may be None.

    A photo without a heading looks where its section runs, or back, by the direction of travel.
    """
    heading, heading_from = photo.heading_deg, PHOTO_HEADING
    on_road = section is not None and photo.chainage_m is not None
    if heading is None and on_road and photo.travel_direction is not None:
        along = headings_along(section.geometry, section.from_m, section.to_m, [photo.chainage_m])[0]
        heading, heading_from = (along if photo.travel_direction > 0 else along + 180) % 360, ROAD_HEADING
    known = photo.longitude is not None and photo.latitude is not None
    return PhotoPlace(
        photo.longitude if known else nan,
        photo.latitude if known else nan,
        heading,
        heading_from,
        None if section is None else section.section_key,
        photo.chainage_m,
    )


def place_distresses(
    places: Sequence[PhotoPlace], drawn: Sequence[tuple[Lines | None, list[list[float]] | None]]
) -> tuple[list[Any], list[str | None]]:
    """Shapes on the road in WGS84 degrees.

    Args:
        places: of each distress's photo.
        drawn: of each the lines and the outline around it, x metres right of the camera and y metres ahead.

    Returns:
        LineString or MultiLineString of its lines, without vertices that matter less than `LEAST_BEND_M`;
        the Point in the middle of the outline where it has no lines; or the photo's Point. What placed it,
        None where the photo has no position.
    """
    shapes = np.full(len(places), None, dtype=object)
    ways: list[str | None] = []
    seen: list[int] = []
    for number, (place, (lines, outline)) in enumerate(zip(places, drawn, strict=True)):
        located = not isnan(place.longitude)
        if located and place.heading_deg is not None and (outline or any(lines or ())):
            seen.append(number)
            ways.append(place.heading_from)
        else:
            shapes[number] = shapely.Point(place.longitude, place.latitude) if located else shapely.Point()
            ways.append(PHOTO_POINT if located else None)
    if seen:
        beside = _shapes_m([drawn[number] for number in seen])
        points, of = shapely.get_coordinates(beside, return_index=True)
        where = np.array([[places[n].longitude, places[n].latitude, places[n].heading_deg] for n in seen])
        shapes[seen] = shapely.set_coordinates(beside, to_degrees(points, *where[of].T))
    return shapes.tolist(), ways


def _shapes_m(drawn: Sequence[tuple[Lines | None, list[list[float]] | None]]) -> npt.NDArray[Any]:
    """In metres beside the camera; each has lines or an outline. All at once: one by one takes ten times as
    long."""
    lines = [[line for line in own or () if len(line) > 1] for own, _ in drawn]
    shapes = np.full(len(drawn), None, dtype=object)
    flat = [line for own in lines for line in own]
    if flat:
        points = np.array([point for line in flat for point in line], dtype=np.float64)
        of_line = np.repeat(np.arange(len(flat)), [len(line) for line in flat])
        made = shapely.linestrings(points, indices=of_line)
        made = shapely.simplify(made, LEAST_BEND_M, preserve_topology=False)
        counts = np.array([len(own) for own in lines])
        owners = np.repeat(np.arange(len(drawn)), counts)
        shapes[counts == 1] = made[counts[owners] == 1]
        several = counts > 1
        if several.any():
            numbers = np.cumsum(several) - 1
            chosen = several[owners]
            shapes[several] = shapely.multilinestrings(made[chosen], indices=numbers[owners[chosen]])
    for number, (own, outline) in enumerate(drawn):
        if shapes[number] is None:
            around = outline or [point for line in own or () for point in line]
            shapes[number] = shapely.Point(np.mean(around, axis=0))
    return shapes


def to_degrees(
    points_m: npt.NDArray[np.float64],
    longitude: float | npt.NDArray[np.float64],
    latitude: float | npt.NDArray[np.float64],
    heading_deg: float | npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Longitude and latitude of points near a camera, on the plane that touches the ellipsoid there.

    Args:
        points_m: (N, 2), metres right of the camera and ahead of it, some hundred at most.
        longitude: of the camera, WGS84 degrees, one or (N,); latitude likewise.
        heading_deg: where it looks, clockwise from north, one or (N,).

    Returns:
        (N, 2) degrees, to a millimetre.
    """
    heading, phi = np.radians(heading_deg), np.radians(latitude)
    right, ahead = points_m[:, 0], points_m[:, 1]
    east_m = right * np.cos(heading) + ahead * np.sin(heading)
    north_m = ahead * np.cos(heading) - right * np.sin(heading)
    eccentricity = FLATTENING * (2 - FLATTENING)
    bent = 1 - eccentricity * np.sin(phi) ** 2
    meridian_m = EQUATOR_M * (1 - eccentricity) / bent**1.5
    # At the poles every direction is south; no road leads there.
    parallel_m = EQUATOR_M / np.sqrt(bent) * np.maximum(np.cos(phi), 1e-6)
    degrees = [longitude + np.degrees(east_m / parallel_m), latitude + np.degrees(north_m / meridian_m)]
    return np.column_stack(degrees).round(DIGITS)
