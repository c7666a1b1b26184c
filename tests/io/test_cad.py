"""STEP and IGES: shapes of known size, in the file's unit, by their names, closed."""

import random
from importlib.util import find_spec

import numpy as np
import pytest

import meshlearn as ml
from meshlearn import io as mio
from meshlearn.io import FileFormatError
from meshlearn.io.formats.cad.unit import iges_unit, step_unit
from tests.fuzz.harness import mutate
from tests.io.cad_files import Step, iges

need = pytest.mark.skipif(
    find_spec("cascadio") is None,
    reason="cascadio is not installed (pip install 'meshlearn[cad]')",
)


def step(unit="mm"):
    file = Step(unit)
    file.box("block", (0, 0, 0), (2, 3, 4))
    file.cylinder("pin", (10, 0, 0), 1, 5)
    return file.text()


@need
@pytest.mark.parametrize("unit", ["mm", "cm", "m", "in"])
def test_sizes_and_names_are_those_of_the_file(tmp_path, unit):
    (tmp_path / "a.step").write_text(step(unit))
    document = mio.load_document(tmp_path / "a.step")
    assert [part.name for part in document.parts] == ["block", "pin"] and document.unit == unit
    block, pin = document.parts
    np.testing.assert_allclose(block.vertices.min(0), [0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(block.vertices.max(0), [2, 3, 4], rtol=1e-6)
    np.testing.assert_allclose(pin.vertices[:, 2].max(), 5, rtol=1e-6)
    assert len(block.vertices) == 8 and block.num_faces == 12
    mesh = ml.load(tmp_path / "a.step")
    assert mesh.is_watertight and mesh.is_consistently_oriented
    assert float(mesh.volume()) == pytest.approx(24 + 5 * np.pi, rel=0.02)
    assert set(block.corner_fields) == {"normal"}


@need
def test_a_tolerance_holds_and_is_in_the_files_unit(tmp_path):
    counts = []
    for unit in ("mm", "m"):
        (tmp_path / f"{unit}.stp").write_text(step(unit))
        for tolerance in (0.05, 0.002, 0.0002):
            found = mio.load_document(tmp_path / f"{unit}.stp", tolerance=tolerance).parts[1]
            corners = found.vertices[found.polygon_index.reshape(-1, 3)].astype(np.float64)
            side = corners[np.ptp(corners[..., 2], axis=1) > 1]
            ends = np.concatenate([side[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
            ends = ends[np.abs(ends[:, 0, 2] - ends[:, 1, 2]) < 1e-6]
            sag = 1 - np.linalg.norm(ends[..., :2].mean(1) - [10, 0], axis=1)
            assert 0 < sag.max() <= tolerance * 1.01 + 1e-6
            counts.append(found.num_faces)
    assert counts[0] < counts[1] < counts[2] and counts[:3] == counts[3:]


@need
def test_on_the_command_line(tmp_path, capsys):
    from meshlearn.cli import main

    (tmp_path / "a.step").write_text(step("in"))

    def run(*args):
        with pytest.raises(SystemExit) as end:
            main(["convert", str(tmp_path / args[0]), *map(str, args[1:])])
        return int(end.value.code or 0), capsys.readouterr().err

    assert run("a.step", tmp_path / "a.3mf")[0] == 0
    document = mio.load_document(tmp_path / "a.3mf")
    assert document.unit == "in" and [p.name for p in document.parts] == ["block", "pin"]
    assert run("a.step", tmp_path / "a.stl", "--unit", "mm", "--tolerance", "0.0001")[0] == 0
    part = mio.load_document(tmp_path / "a.stl").parts[0]
    assert part.vertices[:, 2].max() == pytest.approx(127) and part.num_faces > 200
    assert run("a.step", tmp_path / "b.stl", "--tolerance", "-1")[0] == 2
    code, said = run("a.stl", tmp_path / "b.obj", "--tolerance", "1")
    assert code == 1 and "tolerance is for curved solids (STEP, IGES), STL has none" in said


@need
@pytest.mark.parametrize("flag, name, unit", [(2, "MM", "mm"), (1, "IN", "in"), (6, "M", "m")])
def test_iges(tmp_path, flag, name, unit):
    (tmp_path / "a.igs").write_text(iges(flag, name))
    document = mio.load_document(tmp_path / "a.igs")
    assert document.unit == unit
    (part,) = document.parts
    np.testing.assert_allclose(part.vertices[:, 2].max(), 10, rtol=1e-5)
    assert np.abs(np.linalg.norm(part.vertices[:, :2], axis=1) - 5).max() < 1e-3
    mesh = ml.load(tmp_path / "a.igs")
    assert float(mesh.area()) == pytest.approx(2 * np.pi * 5 * 10, rel=0.02)


def test_units_of_headers():
    for unit in ("mm", "cm", "m", "in"):
        assert step_unit(step(unit).encode()) == unit
    assert step_unit(step().replace("LENGTH_UNIT", "MASS_UNIT").encode()) is None
    micron = step().replace(".MILLI.", ".MICRO.").encode()
    assert step_unit(micron) == "um" and step_unit(b"") is None
    assert iges_unit(iges(9, "UM").encode()) == "um" and iges_unit(iges(3).encode()) is None
    assert iges_unit(b"") is None and iges_unit(iges().encode()[:120]) is None


@need
@pytest.mark.parametrize(
    "name, content, text",
    [
        ("a.step", "solid a\n", "expected STEP, which begins with ISO-10303-21, or IGES"),
        ("a.igs", "x" * 100, "expected STEP"),
        ("a.step", step()[:300], "no shape in it"),
        ("a.step", Step().text(), "no shape in it"),
    ],
)
def test_what_is_none(tmp_path, name, content, text):
    (tmp_path / name).write_text(content)
    with pytest.raises(FileFormatError, match=text) as caught:
        mio.load_document(tmp_path / name)
    assert "\n" not in str(caught.value) and str(tmp_path / name) in str(caught.value)


@need
def test_damaged_files_are_refused_or_read(tmp_path):
    rng = random.Random(0)
    for number in range(12):
        source = (iges() if number % 4 == 3 else step()).encode()
        data = mutate(source, [source], rng)
        try:
            mio.read_document(bytearray(data), tmp_path / "a.step")
        except FileFormatError as error:
            assert "\n" not in str(error)


@need
def test_a_library_that_dies_or_hangs_is_a_sentence(tmp_path, monkeypatch):
    from meshlearn.io.formats.cad import child

    (tmp_path / "a.step").write_text(step())
    monkeypatch.setattr(child, "MEMORY", 1 << 20)
    with pytest.raises(FileFormatError, match="OpenCASCADE stopped over it"):
        mio.load_document(tmp_path / "a.step")
    monkeypatch.setattr(child, "MEMORY", 4 << 30)
    monkeypatch.setattr(child, "SECONDS", 0.001)
    monkeypatch.setattr(child, "SECONDS_EACH", 0)
    with pytest.raises(FileFormatError, match="more than 0 s; give a larger --tolerance"):
        mio.load_document(tmp_path / "a.step")


def test_without_the_library_it_says_what_to_install(tmp_path, monkeypatch):
    from meshlearn.io.formats.cad import child

    monkeypatch.setattr(child, "find_spec", lambda name: None)
    (tmp_path / "a.step").write_text(step())
    with pytest.raises(ImportError, match=r"need cascadio: pip install 'meshlearn\[cad\]'"):
        mio.load_document(tmp_path / "a.step")
