"""The page in a real browser: Markdown is drawn, and hostile text is text."""

import json

import pytest
from playground_page import ask, finished, reply, texts

pytest_plugins = ["playground_fixtures"]


HOSTILE = """# <img src=x onerror="document.title='run'">

<script>document.title='run'</script> **<b onclick=run()>bold</b>**
[click](javascript:document.title='run') [data](data:text/html,<script>1</script>)
![picture](http://example.org/x.png) [fine](https://example.org/a?b=1&c="2")
- <iframe src="https://example.org"></iframe>
  1. `<svg onload=run()>`
> <style>* { display: none }</style>

| a | <i>b</i> |
|---|:-:|
| <u>1</u> | [x](vbscript:run) |

```html" onload="run()
<script>document.title='run'</script>
```
<!-- a comment --> &lt;p&gt; **open _and `never closed
"""
ALLOWED = {
    "P", "H4", "H5", "H6", "UL", "OL", "LI", "BLOCKQUOTE", "HR", "FIGURE", "FIGCAPTION", "SPAN",
    "BUTTON", "PRE", "CODE", "DIV", "TABLE", "THEAD", "TBODY", "TR", "TH", "TD", "STRONG", "EM",
    "DEL", "A",
}  # fmt: skip


def test_what_a_model_says_is_text_however_hostile(page):
    reply(page, HOSTILE)
    ask(page, HOSTILE)
    finished(page, 1)
    elements = page.evaluate("[...document.querySelectorAll('.body *')].map((e) => e.tagName)")
    assert set(elements) <= ALLOWED
    assert page.evaluate("document.querySelectorAll('.question .plain *').length") == 0
    attributes = page.evaluate(
        "[...new Set([...document.querySelectorAll('.body *')]"
        ".flatMap((e) => e.getAttributeNames()))]"
    )
    assert set(attributes) <= {
        "href", "target", "rel", "title", "class", "type", "tabindex", "role", "aria-label",
        "start", "dir",
    }  # fmt: skip
    links = page.evaluate("[...document.querySelectorAll('.body a')].map((a) => [a.href, a.rel])")
    assert links == [
        ["http://example.org/x.png", "noopener noreferrer"],
        ["https://example.org/a?b=1&c=%222%22", "noopener noreferrer"],
        ["https://example.org/", "noopener noreferrer"],  # the iframe's, as text
    ]
    assert page.evaluate("document.title") == "Chat · minigpt"
    body = texts(page, ".body")[0]
    for written in ("<img src=x", "<script>document", "<iframe", "javascript:", "<!-- a comment"):
        assert written in body


def test_no_script_but_the_pages_own_can_run(page):
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'document.title = 1'}))"
    )
    assert page.evaluate("document.title") == "Chat · minigpt"
    page.events.clear()  # the browser said that it refused


def test_nothing_is_asked_of_any_other_server(page):
    page.call("Network.enable")
    page.open(page.evaluate("location.href"))
    ask(page, "![x](http://example.org/x.png)")
    finished(page, 1)
    home = page.evaluate("location.origin")
    sent = [e["params"] for e in page.events if e["method"] == "Network.requestWillBeSent"]
    page.call("Network.disable")
    assert len(sent) > 10
    assert all(each["request"]["url"].startswith((home, "data:")) for each in sent)


@pytest.fixture(scope="module")
def loaded(browser, playground):
    """The page, opened once for all that only call its functions."""
    browser.open(playground.url + "/")
    return browser


def code(text, language="code"):
    """Return the outline of a block of code."""
    return f"|figure>|figcaption>|span>{language}||button>Copy|||pre>|code>{text}|||"


