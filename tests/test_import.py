import subprocess
import sys


def test_import_is_light():
    """Readers, plots and datasets are imported when something needs them."""
    heavy = ["mne", "matplotlib", "datasets", "pandas", "sklearn", "peft"]
    code = f"import brant_hf, brant_hf.data, sys; print([name for name in {heavy!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
