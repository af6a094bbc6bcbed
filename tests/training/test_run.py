"""What the steps of a run hand on to each other."""

import pytest

from brant_hf.training import PretrainingTask, run as run_module, run_task


class Made(Exception):
    """The trainer would be made now."""


def test_the_collator_has_seed_channels_and_normalisation_of_the_run(dataset, tmp_path, arguments, monkeypatch):
    def make_trainer(run, **options):
        raise Made(options)

    monkeypatch.setattr(run_module, "make_trainer", make_trainer)
    with pytest.raises(Made) as made:
        run_task(PretrainingTask, arguments(dataset, tmp_path, seed=5, max_channels=2, normalize="zscore"))
    collator, extractor = made.value.args[0]["data_collator"], made.value.args[0]["processing_class"]
    assert (collator.seed, collator.max_channels) == (5, 2)
    assert collator.normalize == extractor.normalize_signal
    assert extractor.normalize == "zscore"
