"""``python -m benchmarks.detection``: see benchmarks/detection/run.py."""

import sys

from benchmarks.detection.run import main

if __name__ == "__main__":
    sys.exit(main())
