"""The section "Safety" of the design, point by point: who may ask, from where, what an answer lets a browser do."""

import logging
import re
import threading
import time

import pytest
from asked_app import ORIGIN, PORT, client_of, opened
from starlette.routing import Route

from vein2vein.web import guard, log
from vein2vein.web.access import Keys
from vein2vein.web.app import make_app
from vein2vein.web.settings import Settings

NOBODY = {"cookie": ""}
OTHERS = [
    "https://evil.example",
    "http://127.0.0.1:9999",
    "http://localhost.evil.example:8000",
    "null",
    "file://",
    ORIGIN + ".evil",
]


def routes(asked):
    """Every route with its method and an address that fits it."""
    inside = [route for door in asked.parts.doors for route in door.router.routes]
    for one in [*inside, *(route for route in asked.client.app.app.routes if isinstance(route, Route))]:
        for method in sorted((one.methods or set()) - {"HEAD"}):
            yield method, re.sub(r"\{\w+(:path)?\}", "0123456789abcdef", one.path)


def test_there_are_routes_of_both_kinds(asked):
    listed = list(routes(asked))
    assert {"GET", "POST"} <= {method for method, _ in listed} and len(listed) > 25
    assert ("POST", "/jobs/0123456789abcdef/cancel") in listed and ("GET", "/library.json") in listed


def test_without_the_cookie_nothing_is_shown(asked):
    for method, address in routes(asked):
        answer = asked.client.request(method, address, headers=NOBODY)
        assert answer.status_code == 403, (method, address)
        assert "opens with the address" in answer.text
    for cookie in (
        "vein2vein-8000=",
        "vein2vein-8000=0",
        f"vein2vein-8001={asked.keys.cookie}",
        f"vein2vein-8000={asked.keys.token}",
        "x" * 5000,
        "a=\x01b",
    ):
        assert asked.client.get("/", headers={"cookie": cookie}).status_code == 403, cookie


def test_the_token_becomes_a_cookie_and_leaves_the_address(asked):
    answer = asked.client.get(f"/?token={asked.keys.token}", headers=NOBODY)
    assert answer.status_code == 200 and asked.keys.token not in answer.text and 'content="0;url=/"' in answer.text
    cookie = answer.headers["set-cookie"]
    assert cookie == f"vein2vein-{PORT}={asked.keys.cookie}; Path=/; HttpOnly; SameSite=Strict"
    assert asked.keys.token not in cookie


@pytest.mark.parametrize("token", ["", "0", "x" * 43, "%00", "a&token=b", "\u0661"])
def test_a_wrong_token_opens_nothing(asked, token):
    answer = asked.client.get("/", params={"token": token}, headers=NOBODY)
    assert answer.status_code == 403 and "set-cookie" not in answer.headers
    assert asked.client.get("/jobs", params={"token": asked.keys.token}, headers=NOBODY).status_code == 403


def test_a_token_for_the_browser_opens_once_and_soon(monkeypatch):
    keys = Keys()
    once = keys.once()
    assert keys.is_token(once) and not keys.is_token(once)
    late = keys.once()
    moment = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: moment + 61)
    assert not keys.is_token(late)
    assert keys.is_token(keys.token) and not keys.is_token("")
    assert len({Keys().token for _ in range(20)}) == 20 and len(keys.token) >= 43
    assert len({keys.token, keys.cookie, keys.change}) == 3
    assert keys.token not in repr(keys)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:8001", "localhost.evil.example:8000", "", "[::1]"],
)
def test_a_host_that_is_not_ours_is_refused(asked, host):
    answer = asked.client.get("/", headers={"host": host})
    assert answer.status_code == 403 and "is not the one that vein2vein was started with" in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000"])
def test_the_names_of_this_machine_are_taken(asked, host):
    assert asked.client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", OTHERS)
def test_another_origin_changes_nothing(asked, origin):
    for method, address in routes(asked):
        if method == "POST":
            answer = asked.client.post(address, headers={"origin": origin}, data={"change_mark": asked.keys.change})
            assert answer.status_code == 403, address
    assert asked.client.get("/", headers={"origin": origin}).status_code == (200 if origin == "null" else 403)


def test_a_change_says_where_it_comes_from(asked):
    data = {"change_mark": asked.keys.change, "language": "es"}
    bare = {"origin": "null"}  # as a form is sent by a page without a referrer
    assert asked.client.post("/language", data=data, headers=bare).status_code == 403
    assert (
        asked.client.post(
            "/language", data=data, headers={**bare, "sec-fetch-site": "same-origin"}, follow_redirects=False
        ).status_code
        == 303
    )
    for site in ("cross-site", "same-site", "none"):
        assert asked.client.post("/language", data=data, headers={**bare, "sec-fetch-site": site}).status_code == 403
    assert (
        asked.client.post(
            "/language", data=data, headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
        ).status_code
        == 403
    )


