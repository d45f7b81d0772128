"""Fetching pages, from servers good and bad."""

import gzip
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import zlib
from contextlib import suppress

import pytest
from local_site import LocalSite

from crawler.connection import Connection, is_loopback, is_public, local_netlocs
from crawler.fetch import Fetcher, FetchError, user_agent

HTML = {"Content-Type": "text/html"}


def fetcher_for(site: LocalSite, **options) -> Fetcher:
    return Fetcher("minigpt/test", local_netlocs=[site.netloc], **options)


def error_kind(fetcher: Fetcher, url: str, **options) -> str:
    with pytest.raises(FetchError) as caught:
        fetcher.get(url, **options)
    assert url in str(caught.value)
    return caught.value.kind


@pytest.fixture
def raw_server():
    """Start a server that sends given bytes to whoever connects, then closes."""
    servers = []

    def start(*answers: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve():
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return f"127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server in servers:
        server.close()


def test_a_page_is_fetched_with_its_headers():
    with LocalSite({"/a?b=c": (200, {**HTML, "X-Twice": "1"}, b"<p>Hi</p>")}) as site:
        response = fetcher_for(site).get(site.url + "a?b=c#top")
    assert (response.status, response.body, response.ip) == (200, b"<p>Hi</p>", "127.0.0.1")
    assert response.media_type == "text/html"
    assert response.header("x-TWICE") == "1"
    assert response.url == site.url + "a?b=c"


def test_requests_name_the_project_and_carry_no_secrets():
    with LocalSite({"/": (200, {**HTML, "Set-Cookie": "id=1"}, b"")}) as site:
        fetcher = fetcher_for(site)
        fetcher.get(site.url.replace("http://", "http://user:secret@"))
        response = fetcher.get(site.url)
    for headers in site.headers:
        assert headers["User-Agent"] == "minigpt/test"
        assert headers["Host"] == site.netloc
        assert not {"Authorization", "Cookie"} & set(headers)
    assert "Set-Cookie" not in dict(response.page_headers())


def test_user_agent_tells_whom_to_ask():
    assert user_agent().startswith("minigpt/")
    assert "(+https://example.org/bot)" in user_agent("https://example.org/bot")


def test_connections_are_kept_and_reopened():
    routes = {
        "/": "x",
        "/missing": (404, HTML, b"y"),
        "/close": (200, {"Connection": "close"}, b""),
    }
    with LocalSite(routes) as site:
        fetcher = fetcher_for(site)
        for path in ["", "missing", "close"]:  # the last one's answer ends it
            fetcher.get(site.url + path)
        assert site.n_connections == 1
        fetcher.get(site.url)
        assert site.n_connections == 2
        fetcher.close()
        fetcher.get(site.url)
        assert site.n_connections == 3


def test_a_connection_closed_by_the_server_meanwhile_is_opened_again(raw_server):
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\n"
    netloc = raw_server(answer + b"a", answer + b"b")
    fetcher = Fetcher("test", local_netlocs=[netloc])
    assert fetcher.get(f"http://{netloc}/").body == b"a"
    assert fetcher.get(f"http://{netloc}/").body == b"b"


def test_a_kept_connection_with_tls_that_was_reset_is_opened_again(monkeypatch):
    failures = []
    ask = Connection.ask

    def failing_ask(self, *args):
        if failures:
            raise failures.pop()
        return ask(self, *args)

    monkeypatch.setattr(Connection, "ask", failing_ask)
    with LocalSite({"/": "x"}) as site:
        fetcher = fetcher_for(site)
        fetcher.get(site.url)
        failures.append(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))
        assert fetcher.get(site.url).body == b"x"


