"""vein2vein app: the app in the browser, on this machine, offline."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from vein2vein.cli import console, options
from vein2vein.errors import InputError

EXAMPLES = """\b
Examples:
  vein2vein app
  vein2vein app --workspace study --port 8642 --no-browser
"""
INSTALL = "the app needs its server, which is not installed; pip install vein2vein again, with its dependencies."


@click.command("app", cls=options.Command, epilog=EXAMPLES)
@click.option(
    "--workspace",
    type=options.PATH,
    metavar="DIR",
    help="Folder of inputs and results (default: the user's data folder).",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    show_default="a free one",
    metavar="N",
    help="Port that is listened on.",
)
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
    help="Address that is listened on; one that other machines reach needs --behind-proxy.",
)  # fmt: skip
@click.option(
    "--behind-proxy", "proxies", multiple=True, metavar="ADDRESS",
    help="Address of the trusted proxy: it alone may ask. Needs --public-address and --password-file.",
)  # fmt: skip
@click.option("--public-address", metavar="URL", help="How users reach the proxy, such as https://cart.example.org.")
@click.option(
    "--password-file",
    type=options.PATH,
    metavar="FILE",
    help="File whose first line is the password; only you may read it.",
)
@click.option(
    "--jobs", type=click.IntRange(1), metavar="N", help="Long computations side by side (default: cores less one)."
)
@options.for_machines("address")
@options.quiet("Only the address.")
def command(
    workspace: Path | None,
    port: int,
    no_browser: bool,
    host: str,
    proxies: tuple[str, ...],
    public_address: str | None,
    password_file: Path | None,
    jobs: int | None,
    for_machines: bool,
    quiet: bool,
) -> None:
    """Open vein2vein in the browser, on this machine, offline.

    The same functions as the commands, behind forms and charts. The address is printed with its token: only who has it
    can open the pages. Nothing leaves this computer. Ctrl-C ends it; jobs go on at the next start.
    """
    try:
        from vein2vein.web.serve import serve
        from vein2vein.web.settings import settings_of
    except ModuleNotFoundError as problem:
        if problem.name is None or problem.name.startswith("vein2vein"):
            raise
        raise InputError(f"{INSTALL} Missing: {problem.name}.") from None
    settings = settings_of(
        workspace=workspace,
        host=host,
        port=port,
        browser=not no_browser,
        proxies=proxies,
        public=public_address or "",
        password_file=password_file,
        jobs_at_once=jobs,
    )

    def say(address: str) -> None:
        if for_machines:
            console.emit("address", address=address, workspace=settings.workspace)
            return
        if quiet:
            click.echo(address)
            return
        click.echo(f"vein2vein is open at {address}")
        click.echo(f"Workspace: {settings.workspace}. Ctrl-C ends it.")

    with suppress(KeyboardInterrupt):  # how it ends
        serve(settings, say)