def test_a_change_without_the_mark_of_a_page_is_refused(fresh):
    kept = fresh.parts.workspace.add("trying", "x", "dose = 1\n", ".toml")
    job = fresh.parts.jobs.start("trying", "count", "t", {"steps": 1})
    for method, address in routes(fresh):
        if method != "POST" or address == "/login":
            continue
        for data in ({}, {"change_mark": ""}, {"change_mark": fresh.keys.cookie}, {"change_mark": Keys().change}):
            for sent in ({"data": data}, {"data": data, "files": {"file": b"x"}}, {"json": data}):
                assert fresh.client.post(address, **sent).status_code == 403, address
    assert fresh.parts.workspace.find(kept.id).text() == "dose = 1\n" and fresh.parts.jobs.find(job.id)
    marked = {"x-change-mark": fresh.keys.change}
    assert (
        fresh.client.post("/language", data={"language": "es"}, headers=marked, follow_redirects=False).status_code
        == 303
    )


def test_every_answer_keeps_other_sites_out(asked):
    for address in (
        "/",
        "/.json",
        "/nowhere",
        "/library/none",
        "/static/own/style.css",
        "/openapi.json",
        "/trying?fail=defect",
    ):
        headers = asked.client.get(address).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert (
            policy["default-src"] == "'none'" and policy["script-src"] == "'self'" and policy["style-src"] == "'self'"
        )
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'" and policy["form-action"] == "'self'"
        assert "unsafe" not in headers["content-security-policy"] and "http" not in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer" and headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY" and headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers and "server" not in headers
        assert address.startswith("/static") or headers["cache-control"] == "no-store"
    refused = asked.client.get("/", headers=NOBODY).headers
    assert refused["content-security-policy"] == guard.CONTENT_POLICY and refused["x-frame-options"] == "DENY"