@pytest.mark.parametrize(
    ("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("", bytes)]
)
def test_codings_are_undone(coding, encode):
    body = b"<p>Hi</p>" * 100
    with LocalSite({"/": (200, {**HTML, "Content-Encoding": coding}, encode(body))}) as site:
        response = fetcher_for(site).get(site.url)
    assert response.body == body
    assert not {"Content-Encoding", "Content-Length"} & set(dict(response.page_headers()))


def test_chunks_are_joined(raw_server):
    netloc = raw_server(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    assert Fetcher("test", local_netlocs=[netloc]).get(f"http://{netloc}/").body == b"abcde"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", "connection broken"),
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
        (b"<html>HTTP/0.9</html>", "not HTTP"),
        (b"HTTP/1.1 2OO OK\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", "header too large"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 150_000, "header too large"),
        (b"HTTP/1.1 200 OK\r\nA: b", "cut short"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "cut short"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", "cut short"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", "bad chunks"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", "bad chunks"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc", "bad chunks"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 9999, "bad chunks"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFF\r\na", "too large"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", "bad coding"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc", "bad length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "bad length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nabc", "too large"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nabc", "bad coding"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nabc", "bad coding"),
    ],
)
def test_a_broken_answer_has_a_kind(raw_server, answer, kind):
    netloc = raw_server(answer)
    assert error_kind(Fetcher("test", local_netlocs=[netloc]), f"http://{netloc}/") == kind


def test_nobody_there_is_connection_refused():
    with socket.create_server(("127.0.0.1", 0)) as server:
        netloc = f"127.0.0.1:{server.getsockname()[1]}"
    fetcher = Fetcher("test", local_netlocs=[netloc])
    assert error_kind(fetcher, f"http://{netloc}/") == "connection refused"


def test_a_name_that_does_not_exist_has_a_kind(monkeypatch):
    def no_such_host(*args, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)
    assert error_kind(Fetcher("test"), "http://nowhere.example/") == "no such host"


def test_no_web_address_raises():
    with pytest.raises(ValueError):
        Fetcher("test").get("file:///etc/passwd")


OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b"\r\n"),
        (OK, b"A: b\r\n"),
        (OK + b"\r\n", b"H"),
        (OK + b"Content-Length: 99999\r\n\r\n", b"H"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b""),
    ],
)
def test_a_server_that_trickles_is_bounded_by_the_total_timeout(first, then):
    def trickle(handler):
        handler.wfile.write(first)
        for _ in range(500):  # 10 seconds, a little now and then
            if site.closing.wait(0.02):
                break
            handler.wfile.write(then)

    with LocalSite({"/": trickle}) as site:
        assert error_kind(fetcher_for(site, timeout_s=0.3), site.url) == "timeout"


def test_a_body_without_end_is_bounded_by_its_size():
    def flood(handler):
        handler.wfile.write(OK + b"\r\n")
        with suppress(OSError):
            while not site.closing.is_set():
                handler.wfile.write(bytes(100_000))

    with LocalSite({"/": flood}) as site:
        assert error_kind(fetcher_for(site, max_bytes=1_000_000), site.url) == "too large"


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"a" * 999, mtime=0)[:-9]),
        ("gzip", gzip.compress(b"a" * 999, mtime=0)[:5]),
        ("gzip", b"\x1f\x8b\x08" + b"x" * 99),
        ("deflate", zlib.compress(b"a" * 999)[:-5]),
        ("deflate", b"\xff" * 50),
        ("gzip, gzip", gzip.compress(b"a", mtime=0)),
        ("rot13", b"abc"),
    ],
)
def test_broken_codings_have_a_kind(coding, body):
    with LocalSite({"/": (200, {**HTML, "Content-Encoding": coding}, body)}) as site:
        assert error_kind(fetcher_for(site), site.url) == "bad coding"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", b"a"),
        (b"HTTP/1.1 200 \nContent-Length: 1\n\na", b"a"),
        (b"\r\n\r\nHTTP/1.0 200 OK\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + OK + b"\r\nabc", b"abc"),
        (OK + b"Content-Length: 3, 3\r\nContent-Length: 3\r\n\r\nabcdef", b"abc"),
        (OK + b"noise\r\n: b\r\nA : b\r\n folded\r\n\r\nabc", b"abc"),
        (OK + b"Transfer-Encoding: Chunked\r\nContent-Length: 1\r\n\r\n2;x=y\nab\n0\n\n", b"ab"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\n\r\n", b"a"),
    ],
)
def test_sloppy_answers_are_read(raw_server, answer, body):
    netloc = raw_server(answer)
    response = Fetcher("test", local_netlocs=[netloc]).get(f"http://{netloc}/")
    assert (response.status, response.body) == (200, body)


def test_what_comes_after_a_short_length_is_not_the_next_answer(raw_server):
    lie = OK + b"Content-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nlie"
    netloc = raw_server(lie, OK + b"Content-Length: 5\r\n\r\ntruth")
    fetcher = Fetcher("test", local_netlocs=[netloc])
    bodies = [fetcher.get(f"http://{netloc}/{i}").body for i in range(2)]
    assert bodies == [b"a", b"truth"]


