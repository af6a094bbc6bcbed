"""Damaged files: each is either read, or refused in one line, and never ends in a traceback.

    python examples/benchmarks/fuzz.py --cases 1000
    python examples/benchmarks/fuzz.py --kinds edf npz --cases 100000 --seed 7

A case takes a small file of some kind, changes it at random (bytes, a cut, a repeated stretch; in text also words and
numbers), and hands it to what reads it. `ValueError`, `OSError` and `ImportError` with a message are what the command
line tells in one line; anything else is a fault, printed with its kind and its number, which make the same file again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

REFUSALS = (ValueError, OSError, ImportError)
# What is put in the place of a word or a number of a text.
WORDS = ("", "nan", "-1", "1e400", "[]", "{}", "null", "true", '"x"', "n/a", "0", "99999999999999999999", "é\u0000")


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes
    ----------
    make : callable
        Writes the whole file and what belongs to it into a folder; returns the file to damage.
    read : callable
        Reads it, given its path.
    is_text : bool
        Whether words and numbers are changed too.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], object]
    is_text: bool = False


def damage(content: bytes, rng: np.random.Generator, is_text: bool) -> bytes:
    """Change the bytes of a file at one to four places."""
    for _ in range(rng.integers(1, 5)):
        if not content:
            return content
        start = int(rng.integers(len(content)))
        # Headers decide most, and stand at the beginning.
        start = start % 4096 if rng.random() < 0.7 else start
        length = int(rng.integers(1, 17))
        action = rng.integers(6 if is_text else 4)
        if action == 0:
            content = content[:start]
        elif action == 1:
            content = content[:start] + rng.bytes(length) + content[start + length :]
        elif action == 2:
            content = content[:start] + content[start + length :]
        elif action == 3:
            content = content[: start + length] + content[start:]
        else:
            content = _with_other_word(content, rng)
    return content


def _with_other_word(content: bytes, rng: np.random.Generator) -> bytes:
    separators = b'\t\n,:[]{}= "'
    borders = [-1, *(i for i, byte in enumerate(content) if byte in separators), len(content)]
    place = int(rng.integers(len(borders) - 1))
    word = str(rng.choice(WORDS)).encode()
    return content[: borders[place] + 1] + word + content[borders[place + 1] :]


def _signal() -> np.ndarray:
    return (50 * np.random.default_rng(0).standard_normal((3, 400))).astype(np.float32)


def _edf(folder: Path) -> Path:
    import edfio

    signals = [
        edfio.EdfSignal(row.astype(float), 100, label=f"A{i}", physical_dimension="uV", physical_range=(-3000, 3000))
        for i, row in enumerate(_signal(), 1)
    ]
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(1, 2, "seizure")]).write(folder / "r.edf")
    return folder / "r.edf"


def _brainvision(folder: Path) -> Path:
    _signal().T.astype("<f4").tofile(folder / "r.eeg")
    channels = "\n".join(f"Ch{i}=A{i},,1,µV" for i in (1, 2, 3))
    (folder / "r.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=r.eeg\n"
        "MarkerFile=r.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=3\n"
        f"SamplingInterval=10000\n[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n[Channel Infos]\n{channels}\n",
        encoding="utf-8",
    )
    (folder / "r.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=r.eeg\n"
        "[Marker Infos]\nMk1=New Segment,,1,1,0\nMk2=Comment,seizure,100,1,0\n",
        encoding="utf-8",
    )
    return folder / "r.vhdr"


def _nwb(folder: Path) -> Path:
    from datetime import UTC, datetime

    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.ecephys import ElectricalSeries

    nwb = NWBFile("s", "i", datetime(2020, 1, 1, tzinfo=UTC))
    group = nwb.create_electrode_group("A", "depth", "temporal", nwb.create_device("d"))
    for _ in range(3):
        nwb.add_electrode(location="x", group=group)
    region = nwb.create_electrode_table_region([0, 1, 2], "all")
    nwb.add_acquisition(ElectricalSeries("ieeg", _signal().T * 1e-6, region, rate=100.0))
    with NWBHDF5IO(str(folder / "r.nwb"), "w") as io:
        io.write(nwb)
    return folder / "r.nwb"


def _npz(folder: Path) -> Path:
    np.savez_compressed(folder / "r.npz", data=_signal(), sampling_rate=100.0, channel_names=["A1", "A2", "A3"])
    return folder / "r.npz"


def _npy(folder: Path) -> Path:
    np.save(folder / "r.npy", _signal())
    return folder / "r.npy"


def _intan(folder: Path) -> Path:
    import struct

    def text(written: str) -> bytes:
        return struct.pack("<I", 2 * len(written)) + written.encode("utf-16-le")

    content = struct.pack("<I2hfh6fh2f", 0xC6912702, 3, 1, 100.0, *[0] * 10) + 3 * text("") + bytes(4) + text("n/a")
    content += struct.pack("<h", 1) + text("Port A") + text("A") + struct.pack("<3h", 1, 3, 3)
    for name in ("A1", "A2", "A3"):
        content += text(name) + text(name) + struct.pack("<10h2f", 0, 0, 0, 1, *[0] * 8)
    for start in range(0, 384, 128):
        content += np.arange(start, start + 128, dtype="<i4").tobytes()
        content += (_signal()[:, start : start + 128] / 0.195 + 32768).astype("<u2").tobytes()
    (folder / "r.rhd").write_bytes(content)
    return folder / "r.rhd"


def _open_ephys(folder: Path) -> Path:
    below = folder / "continuous" / "A"
    below.mkdir(parents=True)
    _signal().T.astype("<i2").tofile(below / "continuous.dat")
    np.save(below / "sample_numbers.npy", np.arange(_signal().shape[1]))
    channels = [{"channel_name": name, "bit_volts": 0.195, "units": "uV"} for name in ("A1", "A2", "A3")]
    stream = {"folder_name": "A/", "sample_rate": 100, "num_channels": 3, "channels": channels}
    (folder / "structure.oebin").write_text(json.dumps({"GUI version": "0.6.7", "continuous": [stream], "events": []}))
    return folder / "structure.oebin"


def _spike2(folder: Path) -> Path:
    import struct

    head = struct.pack("<h18s3hi5h", 6, b"(C) CED 87S2070306", 10, 1, 1, 512, 3, 0, 0, 0, 0).ljust(44, b"\0")
    content = (head + struct.pack("<d6BH", 1e-6, 0, 30, 15, 10, 29, 2, 2024)).ljust(512, b"\0")
    blocks = b""
    for place, signal in enumerate(_signal()):
        first = 1024 + len(blocks)
        row = struct.pack("<h3i2H", 0, -1, first, -1, 1, 0).ljust(102, b"\0") + struct.pack("<ih", 1000, 0)
        row += b"\2A%d" % (place + 1) + bytes(7) + struct.pack("<fBb2f", 100, 1, 0, 6553.6, 0) + b"\2uV" + bytes(5)
        content += row
        blocks += struct.pack("<4i2H", -1, -1, 0, 399_000, place + 1, 400) + signal.astype("<i2").tobytes()
    (folder / "r.smr").write_bytes(content.ljust(1024, b"\0") + blocks)
    return folder / "r.smr"


def _mat(folder: Path) -> Path:
    from scipy.io import savemat

    (folder / "Patient_1").mkdir()
    path = folder / "Patient_1" / "Patient_1_ictal_segment_1.mat"
    savemat(path, {"data": _signal(), "freq": 100.0, "channels": {"A1": [], "A2": [], "A3": []}, "latency": 0.0})
    return path


def _events(folder: Path) -> Path:
    table = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"
    (folder / "e.tsv").write_text(table + "1.00\t2.00\tsz\t0.90\tA1,A2\tn/a\t4.00\n")
    return folder / "e.tsv"


def _bids(folder: Path, table: str) -> Path:
    (folder / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.8.0"}')
    ieeg = folder / "sub-01" / "ieeg"
    ieeg.mkdir(parents=True)
    shutil.move(_edf(folder), ieeg / "sub-01_task-rest_ieeg.edf")
    rows = "\n".join(f"A{i}\tSEEG\tuV\tgood" for i in (1, 2, 3))
    (ieeg / "sub-01_task-rest_channels.tsv").write_text(f"name\ttype\tunits\tstatus\n{rows}\n")
    (ieeg / "sub-01_task-rest_events.tsv").write_text("onset\tduration\ttrial_type\n1.0\t2.0\tseizure\n")
    (ieeg / "sub-01_task-rest_ieeg.json").write_text('{"PowerLineFrequency": 50, "SamplingFrequency": 100}')
    return ieeg / f"sub-01_task-rest_{table}"


def _checkpoint(folder: Path, name: str) -> Path:
    import torch

    from brant_hf import BrantConfig, BrantFeatureExtractor, BrantForSeizureDetection

    torch.manual_seed(0)
    layers = {"num_temporal_layers": 1, "num_spatial_layers": 1, "num_attention_heads": 2}
    size = {"patch_length": 50, "num_patches": 4, "sampling_rate": 100, "hidden_size": 16, "intermediate_size": 24}
    detection = {"threshold": 0.5, "preprocessing": {"line_noise": None}}
    BrantForSeizureDetection(BrantConfig(**layers, **size, detection=detection)).save_pretrained(folder)
    BrantFeatureExtractor(100, 50, 4).save_pretrained(folder)
    return folder / name


def _pickle(folder: Path) -> Path:
    import torch

    from brant_hf import BrantConfig, BrantForPreTraining, export_original_checkpoint

    layers = {"num_temporal_layers": 1, "num_spatial_layers": 1, "num_attention_heads": 2}
    config = BrantConfig(**layers, patch_length=50, num_patches=4, hidden_size=16, intermediate_size=24)
    for name, state in zip(("time", "channel"), export_original_checkpoint(BrantForPreTraining(config)), strict=True):
        torch.save(state, folder / f"{name}.pt")
    return folder / "time.pt"


def _read_recording(path: Path) -> None:
    from brant_hf.data import open_recording

    open_recording(path, sampling_rate=100 if path.suffix == ".npy" else None).read()


def _read_bids(path: Path) -> None:
    _read_recording(next(path.parent.glob("*_ieeg.edf")))


def _read_events(path: Path) -> None:
    from brant_hf.detection import score_files

    score_files(path, path)


def _read_mat(path: Path) -> None:
    from brant_hf.data.corpora import load_kaggle_seizure_detection

    for recording in load_kaggle_seizure_detection(path.parent):
        recording.read()


def _read_checkpoint(path: Path) -> None:
    from brant_hf.detection import SeizureDetectionPipeline

    SeizureDetectionPipeline.from_pretrained(path.parent, device="cpu", progress=False)


def _read_pickle(path: Path) -> None:
    from brant_hf import convert_original_checkpoint

    convert_original_checkpoint(path, path.with_name("channel.pt"), num_attention_heads=2)


KINDS = {
    "edf": Kind(_edf, _read_recording),
    "brainvision": Kind(_brainvision, _read_recording, is_text=True),
    "intan": Kind(_intan, _read_recording),
    "open_ephys": Kind(_open_ephys, _read_recording, is_text=True),
    "spike2": Kind(_spike2, _read_recording),
    "nwb": Kind(_nwb, _read_recording),
    "npz": Kind(_npz, _read_recording),
    "npy": Kind(_npy, _read_recording),
    "mat": Kind(_mat, _read_mat),
    "events": Kind(_events, _read_events, is_text=True),
    "bids_channels": Kind(lambda folder: _bids(folder, "channels.tsv"), _read_bids, is_text=True),
    "bids_events": Kind(lambda folder: _bids(folder, "events.tsv"), _read_bids, is_text=True),
    "bids_json": Kind(lambda folder: _bids(folder, "ieeg.json"), _read_bids, is_text=True),
    "config": Kind(lambda folder: _checkpoint(folder, "config.json"), _read_checkpoint, is_text=True),
    "preprocessor": Kind(lambda folder: _checkpoint(folder, "preprocessor_config.json"), _read_checkpoint, True),
    "safetensors": Kind(lambda folder: _checkpoint(folder, "model.safetensors"), _read_checkpoint),
    "pickle": Kind(_pickle, _read_pickle),
}


def faults_of(kind: str, cases: int, seed: int = 0) -> list[str]:
    """Read `cases` damaged files of a kind; return a traceback for each that ends in one."""
    faults = []
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = KINDS[kind].make(Path(name))
        whole = path.read_bytes()
        KINDS[kind].read(path)
        for case in range(cases):
            rng = np.random.default_rng([seed, case])
            path.write_bytes(damage(whole, rng, KINDS[kind].is_text))
            try:
                KINDS[kind].read(path)
            except REFUSALS as error:
                if not str(error).strip():
                    faults.append(f"{kind} {case}: refused without a word: {error!r}")
            except Exception:
                faults.append(f"{kind} {case}: {traceback.format_exc()}")
    return faults


def main() -> int:
    """Print the faults of each kind; the exit status is 1 where there are any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=300, help="damaged files of each kind")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts = {}
    for kind in options.kinds:
        faults = faults_of(kind, options.cases, options.seed)
        counts[kind] = len(faults)
        for fault in faults:
            print(fault, file=sys.stderr)
        print(f"{kind}: {options.cases} cases, {len(faults)} faults", flush=True)
    print(json.dumps(counts))
    return int(any(counts.values()))


if __name__ == "__main__":
    sys.exit(main())
