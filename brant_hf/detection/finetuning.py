"""From any detector and one or a few labelled recordings of a subject to the detector of that subject.

Windows of the seizures and of the background beside them are trained on, half and half. Every fourth stretch of the
background, and the last seizure where there are several, are held back: they decide how much of the new weights goes
into the mean with those of the start, down to nothing, and whether the threshold of the start still holds. The mean of
weights is that of Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022. A start that finds every marked
seizure in time, with a threshold that is a logit higher as well, and nothing else, is not trained: the little
background of one subject does not show what a training forgets of artefacts.
"""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..data.preprocessing.chain import Preprocessing
from ..data.recordings.finding import find_recordings
from ..data.recordings.opening import open_recording
from ..data.recordings.recording import Recording
from ..files import check_folder, replacing_folder
from ..listing import listed
from ..progress import loading_bars, progress_bar
from ..user_warnings import warn
from .detector import Detector
from .finetuning_card import write_card
from .finetuning_data import Labelled, label, training_windows
from .finetuning_judgement import Judgement, best_threshold, judge
from .settings import DetectionSettings

if TYPE_CHECKING:
    from .result import DetectionResult

STEPS = 150
BATCH_SIZE = 16
LEARNING_RATE = 1e-4
# Shares of the new weights in the mean with those of the start.
SHARES = (1.0, 0.5)
_FILES = ("config.json", "model.safetensors", "preprocessor_config.json", "README.md")


@dataclass(frozen=True)
class FinetuneReport:
    """What came of a fine-tuning.

    Attributes
    ----------
    output_dir : Path
        The new checkpoint.
    share : float
        Share of the new weights in the mean with those of the start; 0 where that did best.
    settings : DetectionSettings
        Of the new checkpoint.
    threshold_chosen : bool
        Whether the threshold was chosen on the labelled recordings; otherwise it is that of the start.
    before, after : Judgement
        How the start and the new checkpoint do on the labelled recordings.
    """

    output_dir: Path
    share: float
    settings: DetectionSettings
    threshold_chosen: bool
    before: Judgement
    after: Judgement


def finetune_detector(
    recordings: Iterable[Any],
    output_dir: str | os.PathLike,
    model: str | os.PathLike | None = None,
    *,
    preprocessing: Preprocessing | Callable[[Preprocessing], Preprocessing] | None = None,
    steps: int = STEPS,
    device: str | torch.device = "cpu",
    seed: int = 0,
    overwrite: bool = False,
    progress: bool = True,
) -> FinetuneReport:
    """Fine-tune a detector to one subject, and write it as a checkpoint with settings and model card.

    What is not marked as a seizure counts as background: of a recording that was looked at in part, give that part
    (`start` and `stop` of `open_recording`). Where a seizure does not tell its channels, it counts on those on which
    the start sees it best; of the others nobody knows.

    Parameters
    ----------
    recordings : RecordingSource or Iterable of them
        Of one subject, with at least one seizure in all; what `find_recordings` takes.
    output_dir : str or os.PathLike
        Folder of the new checkpoint, which is there whole at the end, or not at all.
    model : str, os.PathLike or None
        The detector to start from: a folder, an id on the Hub, or the shipped one if `None`.
    preprocessing : Preprocessing, callable or None
        In place of that of the start, or a function that makes it of that.
    steps : int
        Steps of the optimiser.
    device : str or torch.device
        Where to train.
    seed : int
        Of all random choices.
    overwrite : bool
        Whether to replace a checkpoint in `output_dir`.
    progress : bool
        Show progress bars on standard error.

    Returns
    -------
    FinetuneReport

    Raises
    ------
    FileExistsError
        `output_dir` holds a checkpoint, and `overwrite` is not set.
    OSError
        A recording or a checkpoint does not exist.
    ValueError
        There is no seizure or too little background, or the recordings are of several subjects.
    """
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps is {steps!r}; it must be a whole number of 1 or more")
    check_output(output_dir, overwrite)
    opened = [each if isinstance(each, Recording) else open_recording(each) for each in find_recordings(recordings)]
    refuse_recordings(opened)
    with loading_bars(shown=progress):
        detector = Detector.from_pretrained(model, device=device, dtype="float32")
    if preprocessing is not None:
        own = detector.settings.preprocessing
        chain = preprocessing if isinstance(preprocessing, Preprocessing) else preprocessing(own)
        detector.settings = replace(detector.settings, preprocessing=chain)
    labelled = label(detector, opened, progress)
    before = judge(labelled, [each.result for each in labelled])
    _tell_of_unmarked(before)
    if before.has_nothing_to_gain:
        share, results = 0.0, [each.result for each in labelled]
        warn(
            "the detector to start from finds every marked seizure in time and clearly, and nothing else: training "
            "could only harm it, so its weights are kept; mark a seizure that it misses or finds late, if there is one"
        )
    else:
        old = copy.deepcopy(detector.model.state_dict())
        train(detector, labelled, steps=steps, seed=seed, progress=progress)
        share, results = _choose(detector, labelled, old, progress)
    threshold = best_threshold(labelled, results)
    if threshold is not None:
        # As a whole, since a threshold that is given takes the place of others.
        options = {"threshold": threshold, "preprocessing": detector.settings.preprocessing}
        detector.settings = DetectionSettings.of(detector.model.config, options)
    report = FinetuneReport(
        Path(output_dir), share, detector.settings, threshold is not None, before, judge(labelled, results, threshold)
    )
    detector.model.config.detection = detector.settings.to_dict()
    with loading_bars(shown=progress), replacing_folder(output_dir, overwrite) as folder:
        detector.model.save_pretrained(folder)
        detector.extractor.save_pretrained(folder)
        write_card(folder, report, labelled, {"start": model, "steps": steps, "seed": seed})
    return report