def test_a_304_with_a_body_does_not_spoil_the_next_answer():
    routes = {"/same": (304, HTML, b"<p>a body that must not be</p>"), "/": "x"}
    with LocalSite(routes) as site:
        fetcher = fetcher_for(site)
        for _ in range(3):
            assert fetcher.get(site.url + "same").status == 304
            assert fetcher.get(site.url).body == b"x"


def test_a_connection_that_is_reset_has_a_kind():
    def reset(handler):
        linger = struct.pack("ii", 1, 0)  # closing sends RST
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.close_connection = True
        handler.connection.close()

    with LocalSite({"/": reset}) as site:
        assert error_kind(fetcher_for(site), site.url) == "connection broken"


def test_a_server_that_says_nothing_is_bounded_too():
    with LocalSite({"/": lambda handler: site.closing.wait(10) and None}) as site:
        assert error_kind(fetcher_for(site, timeout_s=0.2), site.url) == "timeout"


def test_large_pages_are_refused_announced_or_not(raw_server):
    with LocalSite({"/": (200, HTML, b"x" * 1001)}) as site:
        assert error_kind(fetcher_for(site, max_bytes=1000), site.url) == "too large"
        assert len(fetcher_for(site, max_bytes=1001).get(site.url).body) == 1001
    netloc = raw_server(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000)
    fetcher = Fetcher("test", max_bytes=100_000, local_netlocs=[netloc])
    assert error_kind(fetcher, f"http://{netloc}/") == "too large"


def test_a_bomb_is_refused():
    bomb = gzip.compress(bytes(10_000_000))
    with LocalSite({"/": (200, {**HTML, "Content-Encoding": "gzip"}, bomb)}) as site:
        assert error_kind(fetcher_for(site, max_bytes=1_000_000), site.url) == "too large"


def test_a_large_body_can_be_cut_instead():
    with LocalSite({"/": "a" * 70_000}) as site:
        response = fetcher_for(site).get(site.url, cut_bytes=1000)
        assert response.body == b"a" * 1000
        assert fetcher_for(site, max_bytes=1000).get(site.url, cut_bytes=1000).body == b"a" * 1000


def test_unwanted_bodies_are_not_read():
    routes = {
        "/image": (200, {"Content-Type": "image/png"}, b"x" * 10_000_000),
        "/error": (500, HTML, b"sorry"),
    }
    with LocalSite(routes) as site:
        fetcher = fetcher_for(site, max_bytes=1000)
        assert fetcher.get(site.url + "image", ["text/html"]).body == b""
        assert fetcher.get(site.url + "error").body == b""


def redirect(status: int, location: str):
    return (status, {"Location": location}, b"")


def test_redirects_are_given_to_the_caller():
    routes = {f"/{status}": redirect(status, "/next?a#b") for status in (301, 302, 303, 307, 308)}
    routes["/ü"] = redirect(302, "/\u00c3\u00bc")  # UTF-8 as a header's Latin-1
    with LocalSite(routes) as site:
        fetcher = fetcher_for(site)
        for status in (301, 302, 303, 307, 308):
            response = fetcher.get(f"{site.url}{status}")
            assert (response.status, response.location) == (status, site.url + "next?a")
        assert fetcher.get(site.url).location is None


def test_of_two_locations_the_first_counts(raw_server):
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
    netloc = raw_server(head + b"Location: /a\r\nLocation: /a\r\n\r\n")
    response = Fetcher("test", local_netlocs=[netloc]).get(f"http://{netloc}/")
    assert response.location == f"http://{netloc}/a"


def test_location_is_refused_where_it_is_no_web_address():
    routes = {"/": redirect(302, "mailto:a@b.example"), "/none": (302, {}, b"")}
    with LocalSite(routes) as site:
        with pytest.raises(ValueError):
            _ = fetcher_for(site).get(site.url).location
        assert fetcher_for(site).get(site.url + "none").location is None


