import sys
from pathlib import Path

# What the scripts find beside them when they are run.
EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path[:0] = [str(EXAMPLES), str(EXAMPLES / "detector"), str(EXAMPLES / "evaluation")]
