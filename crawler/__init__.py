"""From seed addresses to clean documents: the standard library, tqdm's bars, NumPy for duplicates.

`crawl` in reading order. Addresses: hosts, urls, blocklist, settings, scope. Asking: connection,
coding, fetch, robots, links, visit, politeness. Remembering: frontier, gzipreader, warc, state. As
a whole: crawl, pydoc_site, crawl_command. For `clean` begin with clean. Both use charset, files,
report.
"""
