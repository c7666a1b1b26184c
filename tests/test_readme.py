"""README.md: its example runs, and what it names is there."""

import re
import subprocess
import sys
from pathlib import Path

from meshlearn.cli import _verbs
from tests.cli.runner import environment

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_runs(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert blocks
    for block in blocks:
        done = subprocess.run(
            [sys.executable, "-c", block],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment(),
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        assert "True 0" in done.stdout  # a closed torus


def test_files_that_it_names_exist():
    for name in re.findall(r"`((?:tests|scripts|assets|docs)/[^`\s]+)`", TEXT):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (ROOT / name).exists(), name


def test_verbs_that_it_shows_exist():
    verbs = set(re.findall(r"^    meshlearn (\w+)", TEXT, re.MULTILINE))
    app = _verbs.build()
    known = {c.name or c.callback.__name__ for c in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    assert verbs and verbs <= known, verbs - known
