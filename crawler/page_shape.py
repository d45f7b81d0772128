"""Which of three shapes does a page have: article, thread or patchwork?

What is main text depends on the shape. On an article it is one column of paragraphs, and the short
or linked rest is noise. On a thread of posts it is what an article would call its comments. On a
patchwork (shop, catalogue, landing page, portal) it is a mosaic of short cards and sections, where
a link with a price beside it is not noise at all: `extract.py` then keeps what is not clearly junk.

The page is asked what it says it is (schema.org's types); if it says nothing, its paragraphs are:
those of an article stand side by side in one element, those of a patchwork are scattered.
"""

from collections import Counter

from crawler.boilerplate import reads_like_article, weigh
from crawler.html_tree import Block, Document, Node
from crawler.junk import ASIDE, HARD, names

ARTICLE, THREAD, PATCHWORK = "article", "thread", "patchwork"

THREAD_TYPES = names("DiscussionForumPosting QAPage")
ARTICLE_TYPES = names(
    "Article NewsArticle ReportageNewsArticle AnalysisNewsArticle OpinionNewsArticle "
    "ReviewNewsArticle BlogPosting LiveBlogPosting TechArticle ScholarlyArticle "
    "MedicalScholarlyArticle Report HowTo Recipe"
)
MIN_ARTICLE = 300  # characters of paragraphs; fewer are the caption of something else
# elements that do not keep paragraphs apart: a list between two paragraphs is part of the text
WITHIN_TEXT = names("p li ul ol dl dt dd blockquote pre figure table tbody tr td h2 h3 h4")


def page_shape(document: Document) -> str:
    """Return ARTICLE, THREAD or PATCHWORK."""
    if document.types & THREAD_TYPES:
        return THREAD
    visible = [block for block in document.blocks if block.node.level <= ASIDE]
    if document.types & ARTICLE_TYPES or paragraphs_stand_together(visible):
        return ARTICLE
    # shops and landing pages say og:type=article too: it counts if the text agrees
    if "og:article" in document.types and sum(map(weigh, visible)) >= MIN_ARTICLE:
        return ARTICLE if reads_like_article(visible) else PATCHWORK
    return PATCHWORK


def paragraphs_stand_together(blocks: list[Block]) -> bool:
    """Say whether one element holds two fifths of the paragraphs and much of the plain text.

    Neither alone is enough: if a catalogue has a single paragraph, that is all its paragraphs.
    """
    weight: Counter[Node] = Counter()
    plain = 0
    for block in blocks:
        weight[text_element(block.node)] += weigh(block)
        if block.node.level <= HARD:
            plain += len(block.text) - block.linked
    most = max(weight.values(), default=0)
    return most >= max(MIN_ARTICLE, 0.4 * weight.total(), 0.3 * plain)


def text_element(node: Node) -> Node:
    """Return the innermost element around a paragraph that can hold a whole text."""
    while node.parent and node.tag in WITHIN_TEXT:
        node = node.parent
    return node
