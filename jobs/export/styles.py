"""Map styles of exported layers, as QGIS (QML) and other programs (SLD) read them.

A style is stored beside the data; colours tell the classes apart for colour-blind eyes and on grey prints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from engine.condition import FAIR_INDEX, GOOD_INDEX
from engine.vocabulary import DistressType

# From viridis, as on the pages: dark is worse. The casing keeps the pale end visible on white paper.
CLASS_COLOURS = {"good": "#fde725", "fair": "#21918c", "poor": "#440154"}
NOT_MEASURED = "#8d99a6"
CASING = "#333333"
PHOTO_COLOUR = "#51606e"
# After Okabe and Ito, as on the photo's page.
TYPE_COLOURS = {
    DistressType.LONGITUDINAL: "#56b4e9",
    DistressType.TRANSVERSE: "#f0e442",
    DistressType.DIAGONAL: "#00c292",
    DistressType.BLOCK: "#e69f00",
    DistressType.ALLIGATOR: "#ff5c33",
    DistressType.POTHOLE: "#cc79a7",
    DistressType.CRACK: "#ff00d4",
}
# Browns from dark to pale, unlike the classes below them: what comes first stands out.
YEAR_STEPS = ("#662506", "#cc4c02", "#fe9929", "#fee391")
NAMESPACES = {
    "": "http://www.opengis.net/sld",
    "se": "http://www.opengis.net/se",
    "ogc": "http://www.opengis.net/ogc",
}


@dataclass(frozen=True)
class StyleClass:
    """Features of one value and their look; value None stands for all others, also those without a value."""

    value: str | int | None
    label: str
    colour: str


@dataclass(frozen=True)
class Style:
    """How a layer looks.

    Attributes:
        name: of the style; description: one sentence.
        attribute: column that the classes are values of; "" where all look alike (then one class).
        classes: in the legend's order.
        lines: of lines, else of points.
        size_mm: line width or diameter.
        cased: with a dark line below, wider by 0.5 mm, or a dark rim.
        opacity: 0-1.
    """

    name: str
    description: str
    attribute: str
    classes: tuple[StyleClass, ...]
    lines: bool
    size_mm: float
    cased: bool = True
    opacity: float = 1.0


def layer_style(layer: str, *, lines: bool, years: Sequence[int] = ()) -> Style:
    """The style of an exported layer.

    Args:
        layer: sections, photos, projects, or any other name for distresses.
        lines: whether its features are lines, else points.
        years: of the projects.
    """
    if layer == "sections":
        return _sections()
    if layer == "photos":
        photo = StyleClass(None, "Photo", PHOTO_COLOUR)
        return Style(
            "Photos", "Where photos were taken.", "", (photo,), lines=False, size_mm=1.0, cased=False
        )
    if layer == "projects":
        return _projects(years)
    classes = tuple(StyleClass(kind.value, kind.value.capitalize(), c) for kind, c in TYPE_COLOURS.items())
    return Style(
        "Distresses by type",
        "One colour for each type of distress.",
        "type",
        classes,
        lines=lines,
        size_mm=0.6 if lines else 2.2,
    )


def _sections() -> Style:
    labels = {
        "good": f"Good (index from {GOOD_INDEX:.0f})",
        "fair": f"Fair ({FAIR_INDEX:.0f} to {GOOD_INDEX:.0f})",
        "poor": f"Poor (below {FAIR_INDEX:.0f})",
    }
    classes = [StyleClass(value, labels[value], colour) for value, colour in CLASS_COLOURS.items()]
    return Style(
        "Condition",
        "Sections by condition class.",
        "condition_class",
        (*classes, StyleClass(None, "Not measured", NOT_MEASURED)),
        lines=True,
        size_mm=1.0,
    )


def _projects(years: Sequence[int]) -> Style:
    listed = sorted(set(years))
    classes = [
        StyleClass(year, str(year), _between(number / max(1, len(listed) - 1)))
        for number, year in enumerate(listed)
    ]
    return Style(
        "Projects by year",
        "The dark ones come first.",
        "year",
        (*classes, StyleClass(None, "Other years", NOT_MEASURED)),
        lines=True,
        size_mm=2.6,
        cased=False,
        opacity=0.5,
    )


def _between(part: float) -> str:
    """Colour at 0-1 of `YEAR_STEPS`."""
    place = part * (len(YEAR_STEPS) - 1)
    low = min(int(place), len(YEAR_STEPS) - 2)
    mixed = [
        round(start + (end - start) * (place - low))
        for start, end in zip(rgb(YEAR_STEPS[low]), rgb(YEAR_STEPS[low + 1]), strict=True)
    ]
    return "#" + "".join(f"{value:02x}" for value in mixed)


def rgb(colour: str) -> tuple[int, int, int]:
    """`#rrggbb` as three numbers of 0-255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def qml(style: Style) -> str:
    """The style as a QGIS layer style."""
    root = ET.Element("qgis", {"version": "3.22.0", "styleCategories": "Symbology"})
    kind = "categorizedSymbol" if style.attribute else "singleSymbol"
    renderer = ET.SubElement(root, "renderer-v2", {"type": kind, "symbollevels": "0", "enableorderby": "0"})
    if style.attribute:
        renderer.set("attr", style.attribute)
        categories = ET.SubElement(renderer, "categories")
        for number, each in enumerate(style.classes):
            ET.SubElement(
                categories,
                "category",
                {
                    # An empty value stands for all other values in QGIS.
                    "value": "" if each.value is None else str(each.value),
                    "type": "long" if isinstance(each.value, int) else "string",
                    "symbol": str(number),
                    "label": each.label,
                    "render": "true",
                },
            )
    symbols = ET.SubElement(renderer, "symbols")
    for number, each in enumerate(style.classes):
        _qml_symbol(symbols, str(number), style, each.colour)
    ET.SubElement(root, "layerGeometryType").text = "1" if style.lines else "0"
    return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + _text(root)


