"""What the whole daemon's tests have on their stage serves here, too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "e2e"))
