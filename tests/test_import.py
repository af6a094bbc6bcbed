import subprocess
import sys


def test_import_is_light():
    """Readers, plots and datasets are imported by what needs them, not by the names of this package."""
    heavy = ["mne", "mne_bids", "matplotlib", "datasets", "pandas", "h5py", "pynwb", "edfio", "sklearn", "peft"]
    code = (
        "import sys, brant_hf, brant_hf.cli, brant_hf.data, brant_hf.data.corpora\n"
        "for module in (brant_hf, brant_hf.data, brant_hf.data.corpora):\n"
        "    [getattr(module, name) for name in module.__all__]\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
