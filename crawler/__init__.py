"""From web pages to clean documents: the standard library, tqdm's bars, NumPy for duplicates.

Files in reading order; `files` is used by all.

    crawl     settings -> blocklist, scope, hosts, urls, robots, politeness -> connection, coding,
              fetch, links, visit -> frontier, state -> crawl (the loop), pydoc_site, crawl_command
    archive   gzipreader, records, warc
    clean     charset, html_tree, junk, boilerplate, html_text -> extract; language, quality, pii;
              shingles -> minhash -> dedup; paragraphs -> steps, funnel -> shards, stages, choose
              -> inputs, pool -> cleaning (the run), clean (what one asks for), clean_command
    command   the command line, from __main__
"""
