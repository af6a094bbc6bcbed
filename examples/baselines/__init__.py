"""Methods to compare Brant with, and how they are all measured alike; `compare_baselines.py` is the script."""
