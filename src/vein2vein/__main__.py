"""The program: python -m vein2vein, and the command vein2vein."""

import gc
import sys
import warnings

from vein2vein.cli.main import main as run


def main() -> int:
    """Run the command line; warnings of libraries are for developers and shown with --debug only."""
    if "--debug" not in sys.argv and not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        return run()
    finally:
        gc.freeze()  # the system takes all memory back at once: no search for cycles in what is left


if __name__ == "__main__":
    sys.exit(main())
