"""Pictures are well-formed, and what they draw is where it belongs."""

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import untimed

from minigpt.pictures import HEIGHT, LEFT, RIGHT, WIDTH, axis, picture, short, tick_step
from minigpt.tables import bars, lines

SVG = "{http://www.w3.org/2000/svg}"
numbers = st.floats(-1e9, 1e9, allow_nan=False)


def parse(part):
    return ET.fromstring(picture(part, alone=True))


@untimed
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20))
def test_curves_stay_inside_of_the_picture(points):
    svg = parse(lines("c", "x", "y", {"a": points, "b": [(0, 0)]}))
    for circle in svg.iter(f"{SVG}circle"):
        assert LEFT - 1 <= float(circle.get("cx")) <= WIDTH - RIGHT + 1
        assert 0 <= float(circle.get("cy")) <= HEIGHT


def test_higher_values_stand_higher():
    svg = parse(lines("c", "x", "y", {"a": [[0, 1], [1, 2], [2, 4]]}))
    places = [(float(c.get("cx")), float(c.get("cy"))) for c in svg.iter(f"{SVG}circle")]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)


def test_a_logarithmic_axis_puts_doublings_at_equal_distances():
    place, ticks = axis([256, 2048], 0, 300, log=True)
    assert ticks == [256, 512, 1024, 2048]
    assert [place(tick) for tick in ticks] == pytest.approx([0, 100, 200, 300])


def test_every_curve_is_named_in_its_colour_and_one_alone_needs_no_name():
    svg = picture(lines("c", "x", "y", {"first": [[0, 1]], "second": [[0, 2]]}))
    assert re.search(r'fill="var\(--c0\)"/>\n<text[^>]*>first<', svg)
    assert re.search(r'fill="var\(--c1\)"/>\n<text[^>]*>second<', svg)
    assert "only" not in picture(lines("c", "x", "y", {"only": [[0, 1]]}))


def test_bars_are_as_long_as_their_values():
    svg = parse(bars("b", [["a", 50], ["b", 100], ["c", 0]], ",d"))
    widths = [float(r.get("width")) for r in svg.iter(f"{SVG}rect") if r.get("class") != "track"]
    assert widths == [WIDTH / 2, WIDTH, 0]
    assert [t.text for t in svg.iter(f"{SVG}text")] == ["a", "50", "b", "100", "c", "0"]


def test_what_is_no_number_is_left_out_of_a_curve():
    with_gap = lines("c", "x", "y", {"a": [[0, 1], [1, float("nan")], [2, float("inf")], [3, 4]]})
    without = lines("c", "x", "y", {"a": [[0, 1], [3, 4]]})
    assert picture(with_gap) == picture(without)
    parse(lines("c", "x", "y", {"a": [[0, float("nan")]]}))


def test_names_cannot_end_the_picture():
    for part in (bars('"<b>', [["</svg>", 1]], ",d"), lines("<", "<x>", "&y", {"<": [[0, 0]]})):
        parse(part)


@pytest.mark.parametrize("part", [bars("b", [], ",d"), lines("c", "x", "y", {"a": []})])
def test_a_picture_of_nothing_is_still_a_picture(part):
    parse(part)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.25, "0.25"), (1500, "1.5k"), (2e6, "2M"), (-3e9, "-3G")]
)
def test_ticks_have_few_letters(value, text):
    assert short(value) == text


@untimed
@given(st.floats(1e-9, 1e9))
def test_steps_of_ticks_are_round_and_not_too_small(least):
    step = tick_step(least)
    assert least * 0.99 <= step <= least * 10
    assert f"{step:.0e}"[0] in "125"