def _qml_symbol(symbols: ET.Element, name: str, style: Style, colour: str) -> None:
    kind = "line" if style.lines else "marker"
    symbol = ET.SubElement(
        symbols,
        "symbol",
        {"type": kind, "name": name, "alpha": f"{style.opacity:g}", "clip_to_extent": "1", "force_rhr": "0"},
    )
    if not style.lines:
        rim = CASING if style.cased else colour
        _qml_layer(
            symbol,
            "SimpleMarker",
            {
                "name": "circle",
                "color": _rgba(colour),
                "outline_color": _rgba(rim),
                "outline_width": "0.2",
                "outline_width_unit": "MM",
                "size": f"{style.size_mm:g}",
                "size_unit": "MM",
            },
        )
        return
    strokes = [(CASING, style.size_mm + 0.5)] if style.cased else []
    for shade, width_mm in [*strokes, (colour, style.size_mm)]:
        _qml_layer(
            symbol,
            "SimpleLine",
            {
                "line_color": _rgba(shade),
                "line_width": f"{width_mm:g}",
                "line_width_unit": "MM",
                "capstyle": "round",
                "joinstyle": "round",
            },
            # A locked casing keeps its colour when somebody chooses another one for the class.
            locked=shade == CASING,
        )


def _qml_layer(symbol: ET.Element, kind: str, options: dict[str, str], *, locked: bool = False) -> None:
    layer = ET.SubElement(
        symbol, "layer", {"class": kind, "pass": "0", "locked": str(int(locked)), "enabled": "1"}
    )
    table = ET.SubElement(layer, "Option", {"type": "Map"})
    for name, value in options.items():
        ET.SubElement(table, "Option", {"name": name, "type": "QString", "value": value})
    # QGIS before 3.20 reads these.
    for name, value in options.items():
        ET.SubElement(layer, "prop", {"k": name, "v": value})


def _rgba(colour: str) -> str:
    return ",".join(str(value) for value in (*rgb(colour), 255))


def sld(style: Style, layer: str) -> str:
    """The style as a Styled Layer Descriptor 1.1."""
    root = ET.Element("StyledLayerDescriptor", {"version": "1.1.0"})
    for prefix, address in NAMESPACES.items():
        root.set(f"xmlns:{prefix}" if prefix else "xmlns", address)
    named = ET.SubElement(root, "NamedLayer")
    ET.SubElement(named, "se:Name").text = layer
    user = ET.SubElement(named, "UserStyle")
    ET.SubElement(user, "se:Name").text = style.name
    rules = ET.SubElement(user, "se:FeatureTypeStyle")
    for each in style.classes:
        rule = ET.SubElement(rules, "se:Rule")
        ET.SubElement(rule, "se:Name").text = each.label
        if each.value is not None:
            test = ET.SubElement(ET.SubElement(rule, "ogc:Filter"), "ogc:PropertyIsEqualTo")
            ET.SubElement(test, "ogc:PropertyName").text = style.attribute
            ET.SubElement(test, "ogc:Literal").text = str(each.value)
        elif style.attribute:
            ET.SubElement(rule, "se:ElseFilter")
        _sld_symbol(rule, style, each.colour)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _text(root)


def _sld_symbol(rule: ET.Element, style: Style, colour: str) -> None:
    pixels_per_mm = 1 / 0.28  # the standard's pixel
    if style.lines:
        strokes = [(CASING, style.size_mm + 0.5)] if style.cased else []
        for shade, width_mm in [*strokes, (colour, style.size_mm)]:
            stroke = ET.SubElement(ET.SubElement(rule, "se:LineSymbolizer"), "se:Stroke")
            _parameter(stroke, "stroke", shade)
            _parameter(stroke, "stroke-width", f"{width_mm * pixels_per_mm:.1f}")
            _parameter(stroke, "stroke-opacity", f"{style.opacity:g}")
        return
    graphic = ET.SubElement(ET.SubElement(rule, "se:PointSymbolizer"), "se:Graphic")
    mark = ET.SubElement(graphic, "se:Mark")
    ET.SubElement(mark, "se:WellKnownName").text = "circle"
    _parameter(ET.SubElement(mark, "se:Fill"), "fill", colour)
    _parameter(ET.SubElement(mark, "se:Stroke"), "stroke", CASING if style.cased else colour)
    ET.SubElement(graphic, "se:Size").text = f"{style.size_mm * pixels_per_mm:.1f}"


def _parameter(parent: ET.Element, name: str, value: str) -> None:
    ET.SubElement(parent, "se:SvgParameter", {"name": name}).text = value


def _text(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")
