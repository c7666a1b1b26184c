import subprocess
import sys

import pytest

from meshlearn.cli import _app, _output
from tests.cli.runner import ROOT, environment, meshlearn


def test_help_is_quick_because_torch_is_not_imported():
    code = (
        "import sys\n"
        "from meshlearn.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'numpy', 'scipy', 'rich.console'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert "doctor" in done.stdout


@pytest.mark.parametrize("args", [["nonsense"], ["doctor", "--nonsense"], []])
def test_wrong_usage_exits_2(args):
    done = meshlearn(*args)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_version():
    import meshlearn as package

    assert meshlearn("--version").stdout.strip() == f"meshlearn {package.__version__}"


def raised(error: BaseException, monkeypatch, capsys, *, debug: bool = False):
    monkeypatch.setattr(_app.state, "debug", debug)

    def verb() -> None:
        raise error

    monkeypatch.setattr(_app.app, "command", lambda name: lambda run: runs.append(run))
    runs: list = []
    _app.command("verb")(verb)
    with pytest.raises((SystemExit, type(error))) as end:
        runs[0]()
    return end.value, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("faces: expected\n int64"), 1, "error: faces: expected int64\n"),
        (FileNotFoundError(2, "No such file", "a.obj"), 1, "error: a.obj: no such file\n"),
        (MemoryError("128 GB"), 1, "error: not enough memory: 128 GB\n"),
        (KeyError("x"), 1, "error: KeyError: 'x' (rerun with --debug to see where)\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_an_error_is_one_line(error, code, line, monkeypatch, capsys):
    end, stderr = raised(error, monkeypatch, capsys)
    assert isinstance(end, SystemExit) and end.code == code
    assert stderr == line


def test_debug_lets_the_traceback_through(monkeypatch, capsys):
    error = ValueError("no")
    assert raised(error, monkeypatch, capsys, debug=True)[0] is error


def test_json_has_no_nan():
    import torch

    value = {"a": torch.tensor([1.0, float("nan")]), "b": float("inf"), 3: ROOT}
    assert _output.jsonable(value) == {"a": [1.0, None], "b": None, "3": str(ROOT)}


def test_table_in_a_pipe_is_aligned_and_unwrapped(capsys):
    _output.print_table([["a", 1234], ["long name", "x" * 300]], header=["name", "value"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "name       value" and lines[1] == "a          1,234"
    assert lines[2].endswith("x" * 300)
