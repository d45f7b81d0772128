"""A file of documents -> their records, of which facts.py makes facts.

    {"title": "heapq", "text": "...", "url": "...", "in_degree": 3}    in a line

Which text is in such a file, and in others, is in bpe/documents.py.
"""

import json

from bpe.documents import kind, whole_gzip
from bpe.mistakes import reason

MOST_LINKS = 2**53  # to a page; a float holds more only roughly


def read_documents(path):
    """Return the records of documents.jsonl.gz; raise ValueError for others.

    Only "text" need be there, as for bpe/documents.py; other fields may be null.
    """
    records = []
    with kind(path)[1](path, "rb") as file:
        for number, line in enumerate(iter(lambda: whole_gzip(path, file.readline), b""), start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line.decode("utf-8-sig"))
                record = {name: value for name, value in record.items() if value is not None}
                _ = record["text"] + record.get("title", "") + record.get("url", "")
                if not 0 <= record.get("in_degree", 0) <= MOST_LINKS:
                    raise ValueError(f"in_degree is {record['in_degree']}")
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise ValueError(
                    f"{path}, line {number}: no document ({reason(error)}); a line must be like "
                    '{"title": "heapq", "text": "...", "url": "...", "in_degree": 3}'
                ) from None
            records.append(record)
    if not records:
        raise ValueError(f"{path}: empty; it must hold documents, one a line")
    return records
