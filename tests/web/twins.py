"""Whether a page and its JSON twin tell the same: used by the tests of the frame and of every door.

``check(client, address)`` asks for both. Every value of the twin's data stands in the page (as text, in an attribute,
or in the data of a chart), and every number in the body of the page stands in the twin.
"""

import datetime
import html
import json
import re
from html.parser import HTMLParser

from vein2vein.web.render import number, size


class Seen(HTMLParser):
    """What a reader of a page can come upon: its text, its attributes, and the data of its charts."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.leaves, self._data = [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.texts += [" ".join(value.split()) for _, value in attributes if value]
        self._data = ("type", "application/json") in attributes

    def handle_data(self, data):
        if self._data:
            self.leaves += list(leaves(json.loads(data)))
            self._data = False
        elif data.strip():
            self.texts.append(" ".join(data.split()))


def leaves(data):
    """Every plain value of a twin."""
    if isinstance(data, dict):
        for value in data.values():
            yield from leaves(value)
    elif isinstance(data, list):
        for value in data:
            yield from leaves(value)
    else:
        yield data


def twin_of(address):
    """The address of the twin of a page."""
    path, _, query = address.partition("?")
    return f"{path}.json{'?' + query if query else ''}"


def shown_as(value):
    """The forms in which a page may show a value; none for what is shown by words, or by being left out."""
    if isinstance(value, bool) or value in (None, ""):
        return set()
    if isinstance(value, int | float):
        return {number(value), number(value, 5), str(value), f"{value:g}", str(round(100 * value)), size(value)}
    if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:+.]*", value):
        return {value, datetime.datetime.fromisoformat(value).strftime("%Y-%m-%d %H:%M")}
    return {" ".join(value.split())}


def check(client, address):
    """Ask for a page and its twin, compare them, and return both."""
    page, twin = client.get(address), client.get(twin_of(address))
    assert page.status_code == twin.status_code == 200, (page.status_code, twin.status_code)
    assert page.headers["content-type"].startswith("text/html") and twin.headers["content-type"] == "application/json"
    told = twin.json()
    assert told["address"] == address.split("?")[0]
    seen = Seen(page.text)
    everything = "\n".join(seen.texts)
    for value in leaves(told["data"]):
        shown = shown_as(value)
        assert not shown or value in seen.leaves or any(one in everything for one in shown), (
            f"{value!r} is not on the page"
        )
    body = page.text[page.text.index("<main") : page.text.index("</main>")]
    headline = re.sub(r"<[^>]*>", "", re.search(r"<h1>(.*?)</h1>", body, re.S)[1])
    assert told["title"] == html.unescape(headline)
    for code in (told["python"], told["command"]):
        assert code in html.unescape(body)
    text = html.unescape(
        re.sub(
            r"<[^>]*>", " ", re.sub(r"<script.*?</script>|<section class=\"same\".*?</section>", "", body, flags=re.S)
        )
    )
    held = "\n".join(one for value in leaves(told) if value is not None for one in (shown_as(value) or {str(value)}))
    for one in re.findall(r"\d[\d,.]*\d|\d", text):
        assert one in held or one in json.dumps(told, ensure_ascii=False), f"{one} is not in the twin"
    return page, told