def test_get_following_goes_to_the_end_but_not_for_ever():
    routes = {"/": redirect(302, "/1"), "/1": redirect(302, "/2"), "/2": "there"}
    routes["/loop"] = redirect(302, "/loop")
    with LocalSite(routes) as site:
        fetcher = fetcher_for(site)
        assert fetcher.get_following(site.url).body == b"there"
        assert fetcher.get_following(site.url, max_redirects=1).url == site.url + "1"
        assert fetcher.get_following(site.url, lambda url: "2" not in url).status == 302
        n_before = len(site.requests)
        assert fetcher.get_following(site.url + "loop", max_redirects=5).status == 302
        assert len(site.requests) == n_before + 6


def test_local_addresses_are_not_asked_unless_named():
    with LocalSite({"/": "secret"}) as site:
        assert error_kind(Fetcher("test"), site.url) == "local address"
        for name in ["2130706433", "0x7f.1", "[::ffff:127.0.0.1]"]:
            with pytest.raises(FetchError, match="local address"):
                Fetcher("test").get(site.url.replace("127.0.0.1", name))
        other = Fetcher("test", local_netlocs=["127.0.0.1"])  # another port
        assert error_kind(other, site.url) == "local address"
        assert site.n_connections == 0


def test_the_address_is_judged_where_the_connection_is_made(monkeypatch):
    """A name may lead to this machine: what counts is where it leads, each time."""
    with LocalSite({"/": "secret"}) as site:
        port = site.server.server_port

        def lead_here(*args, **options):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", lead_here)
        assert error_kind(Fetcher("test"), "http://public.example/") == "local address"
        assert local_netlocs(["http://intranet.example/"]) == {"intranet.example"}
        assert site.n_connections == 0


@pytest.mark.parametrize(
    ("ip", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("64:ff9b:1::a00:1", False),
        ("::7f00:1", False),
        ("::192.168.0.1", False),
        ("fec0::1", False),
        ("febf::1", False),
        ("ff02::1", False),
        ("2001:db8::1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_is_public(ip, public):
    assert is_public(ip) is public


def test_is_loopback_goes_by_the_name_alone():
    assert is_loopback("http://localhost:8000/") and is_loopback("http://127.9.9.9/")
    assert is_loopback("http://[::1]/") and is_loopback("http://a.localhost/")
    assert not is_loopback("http://example.org/") and not is_loopback("http://192.168.1.1/")


def test_local_netlocs_are_those_of_local_seeds():
    assert local_netlocs(["http://127.0.0.1:8000/a"]) == {"127.0.0.1:8000"}
    assert local_netlocs(["http://93.184.216.34/"]) == frozenset()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The files of a certificate that nobody knows, for 127.0.0.1, and of its key."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
    options = ["subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run([*command.split(), *options], check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def safe_site(certificate):
    """A site that speaks HTTPS."""
    with LocalSite({"/": "safe"}) as site:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
        yield site


def test_https_needs_a_certificate_that_can_be_checked(safe_site, certificate, monkeypatch):
    url = safe_site.url.replace("http:", "https:")
    assert error_kind(fetcher_for(safe_site), url) == "bad certificate"
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    fetcher = fetcher_for(safe_site)
    assert [fetcher.get(url).body for _ in range(2)] == [b"safe"] * 2


def test_a_python_that_knows_no_authorities_takes_those_of_macos(
    safe_site, certificate, monkeypatch, tmp_path
):
    url = safe_site.url.replace("http:", "https:")
    monkeypatch.setattr("crawler.connection._AUTHORITIES", str(certificate[0]))
    assert error_kind(fetcher_for(safe_site), url) == "bad certificate"  # it knows its own
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "missing"))
    assert fetcher_for(safe_site).get(url).body == b"safe"
    monkeypatch.setattr("crawler.connection._AUTHORITIES", str(tmp_path / "missing.pem"))
    assert error_kind(fetcher_for(safe_site), url) == "bad certificate"


def test_https_to_a_server_that_speaks_none_has_a_kind():
    with LocalSite({"/": "x"}) as site:
        assert error_kind(fetcher_for(site), site.url.replace("http:", "https:")) == "TLS error"


def test_a_deadline_that_has_passed_is_a_timeout():
    with LocalSite({"/": "x"}) as site:
        connection = Connection(site.url, ssl.create_default_context(), may_be_local=True)
        with pytest.raises(TimeoutError):
            connection.ask(b"GET / HTTP/1.1\r\n\r\n", time.monotonic() - 1)
        connection.close()
