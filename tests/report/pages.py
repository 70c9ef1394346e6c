"""What holds of every page of ours, and a reader that takes one apart."""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "rect", "line", "circle", "polyline"}


class Reader(HTMLParser):
    """Keeps what a page consists of, and refuses a tag that does not match."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts, self.lang = [], [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
            if tag == "article":
                self.lang.append(dict(attrs)["lang"])

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    def all(self, tag):
        return [attributes for found, attributes in self.tags if found == tag]


def halves(page):
    english, chinese = page.split('<article lang="zh-Hans"')
    return english.split('<article lang="en"')[1], chinese


def assert_well_formed(page):
    """Tags match, each id is there once, every reference leads somewhere, and both languages are there."""
    read = Reader(page)
    ids = [value for key, value in read.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    for key, value in read.attributes:
        if key in ("for", "aria-labelledby", "aria-describedby"):
            assert value in ids
    assert read.lang == ["en", "zh-Hans"]


def assert_self_contained(page):
    """No script, no request, and a policy that allows none."""
    read = Reader(page)
    assert not {"script", "img", "iframe", "object", "embed", "base", "form", "a"} & {tag for tag, _ in read.tags}
    for key, value in read.attributes:
        assert not key.startswith("on")
        if key in ("src", "href", "srcset", "action", "xlink:href"):
            assert value == "data:,"
    assert not re.search(r"https?:|//[a-z]|url\(|@import|expression\(", page)
    policy = next(a["content"] for a in read.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")


def assert_readable(page):
    """Tables have captions and heads, drawings are told in words, and the languages can be chosen by keyboard."""
    read = Reader(page)
    assert all(th.get("scope") in ("col", "row") for th in read.all("th"))
    assert len(read.all("caption")) == len(read.all("table")) > 0
    assert all(box.get("aria-label") for box in read.all("div") if box.get("class") == "scroll")
    assert len(read.all("svg")) == len(read.all("desc")) > 0
    assert all(svg["role"] == "img" and svg["aria-labelledby"] and svg["aria-describedby"] for svg in read.all("svg"))
    assert [a["id"] for a in read.all("input")] == ["choose-en", "choose-zh"]
