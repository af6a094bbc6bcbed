import pytest

from brant_hf.cli import main


@pytest.fixture
def run(capsys):
    """Run the command line; gives exit status, standard output and standard error."""

    def run(*args):
        capsys.readouterr()  # what fixtures printed
        with pytest.raises(SystemExit) as exit_:
            main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return exit_.value.code, captured.out, captured.err

    return run
