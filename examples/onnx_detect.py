"""Detect seizures with an exported detector in ONNX Runtime, without PyTorch.

    brant-hf export shipped detector.onnx
    python examples/onnx_detect.py detector.onnx recording.edf events.tsv

Everything that depends on the checkpoint, from the channels to the decision, comes from the metadata of the file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
from scipy.special import softmax

from brant_hf import BrantConfig, BrantFeatureExtractor
from brant_hf.bad_input import BAD_INPUT, reason_of
from brant_hf.data import Recording, open_recording, preprocess
from brant_hf.data.windows import WindowBatch, average_overlaps, plan_windows, window_batches, windows_per_batch
from brant_hf.detection import DetectionSettings, SeizureEvent, line_length, write_events
from brant_hf.user_warnings import warnings_kept

BATCH_SIZE = 8


def run(session: onnxruntime.InferenceSession, batches: Iterable[WindowBatch], seizure: int) -> Iterator[np.ndarray]:
    """Yield the probability of a seizure and the line length of each patch of a window, (channels, patches, 2)."""
    for batch in batches:
        mask = batch.channel_mask()
        inputs = {
            "input_values": batch.input_values,
            "channel_mask": np.ones(batch.input_values.shape[:2], bool) if mask is None else mask,
        }
        probabilities = softmax(session.run(["logits"], inputs)[0], axis=-1)[..., seizure]
        patch_length = batch.input_values.shape[2] // probabilities.shape[2]
        values = np.stack([probabilities, line_length(batch.observed_values, patch_length)], axis=-1)
        if batch.missing is not None:
            values[batch.missing] = np.nan
        yield from values


def load(model: Path) -> onnxruntime.InferenceSession:
    """Open an exported detector; raises an `OSError` or a `ValueError` where it is none."""
    if not model.is_file():
        what = "is a folder" if model.is_dir() else "does not exist"
        raise FileNotFoundError(f"{model} {what}; expected a detector that `brant-hf export` wrote")
    try:
        session = onnxruntime.InferenceSession(model)
    except Exception as error:  # ONNX Runtime has a class for each of its errors, and no common one
        raise ValueError(f"{model} is no ONNX file; expected one that `brant-hf export` wrote ({error})") from error
    metadata = session.get_modelmeta().custom_metadata_map
    if not {"config", "feature_extractor"} <= metadata.keys() or session.get_outputs()[0].name != "logits":
        raise ValueError(f"{model} is no detector of `brant-hf export`; export a checkpoint that detects seizures")
    return session


def detect(session: onnxruntime.InferenceSession, recording: Recording) -> list[SeizureEvent]:
    """Find the seizures of a recording."""
    metadata = session.get_modelmeta().custom_metadata_map
    config = BrantConfig.from_dict(json.loads(metadata["config"]))
    extractor = BrantFeatureExtractor.from_dict(json.loads(metadata["feature_extractor"]))
    settings = DetectionSettings.of(config)
    prepared = preprocess(recording, settings.preprocessing)
    plan = plan_windows(prepared, extractor, settings.overlap)
    names = prepared.channel_names
    batches = window_batches(prepared, plan, extractor, windows_per_batch(BATCH_SIZE, len(names), plan.window_patches))
    windows = run(session, batches, config.label2id["seizure"])
    probabilities, lengths = np.full((2, len(names), plan.num_patches), np.nan, np.float32)
    for start, values in average_overlaps(windows, plan):
        probabilities[:, start : start + values.shape[1]] = values[..., 0]
        lengths[:, start : start + values.shape[1]] = values[..., 1]
    patch_s = extractor.patch_length / extractor.sampling_rate
    if settings.background is not None:
        settings.background.weigh(probabilities, lengths, patch_s)
    _, events = settings.decide(
        probabilities, names, patch_s=patch_s, duration=recording.duration, start=recording.offset
    )
    return events


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="File of `brant-hf export`.")
    parser.add_argument("recording", type=Path)
    parser.add_argument("events", type=Path, help="Table to write.")
    arguments = parser.parse_args()
    try:
        with warnings_kept() as warnings:
            session = load(arguments.model)
            recording = open_recording(arguments.recording)
            events = detect(session, recording)
            write_events(
                arguments.events, events, recording.duration, start=recording.start_date, gaps=recording.gaps_in_file
            )
    except BAD_INPUT as error:
        parser.exit(2, f"{parser.prog}: {reason_of(error)}\n")
    for warning in warnings():
        print(f"{parser.prog}: warning: {warning}", file=sys.stderr)
    print(f"{len(events)} events written to {arguments.events}")


if __name__ == "__main__":
    main()
