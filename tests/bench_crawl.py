"""Pages a second: our crawler and Scrapy in turns, on the same pages of the same local server.

    python tests/bench_crawl.py [--pages 2000] [--runs 3] [--scrapy PYTHON]

The server is a process of its own and answers from memory, so that both clients see the same. Delay
0, robots.txt asked for and obeyed. Ours is `python -m crawler crawl` with its defaults and writes
its archive; Scrapy runs with its defaults but for the delay and its logs, takes links with its own
selector and writes nothing. Each run is a fresh process; start-up counts for neither, since each
client measures its own crawl. Scrapy is found in PYTHON (default: this one), or left out.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT = "the page that you are reading was made by a small program to measure speed"

SPIDER = """
import json, sys, time
import scrapy
from scrapy.crawler import CrawlerProcess

class Spider(scrapy.Spider):
    name = "bench"

    async def start(self):
        yield scrapy.Request(sys.argv[1])

    def parse(self, response):
        yield {"url": response.url, "bytes": len(response.body)}
        for link in response.css("a::attr(href)").getall():
            yield response.follow(link, self.parse)

process = CrawlerProcess({
    "ROBOTSTXT_OBEY": True, "DOWNLOAD_DELAY": 0, "LOG_ENABLED": False, "COOKIES_ENABLED": False,
    "CONCURRENT_REQUESTS": 16, "CONCURRENT_REQUESTS_PER_DOMAIN": 16, "TELNETCONSOLE_ENABLED": False,
})
crawler = process.create_crawler(Spider)
process.crawl(crawler)
start = time.monotonic()
process.start()
seconds = time.monotonic() - start
print(json.dumps({"pages": crawler.stats.get_value("item_scraped_count"), "seconds": seconds}))
"""


def make_page(number: int, n_pages: int) -> bytes:
    """Return an HTML page of some 6 kB with 20 links."""
    links = [(number * 7 + i * i + 1) % n_pages for i in range(19)] + [(number + 1) % n_pages]
    items = "".join(f'<li><a href="/page/{n}.html">Page {n}</a></li>' for n in links)
    words = TEXT.split() * 5
    text = "".join(f"<p>{number} {i}: {' '.join(words)}.</p>" for i in range(10))
    title = f"<title>Page {number}</title>"
    return f"<!doctype html><html><head>{title}</head><body>{text}<ul>{items}</ul></body>".encode()


class Server(asyncio.Protocol):
    """HTTP/1.1 with connections that stay open, and answers prepared in advance."""

    answers: dict[bytes, bytes]

    def connection_made(self, transport):
        self.transport, self.data = transport, b""

    def data_received(self, data):
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            path = self.data[:end].split(b" ", 2)[1]
            self.data = self.data[end + 4 :]
            self.transport.write(self.answers.get(path) or answer(404, b"not here"))


def answer(status: int, body: bytes) -> bytes:
    """Return a whole HTTP answer."""
    head = f"HTTP/1.1 {status} OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def serve(n_pages: int) -> None:
    """Serve for ever; say the port on standard output."""
    Server.answers = {
        f"/page/{i}.html".encode(): answer(200, make_page(i, n_pages)) for i in range(n_pages)
    }
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def run_ours(url: str, folder: str, flags: list[str]) -> dict:
    """Crawl with this project; return its report."""
    output = Path(folder) / "pages.warc.gz"
    output.unlink(missing_ok=True)
    command = [sys.executable, "-m", "crawler", "crawl", url, "-o", str(output), "--delay", "0"]
    command += ["--max-pages", "1000000", *flags]
    subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    return json.loads(output.with_name("crawl.json").read_text(encoding="utf-8"))


def run_scrapy(python: str, url: str, folder: str) -> dict:
    """Crawl with Scrapy; return its number of pages and seconds."""
    program = Path(folder) / "spider.py"  # a file: Scrapy looks at the source of its callbacks
    program.write_text(SPIDER, encoding="utf-8")
    done = subprocess.run([python, program, url], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Measure in turns and print a table of medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=2000, help="default: %(default)s")
    parser.add_argument("--runs", type=int, default=3, help="of each; default: %(default)s")
    parser.add_argument("--scrapy", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--flags", default="", help="more flags for ours, as one argument")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        asyncio.run(serve(args.pages))
        return
    has_scrapy = not subprocess.run(
        [args.scrapy, "-c", "import scrapy"], capture_output=True
    ).returncode
    command = [sys.executable, __file__, "--serve", "--pages", str(args.pages)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    rates: dict[str, list[float]] = {"minigpt": [], "scrapy": []}
    try:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/page/0.html"
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(args.runs):
                reports = {"minigpt": run_ours(url, folder, args.flags.split())}
                if has_scrapy:
                    reports["scrapy"] = run_scrapy(args.scrapy, url, folder)
                for name, report in reports.items():
                    if report["pages"] != args.pages:
                        sys.exit(f"{name} fetched {report['pages']} pages of {args.pages}")
                    rates[name].append(report["pages"] / report["seconds"])
    finally:
        server.terminate()
        server.wait()
    medians = {name: statistics.median(values) for name, values in rates.items() if values}
    for name, rate in medians.items():
        print(f"{name:8} {rate:8.0f} pages/s   ({', '.join(f'{r:.0f}' for r in rates[name])})")
    if has_scrapy:
        print(f"ratio    {medians['minigpt'] / medians['scrapy']:8.1f}")
    else:
        print("scrapy is not installed here; give --scrapy PYTHON of an environment that has it")


if __name__ == "__main__":
    main()
