"""The program: python -m vein2vein, and the command vein2vein."""

import sys
import warnings

from vein2vein.cli.main import main as run


def main() -> int:
    """Run the command line; warnings of libraries are for developers and shown with --debug only."""
    if "--debug" not in sys.argv and not sys.warnoptions:
        warnings.simplefilter("ignore")
    return run()


if __name__ == "__main__":
    sys.exit(main())
