"""Maps of the report: drawn as lines, so sharp at any size, with scale bar, north arrow and legend."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from reportlab.lib.colors import Color, white
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

from jobs.export.pdf.style import BOLD, INK, MUTED, PANEL, REGULAR, RULE, fitted

Points = npt.NDArray[np.float64]
METRES_PER_DEGREE = 111_195.0
"""Of latitude, on a sphere of 6,371 km: a map of a page errs by less than its line's width."""
MARGIN = 14.0
SCALE_STEPS = tuple(step * 10**power for power in range(7) for step in (1, 2, 5))
LEGEND_HEIGHT = 17.0


@dataclass(frozen=True)
class Layer:
    """Lines of one look.

    Attributes:
        geometries: shapely LineStrings or MultiLineStrings in degrees.
        label: in the legend; "" for none.
    """

    geometries: Sequence[Any]
    colour: Color
    width: float
    label: str = ""


@dataclass(frozen=True)
class Mark:
    """A numbered place: `geometry`'s middle."""

    geometry: Any
    text: str


def parts_of(geometry: Any) -> list[Points]:
    """(N, 2) degrees of each line of a geometry; none of an empty one."""
    if geometry is None or geometry.is_empty:
        return []
    lines = getattr(geometry, "geoms", [geometry])
    return [np.asarray(line.coords, float)[:, :2] for line in lines if not line.is_empty]


def shape_of(geometries: Iterable[Any]) -> float:
    """Height by width of what the geometries cover on the ground; 1 where they cover nothing."""
    lines = [line for geometry in geometries for line in parts_of(geometry)]
    if not lines:
        return 1.0
    points = np.concatenate(lines)
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    squeeze = max(math.cos(math.radians((south + north) / 2)), 1e-3)
    return float(max(north - south, 1e-3) / max((east - west) * squeeze, 1e-3))


