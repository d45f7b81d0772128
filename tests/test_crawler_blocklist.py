"""Block lists in the formats in which others publish them."""

import pytest

from crawler import blocklist


def test_plain_hosts_and_adblock_lines_are_read(tmp_path):
    file = tmp_path / "list.txt"
    file.write_text(
        "\ufeff# a comment\n\nplain.example\n  Spaced.Example.  # why\n"
        "0.0.0.0 hosts.example\n127.0.0.1\ttab.example\n::1 six.example\n127.0.0.1 localhost\n"
        "! an Adblock comment\n[Adblock Plus 2.0]\n||adblock.example^\n||all.example^$all\n"
        "||third.example^$third-party\n@@||exception.example^\nsite.example##.banner\n"
        "/banner/*\nno-domain\nbücher.example\n",
        encoding="utf-8",
    )
    rules = blocklist.load(domain_files=[file], word_files=[])
    assert rules.domains == {
        "plain.example",
        "spaced.example",
        "hosts.example",
        "tab.example",
        "six.example",
        "adblock.example",
        "all.example",
        "xn--bcher-kva.example",
    }


def test_words_may_be_soft(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("Hard  # a comment\n~one\n~two\n", encoding="utf-8")
    rules = blocklist.load(domain_files=[], word_files=[file])
    assert rules.reason("h.example", "h.example/hard") == "word:hard"
    assert rules.reason("h.example", "h.example/one/one") is None
    assert rules.reason("h.example", "h.example/two-one") == "words:one+two"


def test_a_missing_list_raises(tmp_path):
    with pytest.raises(OSError):
        blocklist.load(domain_files=[tmp_path / "missing.txt"])


def test_own_lists_hold_only_what_the_loader_understands():
    rules = blocklist.default_rules()
    for file, found in [
        (blocklist.DOMAINS_FILE, rules.domains),
        (blocklist.WORDS_FILE, rules.words | rules.soft_words),
    ]:
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        assert len(found) == len([line for line in lines if not line.startswith("#")])


def test_documentation_of_python_is_not_blocked():
    for name in ["topic?key=SLOTS", "xml.dom.html", "http.cookies.html", "random.html"]:
        assert blocklist.default_rules().reason("127.0.0.1", f"127.0.0.1/{name}") is None
