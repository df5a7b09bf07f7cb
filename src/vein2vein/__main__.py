"""The program: python -m vein2vein, and the command vein2vein."""

# pyright: reportPrivateUsage=false

import atexit
import os
import sys
import warnings
from typing import NoReturn

from vein2vein.cli.main import main as run


def main() -> int:
    """Run the command line; warnings of libraries are for developers and shown with --debug only."""
    if "--debug" not in sys.argv and not sys.warnoptions:
        warnings.simplefilter("ignore")
    return run()


def program() -> NoReturn:
    """Run the command line and end the process.

    What is left to do at the end is done (``atexit``, streams), but nothing is taken down piece by piece: that takes a
    tenth of a second with all that was loaded, and the system takes the memory back at once.
    """
    code = main()
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # the interpreter's own way out says what is to be said
        sys.exit(code)
    os._exit(code)


if __name__ == "__main__":
    program()
