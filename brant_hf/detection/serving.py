"""One model a device, which works for all processes of this machine that read and prepare recordings.

A process that works on a recording reads and prepares it, decides and writes; only its batches of windows go to the
process that has the device, and what the model says of them comes back.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from ..engines import Engine
from .forward import Forward
from .runs import OncePerProcess

Worker = TypeVar("Worker", bound="Servable")

_HAS_READV = hasattr(os, "readv")


class Servable(Protocol):
    """What has a model and can go to other processes without it."""

    @property
    def forward(self) -> Forward:
        """Its model."""
        ...

    def served_by(self, forward: Forward) -> Self:
        """Return the same with another place for its model."""
        ...


class RemoteForward:
    """The model of another process of this machine.

    Parameters
    ----------
    address : str
        Of the listener of that process.
    key : bytes
        By which each knows the other.
    device_type : str
        As of `Forward`.
    """

    def __init__(self, address: str, key: bytes, device_type: str) -> None:
        self._address, self._key, self.device_type = address, key, device_type
        self._connection: Any = None

    def __call__(self, input_values: np.ndarray, channel_mask: np.ndarray | None) -> np.ndarray:
        """Return what the model says of some windows."""
        try:
            if self._connection is None:
                self._connection = self.connect()
            _send(self._connection, input_values)
            self._connection.send(channel_mask)
            reason = self._connection.recv()
            if reason is None:
                return _receive(self._connection)
        except (EOFError, OSError) as error:
            raise ChildProcessError(f"the process that has the model is gone ({type(error).__name__})") from None
        raise RuntimeError(reason)

    def connect(self) -> Any:
        """Open a connection to that process."""
        return Client(self._address, authkey=self._key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stay connected, for the next recording."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_connection": None}


class Server:
    """Lets a model of this process work for others inside of a `with` block.

    Parameters
    ----------
    forward : Forward
        The model.

    Attributes
    ----------
    remote : RemoteForward
        What takes its place in other processes.
    """

    def __init__(self, forward: Forward) -> None:
        key = os.urandom(32)
        self._forward = forward
        self._listener = Listener(authkey=key)
        self.remote = RemoteForward(str(self._listener.address), key, forward.device_type)
        self._in_turn, self._ended = threading.Lock(), threading.Event()
        self._door = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Server:
        self._forward.__enter__()
        self._door.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with suppress(OSError):
            Client(self._listener.address).close()  # wakes the door, and waits for no answer: it may be closed already
        self._door.join()
        self._listener.close()
        self._forward.__exit__()

    def _accept(self) -> None:
        while not self._ended.is_set():
            with suppress(OSError, EOFError, AuthenticationError):
                connection = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: Any) -> None:
        with connection, suppress(EOFError, OSError):  # the other process has ended
            while True:
                input_values, mask = _receive(connection), connection.recv()
                try:
                    with self._in_turn:
                        values = self._forward(input_values, mask)
                except Exception as error:
                    connection.send(f"{type(error).__name__}: {error}")
                    continue
                connection.send(None)
                _send(connection, values)


def _send(connection: Any, values: np.ndarray) -> None:
    values = np.ascontiguousarray(values, np.float32)
    connection.send(values.shape)
    rest = values.data.cast("B") if values.size else memoryview(b"")
    if not _HAS_READV:
        connection.send_bytes(rest)
        return
    while rest:
        rest = rest[os.write(connection.fileno(), rest) :]


def _receive(connection: Any) -> np.ndarray:
    values = np.empty(connection.recv(), np.float32)
    rest = values.data.cast("B") if values.size else memoryview(b"")
    if not _HAS_READV:
        connection.recv_bytes_into(rest)
        return values
    # `recv_bytes_into` keeps the interpreter busy seven times as long, with copies.
    while rest:
        count = os.readv(connection.fileno(), [rest])
        if not count:
            raise EOFError
        rest = rest[count:]
    return values


def is_shared(engine: Engine, device_type: str) -> bool:
    """Whether processes share one model: those of this machine an accelerator, while a CPU is best used by many."""
    return not engine.is_cluster and device_type != "cpu"


@contextmanager
def for_processes(
    made: OncePerProcess[Worker], engine: Engine, items: Sequence[Any], stays: bool = False
) -> Iterator[OncePerProcess[Worker]]:
    """Give what makes a worker in each process that works on recordings: with a model of its own, or served.

    Parameters
    ----------
    made : OncePerProcess
        Makes a worker, and has made one here.
    engine : Engine
        Who works.
    items : Sequence[Any]
        All recordings.
    stays : bool
        Whether the model cannot be made elsewhere.

    Raises
    ------
    ValueError
        A cluster is to work with a model that stays here.
    """
    if engine.is_serial(items):
        yield made
    elif engine.is_cluster and stays:
        raise ValueError(
            "workers of a cluster load the model themselves, and one that is loaded was given; give the folder or id "
            "of its checkpoint, or a function that loads it"
        )
    elif stays or is_shared(engine, made().forward.device_type):
        server = Server(made().forward)
        # Before the model is in another precision, which is told of it.
        served = made().served_by(server.remote)
        with server:
            yield OncePerProcess(partial(_itself, served))
    else:
        made.forget()
        yield made


def _itself(worker: Worker) -> Worker:
    return worker
