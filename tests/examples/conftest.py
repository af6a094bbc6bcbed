import sys
from pathlib import Path

# What the scripts find beside them when they are run.
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
