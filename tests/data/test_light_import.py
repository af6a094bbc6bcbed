import subprocess
import sys


def test_importing_the_package_and_its_names_loads_nothing_heavy():
    heavy = "mne mne_bids pynwb h5py pandas datasets scipy matplotlib"
    code = (
        "import sys; from brant_hf.data import Recording, find_recordings, open_recording;"
        f"print([name for name in {heavy.split()} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
