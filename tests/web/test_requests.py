"""Requests that nobody typed: schemathesis makes them from the OpenAPI of the app, and none of them gets a 500."""

import os

import httpx2
import pytest
import schemathesis
from asked_app import ORIGIN
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core import NOT_SET

from vein2vein.web.problems import STATUSES, WRONG

QUICK, MANY = 100, 1000  # requests in all
ANSWERS = (200, 204, 303, 400, 404, 405, 409, 413, 422)
"""What the app may answer to a request with the right cookie and mark, however odd."""


def ask(asked, requests):
    """Send so many requests to all operations together; every answer is one of the kinds that the app gives."""
    described = asked.client.get("/openapi.json").json()
    operations = [found.ok() for found in schemathesis.openapi.from_dict(described).get_all_operations()]
    operations = [one for one in operations if not one.path.endswith("/events")]  # a stream; test_jobs.py
    assert len(operations) > 20
    each, seen = -(-2 * requests // len(operations)), {}  # some take nothing and so have one case
    for operation in operations:
        declared = described["paths"][operation.path][operation.method.lower()]["responses"]

        @settings(
            max_examples=each, deadline=None, database=None, suppress_health_check=list(HealthCheck),
            phases=[Phase.generate], derandomize=bool(os.environ.get("CI")),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def check(case):
            answer = send(asked, case)
            seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
            told = (case.method, case.formatted_path, answer.status_code)
            assert answer.status_code in ANSWERS, told
            assert answer.status_code == 405 or str(answer.status_code) in declared, told  # noqa: B023, called at once; 405: of another address
            assert b"Traceback" not in answer.content and answer.headers["content-security-policy"]

        check()
    return seen


def send(asked, case):
    """Send a case as a browser would, or as nobody would."""
    given = {} if case.body is NOT_SET else case.body
    body = {"json": given} if not case.media_type else {"data": texts(given)}
    if case.media_type == "multipart/form-data" and isinstance(given, dict):
        files = {name: ("a", value) for name, value in given.items() if isinstance(value, bytes)}
        body = {
            "data": texts({name: value for name, value in given.items() if name not in files}),
            "files": files or None,
        }
    address = httpx2.URL(f"{ORIGIN}{case.formatted_path}")
    headers = {"x-change-mark": asked.keys.change}
    return asked.client.request(
        case.method, address, params=texts(case.query), headers=headers, follow_redirects=False, **body
    )


def texts(given):
    """What a form or a query can carry."""
    return {str(name): str(value) for name, value in given.items()} if isinstance(given, dict) else {}


def test_a_hundred_requests(asked):
    assert sum(ask(asked, QUICK).values()) >= QUICK / 2


@pytest.mark.slow
def test_a_thousand_requests(asked):
    seen = ask(asked, MANY)
    assert sum(seen.values()) >= MANY and 200 in seen and 422 in seen


def test_what_the_app_may_answer_is_declared_with_its_schema(asked):
    described = asked.client.get("/openapi.json").json()
    for path, operations in described["paths"].items():
        for method, one in operations.items():
            for status in STATUSES:
                shown = one["responses"][str(status)]["content"]["application/json"]["schema"]
                assert shown == WRONG, (path, method, status)
    shape = WRONG["properties"]["error"]["properties"]
    for address, status in (("/jobs/nothing.json", 404), ("/data/nothing/explore.json?below=x", 422)):
        answer = asked.client.get(address)
        assert answer.status_code == status and set(answer.json()["error"]) == set(shape)


def test_a_name_without_end_is_shortened_in_the_answer(asked):
    for length, said in ((3000, "n" * 100 + "n" * 19 + "…"), (5000, "give it a shorter one")):
        answer = asked.change("/data/upload", files=[("file", ("n" * length + ".csv", b"a,b\n1,2\n"))])
        assert said in answer.text and "n" * 121 not in answer.text
    answer = asked.change("/data/upload", files=[("file", ("n" * 300 + ".py", b"a,b\n1,2\n"))])
    assert "a program or a page by its name" in answer.text
