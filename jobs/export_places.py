"""Puts distresses on the map: from metres beside a camera to degrees.

The camera stands where its photo's position is, so a crack is as exact as that: GPS, usually 3 to 10 m. Among
themselves the cracks of one photo lie to the centimetre, turned by the heading's error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from engine.linear_reference import headings_along

PHOTO_HEADING, ROAD_HEADING, PHOTO_POINT = "photo heading", "road heading", "photo point"
EQUATOR_M, FLATTENING = 6_378_137.0, 1 / 298.257223563
DIGITS = 8
"""Of degrees: a millimetre."""
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
        LineString or MultiLineString of its lines, the Point in the middle of the outline where it has no
        lines, or the photo's Point; and what placed it, None where the photo has no position.
    """
    shapes: list[Any] = []
    ways: list[str | None] = []
    for place, (lines, outline) in zip(places, drawn, strict=True):
        if np.isnan(place.longitude):
            shapes.append(shapely.Point())
            ways.append(None)
            continue
        shape = None if place.heading_deg is None else _shape(lines, outline)
        if shape is None:
            shapes.append(shapely.Point(place.longitude, place.latitude))
            ways.append(PHOTO_POINT)
        else:
            shapes.append(shapely.transform(shape, lambda points, at=place: to_degrees(points, at)))
            ways.append(place.heading_from)
    return shapes, ways


def _shape(lines: Lines | None, outline: list[list[float]] | None) -> Any:
    """In metres beside the camera; None where nothing is drawn in metres."""
    drawn = [line for line in lines or () if len(line) > 1]
    if len(drawn) == 1:
        return shapely.LineString(drawn[0])
    if drawn:
        return shapely.MultiLineString(drawn)
    points = outline or [point for line in lines or () for point in line]
    return shapely.Point(np.mean(points, axis=0)) if points else None


def to_degrees(points_m: npt.NDArray[np.float64], place: PhotoPlace) -> npt.NDArray[np.float64]:
    """Longitude and latitude of points near a camera, on the plane that touches the ellipsoid there.

    Args:
        points_m: (N, 2), metres right of the camera and ahead of it, some hundred at most.
        place: with a heading.

    Returns:
        (N, 2) degrees, to a millimetre.
    """
    heading, latitude = np.radians(place.heading_deg or 0.0), np.radians(place.latitude)
    right, ahead = points_m[:, 0], points_m[:, 1]
    east_m = right * np.cos(heading) + ahead * np.sin(heading)
    north_m = ahead * np.cos(heading) - right * np.sin(heading)
    eccentricity = FLATTENING * (2 - FLATTENING)
    bent = 1 - eccentricity * np.sin(latitude) ** 2
    meridian_m = EQUATOR_M * (1 - eccentricity) / bent**1.5
    # At the poles every direction is south; no road leads there.
    parallel_m = EQUATOR_M / np.sqrt(bent) * max(np.cos(latitude), 1e-6)
    longitude = place.longitude + np.degrees(east_m / parallel_m)
    return np.column_stack([longitude, place.latitude + np.degrees(north_m / meridian_m)]).round(DIGITS)