SPACED = "x\n\n  y"
MARKDOWN = [
    ("a *b* **c** `d*` ~~e~~ \\*f\\*", "p>a |em>b| |strong>c| |code>d*| |del>e| *f*"),
    ("snake_case_name 3 * 4 * 5", "p>snake_case_name 3 * 4 * 5"),
    ("*open **both", "p>*open **both"),
    ("# One\n###### Six", "h4>One/h6>Six"),
    ("one\ntwo\n\nthree", "p>one\ntwo/p>three"),
    ("- a\n- b\n  1. c\n- d", "ul>|li>a||li>b|ol>|li>c||||li>d|"),
    ("```py\nx < 1\n\n# y", "figure>|figcaption>|span>py||button>Copy|||pre>|code>x < 1\n\n# y||"),
    ("```a``` b", "p>|code>a| b"),
    (
        "~~~ py `x` title\ny\n~~~",
        "figure>|figcaption>|span>py `x` title||button>Copy|||pre>|code>y||",
    ),
    ("- a\u2028b", "ul>|li>a\u2028b|"),
    ("> a\n> > b", "blockquote>|p>a||blockquote>|p>b||"),
    ("see https://example.org/a.", "p>see |a>https://example.org/a|."),
    (
        "a | b\n--|--\n1 | 2 | 3",
        "div>|table>|thead>|tr>|th>a||th>b||||tbody>|tr>|td>1||td>2||td>3||||",
    ),
    (
        "in\na | b\n--|:-\n1 | 2\n\n| no table\nat all | -",
        "p>in/div>|table>|thead>|tr>|th>a||th>b||||tbody>|tr>|td>1||td>2||||"
        "/p>| no table\nat all | -",
    ),
    ("---\na", "hr>/p>a"),
    ("- a\n  ```py\n  x\n\n    y\n  ```\n- b", f"ul>|li>a{code(SPACED, 'py')}||li>b|"),
    ("1. ```\n   x\n   ```", f"ol>|li>{code('x')}|"),
    ("- a\n\n  ```\n  x\n  ```\n\nb", f"ul>|li>|p>a|{code('x')}|/p>b"),
    ("- a\n  - b\n    ```\n    x\n    ```", f"ul>|li>a|ul>|li>b{code('x')}|||"),
    ("- ```\n  x\ny", f"ul>|li>{code('x')}|/p>y"),
    ("  ```\n  x\n    y\n  ```", code("x\n  y")[1:-1]),
    ("- a\n\n- b", "ul>|li>|p>a|||li>|p>b||"),
    ("- a\n\n  - b\n\n    c", "ul>|li>|p>a||ul>|li>|p>b||p>c||||"),
    ("- a\n  - b\n\n    c\n- d", "ul>|li>a|ul>|li>|p>b||p>c|||||li>d|"),
    ("- a\nb\n\nc", "ul>|li>a\nb|/p>c"),
    ("- a\n  > b\n- # c", "ul>|li>a|blockquote>|p>b||||li>|h4>c||"),
    ("- a\n\t- b", "ul>|li>a|ul>|li>b|||"),
    ("- a\n* b\n1. c\n2) d", "ul>|li>a|/ul>|li>b|/ol>|li>c|/ol>|li>d|"),
    ("-\na", "ul>|li>|/p>a"),
    ("> a\nb\n\nc", "blockquote>|p>a\nb|/p>c"),
    ("> ```\n> x\ny", f"blockquote>{code('x')}/p>y"),
    ("```\n    ```\n```", code("    ```")[1:-1]),
    ("-\n- a\n-b", "ul>|li>||li>a\n-b|"),
    ("in\n1984. no list\n1. a list", "p>in\n1984. no list/ol>|li>a list|"),
    ("***a***, ___b___ **** c", "p>|em>|strong>a||, |em>|strong>b|| **** c"),
    ("_a_ __b__ *a*b", "p>|em>a| |strong>b| |em>a|b"),
]


@pytest.mark.parametrize(("text", "drawn"), MARKDOWN, ids=[text[:12] for text, _ in MARKDOWN])
def test_markdown_is_drawn(loaded, text, drawn):
    """As outlined: name>content, an element within a text between bars."""
    assert draw(loaded, [text]) == drawn
    halves = [text[:i] for i in range(1, len(text) + 1)]
    assert draw(loaded, halves) == drawn  # while streaming it comes to the same


def draw(loaded, texts):
    return loaded.evaluate(
        """import("/playground/markdown.js").then(({ renderMarkdown }) => {
          const root = document.createElement("div");
          for (const text of TEXTS) renderMarkdown(root, text);
          const outline = (e) => e.tagName.toLowerCase() + ">" + [...e.childNodes].map((n) =>
            n.nodeType === 3 ? n.data : "|" + outline(n) + "|").join("");
          return [...root.children].map(outline).join("/");
        })""".replace("TEXTS", json.dumps(texts))
    )


@pytest.mark.parametrize(
    "piece",
    [
        "*a_b",
        "[",
        "[a](",
        "`",
        "``a",
        "> ",
        "- ",
        "  - a\n",
        "|",
        "a|b\n-|-\n",
        "http://.",
        "\\",
        "#",
        "**a",
        "_",
        "~~~\n",
        "1. a\n    ",
        "- a\n\n",
        "- a\n  ```\n",
        "- a\nb\n",
        "- a\n\n  - b\n\n    ",
        "  ",
        "\t- a\n",
        "> a\nb\n",
        "> ```\n",
        "a|-\n",
        " ***a",
    ],
)
def test_a_long_hostile_text_is_drawn_in_linear_time(loaded, piece):
    assert slower(loaded, piece) < 4.5


@pytest.mark.parametrize("start", ["# ", "- ", "```", "a `"])
@pytest.mark.parametrize("piece", [" ", "`", " `"])
@pytest.mark.parametrize("end", ["\u2028", "x"])
def test_a_long_line_is_drawn_in_linear_time_whatever_ends_it(loaded, start, piece, end):
    assert slower(loaded, piece, start, end) < 4.5


def slower(loaded, piece, start="", end=""):
    """Return how many times as long a text takes as ten tenths of it: 1 if linear, 10 if quadratic.

    Where the machine was busy with something else it is measured again; the shortest times count.
    """
    return loaded.evaluate(
        """import("/playground/markdown.js").then(({ renderMarkdown }) => {
          const ms = (n, times) => {
            const text = START + PIECE.repeat(n) + END, began = performance.now();
            for (let i = 0; i < times; i++) renderMarkdown(document.createElement("div"), text);
            return (performance.now() - began) / times;
          };
          ms(2000, 5); // now the browser has compiled it
          let [whole, tenth] = [Infinity, Infinity];
          for (let i = 0; i < 12; i++) {
            tenth = Math.min(tenth, ms(2000, 3));
            whole = Math.min(whole, ms(20000, 1));
            if (whole < 3 * 10 * tenth) break;
          }
          return whole / Math.max(1, 10 * tenth);
        })""".replace("PIECE", json.dumps(piece))
        .replace("START", json.dumps(start))
        .replace("END", json.dumps(end))
    )
