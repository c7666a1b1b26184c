"""`meshlearn convert BAD OUT`: exit code 1, one line, nothing written."""

import json
import os
import subprocess
import sys

import pytest

from tests.cli.runner import environment, meshlearn
from tests.io.illegal import ILLEGAL
from tests.io.samples import available
from tests.io.test_tricky import as_bytes

# imports once, and forks for each file: a process of its own that costs no second of imports
DRIVER = """
import json, os, pathlib, sys

from meshlearn.cli import _verbs, main
from meshlearn.io.conversion import pipeline
from meshlearn.io.formats.usd import child as usd_child
_verbs.build()
good = pathlib.Path(sys.argv[1]).parent / "good.obj"
good.write_text("v 0 0 0\\nv 1 0 0\\nv 0 1 0\\nf 1 2 3\\n")
pipeline.convert_file(good, good.with_suffix(".ply"), pipeline.ConvertOptions())
folder, found = pathlib.Path(sys.argv[1]), {}
for path in sorted(folder.iterdir()):
    out = folder.parent / "out" / f"{path.stem} out.ply"
    texts = [folder.parent / name for name in ("stdout", "stderr")]
    child = os.fork()
    if child == 0:
        for number, text in enumerate(texts, 1):
            os.dup2(os.open(text, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        code = 99
        try:
            main(["convert", str(path), str(out)])
        except SystemExit as stop:
            code = stop.code
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            usd_child.close()
            os._exit(code)
    _, status, used = os.wait4(child, 0)
    status = os.waitstatus_to_exitcode(status)
    took = used.ru_utime + used.ru_stime  # what the machine does beside does not count
    found[path.name] = [status, took, *(text.read_text() for text in texts)]
print(json.dumps(found))
"""


def selection(most: int = 2) -> list[str]:
    """Names of some illegal files of every format; all are read by test_tricky."""
    taken: dict[str, list[str]] = {}
    for name in filter(available, ILLEGAL):
        taken.setdefault(name.rpartition(".")[2], []).append(name)
    return [name for names in taken.values() for name in names[:most]]


def check(name: str, code: int, said: str, error: str) -> None:
    assert code == 1, (name, code, error)
    assert said == "", (name, said)
    assert error.count("\n") == 1 and error.startswith("error: "), (name, error)
    assert name in error and "Traceback" not in error, (name, error)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_illegal_files_of_every_format_are_one_line_and_exit_1(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    names = selection()
    for name in names:
        (tmp_path / "in" / name).write_bytes(as_bytes(ILLEGAL[name][0]))
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(tmp_path / "in")],
        capture_output=True,
        text=True,
        env=environment(OMP_NUM_THREADS="1"),
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-500:]
    found = json.loads(done.stdout)
    assert set(found) == set(names) and len(found) >= 35
    for name, (code, took, said, error) in found.items():
        check(name, code, said, error)
        assert took < 5, (name, took)
    assert list((tmp_path / "out").iterdir()) == []
    assert len(list((tmp_path / "in").iterdir())) == len(names)  # nothing beside them either


@pytest.mark.parametrize("name", ["beyond.obj", "bomb.3mf"])
def test_a_process_as_a_user_starts_it(name, tmp_path):
    (tmp_path / name).write_bytes(as_bytes(ILLEGAL[name][0]))
    done = meshlearn("convert", tmp_path / name, tmp_path / "out.glb")
    check(name, done.returncode, done.stdout, done.stderr)
    assert [p.name for p in tmp_path.iterdir()] == [name]
