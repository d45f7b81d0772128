"""Main text comes out of pages of many kinds, chrome does not, and broken markup is read too."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.boilerplate import drop_link_lists, weigh
from crawler.descent import descend
from crawler.extract import choose_level, extract, weight_by_level
from crawler.html_tokens import TOKEN
from crawler.html_tree import MAX_DEPTH, parse
from crawler.page_shape import page_shape

FIRST = (
    "The harbour bridge was closed for most of Tuesday after inspectors found a crack in one of "
    "the steel beams that carry the eastern lane."
)
SECOND = (
    "Engineers said that the crack had probably been there since the winter storm, and that the "
    "repair would take two weeks if the weather holds."
)
THIRD = (
    "Ferries will run every ten minutes until the work is done, which the town council says is "
    "enough for the usual number of travellers."
)

ARTICLE = f"""<!DOCTYPE html><html><head><title>Bridge closed &amp; checked</title>
<script>var tracker = "<p>not text</p>";</script><style>p {{ color: red }}</style></head><body>
<div id="cookie-banner"><p>This site uses cookies to remember what you like and to count visits.
Accept them all, or choose which ones you want.</p></div>
<nav><ul><li><a href="/">Home</a></li><li><a href="/sport">Sport</a></li></ul></nav>
<main><article><h1>Bridge closed</h1>
<p>{FIRST}</p><h2>What was found</h2><p>{SECOND} <a href="/storm">More about the storm</a>.</p>
<div class="share-buttons"><a href="/fb">Share on a network</a></div><p>{THIRD}</p></article>
<section class="related-articles"><h3>Related</h3><ul><li><a href="/a">Old bridge</a></li></ul>
</section><div class="comments"><h3>2 comments</h3><p>I told everybody so many years ago, and
nobody in the council wanted to listen to me.</p></div></main>
<footer><p>All rights reserved by the newspaper whose pages you are reading here.</p></footer>
</body></html>"""


def test_a_linked_name_in_a_table_stays_beside_what_is_said_of_it():
    cell = '<tr><td><a href="{0}.html">knots.{0}</a></td><td>Return how long the {0} is.</td></tr>'
    table = f"<table>{''.join(map(cell.format, ['rope', 'bend', 'end']))}</table>"
    prose = f"<p>{'A knot holds two ropes together, mostly. ' * 9}</p>"
    for more in (prose, ""):  # of an article, of a list of such tables
        page = f"<main><h1>Knots</h1>{more}<h2>Lengths</h2>{table}<h2>Others</h2>{table}</main>"
        assert "knots.bend | Return how long the bend is." in extract(page).text
    links = table.replace("Return how long the ", '<a href="x">').replace(" is.", "</a>")
    assert "bend" not in extract(f"<main><h1>Knots</h1>{prose}{links}</main>").text


def test_of_a_page_of_one_sentence_the_menu_is_not_taken_for_the_text():
    menu = "".join(f'<li><a href="{i}.html">The knot number {i}</a></li>' for i in range(99))
    frame = f"<body><div><ul>{menu}</ul></div>{{}}</body>"
    says = "<h1>Rope.end</h1><dl><dt>Rope.end</dt><dd>The end of the rope.</dd></dl>"
    for tag in ("main", "article", 'div role="main"'):
        text = extract(frame.format(f"<{tag}>{says}</{tag.split()[0]}>")).text
        assert text == "Rope.end\n\nRope.end\n    The end of the rope."
    for says in ("<h1>Rope.end</h1>", '<h1>Rope.end</h1><p><a href="x">The end of the rope.</a>'):
        assert "The knot number 7" in extract(frame.format(f"<main>{says}</main>")).text


def test_the_type_of_an_argument_stands_behind_a_colon_that_css_would_write():
    term = '<dl><dt><strong>rope</strong>{}<span class="classifier">Rope, optional</span></dt>'
    page = f"<article><h1>Knots</h1><p>{'A knot holds. ' * 9}</p>{term}<dd>The rope.</dd></dl>"
    for before in ("", '<span class="classifier-delimiter"> : </span>'):
        text = extract(page.format(before)).text
        assert "rope : Rope, optional\n    The rope." in text


def test_a_heading_stays_though_half_of_it_leads_elsewhere_and_goes_if_all_does():
    base = '<a href="/base">builtins.object</a>'
    parts = [f'<td class="section-title">{t}</td>' for t in (f"class deque({base})", base)]
    rows = [f"<table><tr>{part}</tr><tr><td>{FIRST}</td></tr></table>" for part in parts]
    html = f"<article><p>{SECOND}</p>{rows[0]}<p>{THIRD}</p>{rows[1]}</article>"
    text = extract(html).text
    assert "class deque(builtins.object)" in text.split("\n\n")
    assert text.count("builtins.object") == 1


def test_article_keeps_its_paragraphs_and_headings_and_drops_the_rest():
    page = extract(ARTICLE, "https://news.example/today/bridge.html")
    assert page.title == "Bridge closed & checked"
    assert page.text.split("\n\n") == [
        FIRST, "What was found", f"{SECOND} More about the storm.", THIRD
    ]  # fmt: skip
    assert "https://news.example/storm" in page.links


def test_links_are_absolute_once_each_and_follow_base():
    page = '<base href="/sub/"><a href="a.html#x">1</a><a href="a.html#x">2</a><a href="http://[">'
    assert extract(page, "http://s.example/d/p.html").links == ["http://s.example/sub/a.html#x"]
    assert extract('<a href=x.html>1</a><a name="here">2</a>').links == ["x.html"]
    assert extract('<a href="x?a&amp;b=1&section=2">').links == ["x?a&b=1&section=2"]


def test_an_article_inside_a_junk_class_is_still_found():
    page = f'<div class="share"><p>{FIRST}</p><p>{SECOND}</p><p>{THIRD}</p></div>'
    assert extract(page).text == f"{FIRST}\n\n{SECOND}\n\n{THIRD}"


def test_long_comments_do_not_displace_a_short_article():
    comments = "".join(f"<p>{i}: {THIRD} {FIRST}</p>" for i in range(20))
    page = f"<div id=a><p>{FIRST}</p><p>{SECOND}</p><p>{THIRD}</p></div><div id=comments>{comments}"
    assert extract(page).text == f"{FIRST}\n\n{SECOND}\n\n{THIRD}"


def test_every_post_of_a_forum_thread_is_kept():
    posts = [f"Post number {i} says: {text}" for i, text in enumerate([FIRST, SECOND, THIRD] * 2)]
    page = "".join(f'<div class="post"><div class="body">{post}</div></div>' for post in posts)
    assert extract(f"<nav>Forums and more</nav><div class=thread>{page}</div>").text == (
        "\n\n".join(posts)
    )


def test_product_page_keeps_description_and_specification():
    page = f"""<title>Kettle</title><div class="product"><h1>Kettle</h1><p>{FIRST}</p>
    <table><tr><th>Colour</th><td>Red</td></tr><tr><th>Volume</th><td>1.7 l</td></tr></table>
    <button>Add to cart</button></div>"""
    text = extract(page).text
    assert "Colour | Red\nVolume | 1.7 l" in text
    assert "Add to cart" not in text


def test_lists_are_indented_by_depth_and_numbered():
    page = f"""<p>{FIRST}</p><ul><li>one<li>two<ul><li>two a</li></ul></li></ul>
    <ol><li>first</li><li>second</li></ol>"""
    assert extract(page).text == f"{FIRST}\n\n- one\n- two\n  - two a\n1. first\n2. second"


def test_code_keeps_its_lines_and_blanks():
    code = "def f(x):\n    if x &lt; 1:\n        return <b>x</b>\n"
    page = f"<p>{FIRST}</p><pre><code>{code}</code></pre>"
    assert extract(page).text.endswith("\n\ndef f(x):\n    if x < 1:\n        return x")


def test_inline_code_and_emphasis_do_not_break_a_line():
    page = f"<p>Call <code>f(<b>x</b>)</code> or <span>g</span>. {FIRST}</p>"
    assert extract(page).text == f"Call f(x) or g. {FIRST}"


def test_layout_tables_are_paragraphs_and_data_tables_are_rows():
    page = f"""<p>{THIRD}</p><table><tr><td>{FIRST}</td></tr><tr><td>{SECOND}</td></tr></table>
    <table><tr><th>Name</th><th>Size</th></tr><tr><td>a</td><td>1</td></tr></table>"""
    assert extract(page).text == f"{THIRD}\n\n{FIRST}\n\n{SECOND}\n\nName | Size\na | 1"


# the markup that `python -m pydoc` uses, with words of our own
REFERENCE = """<title>Pydoc: module boats</title><body>
<div style='float:left'>Python 3.99 [main, SOME COMPILER]<br>Some-system-with-a-long-name</div>
<div style='float:right'><a href="index.html">Index</a> : <a href="topics.html">Topics</a></div>
<div style="clear:both"><table class="heading"><tr><td class="title">&nbsp;<br><strong
class="title">boats</strong> (version 1.0)</td><td class="extra"><a href=".">index</a><br>
<a href="file:/usr/lib/boats.py">/usr/lib/boats.py</a></td></tr></table>
<p><span class="code">Boats&nbsp;and&nbsp;what&nbsp;they&nbsp;carry.<br>&nbsp;<br>
Example::<br>&nbsp;<br>&nbsp;&nbsp;&nbsp;&nbsp;&gt;&gt;&gt;&nbsp;Boat(3)</span></p><p>
<table class="section"><tr><td class="section-title" colspan=3>&nbsp;<br><strong>Modules</strong>
</td></tr><tr><td>&nbsp;</td><td class="singlecolumn"><a href="os.html">os</a><br>
<a href="re.html">re</a></td></tr></table><p>
<table class="section"><tr><td class="section-title" colspan=3><strong>Classes</strong></td></tr>
<tr><td>&nbsp;</td><td class="singlecolumn"><dl><dt><a href="builtins.html#object">object</a>
</dt><dd><dl><dt><a href="#Boat">Boat</a></dt></dl></dd></dl>
<table class="section"><tr><td class="section-title" colspan=3><a name="Boat">class
<strong>Boat</strong></a>(<a href="builtins.html#object">builtins.object</a>)</td></tr>
<tr><td>&nbsp;</td><td><span class="code">Boat(size)<br>&nbsp;<br>
A&nbsp;boat&nbsp;of&nbsp;some&nbsp;size,&nbsp;which&nbsp;may&nbsp;carry&nbsp;cargo.</span></td></tr>
<tr><td>&nbsp;</td><td class="singlecolumn">Methods defined here:<br>
<dl><dt><a name="Boat-load"><strong>load</strong></a>(self, cargo, *, careful=True)</dt>
<dd><span class="code">Take&nbsp;cargo&nbsp;on&nbsp;board.<br>&nbsp;<br>
Raises&nbsp;ValueError&nbsp;if:<br>&nbsp;&nbsp;it&nbsp;is&nbsp;too&nbsp;heavy.</span></dd></dl>
<hr>Data and other attributes defined here:<br><dl><dt><strong>limit</strong> = 12</dl>
</td></tr></table></td></tr></table><p>
<table class="section"><tr><td class="section-title"><strong>Data</strong></td></tr><tr><td
class="singlecolumn"><strong>KNOT</strong> = 1.852<br><strong>__all__</strong> = ['Boat']</td></tr>
</table></div>"""


def test_reference_pages_come_out_as_signatures_with_indented_docstrings():
    assert extract(REFERENCE).text == "\n".join(
        [
            "boats (version 1.0)", "",
            "Boats and what they carry.", "",
            "Example::", "",
            "    >>> Boat(3)", "",
            "Classes", "",
            "class Boat(builtins.object)", "",
            "Boat(size)", "",
            "A boat of some size, which may carry cargo.", "",
            "Methods defined here:", "",
            "load(self, cargo, *, careful=True)",
            "    Take cargo on board.", "",
            "    Raises ValueError if:",
            "      it is too heavy.", "",
            "Data and other attributes defined here:", "",
            "limit = 12", "",
            "Data", "",
            "KNOT = 1.852",
            "__all__ = ['Boat']",
        ]
    )  # fmt: skip


def test_unclosed_and_crossed_tags_are_read():
    page = f"<div><p>{FIRST}<p><b>{SECOND}</p></b></span><div><p>{THIRD}</div></section>"
    assert extract(page).text == f"{FIRST}\n\n{SECOND}\n\n{THIRD}"


def test_a_link_nobody_closed_ends_with_its_element():
    page = f'<ul><li><a href="/">Home</ul><p>{FIRST}</p><p>{SECOND}</p>'
    assert FIRST in extract(page).text


def test_a_link_around_several_blocks_lasts_until_it_is_closed():
    blocks = parse("<a href=x><div>one</div><div>two</div></a><div>three</div>").blocks
    assert [(block.text, block.linked) for block in blocks] == [
        ("one", 3),
        ("two", 3),
        ("three", 0),
    ]


def test_a_remark_beneath_a_link_makes_no_text_of_a_cell_of_links():
    page = "<table><tr><td>bridges</td><td><a href='.'>index</a><br>(built-in)</td></tr></table>"
    assert [block.text for block in drop_link_lists(parse(page).blocks)] == ["bridges"]
    said = page.replace("(built-in)", "built in")
    assert len(drop_link_lists(parse(said).blocks)) == 2
    alone = "<table><tr><td>Cite as</td><td>(or <a href='/1'>this version</a>)</td></tr></table>"
    assert len(drop_link_lists(parse(alone).blocks)) == 2


def test_rows_and_definition_lists_of_nothing_but_links_go():
    rows = "<tr><td><a href=x>back</a><td><a href=y>on</a><tr><td><a href=z>os.sep</a><td>a sign"
    names = "<dl><dt>See:<dd><a href=x>posix</a></dl><dl><dt>See:<dd><a href=x>os</a><dd>is it</dl>"
    kept = drop_link_lists(parse(f"<table>{rows}</table>{names}").blocks)
    assert [block.text for block in kept] == ["os.sep", "a sign", "See:", "os", "is it"]


def test_the_example_of_link_lists_is_right():
    rows = "<tr><td><a href=x>back</a><td><a href=y>next</a>"
    rows += "<tr><td><a href=z>os</a><td>operating system"
    lists = "<dl><dt>See:<dd><a href=x>posix</a></dl><dl><dt>Width<dd>3 metres</dl>"
    kept = drop_link_lists(parse(f"<table>{rows}</table>{lists}").blocks)
    assert [block.text for block in kept] == ["os", "operating system", "Width", "3 metres"]


def test_entities_comments_and_unknown_markup():
    page = f"<p>{FIRST} a &lt; b &amp; c &#8212; d&nbsp;e &unknown; 1 < 2<!-- > hidden --><?x?></p>"
    assert extract(page).text == f"{FIRST} a < b & c — d e &unknown; 1 < 2"


@pytest.mark.parametrize("open_, close", [("script", "SCRIPT"), ("Style", "style"), ("svg", "svg")])
def test_scripts_styles_and_drawings_are_not_text(open_, close):
    page = f"<p>{FIRST}</p><{open_} x='>'>secret()</{close}><p>{SECOND}</p>"
    assert extract(page).text == f"{FIRST}\n\n{SECOND}"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("the <a>docs<svg><g><path/></g></svg></a>. {}", "the docs. {}"),
        ("Let <math><mi>x</mi></math> be one. {}", "Let be one. {}"),
        ("one<svg/>two {}", "one two {}"),
        ("one<svg><text>no<br>no</text></svg>two {}", "one two {}"),
        ("one <svg><g><select><p>{}", "one\n\n{}"),
        ("one</p><p>{} two <svg><g>", "one\n\n{} two"),
        ("<select><option>no<svg></svg>no</select>{}", "{}"),
        ("<datalist><option>no<option>no</datalist>{}", "{}"),
        ("{} <div>two <svg><g></div>three", "{}\n\ntwo\n\nthree"),
    ],
)
def test_a_drawing_stands_in_a_line_of_text(html, text):
    page = f"<p>{html.format(FIRST)}</p><p>{SECOND}</p><p>{THIRD}</p>"
    assert extract(page).text == f"{text.format(FIRST)}\n\n{SECOND}\n\n{THIRD}"


def test_a_drawing_nobody_closed_ends_where_the_text_goes_on():
    drawing = "<svg><g><path d='M0 0'><foreignObject><div>in the drawing</div></foreignObject>"
    assert extract(f"{drawing}<p>{FIRST}</p><p>{SECOND}").text == f"{FIRST}\n\n{SECOND}"
    assert extract(f"<p>{FIRST}</p>{drawing}</svg><p>{SECOND}").text == f"{FIRST}\n\n{SECOND}"


def test_a_link_that_a_drawing_left_open_ends_with_it():
    blocks = parse(f"<p>{FIRST}</p><svg><a href=x><path><p>{SECOND}<p>{THIRD}").blocks
    assert [block.linked for block in blocks] == [0, 0, 0]


@pytest.mark.parametrize("page", ["", " ", b"", "<", "<p", "<html></html>", "<!--", "\0"])
def test_pages_without_text_give_empty_or_tiny_text(page):
    assert len(extract(page).text) <= 1


THREAD = f"<p itemscope itemtype=https://schema.org/QAPage>{'From the deep. ' * 99}"


def repeats(times: int, text: str, before="", after="", closing="", end=""):
    """Return what makes a page with a share of so many repetitions of `text` and of `closing`."""

    def make(share: float) -> str:
        n = int(times * share)
        return before + text * n + after + closing * n + end

    return make


@pytest.mark.parametrize(
    "make",
    [
        repeats(100_000, "<div>", "", "deep", "</div>"),
        repeats(20_000, "<ul><li>deep"),
        repeats(20_000, "<table><tr><td>deep"),
        repeats(10_000, "<dl><dt><h2 class=title>deep</h2><dd>"),
        repeats(500_000, "x ", '<p class="', '">deep</p>'),
        repeats(50_000, "<div>", "<p>deep</p><section><td>", "", "</section>"),
        repeats(50_000, "deep<a '\""),
        repeats(50_000, "<a href=#><b> ", "", "deep"),
        repeats(200_000, " ", '<a href="#">', "deep"),
        repeats(50_000, "<a src><b> ", "", "deep"),
        repeats(50_000, "<script></", "deep"),
        repeats(500_000, "-", "deep<!--"),
        repeats(200_000, "&amp", "deep"),
        repeats(5_000, "9", "deep&#", ";"),
        repeats(1_000_000, " ", '<script type="application/ld+json">"@type":', "</script>deep"),
        repeats(100_000, "<a href='", "deep"),
        repeats(10_000_000, "x", '<a href="', '">deep</a>'),
        repeats(500_000, "\n", "<pre>deep", "end</pre>"),
        repeats(50_000, '<!ENTITY a "&b;&b;">', "<!DOCTYPE html [", "]><p>deep &a;</p>"),
        repeats(50_000, "<svg>", "", "", "</svg>", "deep"),
        repeats(300_000, "b=c ", "deep<a "),
        lambda share: (
            f"<title>{'ab ' * int(2_000_000 * share)}</title>"
            f"{'<h2>cd</h2>' * int(20_000 * share)}<main>{THREAD}"
        ),
    ],
    ids=lambda make: make(0.001)[:12],
)
def test_hostile_pages_take_linear_time(make):
    def seconds(share):
        page, start = make(share), time.process_time()
        assert "deep" in extract(page).text
        return time.process_time() - start

    # A tenth takes a tenth of the time, and a hundredth if it is quadratic. A machine that is busy
    # may slow one of the two down, but not each time.
    assert any(seconds(0.3) < 40 * seconds(0.03) + 0.1 for _ in range(5))


def test_tokens_cover_every_character_once_so_reading_is_linear():
    page = ARTICLE + "<a b='" + "<!-- <![CDATA[ <script>< </ <" * 100 + REFERENCE[:-7]
    position = 0
    for token in TOKEN.finditer(page):
        assert token.start() == position
        position = token.end()
    assert position == len(page)


def test_elements_are_nested_at_most_so_deep():
    document = parse("<div>" * 100_000 + "text")
    depth, node = 0, document.blocks[0].node
    while node := node.parent:
        depth += 1
    assert depth < MAX_DEPTH


paragraphs = st.lists(
    st.lists(st.text(alphabet="abcdefgh", min_size=2, max_size=9), min_size=12, max_size=30).map(
        lambda words: " ".join(words).capitalize() + "."
    ),
    min_size=3,
    max_size=8,
    unique=True,
)


@given(paragraphs)
def test_plain_paragraphs_come_back_as_they_were(texts):
    page = "<h1>Title</h1>" + "".join(f"<p>{text}</p>" for text in texts)
    kept = extract(f"<body><div>{page}</div></body>").text.split("\n\n")
    assert [text for text in kept if text != "Title"] == texts


@given(paragraphs, st.integers(min_value=0))
def test_a_page_cut_off_anywhere_gives_a_beginning_of_its_text(texts, at):
    page = "<title>t</title><article>" + "".join(f"<p>{text}</p>" for text in texts) + "</article>"
    cut = extract(page[: at % (len(page) + 1)]).text
    assert "\n\n".join(texts).startswith(cut.removesuffix("<").rstrip())


def test_words_are_neither_glued_nor_split():
    page = f"""<p>{FIRST}</p><p>un<b>believ</b>able H<sub>2</sub>O a<span>b</span> one<br>two
    <img src=x alt="an image">hy&shy;ph&#8203;en\ufeff</p><div>above<p>below</p>
    after&ZeroWidthSpace;</div>"""
    parts = extract(page).text.split("\n\n")
    assert parts[1:] == ["unbelievable H2O ab one\ntwo hyphen", "above", "below", "after"]


def test_code_may_have_the_line_ends_of_any_system():
    page = f"<p>{FIRST}</p><pre>a\r\n  b\r  c\n  d</pre><p>{SECOND}</p>"
    assert extract(page).text == f"{FIRST}\n\na\n  b\n  c\n  d\n\n{SECOND}"


def test_a_list_that_goes_on_after_something_else_goes_on_counting():
    page = f"""<p>{FIRST}</p><ol><li>Take one.</ol><pre>code</pre><ol class=x start="2">
    <li>Take two.<li>Take three.</ol><ol start=x><li>Take one.</ol><p>{SECOND}</p>"""
    steps = "1. Take one.\n\ncode\n\n2. Take two.\n3. Take three.\n1. Take one."
    assert extract(page).text == f"{FIRST}\n\n{steps}\n\n{SECOND}"


def test_a_title_is_one_line_of_what_is_seen():
    page = "<title> Bridges &amp;\n har&shy;bours&nbsp; &lt;b&gt;\u200b </title>"
    assert extract(page).title == "Bridges & harbours <b>"


@pytest.mark.parametrize(
    ("cell", "written"), [("<ul><li>a</ul>", "- a"), ("<table><tr><td>a<td>b</table>", "a | b")]
)
def test_a_cell_that_is_written_for_itself_is_not_empty(cell, written):
    rows = f"<tr><td>{cell}<td>c<tr><td>d<td>e<td>f"
    page = f"<p>{FIRST}</p><table>{rows}</table><p>{SECOND}</p><p>{THIRD}</p>"
    table = f"{written}\n\nc\nd | e | f"
    assert extract(page).text == f"{FIRST}\n\n{table}\n\n{SECOND}\n\n{THIRD}"


def test_an_empty_cell_keeps_its_place_before_others():
    page = f"""<p>{FIRST}</p><table><tr><th><th>Sound<th>Text<tr><td>French<td>yes<td>no
    <tr><td>Latin<td> <td>yes<tr><td>Greek<td>yes<td></table><p>{SECOND}</p><p>{THIRD}</p>"""
    table = "| Sound | Text\nFrench | yes | no\nLatin | | yes\nGreek | yes"
    assert extract(page).text == f"{FIRST}\n\n{table}\n\n{SECOND}\n\n{THIRD}"


def test_table_cells_may_hold_paragraphs_and_breaks():
    page = f"""<p>{FIRST}</p><table><tr><th><p>Name</p></th><th>Size</th></tr><tr><td>a<br>b</td>
    <td><p>1</p></td></tr><tr><td>total</td><td></td></tr></table>"""
    assert extract(page).text.endswith("Name | Size\na b | 1\ntotal")


@pytest.mark.parametrize(
    "code",
    [
        "<div>def f():</div><div>    return 1</div><div><br></div><div></div><div>f()</div>",
        "def f():<div class=line>    return 1</div>\n<div><b>f</b>()",
        "<div class=code><div>def f():</div>    return 1<div>\n</div>f()</div>",
        "<ol class=lines><li>def f():<li>    return 1<li>\n</li><li>f()</ol>",
    ],
)
def test_lines_of_code_may_be_elements(code):
    page = f"<p>{FIRST}</p><div><pre>{code}</pre></div><p>{SECOND}</p>"
    assert extract(page).text == f"{FIRST}\n\ndef f():\n    return 1\n\nf()\n\n{SECOND}"


def test_code_that_nobody_closed_ends_with_the_element_around_it():
    page = f"<div><pre><div>a</div><div>  b</div>c</div><p>{FIRST}</p><p>{SECOND}</p><p>{THIRD}"
    assert extract(page).text == f"a\n  b\nc\n\n{FIRST}\n\n{SECOND}\n\n{THIRD}"
    page = f"<div><pre><div>a<div>  b</pre>c</div><p>{FIRST}</p><p>{SECOND}</p><p>{THIRD}"
    assert extract(page).text == f"a\n  b\n\nc\n\n{FIRST}\n\n{SECOND}\n\n{THIRD}"


@pytest.mark.parametrize("code", ["a  b\n  c", "<div>a  b</div><div>  c"])
def test_code_that_nobody_closed_ends_with_the_item_around_it(code):
    blocks = parse(f"<ul><li>{FIRST}<pre>{code}<li>{SECOND}</ul>").blocks
    assert [block.text for block in blocks] == [FIRST, "a  b\n  c", SECOND]
    assert [block.node.tag for block in blocks] == ["li", "pre", "li"]


def test_white_space_of_code_is_kept_exactly():
    code = "all:\n\tcc  -o x\n\n\t\techo  \n\tdone"
    assert extract(f"<p>{FIRST}</p><pre>\n{code}\n</pre>").text == f"{FIRST}\n\n{code}"


def test_cards_of_a_catalogue_are_kept_and_its_menu_is_not():
    goods = ["Copper kettle for two", "Enamel kettle, sky blue", "Kettle of cast iron, small"] * 3
    cards = "".join(
        f"<div class=card><a href=/{i}>{name} no. {i}</a><span> {i}9.95</span></div>"
        for i, name in enumerate(goods)
    )
    page = f"""<header><a href=/>All our kettles and pots</a></header><main><h2>Kettles</h2>
    {cards}<a href=/more>See the rest</a></main><footer>Prices are for one kettle</footer>"""
    cards = [f"{name} no. {i} {i}9.95" for i, name in enumerate(goods)]
    assert extract(page).text.split("\n\n") == ["Kettles", *cards]


CARDS = "".join(
    f"<div class=card><h3>Kettle no. {i}</h3><a href=/{i}>Of copper, for {i} cups of tea</a></div>"
    for i in range(9)
)


@pytest.mark.parametrize("heading", ["You may also like", "Related products", "MORE LIKE THIS"])
def test_a_section_of_a_patchwork_that_leads_elsewhere_is_dropped(heading):
    others = f"<section><div><h2>{heading}</h2></div><div><h3>Pot</h3>Of clay</div></section>"
    page = f"<h2>Kettles</h2>{CARDS}{others}<h2>Care</h2><div>Wash in water</div>"
    text = extract(page).text
    assert "Kettle no. 8\n\nOf copper, for 8 cups of tea\n\nCare\n\nWash in water" in text
    assert heading not in text and "Pot" not in text and "clay" not in text
    flat = f"<h2>Kettles</h2>{CARDS}<h2>{heading}</h2><h3>Pot</h3><div>Of clay</div>"
    assert extract(flat).text.endswith("8 cups of tea")
    assert extract(f"<h2>Kettles</h2>{CARDS}<h2>{heading}</h2>").text.endswith("8 cups of tea")


def test_a_section_that_is_most_of_a_patchwork_leads_nowhere_else():
    text = extract(f"<h1>Shop</h1><h2>Featured products</h2>{CARDS}").text
    assert text.endswith("Of copper, for 8 cups of tea")


def test_a_patchwork_of_hardly_anything_but_such_sections_keeps_them():
    headings = ("Latest news", "Popular stories", "Featured videos")
    cards = [CARDS.replace("tea", drink) for drink in ("tea", "coffee", "cocoa")]
    sections = (f"<h2>{h}</h2>{c}" for h, c in zip(headings, cards, strict=True))
    text = extract(f"<h1>Kettles</h1><p>{FIRST}</p>{''.join(sections)}").text
    assert all(f"for 8 cups of {drink}" in text for drink in ("tea", "coffee", "cocoa"))


def test_an_article_that_is_a_list_of_links_keeps_them():
    items = "".join(f"<li><a href=/{i}>The river number {i}</a></li>" for i in range(50))
    types = '<script type="application/ld+json">{"@type": "Article"}</script>'
    page = f"{types}<h1>Rivers</h1><p>{FIRST} {SECOND}</p><ul>{items}</ul>"
    text = extract(page).text
    assert "- The river number 0\n- The river number 1\n" in text
    assert "river" not in extract(f"{page}<p>{THIRD * 4}</p>").text  # beside a text, they go


def test_what_scripts_unfold_is_text_where_there_is_much_of_it():
    texts = [f"Part {i}: {SECOND} {THIRD}" for i in range(4)]
    panels = "".join(f"<div class=panel-hidden><p>{text}</p></div>" for text in texts)
    page = f"<p>{FIRST}</p><p>{SECOND} {THIRD}</p><div class=panels>{panels}</div>"
    page = f"<div itemscope itemtype=https://schema.org/Article>{page}</div>"
    assert extract(page).text.split("\n\n") == [FIRST, f"{SECOND} {THIRD}", *texts]
    few = page.replace(panels, f"<div class=hidden>{THIRD}</div>")
    assert extract(few).text.split("\n\n") == [FIRST, f"{SECOND} {THIRD}"]


def test_the_id_of_a_heading_repeats_what_it_says_and_its_class_judges_it():
    page = f"""<p>{FIRST}</p><h2 id=navigation-lights>Navigation lights</h2><p>{SECOND}</p>
    <h2 class=navigation id=lights>Lights</h2><p>{THIRD}</p>"""
    assert extract(page).text == f"{FIRST}\n\nNavigation lights\n\n{SECOND}\n\n{THIRD}"


@pytest.mark.parametrize(
    "heading, seen",
    [
        ('Lights<a class="headerlink" href="#l" title="Permalink">¶</a>', "Lights"),
        ("C#<a href=#c>#</a>", "C#"),
        ("<a class='anchor' href='#f'> &sect; </a>F# and others", "F# and others"),
        ('Lights<a href="#l"><i>&#128279;&#xfe0e;</i></a>', "Lights"),
        ('Lights <a href="#l" class="permalink">link</a>', "Lights"),
        ('The <a href="#l">link</a> and <a href="#o">+</a>', "The link and +"),
        ('Page <a href="/pages/c.html">#</a>', "Page #"),
        ('<a class="headerlink" href="#l">Lights</a> at night', "Lights at night"),
        ("Key #, § 3", "Key #, § 3"),
        ('load <a class=x href="_modules/boat.html#l"><i>[source]</i></a>', "load"),
        ('load <a href="https://a.org/b/blob/v1/boat.py#L3"><i>[source]</i></a>', "load"),
        ('load <a href="../src/boat.html" class="link">Source</a><a href=#l>#</a>', "load"),
        ("load <a href=src-html/boat.html#line.3>[src]</a>", "load"),
        ('The <a href="/rivers.html">source</a>', "The source"),
        ('Get the <a href="https://boats.example/src/">source</a>', "Get the source"),
        ('Get the <a class="src" href="/src/boat.tar.gz">source</a>', "Get the source"),
    ],
)
def test_a_sign_by_which_a_heading_links_to_itself_is_no_text(heading, seen):
    page = f"<p>{FIRST}</p><p>{THIRD}</p><h2 id=l>{heading}</h2><p>{SECOND}</p>"
    assert extract(page).text == f"{FIRST}\n\n{THIRD}\n\n{seen}\n\n{SECOND}"


def test_a_heading_stays_though_a_table_of_contents_said_it_before():
    heading = "How the bridge was built"
    page = f"""<div><ul><li><a href=#h>{heading}</a></ul><p>{FIRST}</p><h2 id=h>{heading}</h2>
    <p>{SECOND}</p></div><div><h2>{heading}</h2><p>{THIRD}</p></div>"""
    assert extract(page).text.split("\n\n") == [f"- {heading}", FIRST, heading, SECOND, THIRD]


@pytest.mark.parametrize(
    "line",
    [
        '<p>Next: <a href=b rel="next">Lights</a>, Up: <a href=c rel=up>Index</a></p>',
        "<ul><li><a href=b accesskey=N>next</a> |</ul>",
        '<table><tr><td><a accesskey=p href=b>Prev</a><td><a accesskey="n" href=c>On</a></table>',
        '<div class="navheader"><table><tr><th>Chapter 3. Bridges</th></tr></table></div>',
        '<ul class="docnav top"><li><strong>Chapter 3. Bridges</strong></ul>',
        "<p>Table of Contents</p>",
    ],
)
def test_lines_that_lead_to_the_next_page_are_no_text(line):
    text = f"<h1>Bridges</h1>{line}<p>{FIRST}</p><p>{SECOND}</p>"
    assert extract(f"<body>{text}</body>").text.endswith(f"{FIRST}\n\n{SECOND}")
    assert extract(f"<body>{text}</body>").text.startswith((FIRST, f"Bridges\n\n{FIRST}"))


def test_an_image_that_leads_to_the_next_page_takes_no_text_with_it():
    arrow = "<div><a rel=next href=b><img src=arrow.png></a></div>"
    heading = "<h2>How <a href=c>it was built</a></h2>"
    page = f"<p>{FIRST}</p><p>{SECOND}</p>{arrow}{heading}<p>{THIRD}</p>"
    assert extract(page).text == f"{FIRST}\n\n{SECOND}\n\nHow it was built\n\n{THIRD}"


def test_numbers_of_lines_beside_code_are_no_text():
    code = """<table><tr><td class="linenos"><div class="linenodiv"><pre>1\n2\n3</pre></div></td>
    <td><pre>a = 1\nb = 2\n3</pre></td></tr></table>"""
    page = f"<h1>Boats</h1><p>{FIRST}</p><p>{SECOND}</p>{code}<p>{THIRD}</p>"
    assert extract(page).text == f"{FIRST}\n\n{SECOND}\n\na = 1\nb = 2\n3\n\n{THIRD}"


def test_a_sentence_with_a_link_to_the_next_page_is_text():
    page = f"<p>{FIRST}</p><p>{SECOND} See the <a href=b rel=next>next page</a>.</p><p>{THIRD}</p>"
    assert extract(page).text == f"{FIRST}\n\n{SECOND} See the next page.\n\n{THIRD}"


def test_a_short_page_keeps_no_more_of_its_frame_than_a_long_one():
    page = f"""<div class=related role=navigation><h3>Navigation</h3><ul><li>next |</ul></div>
    <div class=body><h1>TESTS</h1><p>{FIRST}</p></div>
    <div class=footer>&copy; Copyright by those who wrote it, made with a program.</div>"""
    assert extract(page).text == f"TESTS\n\n{FIRST}"


MANUAL = """<title>moor(1)</title><div id=header><h1>moor(1) Manual Page</h1><h2>NAME</h2><div>
<p>moor - Tie a boat to the quay</p></div></div><div id=content>{}</div>"""


@pytest.mark.parametrize("tag", ["div class=sect1", "section"])
@pytest.mark.parametrize("more", ["", f"<p>{THIRD}</p><p>{SECOND}</p>"])
def test_a_manual_page_keeps_its_name_line_and_all_its_sections(tag, more):
    parts = [
        "<h2>SYNOPSIS</h2><pre>moor [-q] boat</pre>",
        f"<h2>DESCRIPTION</h2><p>{FIRST}</p>{more}",
    ]
    text = extract(MANUAL.format("".join(f"<{tag}>{part}</{tag[:7]}>" for part in parts))).text
    name = "NAME\n\nmoor - Tie a boat to the quay"
    assert f"{name}\n\nSYNOPSIS\n\nmoor [-q] boat\n\nDESCRIPTION\n\n{FIRST}" in text


def test_what_stands_beneath_the_headline_of_a_newspaper_is_not_its_text():
    types = '<script type="application/ld+json">{"@type": "NewsArticle"}</script>'
    page = f"""{types}<div><h1>Bridge closed</h1><p>By our reporter at the harbour, today.</p></div>
    <div><p>{FIRST}</p><p>{SECOND}</p><p>{THIRD}</p></div>"""
    assert extract(page).text == f"{FIRST}\n\n{SECOND}\n\n{THIRD}"


def test_the_id_of_a_definition_repeats_what_it_says():
    names = ("re.search", "Share", "load.comment", "print")
    terms = "".join(f"<dt id={name}>{name}(it)</dt><dd>{name}: {SECOND}</dd>" for name in names)
    methods = f'<section id="share(int)"><h3>share</h3><p>Gives. {THIRD}</p></section>'
    text = extract(f"<p>{FIRST}</p><dl>{terms}</dl>{methods}").text
    assert [name for name in names if f"{name}(it)\n    {name}: E" not in text] == []
    assert "Gives." in text


@pytest.mark.parametrize("tag", ["section", 'div class="section"', "div class=sect2"])
def test_the_id_of_a_section_repeats_its_heading(tag):
    parts = [("cookies", FIRST), ("sharing-and-login", SECOND), ("see-also-print", THIRD)]
    page = "".join(f"<{tag} id={i}><h2>{i}</h2><p>{text}</p></{tag[:7]}>" for i, text in parts)
    found = extract(f"<h1>Boats</h1><p>{FIRST} {THIRD}</p>{page}").text
    assert [i for i, text in parts if f"{i}\n\n{text}" not in found] == []


def test_comments_are_the_text_of_a_page_that_says_it_is_a_thread():
    posts = "".join(f"<div class=comment><p>{text}</p></div>" for text in (FIRST, SECOND, THIRD))
    text = f"<p>{FIRST}</p><p>{SECOND}</p><p>{SECOND} {SECOND}</p>"
    page = f"<div>{text}</div><div class=comments>{posts}</div>"
    thread = '<script type="application/ld+json">{"@type": "DiscussionForumPosting"}</script>'
    assert THIRD not in extract(page).text
    assert THIRD in extract(thread + page).text


def test_posts_that_are_written_for_readers_without_scripts_only_are_read():
    posts = "".join(f"<div><p>{text}</p></div>" for text in (FIRST, SECOND, THIRD))
    page = extract(f"<nav>Latest</nav><div id=app></div><noscript>{posts}</noscript>")
    assert [text in page.text for text in (FIRST, SECOND, THIRD)] == [True] * 3


def test_the_example_of_the_module_is_right():
    def words(length):
        return ("word " * length)[: length - 1] + "."

    page = f"""<body><nav><a href=/>Home</a> <a href=/s>Sport</a></nav><div class="story">
    <h1>Bridge closed</h1><p>{words(90)}</p><p><a href=/x>{words(20)}</a>{words(230)}</p></div>
    <div class="share">Share this page</div><div class="comments"><p>{words(140)}</p></div>"""
    document = parse(page)
    held = weight_by_level(document.blocks, weigh)
    assert held[0] == held[3] == pytest.approx(320, abs=5)
    assert held[4] == held[5] == pytest.approx(460, abs=5)
    assert choose_level(document.blocks) == 0
    believed = [block for block in document.blocks if block.node.level == 0]
    assert descend(document.nodes, believed, weigh, 0.7).name == "story"


def test_every_article_of_a_row_is_kept():
    posts = "".join(f"<article><p>{i}. {FIRST} {SECOND} {THIRD}</p></article>" for i in range(3))
    assert [extract(f"<div>{posts}</div>").text.count(f"{i}. {FIRST}") for i in range(3)] == [1] * 3


@pytest.mark.parametrize(
    "markup, shape",
    [
        ('<script type="application/ld+json">{"@type": ["NewsArticle"]}</script>', "article"),
        ('<div itemscope itemtype="https://schema.org/QAPage"></div>', "thread"),
        (f"<div><p>{FIRST}</p><p>{SECOND}</p><p>{THIRD}</p></div>", "article"),
        (f"<div><p>{FIRST}</p></div>" * 9, "patchwork"),
        ('<meta property="og:type" content="article">', "patchwork"),
        (
            f'<meta property="og:type" content="article">{f"<div><p>{FIRST}</p></div>" * 9}',
            "article",
        ),
        ("", "patchwork"),
        (
            f"<div><p>{FIRST}</p><p>{SECOND}</p><p>{THIRD}</p></div>"
            + "".join(f"<div>copper kettle no. {i}</div>" for i in range(99)),
            "patchwork",
        ),
    ],
)
def test_shape_is_what_the_page_says_or_how_its_paragraphs_stand(markup, shape):
    assert page_shape(parse(markup)) == shape


def test_binary_data_called_html_is_read():
    data = bytes(range(256)) * 4000
    assert isinstance(extract(data).text, str)


TAGS = "p div span b ul ol li dl dt dd table tr td th pre h1 h2 a br hr nav article form blockquote"
markup = st.lists(
    st.one_of(
        st.sampled_from(TAGS.split()).map(lambda tag: f"<{tag}>"),
        st.sampled_from(TAGS.split()).map(lambda tag: f"</{tag}>"),
        st.sampled_from(
            # a blank behind it, or the text could be a tag that somebody wrote about
            ["<a href='/x'>", "<!-- c -->", "&lt; ", "&nbsp;", "<", ">", "<td class=nav>"]
        ),
        st.text(alphabet="abc .\n", max_size=40),
    ),
    max_size=60,
).map("".join)


@given(markup)
def test_any_string_of_tags_is_read_without_leaving_tags(page):
    text = extract(page).text
    assert not any(f"<{tag}>" in text or f"</{tag}>" in text for tag in TAGS.split())
    assert "\n\n\n" not in text.replace(" ", "") or "<pre>" in page or "<br>" in page


@given(st.text())
def test_any_text_is_read(page):
    assert isinstance(extract(page).text, str)


def test_bytes_are_decoded_before_extraction():
    page = f'<meta charset="utf-8"><p>{FIRST} café</p>'
    assert extract(page.encode()).text == f"{FIRST} café"


def test_a_function_called_login_is_no_boilerplate():
    text = "Log in on a server that asks for it; raises an error if it says no to the password."
    functions = "".join(f"<dt>{name}(user)</dt><dd>{text} {name}</dd>" for name in NAMES)
    found = extract(f"<html><body><dl>{functions}</dl></body></html>").text
    assert [name for name in NAMES if f"{name}(user)" not in found] == []


NAMES = ("login", "subscribe", "loading", "quit")
