"""`python -m jaxnlif` is `jaxnlif`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
