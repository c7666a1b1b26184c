"""The everyday tasks of docs/tasks.md, each run, in their order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import meshlearn as ml

PAGE = Path(__file__).resolve().parents[1] / "docs/tasks.md"
TASK = re.compile(r"^\*\*(\d+)\. (.*?)\n```python\n(.*?)```", re.MULTILINE | re.DOTALL)


def tasks() -> list[tuple[int, str]]:
    return [(int(number), code) for number, _, code in TASK.findall(PAGE.read_text("utf-8"))]


def test_there_are_twenty_of_six_lines_at_most():
    found = tasks()
    assert [number for number, _ in found] == list(range(1, 21))
    assert all(len(code.strip().splitlines()) <= 6 for _, code in found)


def test_each_runs(tmp_path, monkeypatch):
    for name in ("manifold3d", "xatlas"):
        pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    ml.data.shapes.box((1.0, 1.0, 1.0)).save("part.obj")
    names: dict[str, object] = {"ml": ml, "torch": torch}
    for number, code in tasks():
        try:
            exec(compile(code, f"task {number}", "exec"), names)
        except Exception as error:
            raise AssertionError(f"task {number}: {type(error).__name__}: {error}") from error
    sizes = {name: value.num_faces for name, value in names.items() if isinstance(value, ml.Mesh)}
    assert all(sizes.values()), sizes
    assert Path("part.png").stat().st_size > 1000
