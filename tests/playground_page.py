"""What a person does in the playground's page, for tests in a real browser."""

import json


def ask(page, text, view="#chat"):
    page.click(f"{view} .composer textarea")
    page.type(text)
    page.press("Enter")


def finished(page, n, view="#chat"):
    """Wait until `n` answers are seen, and none is being written."""
    page.wait_until(
        f"document.querySelectorAll('{view} .answer').length === {n}"
        f" && !document.querySelector('{view} .writing')"
        f" && document.querySelector('{view} .composer .send').title === 'Send'"
    )


def texts(page, selector):
    return page.evaluate(
        f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.innerText.trim())"
    )


def go(page, name):
    page.click(f"#tab-{name}")
    page.wait_until(f"!document.getElementById('{name}').hidden")


def focus(page):
    """Say what has the focus: its name as it is read, or its text."""
    return page.evaluate(
        "document.activeElement.ariaLabel ?? document.activeElement.innerText.trim()"
    )


def announced(page):
    return page.evaluate("document.getElementById('announcer').textContent")


def reply(page, text, status=200, cut=False):
    """Have the server's place taken by one that answers so; with `cut` it breaks off."""
    chunks = [{"choices": [{"index": 0, "delta": {"content": part}}]} for part in pieces(text)]
    if not cut:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    lines = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    body = lines + ("" if cut else "data: [DONE]\n\n")
    page.evaluate(
        "window.realFetch ??= window.fetch;"
        f"window.fetch = async () => new Response({json.dumps(body)}, {{status: {status}}}); 0"
    )


def pieces(text):
    """Cut a text as tokens might, so that everything is seen half-written, too."""
    return [text[i : i + 3] for i in range(0, len(text), 3)]


def spy(page):
    """Note down in `sent` what is asked of the server."""
    page.evaluate(
        "window.sent = []; window.asIs = window.fetch; window.fetch = (path, options) =>"
        " { if (options.body) sent.push(JSON.parse(options.body)); return asIs(path, options); }; 0"
    )


def set_settings(page, **values):
    page.click(".composer .quiet")
    for name, value in values.items():
        page.click(f"#setting-{name}")
        page.evaluate("document.activeElement.select()")
        page.type(value)
    page.press("Enter")
