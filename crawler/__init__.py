"""From web pages to clean documents: the standard library, tqdm's bars, NumPy for duplicates.

Files in reading order; `files` and `data_files` are used by all.

    crawl     settings -> hosts, urls, domain_set, blocklist, traps, scope, robots -> coding, http1,
              connection, fetch, links, sitemap, earlier, visit -> politeness, frontier, intake,
              kept, state -> workers, crawl_report, crawl (the loop), pydoc_site, crawl_command
    archive   gzipreader, records, warc
    extract   charset, html_chars, junk, html_tags, html_tree, page_shape, boilerplate, html_text
              -> extract, extract_command
    filter    language (language_train makes its table); words, profiles -> quality; badwords;
              phone, pii_tables -> pii
    repeats   shingles -> minhash -> dedup; paragraphs
    clean     steps, funnel -> shards, stages, choose -> inputs, pool -> cleaning (the run), clean
              (what one asks for), similar, clean_command
    command   the command line, from __main__
"""