def check_output(output_dir: str | os.PathLike, overwrite: bool = False) -> None:
    """Refuse a folder that holds a checkpoint, before anything is computed; `overwrite` allows it."""
    check_folder(output_dir, _FILES, overwrite)


def refuse_recordings(recordings: Sequence[Recording]) -> None:
    """Raise a `ValueError` where fine-tuning cannot work, before anything is computed."""
    subjects = sorted({each.subject for each in recordings if each.subject_from != "name of the file"})
    if len(subjects) > 1:
        raise ValueError(
            f"the recordings are of {len(subjects)} subjects ({listed(subjects)}); give those of one, or train on "
            "all with examples/run_seizure_detection.py"
        )
    if not any(each.seizures for each in recordings):
        names = listed(each.name for each in recordings) or "no recording"
        raise ValueError(f"{names}: no seizure is marked in what is read; mark at least one, by seizures=...")


def train(detector: Detector, labelled: Sequence[Labelled], *, steps: int, seed: int, progress: bool) -> None:
    """Train the model of a detector on the windows of labelled recordings that are not held back."""
    from transformers import TrainingArguments
    from transformers.trainer_callback import PrinterCallback

    from ..data.batches.collators import SeizureDetectionCollator
    from ..training.callbacks import ProgressBar
    from ..training.trainer import RecipeTrainer

    model = detector.model
    # What was chosen for the weights of the start, which a training forgets, is judged here with the new ones.
    kept, model.config.detection = model.config.detection, None
    with tempfile.TemporaryDirectory() as folder:
        trainer = RecipeTrainer(
            model=model,
            args=TrainingArguments(
                folder,
                max_steps=steps,
                per_device_train_batch_size=BATCH_SIZE,
                learning_rate=LEARNING_RATE,
                lr_scheduler_type="cosine",
                warmup_steps=0.1,
                save_strategy="no",
                logging_strategy="no",
                report_to="none",
                disable_tqdm=True,
                remove_unused_columns=False,
                dataloader_pin_memory=False,
                use_cpu=model.device.type == "cpu",
                seed=seed,
            ),
            train_dataset=training_windows(detector, labelled, steps * BATCH_SIZE, seed),
            data_collator=SeizureDetectionCollator(
                cut_to_shortest=True, normalize=detector.extractor.normalize_signal, seed=seed
            ),
            callbacks=[ProgressBar("fine-tuning", progress)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    model.config.detection = kept


def _choose(
    detector: Detector, labelled: Sequence[Labelled], old: dict[str, torch.Tensor], progress: bool
) -> tuple[float, list[DetectionResult]]:
    """Give the model the best mean of old and new weights; the old ones where neither does better."""
    new = copy.deepcopy(detector.model.state_dict())
    tried = {0.0: [each.result for each in labelled]}
    for share in progress_bar(SHARES, desc="choosing", unit="mean", shown=progress):
        detector.model.load_state_dict(_mean(old, new, share))
        tried[share] = [detector.detect(each.recording, progress=False) for each in labelled]
    best = max(tried, key=lambda share: judge(labelled, tried[share]).quality)
    detector.model.load_state_dict(_mean(old, new, best))
    if not best:
        warn(
            "the new weights do no better than those of the start on what was held back, so these are kept; mark more "
            "seizures, or give more recordings"
        )
    return best, tried[best]


def _mean(old: dict[str, torch.Tensor], new: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    return {
        name: torch.lerp(weights, new[name], share) if weights.is_floating_point() else weights
        for name, weights in old.items()
    }


def _tell_of_unmarked(before: Judgement) -> None:
    if not before.unmarked:
        return
    times = listed(f"{name} at {onset:.0f} s" for name, onset in before.unmarked)
    warn(
        f"the detector to start from finds seizures that are not marked ({times}); they count as background. If "
        "they are seizures, mark them, or give only the part that was looked at: start=..., stop=..."
    )
