"""Recordings that come with the package, or lie beside it in a clone of its repository."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_DATA = _PACKAGE.parent / "examples" / "data"
_RECORDINGS = {
    "simulated stereo-EEG, one seizure": _PACKAGE / "assets/demo/sub-demo_task-szMonitoring_ieeg.edf",
    "virtual patient, 10 min, two seizures": _DATA
    / "virtual_patient/sub-01/ieeg/sub-01_task-szMonitoring_run-01_ieeg.edf",
    "human ECoG, 30 s, onset of a seizure (ds003029)": _DATA / "ds003029_pt01_ezei/pt01_sz1_m10s_p20s_14ch.npz",
    "human ECoG, 3 s of 84 contacts (ds003029)": _DATA / "ds003029_pt01_clip/pt01_sz1_m1s_p2s.npz",
    "human ECoG and LFP, 19 s, no seizure": _DATA
    / "py_neuromodulation_ecog/sub-testsub/ses-EphysMedOff/ieeg"
    / "sub-testsub_ses-EphysMedOff_task-gripforce_run-0_ieeg.vhdr",
}


def shipped_recordings() -> dict[str, Path]:
    """Return the recordings that are here, by what they are."""
    return {name: path for name, path in _RECORDINGS.items() if path.is_file()}
