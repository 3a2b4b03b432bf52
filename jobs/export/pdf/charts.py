"""Charts of the report: condition, money and forecast, drawn as lines with their numbers beside them."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from reportlab.lib.colors import Color, white
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

from jobs.export.pdf.style import (
    BOLD,
    GRADES,
    INK,
    MUTED,
    NOT_SURVEYED,
    PANEL,
    REGULAR,
    RULE,
    SERIES,
    fitted,
    kilometres,
    percent,
)

SMALL = 7.0
LEFT, BELOW, ABOVE = 46.0, 16.0, 8.0


def axis_steps(most: float) -> list[float]:
    """0 and four to six round values that reach `most`."""
    if most <= 0:
        return [0.0, 1.0]
    raw = most / 5
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    return [step * n for n in range(math.ceil(most / step - 1e-9) + 1)]


def compact(value: float) -> str:
    """`1.5 M`, `250 k`, `40`."""
    for size, sign in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g} {sign}"
    return f"{value:g}"


class GradeBar(Flowable):  # type: ignore[misc]
    """One bar: how much of the length is good, fair, poor and not surveyed."""

    def __init__(self, lengths: Mapping[str | None, float], width: float) -> None:
        super().__init__()
        self.width, self.height, self.lengths = width, 52.0, lengths

    def wrap(self, *_: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        canvas, x, total = self.canv, 0.0, sum(self.lengths.values())
        canvas.saveState()
        for name, length in self.lengths.items():
            if length > 0:
                long = self.width * length / total
                canvas.setFillColor(GRADES[name] if name else NOT_SURVEYED)
                canvas.rect(x, 30, long, 20, stroke=0, fill=1)
                share = percent(length, total)
                if long > 30:
                    canvas.setFillColor(INK if name in ("good", "fair", None) else white)
                    canvas.setFont(BOLD, 8.5)
                    canvas.drawCentredString(x + long / 2, 37, share)
                x += long
        step = self.width / max(len(self.lengths), 1)
        for place, (name, length) in enumerate(self.lengths.items()):
            x = place * step
            canvas.setFillColor(GRADES[name] if name else NOT_SURVEYED)
            canvas.rect(x, 10, 8, 8, stroke=0, fill=1)
            canvas.setFillColor(MUTED)
            canvas.setFont(REGULAR, 7.6)
            label = f"{(name or 'no index').capitalize()}: {kilometres(length)}"
            canvas.drawString(x + 12, 11, fitted(label, REGULAR, 7.6, step - 16))
        canvas.restoreState()


class Columns(Flowable):  # type: ignore[misc]
    """Upright bars, stacked where there are several series.

    Args:
        names: under the bars, of one or two lines.
        series: label -> one value for each bar; labels go into the legend where there is more than one.
        colours: of the series, or of the bars where there is one series.
        unit: above the axis.
        line: a level of each bar drawn across it, with its words in the legend.
    """

    def __init__(
        self,
        names: Sequence[str],
        series: Mapping[str, Sequence[float]],
        width: float,
        height: float,
        unit: str,
        colours: Sequence[Color] = SERIES,
        line: tuple[str, Sequence[float]] | None = None,
    ) -> None:
        super().__init__()
        self.names, self.series, self.width, self.height = names, series, width, height
        self.unit, self.colours, self.line = unit, colours, line
        self.legend = [*(series if len(series) > 1 else ()), *([line[0]] if line else ())]
        self.per_row = max(1, min(4, len(self.legend)))
        self.name_lines = max((name.count("\n") + 1 for name in names), default=1)
        self.below = BELOW + 9 * (self.name_lines - 1) + 13 * math.ceil(len(self.legend) / self.per_row)

    def wrap(self, *_: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        canvas = self.canv
        totals = [sum(values) for values in zip(*self.series.values(), strict=True)]
        steps = axis_steps(max([*totals, *(self.line[1] if self.line else ())], default=0))
        canvas.saveState()
        up = _axis(canvas, steps, self.width, self.height, self.below, self.unit)
        room = (self.width - LEFT) / max(len(self.names), 1)
        thick = min(room * 0.68, 54)
        single = len(self.series) == 1
        for place, name in enumerate(self.names):
            x, y = LEFT + room * place + (room - thick) / 2, self.below
            for number, values in enumerate(self.series.values()):
                high = values[place] * up
                canvas.setFillColor(self.colours[(place if single else number) % len(self.colours)])
                # A bar of no height would still print as a hairline.
                if high > 0:
                    canvas.rect(x, y, thick, high, stroke=0, fill=1)
                y += high
            canvas.setFillColor(INK)
            canvas.setFont(REGULAR, SMALL)
            for line, text in enumerate(name.split("\n")):
                shown = fitted(text, REGULAR, SMALL, room - 2)
                canvas.drawCentredString(x + thick / 2, self.below - 10 - 9 * line, shown)
            if self.line:
                canvas.setStrokeColor(INK)
                canvas.setLineWidth(1.2)
                level = self.below + self.line[1][place] * up
                canvas.line(x - 3, level, x + thick + 3, level)
        self._legend(canvas)
        canvas.restoreState()

    def _legend(self, canvas: Canvas) -> None:
        step = self.width / self.per_row
        for place, label in enumerate(self.legend):
            x, y = step * (place % self.per_row), self.below - BELOW - 11 - 13 * (place // self.per_row)
            if self.line and place == len(self.legend) - 1:
                canvas.setStrokeColor(INK)
                canvas.setLineWidth(1.2)
                canvas.line(x, y + 3, x + 9, y + 3)
            else:
                canvas.setFillColor(self.colours[place % len(self.colours)])
                canvas.rect(x, y - 1, 8, 8, stroke=0, fill=1)
            canvas.setFillColor(MUTED)
            canvas.setFont(REGULAR, SMALL)
            canvas.drawString(x + 13, y, fitted(label, REGULAR, SMALL, step - 18))


class Forecast(Flowable):  # type: ignore[misc]
    """Lines over the years from 0 to 100, each with its name at its end, dashed but for the first.

    Args:
        names: of the moments, from today on.
        lines: label -> value at each moment.
        level: a value drawn across, with its words.
    """

    def __init__(
        self,
        names: Sequence[str],
        lines: Mapping[str, Sequence[float]],
        width: float,
        height: float,
        unit: str,
        level: tuple[float, str] | None = None,
    ) -> None:
        super().__init__()
        self.names, self.lines, self.width, self.height = names, lines, width, height
        self.unit, self.level = unit, level

    def wrap(self, *_: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        canvas = self.canv
        canvas.saveState()
        labels = max(stringWidth(name, BOLD, SMALL) for name in self.lines) + 36
        wide = self.width - labels
        up = _axis(canvas, [0, 20, 40, 60, 80, 100], wide, self.height, BELOW, self.unit)
        step = (wide - LEFT - 16) / max(len(self.names) - 1, 1)
        every = max(1, math.ceil(24 / max(step, 1)))
        canvas.setFillColor(INK)
        canvas.setFont(REGULAR, SMALL)
        for place, name in enumerate(self.names):
            if place % every == 0:
                canvas.drawCentredString(LEFT + 8 + step * place, BELOW - 10, name)
        heights = [BELOW + values[-1] * up for values in self.lines.values()]
        if self.level:
            heights.append(BELOW + self.level[0] * up)
            canvas.setStrokeColor(MUTED)
            canvas.setDash(1, 2)
            canvas.setLineWidth(0.8)
            canvas.line(LEFT, heights[-1], wide, heights[-1])
        ends = _apart(heights, SMALL + 2.5)
        if self.level:
            canvas.setFillColor(MUTED)
            canvas.drawString(wide + 2, ends[-1] - 2.4, self.level[1])
        for place, (name, values) in enumerate(self.lines.items()):
            colour = (SERIES[0], SERIES[5], SERIES[2])[place % 3]
            canvas.setStrokeColor(colour)
            canvas.setLineWidth(2)
            canvas.setDash(*((1, 0) if place == 0 else (4, 2.5)))
            path = canvas.beginPath()
            for at, value in enumerate(values):
                (path.lineTo if at else path.moveTo)(LEFT + 8 + step * at, BELOW + value * up)
            canvas.drawPath(path, stroke=1, fill=0)
            canvas.setFillColor(colour)
            canvas.setFont(BOLD, SMALL)
            canvas.drawString(wide + 2, ends[place] - 2.4, f"{name}: {values[-1]:.0f}")
        canvas.restoreState()


def _apart(heights: Sequence[float], least: float) -> list[float]:
    """Heights of labels, moved up where they would print over each other."""
    moved = list(heights)
    order = sorted(range(len(moved)), key=lambda place: moved[place])
    for lower, upper in pairwise(order):
        moved[upper] = max(moved[upper], moved[lower] + least)
    return moved


def _axis(
    canvas: Canvas, steps: Sequence[float], width: float, height: float, below: float, unit: str
) -> float:
    """Draw the upright axis with its lines; returns points for each unit of value."""
    up = (height - below - ABOVE - 12) / steps[-1]
    canvas.setFillColor(PANEL)
    canvas.rect(LEFT, below, width - LEFT, steps[-1] * up, stroke=0, fill=1)
    canvas.setFont(REGULAR, SMALL)
    canvas.setLineWidth(0.4)
    for value in steps:
        y = below + value * up
        canvas.setStrokeColor(RULE if value else INK)
        canvas.line(LEFT, y, width, y)
        canvas.setFillColor(MUTED)
        canvas.drawRightString(LEFT - 5, y - 2.4, compact(value))
    canvas.drawString(0, below + steps[-1] * up + 8, fitted(unit, REGULAR, SMALL, width))
    return up
