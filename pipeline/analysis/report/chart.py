"""Charts as inline SVG: they follow the page's colours (light, dark, print) and need no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 420, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 34


@dataclass(frozen=True)
class Line:
    """A named curve; `x` and `y` of one length."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Frame:
    """Axes: the values at the chart's edges."""

    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a point."""
        across = (x - self.x[0]) / ((self.x[1] - self.x[0]) or 1)
        up = (y - self.y[0]) / ((self.y[1] - self.y[0]) or 1)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)


def lines(
    curves: Sequence[Line], title: str, x_name: str, y_range: tuple[float, float] | None = None
) -> Markup:
    """Curves over one axis, each named at its end in a legend below.

    Args:
        title: for screen readers.
        y_range: edges of the y axis; None = from 0 to the largest value.
    """
    xs = [x for curve in curves for x in curve.x]
    ys = [y for curve in curves for y in curve.y]
    frame = Frame((min(xs), max(xs)), y_range or (0.0, _round_up(max(ys))))
    body = Markup("")
    for number, curve in enumerate(curves):
        points = " ".join(
            "{:.1f},{:.1f}".format(*frame.at(x, y)) for x, y in zip(curve.x, curve.y, strict=True)
        )
        body += Markup('<polyline class="line s{}" points="{}"/>').format(number, points)
        if len(curve.x) == 1:
            body += Markup('<circle class="dot s{}" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(
                number, *frame.at(curve.x[0], curve.y[0])
            )
    legend = Markup("").join(
        Markup('<li><i class="s{}"></i>{}</li>').format(n, c.name) for n, c in enumerate(curves)
    )
    return _svg(
        title, _axes(frame, [min(xs), round((min(xs) + max(xs)) / 2), max(xs)], x_name) + body
    ) + Markup('<ul class="legend">{}</ul>').format(legend)


def reliability(
    confidence: Sequence[float], accuracy: Sequence[float], photos: Sequence[int], title: str
) -> Markup:
    """Accuracy by confidence; a calibrated model is on the diagonal.

    Args:
        confidence, accuracy: of each bin, in [0, 1].
        photos: in each bin; larger dots hold more.
    """
    frame = Frame((0.0, 1.0), (0.0, 1.0))
    (x1, y1), (x2, y2) = frame.at(0, 0), frame.at(1, 1)
    body = Markup('<line class="even" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
        x1, y1, x2, y2
    )
    points = " ".join(
        "{:.1f},{:.1f}".format(*frame.at(c, a)) for c, a in zip(confidence, accuracy, strict=True)
    )
    body += Markup('<polyline class="line s0" points="{}"/>').format(points)
    max_photos = max(photos, default=1)
    for c, a, n in zip(confidence, accuracy, photos, strict=True):
        x, y = frame.at(c, a)
        body += Markup(
            '<circle class="dot s0" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"><title>{} photos: sure to {:.0%}, '
            "right in {:.0%}</title></circle>"
        ).format(x, y, 2.5 + 6 * (n / max_photos) ** 0.5, n, c, a)
    return _svg(title, _axes(frame, [0, 0.5, 1], "how sure") + body)


def bars(
    ages: Sequence[int], shares: Sequence[float], photos: Sequence[int], bounds: Sequence[int]
) -> Markup:
    """The share of photos at each age whose age group is wrong; lines at the bounds between groups."""
    frame = Frame((min(ages) - 0.5, max(ages) + 0.5), (0.0, 1.0))
    body = Markup("")
    for age, share, count in zip(ages, shares, photos, strict=True):
        (x1, y1), (x2, y2) = frame.at(age - 0.4, share), frame.at(age + 0.4, 0)
        body += Markup(
            '<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
            "<title>{} years: {:.0%} of {} photos</title></rect>"
        ).format(x1, y1, x2 - x1, max(y2 - y1, 1), age, share, count)
    for bound in bounds:
        if min(ages) < bound <= max(ages):
            (x, top), (_, foot) = frame.at(bound - 0.5, 1), frame.at(bound - 0.5, 0)
            body += Markup('<line class="even" x1="{0:.1f}" y1="{1:.1f}" x2="{0:.1f}" y2="{2:.1f}"/>').format(
                x, top, foot
            )
    inner = [b for b in bounds if min(ages) + 3 < b < max(ages) - 3]  # their numbers have room
    ticks = [min(ages), *inner, max(ages)]
    return _svg("Share of wrong age groups by true age", _axes(frame, ticks, "true age, years") + body)


def _axes(frame: Frame, ticks: Sequence[float], x_name: str) -> Markup:
    out = Markup("")
    for k in range(5):
        value = frame.y[0] + (frame.y[1] - frame.y[0]) * k / 4
        x, y = frame.at(frame.x[0], value)
        out += Markup('<line class="grid" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
            x, y, WIDTH - RIGHT, y
        )
        out += Markup('<text x="{:.1f}" y="{:.1f}" class="left">{:.3g}</text>').format(x - 6, y + 4, value)
    for value in sorted(set(ticks)):
        x, y = frame.at(value, frame.y[0])
        out += Markup('<text x="{:.1f}" y="{:.1f}" class="tick">{:g}</text>').format(x, y + 15, value)
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    return out + Markup('<text x="{:.1f}" y="{}" class="tick">{}</text>').format(middle, HEIGHT - 4, x_name)


def _svg(title: str, body: Markup) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, title, body
    )


def _round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 5, 7.5 × a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(f"{int(value)}") - 1) if value >= 1 else 10.0 ** -len(f"{int(1 / value)}")
    return next(step * power for step in (1, 1.5, 2, 3, 5, 7.5, 10, 20) if step * power >= value)
