"""From web pages to clean documents: the standard library, tqdm's bars, NumPy for duplicates.

Files in reading order; `files` is used by all.

    crawl     settings -> hosts, urls, blocklist, traps, scope, robots -> coding, http1, connection,
              fetch, links, sitemap, earlier, visit -> politeness, frontier, intake, state -> crawl
              (the loop), pydoc_site, crawl_command
    archive   warc, gzipreader
    clean     charset, html_tree, junk, boilerplate, html_text -> extract; language, quality, pii,
              dedup -> steps, funnel -> clean (the pipeline)
"""
