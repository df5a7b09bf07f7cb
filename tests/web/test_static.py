"""What is shipped: versions, licenses and checksums of what others wrote; colors of the reports; how it is served."""

import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from vein2vein.files import checksum
from vein2vein.report.look import words
from vein2vein.web import static_files

HERE = Path(__file__).parent
VENDORS = [static_files.VENDORED, HERE / "vendor" / "vendored.toml"]
PERMISSIVE = {"0BSD", "MIT", "BSD-3-Clause", "BSD-2-Clause", "Apache-2.0", "ISC"}


@pytest.mark.parametrize("path", VENDORS, ids=("app", "tests"))
def test_what_others_wrote_is_as_they_published_it(path):
    files = tomllib.loads(path.read_text(encoding="utf-8"))["file"]
    for one in files:
        assert checksum(path.parent / one["file"]) == one["sha256"], one["file"]
        assert (
            re.fullmatch(r"\d+\.\d+\.\d+", one["version"])
            and one["version"] in one["package"]
            and one["home"].startswith("https://")
        )
        assert len((path.parent / one["license_file"]).read_text(encoding="utf-8")) > 200
        assert one["license"] in PERMISSIVE or path != static_files.VENDORED
    listed = {path.parent / one[key] for one in files for key in ("file", "license_file")} | {path}
    there = {found for found in path.parent.rglob("*") if found.is_file()}
    assert there - listed <= {path.parent / "LICENSE-3RD-PARTY.txt"}, "everything is listed"


def test_a_license_and_the_list_are_shipped_with_the_package():
    assert (
        static_files.vendored() and resources.files("vein2vein.web").joinpath("static/vendor/vendored.toml").is_file()
    )
    assert not [name for name in static_files.assets() if name.endswith((".toml", ".txt", ".py"))]


def test_colors_are_those_of_the_reports():
    style = (static_files.FOLDER / "own" / "style.css").read_text(encoding="utf-8")
    light = dict(re.findall(r"--(\w+): (#\w+)", style[: style.index("@media (prefers-color-scheme: dark)")]))
    for name, value in words("color").items():
        if name in ("ink", "soft", "faint", "paper", "wash", "blue", "sky", "green", "orange", "vermilion", "purple"):
            assert light[name] == value, name
    charts = (static_files.FOLDER / "own" / "charts.js").read_text(encoding="utf-8")
    style_card = tomllib.loads(resources.files("vein2vein.report").joinpath("style.toml").read_text(encoding="utf-8"))
    assert re.search(r"GRADES = \[(.*?)\]", charts)[1].replace('"', "").split(", ") == style_card["grades"]["colors"]
    key = re.findall(r"nth-child\((\d)\) i \{ background: (#\w+);", style)
    assert [color for _, color in sorted(key)] == style_card["grades"]["colors"]


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(theme):
    style = (static_files.FOLDER / "own" / "style.css").read_text(encoding="utf-8")
    light, dark = style.split("@media (prefers-color-scheme: dark)")[:2]
    tokens = dict(re.findall(r"--([\w-]+): (#\w{6})", light))
    if theme == "dark":
        tokens |= dict(re.findall(r"--([\w-]+): (#\w{6})", dark.split("\n}")[0]))
    pairs = [(text, ground) for text in ("ink", "soft", "link", "bad", "good") for ground in ("paper", "wash")]
    for text, ground in [*pairs, ("on-accent", "accent")]:
        one, other = sorted((luminance(tokens[text]), luminance(tokens[ground])))
        assert (other + 0.05) / (one + 0.05) >= 4.5, (text, ground)
    for edge in ("edge", "accent"):
        one, other = sorted((luminance(tokens[edge]), luminance(tokens["paper"])))
        assert (other + 0.05) / (one + 0.05) >= 3, edge


def test_a_script_is_one_whatever_the_system_calls_it(monkeypatch):
    monkeypatch.setattr("mimetypes.guess_type", lambda name, strict=True: ("text/plain", None))
    found = static_files.assets.__wrapped__()
    kinds = {name.rpartition(".")[2]: one.kind.partition(";")[0] for name, one in found.items()}
    assert kinds == {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def test_files_are_served_packed_and_kept(asked):
    address = static_files.address_of("own/style.css")
    answer = asked.client.get(address, headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip" and answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"] and answer.text.startswith("/* One style")
    plain = asked.client.get(address, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.text == answer.text
    assert asked.client.get(address, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    assert asked.client.get("/static/own/mark.svg").headers["content-type"] == "image/svg+xml"
    assert asked.client.get("/static/nothing.js").status_code == 404
