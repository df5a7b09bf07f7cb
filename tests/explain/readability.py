"""The text of a page, and how hard it is to read: Flesch-Kincaid grade and SMOG, for English, by counted syllables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html.parser import HTMLParser

LEAST_FOR_SMOG = 30  # sentences
MANY_SYLLABLES = 3
# Words whose syllables the rules below miscount
COUNTED = {
    "people": 2, "aches": 1, "pet": 1, "area": 3, "being": 2,
    "every": 2, "medicine": 3, "vaccine": 2, "vaccines": 2, "leukapheresis": 6, "cytokine": 3,
    "tocilizumab": 5, "cyclophosphamide": 5, "fludarabine": 4, "doing": 2, "vein2vein": 3, "something": 2,
    "someone": 2, "sometimes": 2, "lifetime": 2, "device": 2, "idea": 3, "science": 2, "antibodies": 4, "bodies": 2,
    "tisagenlecleucel": 6, "fluid": 2, "language": 2, "rarely": 2, "reaction": 3, "tired": 2, "icans": 2, "car": 1,
}  # fmt: skip
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9'’\-]*")
_END = re.compile(r"[.!?](?=\s|$|[”’\"')])")


@dataclass(frozen=True)
class Readability:
    """Scores of a text: US school grades, and what they were counted from."""

    flesch_kincaid: float
    smog: float
    sentences: int
    words: int
    longest: int


def syllables(word: str) -> int:
    """Syllables of an English word: groups of vowels, without silent e; letters of an abbreviation are spoken."""
    total = 0
    for part in re.split(r"-|(?<=[a-z])[’'](?=[a-z])", word):
        low = part.lower().strip("’'")
        if low in COUNTED:
            total += COUNTED[low]
        elif re.fullmatch(r"[B-DF-HJ-NP-TV-XZ]+\d*|[A-Z]{2,3}[a-z]?\d*", part):
            total += len(part)
        elif len(low) > 1 or part is word:
            total += _spoken(low)
        else:
            total += low not in "s"
    return max(total, 1)


def _spoken(part: str) -> int:
    silent = r"(?<=[^aeiouyscgxzh])es$|(?<=[^aeioudty])ed$|e$(?<![^aeiou]le)"
    spoken = re.sub(r"[^a-z]", "", re.sub(silent, "", part))
    groups = len(re.findall(r"[aeiouy]+", spoken))
    groups += len(re.findall(r"[^aeiou]ia(?!l)|io(?!n|u)|eo|[aeiouy]ing|uou|iu", spoken))
    return max(groups, 1)


def readability(text: str) -> Readability:
    """Score a text; every line ends a sentence.

    FK = 0.39 words/sentences + 11.8 syllables/words - 15.59; SMOG = 1.043 sqrt(30 polysyllables/sentences) + 3.1291,
    a number only where there are 30 sentences.
    """
    sentences = [_WORD.findall(part) for line in text.splitlines() for part in _END.split(line)]
    sentences = [words for words in sentences if words]
    words = [word for sentence in sentences for word in sentence]
    if not words:
        return Readability(float("nan"), float("nan"), 0, 0, 0)
    counts = [syllables(word) for word in words]
    many = sum(count >= MANY_SYLLABLES for count in counts)
    grade = 0.39 * len(words) / len(sentences) + 11.8 * sum(counts) / len(words) - 15.59
    enough = len(sentences) >= LEAST_FOR_SMOG
    smog = 1.043 * (many * 30 / len(sentences)) ** 0.5 + 3.1291 if enough else float("nan")
    return Readability(grade, smog, len(sentences), len(words), max(map(len, sentences)))


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def text_of(html: str) -> str:
    """What a page says below its style, in one line."""
    reader = _Text()
    reader.feed(html.split("</style>")[1])
    return " ".join(" ".join(reader.found).split())


class _Prose(HTMLParser):
    """Collects the whole sentences of a page: paragraphs, list items and cells; no headings and labels."""

    def __init__(self, tags: Iterable[str]) -> None:
        super().__init__()
        self.tags, self.depth, self.skipped, self.found = set(tags), 0, 0, [""]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.skipped += tag in ("style", "title", "strong", "footer", "h1", "h2", "h3")
        if tag in self.tags:
            self.depth += 1
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        self.skipped -= tag in ("style", "title", "strong", "footer", "h1", "h2", "h3")
        if tag in self.tags:
            self.depth -= 1
            self.found.append("")

    def handle_data(self, data: str) -> None:
        if self.depth > 0 and not self.skipped:
            self.found[-1] += data


def prose_of(html: str) -> str:
    """The running text of a page, a block to a line: what ends like a sentence."""
    reader = _Prose(("p", "li", "td"))
    reader.feed(html.split('<section class="sources">')[0])
    lines = (" ".join(block.split()) for block in reader.found)
    return "\n".join(line for line in lines if line and line[-1] in ".!?:”")
