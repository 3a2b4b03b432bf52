"""Reads of road networks as plain values; no Streamlit here, the command line uses them too."""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
import shapely
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from db.models import Network, Section
from db.session import reading
from engine.errors import SettingsError
from engine.linear_reference import RoadPart, RoadPosition, locate, point_at, sections_between
from engine.networks import SectionRecord

# Photos farther from every section than this are off the network; so is a place that somebody asks for.
SEARCH_M = 100.0
# Attributes that a person may change; the rest comes from the agency's drawing.
EDITABLE = ("functional_class", "surface", "direction", "lane", "lanes", "lane_width_m", "aadt")
SHOWN = ("section_key", "road", "from_m", "to_m", *EDITABLE)


@dataclass(frozen=True)
class NetworkFacts:
    """A network by itself."""

    id: int
    name: str
    sample_unit_m: float


def get_network(session: Session, agency_id: int, network_id: int) -> Network:
    """Raises SettingsError where the agency has no such network: another's is not told apart."""
    network = session.get(Network, network_id)
    if network is None or network.agency_id != agency_id:
        raise SettingsError(f"There is no network {network_id}.", "See the list of networks.")
    return network


def network_facts(agency_id: int, network_id: int) -> NetworkFacts:
    """Raises SettingsError where the agency has no such network."""
    with reading() as session:
        network = get_network(session, agency_id, network_id)
        return NetworkFacts(network.id, network.name, network.sample_unit_m)


def network_named(agency_id: int, name: str) -> NetworkFacts:
    """Raises SettingsError where the agency has no network of that name."""
    with reading() as session:
        found = session.scalar(select(Network.id).where(Network.agency_id == agency_id, Network.name == name))
    if found is None:
        raise SettingsError(f"There is no network named {name!r}.", "See: pavescope network list")
    return network_facts(agency_id, found)


def list_networks(agency_id: int) -> list[dict[str, Any]]:
    """network, sections, length_km, sample_unit_m of each, by name."""
    with reading() as session:
        rows = session.execute(
            select(
                Network.name.label("network"),
                func.count(Section.id).label("sections"),
                (func.coalesce(func.sum(Section.length_m), 0) / 1000).label("length_km"),
                Network.sample_unit_m,
            )
            .outerjoin(Section, Section.network_id == Network.id)
            .where(Network.agency_id == agency_id)
            .group_by(Network.id, Network.name, Network.sample_unit_m)
            .order_by(Network.name)
        )
        return [dict(row) for row in rows.mappings()]


def roads(network_id: int) -> dict[str, int]:
    """Road -> number of its sections, by name."""
    with reading() as session:
        found = session.execute(
            select(Section.road, func.count().label("sections"))
            .where(Section.network_id == network_id)
            .group_by(Section.road)
            .order_by(Section.road)
        )
        return {row.road: row.sections for row in found}


def section_rows(
    network_id: int, *, road: str | None = None, search: str = "", limit: int = 500, offset: int = 0
) -> tuple[pd.DataFrame, int]:
    """Sections along their roads, `id` and the columns `SHOWN`, and how many there are in all.

    Args:
        network_id: of the actor's agency.
        road: only of this one.
        search: only those whose id holds this text, in any case.
        limit: at most so many.
        offset: leave out so many before.
    """
    where: list[ColumnElement[bool]] = [Section.network_id == network_id]
    if road is not None:
        where.append(Section.road == road)
    if search:
        where.append(Section.section_key.icontains(search, autoescape=True))
    with reading() as session:
        count = session.scalar(select(func.count()).select_from(Section).where(*where)) or 0
        rows = session.execute(
            select(Section.id, *(getattr(Section, column) for column in SHOWN))
            .where(*where)
            .order_by(Section.road, Section.from_m, Section.section_key)
            .limit(limit)
            .offset(offset)
        )
        return pd.DataFrame(rows.all(), columns=list(rows.keys())), count


def words_in_use(network_id: int, column: str) -> list[str]:
    """Different texts of a column, at most 100."""
    with reading() as session:
        texts = select(getattr(Section, column)).where(Section.network_id == network_id).distinct().limit(100)
        return sorted(text for text in session.scalars(texts) if text is not None)


def place_at(
    network_id: int, road: str, chainage_m: float, *, direction: str | None = None, lane: str | None = None
) -> RoadPosition:
    """Where a chainage of a road is. Raises SettingsError where the network has no such place."""
    return point_at(
        _sections(network_id, Section.road == road), road, chainage_m, direction=direction, lane=lane
    )


def place_near(
    network_id: int,
    longitude: float,
    latitude: float,
    *,
    direction: str | None = None,
    lane: str | None = None,
    max_distance_m: float = SEARCH_M,
) -> RoadPosition | None:
    """Road, chainage and offset of a position; None where no section is within the distance."""
    if not (abs(longitude) <= 180 and abs(latitude) <= 90):
        raise SettingsError(
            f"Latitude {latitude:g}, longitude {longitude:g} is not on the globe.",
            "Give latitude -90 to 90 and longitude -180 to 180.",
        )
    # Degrees of longitude shrink towards the poles; the box only has to miss nothing.
    north = max_distance_m / 110_000
    east = min(180.0, north / max(0.001, math.cos(math.radians(latitude))))
    near = _sections(
        network_id,
        Section.south <= latitude + north,
        Section.north >= latitude - north,
        Section.west <= longitude + east,
        Section.east >= longitude - east,
    )
    return locate(near, longitude, latitude, direction=direction, lane=lane, max_distance_m=max_distance_m)


def stretch(
    network_id: int,
    road: str,
    from_m: float,
    to_m: float,
    *,
    direction: str | None = None,
    lane: str | None = None,
) -> list[RoadPart]:
    """What of a road's sections lies between two chainages. Raises SettingsError like `sections_between`."""
    of_road = _sections(network_id, Section.road == road)
    return sections_between(of_road, road, from_m, to_m, direction=direction, lane=lane)


def _sections(network_id: int, *where: ColumnElement[bool]) -> list[SectionRecord]:
    with reading() as session:
        rows = session.execute(
            select(
                *(getattr(Section, column) for column in (*SHOWN, "length_m", "geometry")),
            )
            .where(Section.network_id == network_id, *where)
            .order_by(Section.from_m, Section.section_key)
        ).mappings()
        return [SectionRecord(**{**row, "geometry": shapely.from_wkb(row["geometry"])}) for row in rows]
