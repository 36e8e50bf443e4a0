"""``python -m clinsynth``."""

import sys

from clinsynth.cli import main

if __name__ == "__main__":
    sys.exit(main())
