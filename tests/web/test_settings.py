"""What the app may be started with; what lets others in is refused without a proxy and a password."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vein2vein.errors import InputError
from vein2vein.web.settings import Settings, default_workspace, is_loopback, settings_of

PUBLIC = "https://cart.example.org"


@pytest.fixture
def password(tmp_path):
    path = tmp_path / "password"
    path.write_text("correct horse battery\n")
    path.chmod(0o600)
    return path


def test_alone_on_this_machine(tmp_path):
    found = settings_of(workspace=tmp_path / "a" / "b")
    assert found.host == "127.0.0.1" and found.workspace.is_dir() and not found.behind_proxy
    assert found.origins(8000) == ("http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000")
    assert found.jobs_at_once == max(1, len(os.sched_getaffinity(0)) - 1) if hasattr(os, "sched_getaffinity") else True
    assert settings_of(workspace=tmp_path, host="::1").origins(1)[0] == "http://[::1]:1"
    assert default_workspace().name == "workspace" and "vein2vein" in str(default_workspace())


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "10.1.2.3", "::", "192.168.1.1", "example.org", "127.0.0.1.evil.example", ""]
)
def test_an_address_that_others_reach_is_refused(tmp_path, host):
    with pytest.raises(InputError, match="can be reached from other machines") as found:
        settings_of(workspace=tmp_path, host=host)
    assert found.value.field == "--host" and "--behind-proxy" in found.value.text


def test_behind_a_proxy_with_address_and_password(tmp_path, password):
    found = settings_of(
        workspace=tmp_path, host="0.0.0.0", proxies=("10.0.0.5",), public=f"{PUBLIC}/", password_file=password
    )
    assert found.origins(80) == (PUBLIC,) and found.password == "correct horse battery" and found.behind_proxy
    assert "horse" not in repr(found)


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"proxies": ("proxy",)}, "--behind-proxy", "expected the address of a proxy"),
        ({"proxies": ("10.0.0.5",)}, "--public-address", "missing; behind a proxy"),
        ({"proxies": ("10.0.0.5",), "public": "http://x.org"}, "--public-address", "such as https"),
        ({"proxies": ("10.0.0.5",), "public": "https://x.org/a"}, "--public-address", "such as https"),
        ({"proxies": ("10.0.0.5",), "public": "https://u@x.org"}, "--public-address", "such as https"),
        ({"proxies": ("10.0.0.5",), "public": PUBLIC}, "--password-file", "a password is needed"),
        ({"public": PUBLIC}, "--public-address", "does nothing without --behind-proxy"),
        ({"port": 70_000}, "--port", "expected 0"),
        ({"port": -1}, "--port", "expected 0"),
    ],
)
def test_what_lacks_something_is_refused(tmp_path, given, field, said):
    with pytest.raises(InputError, match=said) as found:
        settings_of(workspace=tmp_path, **given)
    assert found.value.field == field


def test_a_password_is_long_private_and_there(tmp_path, password):
    given = {"workspace": tmp_path, "proxies": ("10.0.0.5",), "public": PUBLIC, "password_file": password}
    with pytest.raises(InputError, match="does nothing without"):
        settings_of(workspace=tmp_path, password_file=password)
    password.chmod(0o644)
    with pytest.raises(InputError, match="others may read it"):
        settings_of(**given)
    password.chmod(0o600)
    for text, said in (("short\n", "has 5 characters"), ("", "has 0 characters")):
        password.write_text(text)
        with pytest.raises(InputError, match=said):
            settings_of(**given)
    password.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        settings_of(**given)
    password.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        settings_of(**given)


@given(st.ip_addresses())
def test_loopback_is_what_only_this_machine_reaches(address):
    assert is_loopback(str(address)) == address.is_loopback
    assert (
        not is_loopback("")
        and is_loopback("localhost")
        and Settings.__dataclass_fields__["host"].default == "127.0.0.1"
    )
