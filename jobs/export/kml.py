"""Sections and projects as coloured KML; GDAL's own driver knows neither styles nor displayed names."""

from collections.abc import Iterator
from io import TextIOBase
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import shapely

from engine.spreadsheets import plain_text
from jobs.export.data import ExportData
from jobs.export.fields import field
from jobs.export.layers import (
    Layer,
    chunks,
    export_layers,
    provenance_text,
    records,
    whole_file,
)
from jobs.export.progress import Progress, no_progress
from jobs.export.styles import Style, layer_style

FOLDERS = {"sections": "Sections", "projects": "Projects"}
WIDTHS_PX = {"sections": 4, "projects": 8}


def write_kml(data: ExportData, path: Path, progress: Progress = no_progress) -> None:
    """Folders Sections, coloured by condition class, and Projects, coloured by year, each with its values.

    The document's description and its extended data say what it was made from.
    """
    layers = [layer for layer in export_layers(data) if layer.name in FOLDERS]
    with whole_file(path) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="http://www.opengis.net/kml/2.2">\n')
        file.write(f"<Document>\n{_element('name', data.provenance['survey'])}")
        # Viewers read a description as HTML: its own text is escaped once for that, once more for XML.
        said = escape(plain_text(provenance_text(data.provenance))).replace("\n", "<br>\n")
        file.write(_element("description", said))
        styles = {layer.name: _style_of(layer) for layer in layers}
        for name, style in styles.items():
            file.writelines(_styles(name, style))
        file.write(_values(data.provenance))
        for number, layer in enumerate(layers):
            progress(number / len(layers), f"Writing {layer.name}")
            file.write(f"<Folder>\n{_element('name', FOLDERS[layer.name])}")
            _write_placemarks(file, layer, styles[layer.name])
            file.write("</Folder>\n")
        file.write("</Document>\n</kml>\n")
    progress(1.0, "Written")


def _style_of(layer: Layer) -> Style:
    years = layer.frame["year"].tolist() if layer.name == "projects" else ()
    return layer_style(layer.name, lines=True, years=years)


def _styles(layer: str, style: Style) -> Iterator[str]:
    for each in style.classes:
        red, green, blue = each.colour[1:3], each.colour[3:5], each.colour[5:7]
        # KML puts the opacity first and red last.
        shade = f"{round(255 * style.opacity):02x}{blue}{green}{red}"
        yield (
            f'<Style id="{_style_id(layer, each.value)}"><LineStyle><color>{shade}</color>'
            f"<width>{WIDTHS_PX[layer]}</width></LineStyle></Style>\n"
        )


def _style_id(layer: str, value: Any) -> str:
    return f"{layer}-{'other' if value is None else value}"


def _write_placemarks(file: TextIOBase, layer: Layer, style: Style) -> None:
    known = {each.value for each in style.classes}
    for piece in chunks(layer):
        for values, shape in zip(records(piece), piece.geometry, strict=True):
            value = values[style.attribute]
            file.write(f"<Placemark>{_element('name', _name(layer, values))}<Snippet/>")
            file.write(f"<styleUrl>#{_style_id(layer.name, value if value in known else None)}</styleUrl>")
            file.write(f"{_values(values)}{_geometry(shape)}</Placemark>\n")


def _name(layer: Layer, values: dict[str, Any]) -> str:
    if layer.name == "projects":
        return f"{values['rank']}. {values['treatment']} {values['year']}"
    return str(values["section_key"])


def _values(values: dict[str, Any]) -> str:
    """What is known, with its unit in the shown name."""
    lines = []
    for name, value in values.items():
        if value is None or value == "":
            continue
        unit = field(name)[1]
        shown = f"{name} [{unit}]" if unit else name
        inside = _element("displayName", shown) + _element("value", value)
        lines.append(f"<Data name={quoteattr(plain_text(name))}>{inside}</Data>")
    return f"<ExtendedData>{''.join(lines)}</ExtendedData>" if lines else ""


def _element(name: str, text: Any) -> str:
    return f"<{name}>{escape(plain_text(str(text)))}</{name}>"


def _geometry(shape: Any) -> str:
    if shape is None:
        return ""
    lines = "".join(_line(part) for part in shapely.get_parts(shape))
    return f"<MultiGeometry>{lines}</MultiGeometry>" if shape.geom_type.startswith("Multi") else lines


def _line(line: Any) -> str:
    places = " ".join(f"{x:.7f},{y:.7f}" for x, y in shapely.get_coordinates(line))
    # Tessellated lines follow the ground instead of cutting through hills.
    return f"<LineString><tessellate>1</tessellate><coordinates>{places}</coordinates></LineString>"
