"""Pictures of a report as SVG, written by hand: curves and bars.

A picture is text that can stand in a page as it is, or in a file of its own. Its colours are
those of the reader's light or dark scheme. It is drawn small, so that its letters can be read on a
phone, and grows with the page. There is no library behind it: see `bpe stats --plot` for one made
with matplotlib.

Format: Scalable Vector Graphics 1.1 (W3C); the colours keep apart for most kinds of colour
blindness (after Okabe and Ito 2008, "Color Universal Design").
"""

import html
import math

from minigpt.tables import show

WIDTH, HEIGHT = 440, 270  # of curves; bars are as high as they need to be
LEFT, RIGHT, TOP, BOTTOM = 58, 22, 12, 42  # margins
ROW = 38  # height of a bar with its name
COLOURS = 5
MOST_DOTS = 16  # of a curve; more would hide its line

STYLE = """
.chart { --c0: #0067b1; --c1: #c8500a; --c2: #0a8a5f; --c3: #a3508f; --c4: #767676;
  --line: #ddd; --letters: #444; font: 12px system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { .chart { --c0: #62b2f0; --c1: #f39a55; --c2: #4ccb9c;
  --c3: #dd9bd0; --c4: #a8a8a8; --line: #3a3a3a; --letters: #c8c8c8; } }
.chart text { fill: var(--letters); }
.chart .grid { stroke: var(--line); stroke-width: 1; }
.chart .curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
.chart .track { fill: var(--line); opacity: .5; }
"""


def picture(part, alone=False):
    """Return the SVG of a part of kind "lines" or "bars"; `alone`: as a file of its own."""
    body, height = {"lines": draw_lines, "bars": draw_bars}[part["kind"]](part)
    names = ' xmlns="http://www.w3.org/2000/svg"' if alone else ""
    style = f"<style>{STYLE}</style>" if alone else ""
    caption = html.escape(part["caption"])
    return (
        f'<svg{names} class="chart" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{caption}">{style}\n{body}\n</svg>'
    )


def text(x, y, content, anchor="start"):
    """Return an element of `content`, whose start, middle or end (`anchor`) stands at (x, y)."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(content)}</text>'


# ---- curves -----------------------------------------------------------------------------------


def draw_lines(part):
    """Return (SVG elements, height) of curves with their axes and a legend."""
    series = {name: [p for p in points if all(map(math.isfinite, p))]
              for name, points in part["series"].items()}  # fmt: skip
    series = {name: points for name, points in series.items() if points}
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    legend, top = draw_legend(series)
    scale_x, ticks_x = axis(xs, LEFT, WIDTH - RIGHT, part["log_x"])
    scale_y, ticks_y = axis(ys, HEIGHT - BOTTOM, top, False)
    out = [legend]
    for tick in ticks_y:
        y = scale_y(tick)
        out.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        out.append(text(LEFT - 6, y + 4, short(tick), "end"))
    for tick in ticks_x:
        name = f"{tick:,.0f}" if part["log_x"] else short(tick)
        out.append(text(scale_x(tick), HEIGHT - BOTTOM + 16, name, "middle"))
    out.append(text(WIDTH - RIGHT, HEIGHT - 6, part["x"], "end"))
    out.append(text(4, HEIGHT - 6, part["y"] + " ↑"))
    for i, points in enumerate(series.values()):
        places = [(scale_x(x), scale_y(y)) for x, y in sorted(points)]
        out += draw_curve(places, f"var(--c{i % COLOURS})")
    return "\n".join(out), HEIGHT


def draw_curve(places, colour):
    """Return the elements of a curve: a line through its places, and of few a dot at each."""
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
    line = f'<path class="curve" stroke="{colour}" d="M{path}"/>'
    return [line, *dots] if len(places) <= MOST_DOTS else [line]


def draw_legend(series):
    """Return (the names of the curves in their colours, where the drawing may begin)."""
    if len(series) < 2:
        return "", TOP
    out, x, y = [], LEFT, TOP + 4
    for i, name in enumerate(series):
        width = 30 + 6.6 * len(name)
        if x + width > WIDTH and x > LEFT:
            x, y = LEFT, y + 18
        out.append(f'<rect x="{x:.1f}" y="{y - 9}" width="10" height="10" rx="2" '
                   f'fill="var(--c{i % COLOURS})"/>')  # fmt: skip
        out.append(text(x + 15, y, name))
        x += width
    return "\n".join(out), y + 18


def axis(values, start, end, log):
    """Return (function from value to place, values of the ticks) for an axis."""
    low, high = min(values, default=1), max(values, default=1)
    if log:
        low, high = math.log2(low), math.log2(high)
        ticks = [2.0**e for e in range(math.ceil(low), math.floor(high) + 1)]
    else:
        largest = max(abs(low), abs(high), 1.0)
        if high - low <= 1e-9 * largest:  # all the same
            low, high = low - largest / 2, high + largest / 2
        elif 0 < low < 0.5 * high:
            low = 0
        step = tick_step((high - low) / 4)
        low, high = math.floor(low / step) * step, math.ceil(high / step - 1e-9) * step
        ticks = [low + i * step for i in range(round((high - low) / step) + 1)]
    span = (high - low) or 1

    def place(value):
        value = math.log2(value) if log else value
        return start + (value - low) / span * (end - start)

    return place, ticks


def tick_step(least):
    """Return the smallest of 1, 2, 5, 10, 20, ... (times any power of ten) above `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= least * 0.999)


def short(value):
    """Return a tick's value in few letters: 2M, 1.5k, 0.25."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.4g}{name}"
    return f"{value:.4g}"


# ---- bars -------------------------------------------------------------------------------------


def draw_bars(part):
    """Return (SVG elements, height) of horizontal bars, each below its name and value."""
    rows = part["rows"]
    top = part["top"] or max((value for _, value in rows), default=0) or 1
    out = []
    for i, (name, value) in enumerate(rows):
        y = i * ROW
        width = max(1.0, WIDTH * min(1.0, value / top)) if value else 0.0
        out.append(text(0, y + 14, name))
        out.append(text(WIDTH, y + 14, show(value, part["format"]), "end"))
        out.append(f'<rect class="track" y="{y + 20}" width="{WIDTH}" height="9" rx="2"/>')
        out.append(f'<rect y="{y + 20}" width="{width:.1f}" height="9" rx="2" fill="var(--c0)"/>')
    return "\n".join(out), ROW * len(rows)
