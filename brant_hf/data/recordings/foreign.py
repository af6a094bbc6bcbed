"""What people also try to open: files of other systems, tables, parts of recordings; and what to do with each."""

from collections.abc import Iterable
from pathlib import Path

_AS_ARRAY = (
    "load its samples as an array (channels, samples) in microvolts and call "
    "open_recording(array, sampling_rate=..., channel_names=...)"
)
_TABLE = f"a table is no recording: with numpy.loadtxt or pandas, {_AS_ARRAY}"
_HDF5 = f"HDF5 has no fixed form: with h5py, {_AS_ARRAY}; NWB files end in .nwb"
_ARCHIVE = "unpack it and open the recording in it"
_PART_OF_BRAINVISION = "it is a part of a BrainVision recording: open its .vhdr file"
_PART_OF_PERSYST = "it belongs to a Persyst recording: open its .lay file"
_PART_OF_CURRY = "it is a part of a Curry recording: open its .cdt or .dap file"
_PART_OF_NIHON_KOHDEN = "if it belongs to a recording of Nihon Kohden, open its .EEG file"
_PART_OF_MEF3 = "it is a part of a MEF3 recording: open its folder .mefd"
_IMAGE = "it is an image and no recording"


_OF_A_SYSTEM = "files of "


def _export(system: str) -> str:
    return f"{_OF_A_SYSTEM}{system} are not read: export the recording as EDF+"


def _with_neo(system: str) -> str:
    return f"{_OF_A_SYSTEM}{system} are not read: with neo (pip install neo), {_AS_ARRAY}"


# What people also try to open, with what to do instead.
INSTEAD = {
    ".txt": _TABLE, ".csv": _TABLE, ".tsv": _TABLE, ".asc": _TABLE, ".xls": _TABLE, ".xlsx": _TABLE,
    ".parquet": _TABLE, ".hdf5": _HDF5, ".zip": _ARCHIVE, ".gz": _ARCHIVE, ".tar": _ARCHIVE,
    ".7z": _ARCHIVE, ".rar": _ARCHIVE, ".vmrk": _PART_OF_BRAINVISION, ".amrk": _PART_OF_BRAINVISION,
    ".cef": _PART_OF_CURRY, ".dpa": _PART_OF_CURRY, ".dpo": _PART_OF_CURRY, ".rs3": _PART_OF_CURRY,
    ".dat": "it holds samples that another file describes: open that one (.lay of Persyst, .vhdr of BrainVision, .dap "
    f"of Curry, info.rhd of Intan); of a file without one, such as of BCI2000, {_AS_ARRAY}",
    ".fdt": "it is a part of an EEGLAB recording: open its .set file",
    **dict.fromkeys((".21e", ".pnt", ".log", ".cmt", ".cn2", ".11d"), _PART_OF_NIHON_KOHDEN),
    **dict.fromkeys((".tdat", ".tmet", ".tidx", ".timd", ".segd", ".rdat", ".ridx"), _PART_OF_MEF3),
    ".xdf": f"XDF holds several streams: with pyxdf, {_AS_ARRAY}",
    ".nev": "it holds events of Blackrock or Neuralynx and no signals: open the .ns1 to .ns6 file beside it, or the "
    "folder of .ncs files",
    ".raw": "for EGI, open it with mne.io.read_raw_egi and pass that object; of any other kind, " + _AS_ARRAY,
    ".data": 'for Nicolet, open it with mne.io.read_raw_nicolet(..., ch_type="seeg") and pass that object; of any '
    f"other kind, {_AS_ARRAY}",
    ".bin": f"it holds numbers that another file describes: open that one, or {_AS_ARRAY}",
    ".head": "it is a part of a Nicolet recording: open its .data file",
    ".e": _export("Nicolet and Natus NicoletOne"),
    **dict.fromkeys((".erd", ".etc", ".ent", ".snc", ".stc", ".vtc", ".epo"), _export("Natus XLTEK and NeuroWorks")),
    **dict.fromkeys((".ez3", ".eas", ".ezdata"), _export("Cadwell")),
    **dict.fromkeys((".sig", ".sts"), _export("Stellate Harmonie")),
    **dict.fromkeys((".rda", ".sdy", ".slp"), _export("Compumedics")),
    ".m00": _export("Nihon Kohden as text"),
    ".mef": "files of MEF 2 are not read: convert the recording to MEF 3 (a folder .mefd) or EDF+",
    ".ccf": "it holds settings of Blackrock: open the .ns1 to .ns6 file beside it",
    ".rhs": _with_neo("Intan RHS"),
    **dict.fromkeys((".tev", ".tsq", ".tbk", ".tdx", ".sev"), _with_neo("TDT")),
    **dict.fromkeys((".plx", ".pl2"), _with_neo("Plexon")),
    ".smrx": f"{_OF_A_SYSTEM}Spike2 with 64 bits are not read: export the recording from Spike2 as .smr, .mat or EDF+",
    **dict.fromkeys((".nex", ".nex5"), _with_neo("NeuroExplorer")),
    ".abf": _with_neo("Axon"),
    ".continuous": _with_neo("Open Ephys in its old format"),
    ".adicht": _export("LabChart"),
    ".ebm": _export("Embla"),
    ".bni": _export("Nicolet BMSI"),
    ".nrd": "it is raw data of Neuralynx: convert it to .ncs files with the programs of Neuralynx",
    ".rec": "if it is an EDF file with another extension, rename it to .edf; of any other kind, " + _AS_ARRAY,
    ".medd": "recordings of MED 1.0 are not read: convert the recording to MEF 3 (a folder .mefd) or EDF+",
    ".zarr": "Zarr is not read: write NWB anew as HDF5 (export of hdmf-zarr to pynwb.NWBHDF5IO); of any other kind, "
    + _AS_ARRAY,
    ".json": "it describes a recording: open the recording itself",
    **dict.fromkeys((".nii", ".png", ".jpg", ".dcm", ".pdf"), _IMAGE),
    ".inf": _PART_OF_PERSYST,
}  # fmt: skip


def instead_of_folder(folder: Path, names: Iterable[str]) -> str | None:
    """Tell what to do with a folder that holds no recording, by its suffix or the files of other systems in it."""
    if folder.suffix.lower() in INSTEAD:
        return INSTEAD[folder.suffix.lower()]
    remedies = (INSTEAD.get(Path(name).suffix.lower(), "") for name in names)
    return next((remedy for remedy in remedies if remedy.startswith(_OF_A_SYSTEM)), None)


# What to do with a file of a suffix that is read, where it cannot be read.
REMEDY = "copy it again, or export it as EDF+"
_SAVE = "save the samples with numpy.save, or numpy.savez, as an array (channels, samples) of numbers"
REMEDIES = {
    ".eeg": "if it belongs to BrainVision, open its .vhdr file; of another system than Nihon Kohden (Natus XLTEK, "
    "Deltamed, Compumedics, ...), export the recording as EDF+",
    ".npy": _SAVE,
    ".npz": _SAVE,
    ".h5": _HDF5,
    ".nwb": "copy it again, or write it anew with pynwb",
}
