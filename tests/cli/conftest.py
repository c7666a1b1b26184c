import subprocess

import pytest

from meshlearn.cli import _app, main


@pytest.fixture
def cli(capsys, monkeypatch):
    """Runs the command line in this process: cli("info", path) -> CompletedProcess."""

    def run(*args: object) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(_app.state, "debug", False)
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(arg) for arg in args])
        got = capsys.readouterr()
        return subprocess.CompletedProcess(list(args), int(end.value.code or 0), got.out, got.err)

    return run
