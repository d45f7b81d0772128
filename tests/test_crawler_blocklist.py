"""Block lists in the formats in which others publish them."""

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import blocklist
from crawler.domain_set import DomainSet

LISTED = """\ufeff# a comment

plain.example
  Spaced.Example.  # why
*.star.example
.dot.example
0.0.0.0 hosts.example second.example # both
127.0.0.1\ttab.example
::1 six.example
! an Adblock comment
||adblock.example^
||all.example^$all
||document.example^$document,important
||pipe.example^|
bücher.example
81.2.69.142
"""
NAMES = [
    "plain.example", "spaced.example", "star.example", "dot.example", "hosts.example",
    "second.example", "tab.example", "six.example", "adblock.example", "all.example",
    "document.example", "pipe.example", "xn--bcher-kva.example", "81.2.69.142",
]  # fmt: skip
OTHERS = """
127.0.0.1 localhost
127.0.0.1 localhost.localdomain
0.0.0.0 0.0.0.0
[Adblock Plus 2.0]
||third.example^$third-party
||script.example^$script,domain=a.example
||path.example/banner^
site.example##.banner
/banner/*
no-domain
co.uk
com.br
blogspot.com
"""


def rules_from(tmp_path, text, words=""):
    (tmp_path / "list.txt").write_text(text, encoding="utf-8")
    (tmp_path / "words.txt").write_text(words, encoding="utf-8")
    return blocklist.load([tmp_path / "list.txt"], [tmp_path / "words.txt"])


def test_plain_hosts_and_adblock_lines_are_read(tmp_path):
    rules = rules_from(tmp_path, LISTED + OTHERS)
    assert [name for name in NAMES if name not in rules.domains] == []
    assert len(rules.domains) == len(NAMES)


def test_compressed_lists_are_read(tmp_path):
    (tmp_path / "list.gz").write_bytes(gzip.compress(LISTED.encode()))
    assert len(blocklist.load([tmp_path / "list.gz"], []).domains) == len(NAMES)


def test_a_blocked_domain_covers_its_subdomains_only(tmp_path):
    rules = rules_from(tmp_path, "bad.example\nco.uk\nshop.example.co.uk")
    for host in ("bad.example", "www.bad.example", "a.b.c.bad.example"):
        assert rules.reason(host, host) == "domain:bad.example"
    for host in ("notbad.example", "bad.example.org", "example", "example.co.uk", "a.co.uk"):
        assert rules.reason(host, host) is None


def test_an_exception_frees_a_domain_and_what_is_below_it(tmp_path):
    rules = rules_from(tmp_path, "||bad.example^\n@@||good.bad.example^\n@@||deep.example^$script")
    assert rules.reason("bad.example", "") == "domain:bad.example"
    assert rules.reason("x.bad.example", "") == "domain:bad.example"
    assert rules.reason("good.bad.example", "") is None
    assert rules.reason("very.good.bad.example", "") is None
    rules = rules_from(tmp_path, "sub.fine.example\n@@||fine.example^")
    assert rules.reason("sub.fine.example", "") is None


def test_words_may_be_soft_or_parts_of_words(tmp_path):
    rules = rules_from(tmp_path, "", "Hard  # a comment\n~one\n~two\n*inner\n")
    assert rules.reason("h.example", "h.example/hard") == "word:hard"
    assert rules.reason("h.example", "h.example/hardly") is None
    assert rules.reason("h.example", "h.example/one/one") is None
    assert rules.reason("h.example", "h.example/two-one") == "words:one+two"
    assert rules.reason("h.example", "h.example/XIn-ner7") == "subword:inner"


@pytest.mark.parametrize(
    "path",
    [
        "odds-and-ends/bonus-chapter", "betting-odds-explained", "adult-education", "slots.html",
        "botnet-and-ransomware-report", "sponsored-by-affiliate-programs", "sex-differences",
        "web-cam-drivers", "poker-probabilities", "nude-mice-study", "cheap-flights",
    ],
)  # fmt: skip
def test_decent_addresses_are_not_blocked(path):
    assert blocklist.default_rules().reason("h.example", f"h.example/{path}") is None


def test_many_domains_take_eight_bytes_each(tmp_path):
    with open(tmp_path / "list.txt", "w", encoding="utf-8") as file:
        file.writelines(f"0.0.0.0 d{i}.example\n" for i in range(20_000))
    tracemalloc.start()
    try:
        domains = blocklist.load([tmp_path / "list.txt"], []).domains
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(domains) == 20_000
    assert kept < 20_000 * 12
    assert peak < 20_000 * 20 + 100_000  # and what any list takes
    assert 0 < domains.chance_of_error < 1e-14


@given(st.sets(st.text()), st.sets(st.text()))
def test_a_domain_set_is_a_set(names, others):
    found = DomainSet(names)
    assert len(found) == len(names)
    assert {name for name in names | others if name in found} == names


def test_a_missing_list_raises(tmp_path):
    with pytest.raises(OSError):
        blocklist.load(domain_files=[tmp_path / "missing.txt"])


def test_own_lists_hold_only_what_the_loader_understands():
    rules = blocklist.default_rules()
    for file, found in [
        (blocklist.DOMAINS_FILE, rules.domains),
        (blocklist.WORDS_FILE, [*rules.words, *rules.soft_words, *rules.subwords]),
    ]:
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        assert len(found) == len([line for line in lines if not line.startswith("#")])


def test_documentation_of_python_is_not_blocked():
    for name in ["topic?key=SLOTS", "xml.dom.html", "http.cookies.html", "random.html"]:
        assert blocklist.default_rules().reason("127.0.0.1", f"127.0.0.1/{name}") is None
