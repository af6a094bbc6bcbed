"""One model for several processes that read recordings."""

import multiprocessing
import os
import pickle
import threading
import time

import numpy as np
import pytest

from brant_hf.data import open_recording
from brant_hf.detection import DetectionSettings, Detector
from brant_hf.detection.serving import RemoteForward, Server


class Doubled:
    """Says twice the first sample of each channel, or fails."""

    device_type = "cpu"
    entered = 0

    def __enter__(self):
        self.entered += 1
        return self

    def __exit__(self, *_):
        self.entered -= 1

    def __call__(self, input_values, channel_mask):
        assert self.entered == 1
        if channel_mask is not None and not channel_mask.any():
            raise ValueError("nothing to attend to")
        return 2 * input_values[..., :1]


def ask(remote, sizes, answers):
    for size in sizes:
        values = np.full((1, size, 7), size, np.float32)
        with remote:
            answers.put((size, remote(values, None).ravel().tolist()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_processes_share_a_model():
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    forward = Doubled()
    server = Server(forward)
    remote = pickle.loads(pickle.dumps(server.remote))
    # Larger than what a socket takes at once.
    others = [context.Process(target=ask, args=(remote, sizes, answers)) for sizes in ((1, 70_000), (2, 3))]
    for each in others:
        each.start()  # before there are threads
    with server:
        found = dict(answers.get(timeout=60) for _ in range(4))
        for each in others:
            each.join()
    assert found == {size: [2.0 * size] * size for size in (1, 70_000, 2, 3)}
    assert forward.entered == 0


def test_what_fails_there_is_told_here_and_stops_nothing():
    values = np.ones((2, 3, 5), np.float32)
    with Server(Doubled()) as server:
        with pytest.raises(RuntimeError, match="ValueError: nothing to attend to"):
            server.remote(values, np.zeros((2, 3), bool))
        assert server.remote(values, np.ones((2, 3), bool)).tolist() == [[[2.0]] * 3] * 2
        assert server.remote(values[:, :0], None).shape == (2, 0, 1)
        stranger = RemoteForward(server.remote._address, b"another key", "cpu")
        with pytest.raises((ChildProcessError, multiprocessing.AuthenticationError)):
            stranger(values, None)
        assert server.remote(values, None).shape == (2, 3, 1)
    with pytest.raises(ChildProcessError, match="is gone"):
        RemoteForward(server.remote._address, b"", "cpu")(values, None)


def test_it_ends_while_a_stranger_is_sent_away():
    class SlowListener:
        def __init__(self, listener):
            self.listener, self.address = listener, listener.address

        def accept(self):
            try:
                return self.listener.accept()
            finally:
                time.sleep(0.5)

        def close(self):
            self.listener.close()

    def visit():
        with server, pytest.raises((ChildProcessError, multiprocessing.AuthenticationError)):
            RemoteForward(server.remote._address, b"another key", "cpu")(np.ones((2, 3, 5)), None)

    server = Server(Doubled())
    server._listener = SlowListener(server._listener)
    visitor = threading.Thread(target=visit, daemon=True)
    visitor.start()
    visitor.join(20)
    assert not visitor.is_alive()


def test_a_served_detector_is_small_and_finds_the_same(detector, extractor, noise):
    whole = Detector(detector(), extractor(), DetectionSettings.of(detector().config, {"threshold": 0.5}))
    recording = open_recording(noise(3, 1010), 100)
    expected = whole.detect(recording, progress=False)
    server = Server(whole.forward)
    with server:
        served = pickle.loads(pickle.dumps(whole.served_by(server.remote)))
        found = served.detect(recording, progress=False)
    assert len(pickle.dumps(served)) < sum(each.nbytes for each in whole.model.parameters())
    assert np.array_equal(found.probabilities, expected.probabilities)
    assert (found.events, found.settings) == (expected.events, expected.settings)
    assert (served.facts, served.weights_sha256) == (whole.facts, whole.weights_sha256)
