"""vein2vein app: what it prints, what it refuses, how it ends."""

import json
import signal
import subprocess
import sys
import urllib.request

import pytest
from click.testing import CliRunner

from vein2vein.cli import main


def run(*args):
    with CliRunner().isolation() as (out, err, _):
        code = main.main(list(args))
        return code, out.getvalue().decode(), err.getvalue().decode()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--host", "0.0.0.0"], "--host: '0.0.0.0' can be reached from other machines"),
        (["--port", "70000"], "70000"),
        (["--port", "x"], "x"),
        (["--behind-proxy", "10.0.0.5"], "--public-address"),
        (["--public-address", "https://x.org"], "does nothing without --behind-proxy"),
        (["--workspace", ""], "empty"),
    ],
)
def test_what_is_refused(args, said, tmp_path):
    code, out, err = run(
        "app", "--no-browser", *(args if "--workspace" in args else ["--workspace", str(tmp_path / "w"), *args])
    )
    assert code == 2 and not out and said in err


def test_a_workspace_or_port_that_is_in_use_is_told(tmp_path):
    command = [sys.executable, "-m", "vein2vein", "app", "--no-browser", "--workspace", str(tmp_path / "w"), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        told = json.loads(process.stdout.readline())
        assert told["event"] == "address" and told["workspace"] == str((tmp_path / "w").resolve())
        with urllib.request.urlopen(told["address"], timeout=20) as answer:
            assert answer.status == 200 and "HttpOnly" in answer.headers["set-cookie"]
        code, _, err = run("app", "--no-browser", "--workspace", str(tmp_path / "w"))
        assert code == 2 and "is open in another vein2vein app" in err
        port = told["address"].split(":")[2].split("/")[0]
        code, _, err = run("app", "--no-browser", "--workspace", str(tmp_path / "other"), "--port", port)
        assert code == 2 and f"--port: port {port} of 127.0.0.1 cannot be used" in err
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0 and process.stderr.read() == "", "that is how it ends"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def test_without_the_server_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "vein2vein.web.serve", raising=False)
    code, _, err = run("app", "--workspace", str(tmp_path))
    assert code == 2 and "pip install vein2vein again" in err and "uvicorn" in err
