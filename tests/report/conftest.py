"""What a reader finds on a page: headings, paragraphs, rows of tables and titles of figures."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

_PARTS = ("h1", "h2", "h3", "h4", "p", "li", "summary", "figcaption", "td", "th")


@dataclass
class Page(HTMLParser):
    """The texts of a page by tag, without blanks about them; `rows` are tuples of the cells of a row."""

    source: str
    texts: dict = field(default_factory=lambda: {tag: [] for tag in _PARTS})
    rows: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__()
        self._open = []
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        if tag in _PARTS:
            self._open.append((tag, []))
        if tag == "tr":
            self.rows.append(())

    def handle_endtag(self, tag):
        if self._open and self._open[-1][0] == tag:
            text = " ".join("".join(self._open.pop()[1]).split())
            self.texts[tag].append(text)
            if tag in ("td", "th"):
                self.rows[-1] += (text,)

    def handle_data(self, data):
        if self._open:
            self._open[-1][1].append(data)

    def row(self, name):
        """Return the cells of the first row with a name."""
        return next(row for row in self.rows if row and row[0] == name)

    @property
    def said(self):
        """All texts that are not in a table, one per line."""
        return "\n".join(text for tag in _PARTS[:8] for text in self.texts[tag])


@pytest.fixture
def read_page():
    """A function that reads the page in a file."""
    return lambda path: Page(path.read_text(encoding="utf-8"))
