import io
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import numpy as np
import pytest
from huggingface_hub.utils import are_progress_bars_disabled
from transformers.utils import logging

from brant_hf import progress
from brant_hf.data import open_recording
from brant_hf.detection import SeizureDetectionPipeline, embed_recording
from brant_hf.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream, shortest, monkeypatch, **options) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "_SHORTEST_S", shortest)
    with progress_bar(range(1000), desc="work", **options) as bar:
        for _ in bar:
            pass
    return stream.getvalue()


@pytest.mark.parametrize(
    ("stream", "shortest", "expected"), [(Terminal, 0.0, True), (Terminal, 60.0, False), (io.StringIO, 60.0, False)]
)
def test_a_bar_is_for_long_work(stream, shortest, expected, monkeypatch):
    assert ("work: 100%" in shown(stream(), shortest, monkeypatch)) == expected


def test_no_bar_where_none_is_wanted(monkeypatch):
    assert shown(Terminal(), 0.0, monkeypatch, shown=False) == ""


def test_a_log_gets_few_lines(monkeypatch):
    monkeypatch.setattr(sys, "stderr", log := io.StringIO())
    monkeypatch.setattr(progress, "_SHORTEST_S", 0.0)
    for _ in progress_bar(range(1000), desc="work", miniters=1):
        pass
    assert log.getvalue().count("work") <= 2  # the beginning and the end


def embed(progress: bool) -> None:
    signal = np.random.default_rng(0).normal(0, 50, (2, 3000))
    embed_recording(open_recording(signal, 250.0, subject="s", seizures=[]), progress=progress)


def make_pipeline(progress: bool) -> None:
    SeizureDetectionPipeline.from_pretrained(progress=progress)


@pytest.mark.parametrize("load", [embed, make_pipeline])
@pytest.mark.parametrize(
    ("shortest", "wanted", "expected"), [(0.0, True, True), (60.0, True, False), (0.0, False, False)]
)
def test_weights_are_loaded_with_a_bar_only_where_it_takes_long(load, shortest, wanted, expected, monkeypatch, capsys):
    monkeypatch.setattr(progress, "_SHORTEST_S", shortest)
    monkeypatch.setattr(logging, "_tqdm_active", True)  # commands that ran before have no bars
    hub_bars, hook = are_progress_bars_disabled(), logging._tqdm_hook
    load(wanted)
    assert ("Loading weights" in capsys.readouterr().err) == expected
    assert (are_progress_bars_disabled(), logging._tqdm_hook) == (hub_bars, hook)


def test_work_that_a_watcher_ends_does_not_keep_the_bars_of_others_waiting():
    def end(part: float) -> None:
        raise KeyboardInterrupt

    def begin() -> None:
        with progress.watched_by(end):
            for _ in progress_bar(range(10**6)):
                pass

    with ThreadPoolExecutor(1) as others:
        assert isinstance(others.submit(begin).exception(timeout=20), KeyboardInterrupt)
    done = Thread(target=lambda: list(progress_bar(range(10))), daemon=True)
    done.start()
    done.join(20)
    assert not done.is_alive()
