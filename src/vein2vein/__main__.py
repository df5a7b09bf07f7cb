"""python -m vein2vein."""

import sys

from vein2vein.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