class RoadMap(Flowable):  # type: ignore[misc]
    """Layers over each other on a light ground.

    Args:
        layers: from bottom to top; all of them decide the part of the world that is shown.
        marks: numbered discs on top.
        ring: a geometry that a ring is drawn round, for small maps.
        base: name under which the lowest layer is kept in the file, so that maps of the same size and layer
            hold it once.
        legend: labelled layers are listed under the map, the topmost first.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        width: float,
        height: float,
        *,
        marks: Sequence[Mark] = (),
        ring: Any = None,
        base: str = "",
        legend: bool = True,
    ) -> None:
        super().__init__()
        self.width, self.height = width, height
        self.layers, self.marks, self.ring, self.base = layers, marks, ring, base
        self.labels = [layer for layer in reversed(layers) if layer.label] if legend else []
        self.rows = _legend_rows(self.labels, width)
        self.below = LEGEND_HEIGHT * len(self.rows)
        self.lines = [[part for shape in layer.geometries for part in parts_of(shape)] for layer in layers]
        every = [line for lines in self.lines for line in lines]
        points = np.concatenate(every) if every else np.zeros((1, 2))
        (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
        self.middle = np.array([(west + east) / 2, (south + north) / 2])
        self.squeeze = max(math.cos(math.radians(self.middle[1])), 1e-3)
        wide, high = (east - west) * self.squeeze, north - south
        free_w, free_h = width - 2 * MARGIN, height - self.below - 2 * MARGIN - 8
        # A single point would be magnified without end: nothing smaller than about 100 m fills the map.
        self.scale = min(free_w / max(wide, 1e-3), free_h / max(high, 1e-3))

    def wrap(self, *_: float) -> tuple[float, float]:
        return self.width, self.height

    def _placed(self, line: Points) -> Points:
        """Degrees to points of the page; what moves by less than a third of a point is dropped."""
        at = (line - self.middle) * self.scale * [self.squeeze, 1]
        at += [self.width / 2, self.below + 4 + (self.height - self.below) / 2]
        keep = np.ones(len(at), bool)
        last = at[0]
        for place in range(1, len(at) - 1):
            if abs(at[place] - last).max() < 0.35:
                keep[place] = False
            else:
                last = at[place]
        return np.asarray(at[keep])

    def draw(self) -> None:
        canvas = self.canv
        canvas.saveState()
        canvas.setFillColor(PANEL)
        canvas.setStrokeColor(RULE)
        canvas.setLineWidth(0.5)
        canvas.rect(0, self.below, self.width, self.height - self.below, stroke=1, fill=1)
        for place in range(len(self.layers)):
            if self.base and place == 0:
                if not canvas.hasForm(self.base):
                    canvas.beginForm(self.base)
                    self._layer(canvas, place)
                    canvas.endForm()
                canvas.doForm(self.base)
            else:
                self._layer(canvas, place)
        self._ring(canvas)
        for mark in reversed(self.marks):
            self._mark(canvas, mark)
        self._scale_bar(canvas)
        self._north(canvas)
        self._legend(canvas)
        canvas.restoreState()

    def _layer(self, canvas: Canvas, place: int) -> None:
        canvas.setStrokeColor(self.layers[place].colour)
        canvas.setLineWidth(self.layers[place].width)
        canvas.setLineCap(1)
        canvas.setLineJoin(1)
        path = canvas.beginPath()
        for line in self.lines[place]:
            at = self._placed(line)
            path.moveTo(*at[0])
            for point in at[1:]:
                path.lineTo(*point)
        canvas.drawPath(path, stroke=1, fill=0)

    def _ring(self, canvas: Canvas) -> None:
        parts = parts_of(self.ring)
        if parts:
            at = self._placed(np.concatenate(parts))
            x, y = (at.min(axis=0) + at.max(axis=0)) / 2
            reach = max(float(np.hypot(*(at - [x, y]).T).max()) + 5, 8)
            canvas.setStrokeColor(INK)
            canvas.setLineWidth(1.1)
            canvas.circle(x, y, reach, stroke=1, fill=0)

    def _mark(self, canvas: Canvas, mark: Mark) -> None:
        parts = parts_of(mark.geometry)
        if not parts:
            return
        line = max((self._placed(part) for part in parts), key=len)
        x, y = line[len(line) // 2] if len(line) > 2 else line.mean(axis=0)
        canvas.setFillColor(INK)
        canvas.setStrokeColor(white)
        canvas.setLineWidth(0.8)
        canvas.circle(x, y, 6.2, stroke=1, fill=1)
        canvas.setFillColor(white)
        canvas.setFont(BOLD, 6.6)
        canvas.drawCentredString(x, y - 2.4, mark.text)

    def _scale_bar(self, canvas: Canvas) -> None:
        points_per_m = self.scale / METRES_PER_DEGREE
        most_m = self.width / 4 / points_per_m
        length_m = max((step for step in SCALE_STEPS if step <= most_m), default=SCALE_STEPS[0])
        x, y, long = 9.0, self.below + 8.0, length_m * points_per_m
        canvas.setStrokeColor(INK)
        canvas.setLineWidth(1)
        canvas.lines([(x, y, x + long, y), (x, y, x, y + 3), (x + long, y, x + long, y + 3)])
        canvas.setFillColor(INK)
        canvas.setFont(REGULAR, 6.5)
        label = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
        canvas.drawString(x + long + 4, y - 0.5, label)

    def _north(self, canvas: Canvas) -> None:
        x, y = self.width - 13, self.height - 23
        canvas.setFillColor(INK)
        path = canvas.beginPath()
        for place, (across, up) in enumerate(((0, 9), (3.6, -2), (0, 0.6), (-3.6, -2))):
            (path.lineTo if place else path.moveTo)(x + across, y + up)
        path.close()
        canvas.drawPath(path, stroke=0, fill=1)
        canvas.setFont(BOLD, 6.5)
        canvas.drawCentredString(x, y + 11, "N")

    def _legend(self, canvas: Canvas) -> None:
        for place, row in enumerate(self.rows):
            y = self.below - LEGEND_HEIGHT * (place + 1) + 5
            x = 0.0
            for layer, text, step in row:
                canvas.setStrokeColor(layer.colour)
                canvas.setLineWidth(max(layer.width, 2.2))
                canvas.line(x + 2, y + 2.5, x + 16, y + 2.5)
                canvas.setFillColor(MUTED)
                canvas.setFont(REGULAR, 7.4)
                canvas.drawString(x + 22, y, text)
                x += step


def _legend_rows(labels: Sequence[Layer], width: float) -> list[list[tuple[Layer, str, float]]]:
    """Entries of the legend (layer, text, width), as many to a row as fit."""
    rows: list[list[tuple[Layer, str, float]]] = []
    used = width
    for layer in labels:
        text = fitted(layer.label, REGULAR, 7.4, width - 30)
        step = 22 + stringWidth(text, REGULAR, 7.4) + 16
        if used + step > width + 16:
            rows.append([])
            used = 0.0
        rows[-1].append((layer, text, step))
        used += step
    return rows
