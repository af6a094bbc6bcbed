import subprocess
import sys


def test_names_are_imported_without_what_they_need_to_work():
    heavy = "mne mne_bids pynwb pandas datasets scipy soxr pyarrow matplotlib sklearn"
    code = (
        "import sys; from brant_hf.data import *; import brant_hf.data.commands;"
        f"print([name for name in {heavy.split()} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
