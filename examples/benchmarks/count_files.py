"""How many files and functions of the package a command passes, from the command line on.

python examples/benchmarks/count_files.py                     # `detect` and `prepare` of a shipped recording
python examples/benchmarks/count_files.py score a.tsv b.tsv   # any other command
"""

import inspect
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
RECORDING = HERE.parent / "data/virtual_patient/sub-01/ieeg/sub-01_task-szMonitoring_run-01_ieeg.edf"


def passed(arguments: Sequence[str]) -> dict[str, set[str]]:
    """Functions of each file of the package that run when a command is given; import does not count."""
    import brant_hf
    from brant_hf.cli import main

    package = Path(brant_hf.__file__).parent
    seen: dict[str, set[str]] = {}

    def note(frame, event, _) -> None:
        code = frame.f_code
        # Modules and bodies of classes run when they are imported.
        is_function = code.co_flags & inspect.CO_NEWLOCALS and code.co_flags & inspect.CO_OPTIMIZED
        if event == "call" and is_function and code.co_filename.startswith(str(package)):
            seen.setdefault(str(Path(code.co_filename).relative_to(package)), set()).add(code.co_qualname)

    sys.argv = ["brant-hf", *arguments]
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return seen


def show(arguments: Sequence[str]) -> None:
    seen = passed(arguments)
    print(f"{arguments[0]}: {len(seen)} files, {sum(map(len, seen.values()))} functions")
    for file in sorted(seen):
        print(f"  {file}: {len(seen[file])}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        show(sys.argv[1:])
    else:
        with tempfile.TemporaryDirectory() as folder:
            show(["detect", str(RECORDING), f"{folder}/events.tsv"])
            show(["prepare", str(RECORDING), f"{folder}/dataset"])
