"""From web pages to clean documents: the standard library, tqdm's bars, NumPy for duplicates.

Files in reading order; `files` is used by all.

    crawl     settings -> blocklist, scope, hosts, urls, robots, politeness -> connection, coding,
              fetch, links, visit -> frontier, state -> crawl (the loop), pydoc_site, crawl_command
    archive   warc, gzipreader
    clean     charset, html_tree, junk, boilerplate, html_text -> extract; language, quality, pii,
              dedup -> steps, funnel -> clean (the pipeline)
"""
