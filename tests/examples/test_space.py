"""The Space says of itself what the package says, and its page comes up with the limits of a public machine."""

import ast
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from huggingface_hub import SpaceCard
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
SPACE = ROOT / "examples" / "space"


def listed(name: str) -> list[str]:
    """A list of strings in setup.py, which cannot be imported."""
    for node in ast.walk(ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == name:
            return [each.value for each in node.value.elts]
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == name:
                    return [each.value for each in value.elts]
    raise AssertionError(name)


def test_metadata_agree_with_the_package():
    card = SpaceCard.load(SPACE / "README.md").data
    assert card.sdk == "gradio"
    assert (SPACE / card.app_file).is_file()
    (gradio,) = listed("app")
    assert Requirement(gradio).specifier.contains(card.sdk_version)
    assert card.license == "apache-2.0"
    assert f"Programming Language :: Python :: {card.python_version}" in listed("classifiers")
    assert len(card.short_description) <= 60  # longer ones the Hub refuses


def test_requirements_are_those_of_the_package():
    lines = (SPACE / "requirements.txt").read_text().splitlines()
    assert lines[0] == "--extra-index-url https://download.pytorch.org/whl/cpu"
    assert lines[1:] == listed("install_requires")


def test_the_page_comes_up_and_says_where_recordings_go(tmp_path):
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("gradio", reason="the page needs gradio (pip install brant_hf[app])")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GRADIO_SERVER_PORT": str(port), "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, SPACE / "app.py"], env=environment, cwd=tmp_path) as running:
        try:
            text = ""
            for _ in range(600):
                assert running.poll() is None
                try:
                    text = httpx.get(f"http://127.0.0.1:{port}/config", timeout=60).text
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            assert "leaves your machine" in text
            assert "goes nowhere else" not in text
            large = f"http://127.0.0.1:{port}/gradio_api/upload"
            refused = httpx.post(large, files={"files": ("a.edf", bytes(210_000_000))}, timeout=60)
            assert refused.status_code == 413
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(30)
    assert not list(tmp_path.glob("brant_hf_app_*"))
