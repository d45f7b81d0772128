"""From the web to clean documents, by the standard library. Files in reading order:

    crawl     settings -> scope, urls, hosts, robots, politeness -> connection, fetch, coding ->
              links, visit -> frontier, state -> crawl (the loop), pydoc_site, crawl_command
    archive   warc, gzipreader
    clean     charset, html_tree, junk, boilerplate, html_text -> extract; blocklist, language,
              quality, pii, dedup -> steps, funnel -> clean (the pipeline)
"""
