"""From seed addresses to clean documents, with the standard library alone (and tqdm's bars).

In reading order. Addresses: hosts, urls, blocklist, settings, scope. Asking: connection, coding,
fetch, robots, links, visit, politeness. Remembering: frontier, gzipreader, warc, report, state.
Crawling: crawl, pydoc_site, crawl_command.
"""