def test_no_page_has_a_script_or_style_inside(asked):
    for address in ("/", "/library", "/library/criteria/icans_astct_2019", "/jobs", "/trying", "/nowhere"):
        page = asked.client.get(address).text
        assert not re.findall(
            r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*(src=\"/static/|type=\"application/json\"))", page
        )
        assert not re.findall(r"(?:src|href|action)=\"(?:https?:)?//", page), "nothing is loaded from elsewhere"


@pytest.mark.parametrize("dest", ["iframe", "frame", "embed", "object"])
def test_a_page_is_not_shown_inside_another(asked, dest):
    assert asked.client.get("/", headers={"sec-fetch-dest": dest, "sec-fetch-site": "same-origin"}).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_asks_for_no_part(asked, site):
    assert asked.client.get("/.json", headers={"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}).status_code == 403
    assert asked.client.get("/", headers={"sec-fetch-site": site, "sec-fetch-mode": "navigate"}).status_code == 200


def test_too_much_is_refused_and_the_rest_goes_on(tmp_path):
    with opened(tmp_path / "w", largest_form=1000, largest_upload=5000) as small:
        assert small.change("/trying/save", {"title": "x" * 2000}).status_code == 413
        answer = small.change("/trying/upload", files={"file": ("a.csv", b"x" * 6000)})
        assert (
            answer.status_code == 413 and "larger than 0.005 MB" in answer.text and "send a smaller file" in answer.text
        )
        assert small.parts.workspace.listed() == []

        def endless():
            for _ in range(100):
                yield b"a=" + b"x" * 100 + b"&"

        kind = {"content-type": "application/x-www-form-urlencoded", "x-change-mark": small.keys.change}
        assert small.client.post("/trying/save", content=endless(), headers=kind).status_code == 413
        assert small.change("/trying/upload", files={"file": ("a.csv", b"a,b\n1,2\n")}).status_code == 303


def test_a_failure_is_told_in_a_sentence_and_logged_without_values(asked, caplog):
    logging.getLogger("vein2vein.web").propagate = True
    with caplog.at_level(logging.ERROR):
        for sent in ({}, {"hx-request": "true"}, {"accept": "application/json"}):
            answer = asked.client.get("/trying?fail=defect", headers=sent)
            assert answer.status_code == 500 and "defect of vein2vein" in answer.text
            assert "secret" not in answer.text and "Traceback" not in answer.text and ".py" not in answer.text
    told = caplog.text
    assert "secret" not in told and "patient 7" not in told
    number = re.search(r"number ([0-9a-f]{8})", answer.text)[1]
    assert f"defect {number} in /trying" in told and "ValueError" in told and "trying_door.py" in told


def test_what_was_typed_is_not_lost(asked):
    answer = asked.change("/trying/start", {"kind": "nothing", "notes": "<b>two\nlines"})
    assert answer.status_code == 422 and "What you typed" in answer.text
    assert "&lt;b&gt;two\nlines" in answer.text and "<code>notes</code>" in answer.text
    assert asked.keys.change not in answer.text[answer.text.index("What you typed") :]


def test_an_old_page_is_told_so_above_what_it_shows(asked):
    answer = asked.client.post("/trying/draw", data={"dose": "1"}, headers={"hx-request": "true", "cookie": ""})
    assert answer.status_code == 403 and answer.headers["hx-retarget"] == "#problem" and "<html" not in answer.text


def test_a_trace_tells_lines_and_no_values():
    try:
        try:
            raise KeyError("secret")
        except KeyError as problem:
            raise ValueError("secret") from problem
    except ValueError as problem:
        told = " ".join(log.trace(problem))
    assert (
        told.startswith("KeyError")
        and "then: ValueError" in told
        and "secret" not in told
        and "test_safety.py:" in told
    )


def test_who_comes_second_is_told_so(asked):
    answer = asked.client.get("/trying?fail=changed")
    assert answer.status_code == 409 and "was changed elsewhere" in answer.text and "open it again" in answer.text


def test_a_full_disk_is_told_with_what_to_do(asked):
    answer = asked.client.get("/trying?fail=disk")
    assert answer.status_code == 507 and "No space left" in answer.text and "free some space" in answer.text


@pytest.mark.parametrize(
    "address",
    [
        "/nowhere",
        "/library/products/..%2f..%2fpyproject",
        "/jobs/../../etc/passwd",
        "/static/..%2f..%2fguard.py",
        "/static/vendor/vendored.toml",
        "/inputs/%2e%2e",
        "/jobs/x/files/..%2fjobs.db",
        "/inputs/%00",
    ],
)
def test_no_path_comes_from_a_browser(asked, address):
    answer = asked.client.get(address)
    assert answer.status_code == 404 and "root:" not in answer.text


def test_a_wrong_method_is_told(asked):
    assert asked.client.post("/library", data={"change_mark": asked.keys.change}).status_code == 405
    assert asked.client.request("DELETE", "/library", headers={"x-change-mark": asked.keys.change}).status_code == 405


def test_a_part_keeps_what_is_on_the_page(asked):
    answer = asked.client.post(
        "/trying/draw", data={"dose": "-1"}, headers={"hx-request": "true", "x-change-mark": asked.keys.change}
    )
    assert (
        answer.status_code == 422
        and answer.headers["hx-retarget"] == "#problem"
        and answer.headers["hx-reswap"] == "innerHTML"
    )
    assert (
        "<html" not in answer.text
        and "expected a number from 0 to 10 e6/kg" in answer.text
        and "<code>dose</code>" in answer.text
    )


# Behind a proxy


PROXY = {"proxies": ("testclient",), "public": "https://cart.example.org", "password": "correct horse battery"}


@pytest.fixture
def proxied(tmp_path):
    keys = Keys(password=PROXY["password"])
    app = make_app(Settings(tmp_path / "w", **PROXY), port=PORT, keys=keys)
    with client_of(app, keys, cookie="", origin=PROXY["public"], host="cart.example.org") as client:
        yield client, keys


def test_behind_a_proxy_a_password_is_asked_for(proxied, monkeypatch):
    monkeypatch.setattr("vein2vein.web.access.PAUSE", 0.01)
    client, keys = proxied
    first = client.get("/", follow_redirects=False)
    assert first.status_code == 303 and first.headers["location"] == "/login"
    assert client.get("/.json", headers={"sec-fetch-mode": "cors"}).status_code == 403
    assert client.get(f"/?token={keys.token}").status_code == 403, "the token opens nothing there"
    assert 'type="password"' in client.get("/login").text
    wrong = client.post("/login", data={"password": "wrong"})
    assert wrong.status_code == 403 and "not the password" in wrong.text and "set-cookie" not in wrong.headers
    right = client.post("/login", data={"password": PROXY["password"]}, follow_redirects=False)
    cookie = right.headers["set-cookie"]
    assert right.status_code == 303 and cookie.startswith("__Host-vein2vein=")
    assert "HttpOnly" in cookie and "Secure" in cookie and "samesite=strict" in cookie.lower()
    inside = client.get("/", headers={"cookie": cookie.split(";")[0]})
    assert inside.status_code == 200 and "the server of your center" in inside.text
    assert "max-age" in inside.headers["strict-transport-security"]


def test_behind_a_proxy_only_the_proxy_asks_for_its_own_address(proxied, tmp_path):
    client, keys = proxied
    assert client.get("/login", headers={"host": "127.0.0.1:8000"}).status_code == 403
    assert (
        client.post(
            "/login", data={"password": PROXY["password"]}, headers={"origin": "https://evil.example"}
        ).status_code
        == 403
    )
    app = make_app(Settings(tmp_path / "other", **{**PROXY, "proxies": ("10.0.0.5",)}), port=PORT, keys=keys)
    with client_of(app, keys, cookie="", origin=PROXY["public"], host="cart.example.org") as other:
        assert other.get("/login").status_code == 403 and "Only the proxy" in other.get("/login").text


def test_wrong_passwords_are_answered_one_at_a_time(monkeypatch):
    monkeypatch.setattr("vein2vein.web.access.PAUSE", 0.05)
    keys = Keys(password="correct horse battery")
    assert keys.is_password("correct horse battery") and not Keys().is_password("")
    begun = time.monotonic()
    threads = [threading.Thread(target=keys.is_password, args=("x",)) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert time.monotonic() - begun >= 0.2
