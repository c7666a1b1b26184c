"""Formats of other packages: found, told by their names where they fail, never in the way."""

import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

import meshlearn as ml
from meshlearn import io as mio
from meshlearn.io import Document, Format, Holds, Loss, LossKind, Part, registry

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding_a_format.md"
EXAMPLE, ENTRY = re.findall(r"```(?:python|toml)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
TRIANGLE = b"0 0 0 1 0 0 0 1 0\n"


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """A table of formats that has not looked for others yet."""
    monkeypatch.setattr(registry, "_formats", dict(registry._formats))
    monkeypatch.setattr(registry, "_sources", {})
    monkeypatch.setattr(registry, "_faults", [])
    monkeypatch.setattr(registry, "_looked", False)


def install(folder: Path, name: str, module: str, source: str, entries: dict[str, str]) -> None:
    """A package as pip leaves it: a module, and its metadata with entry points."""
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{key} = {place}" for key, place in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(["[meshlearn.formats]", *lines, ""]))


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Installs packages into a folder on the path; their modules are forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    known = set(sys.modules)

    def add(name: str, module: str, source: str, **entries: str) -> None:
        install(folder, name, module, source, entries)

    yield add
    for module in set(sys.modules) - known:
        if (folder / f"{module}.py").is_file():
            del sys.modules[module]


def example(packages) -> None:
    key, place = re.search(r'(\w+) = "(.*)"', ENTRY).groups()
    packages("tri-package", "tri_format", EXAMPLE, **{key: place})


def faulty(body: str, suffix: str = ".odd") -> str:
    """A module whose format reads and writes as `body` says."""
    return (
        "from meshlearn.io import Document, Format, Holds, Loss, Part\n"
        "def read(data, path): return Document([Part()])\n"
        "def write(document, path): return b'x'\n"
        "losses = None\n"
        f"{body}\n"
        f"FORMAT = Format(name='ODD', suffixes=({suffix!r},), read=read, write=write, "
        "losses=losses, holds=Holds())\n"
    )


def test_the_example_of_the_page_reads_writes_and_tells_its_losses(packages, tmp_path):
    example(packages)
    path = tmp_path / "a.tri"
    report = ml.save(ml.data.shapes.box(), path)
    assert [(loss.kind, loss.count) for loss in report.items] == [(LossKind.SHARED_VERTICES, 8)]
    assert str(report).endswith("TRI writes every triangle with corners of its own)")
    mesh = ml.load(path)
    assert mesh.num_faces == 12 and mesh.volume().item() == pytest.approx(
        ml.data.shapes.box().volume().item()
    )
    assert mio.convert(path, tmp_path / "b.ply").items == ()
    assert ".tri" in mio.readable_suffixes() and ".tri" in mio.writable_suffixes()
    path.write_bytes(b"0 0 0\n")
    with pytest.raises(mio.FileFormatError, match=r"a\.tri: triangle 1 has 3 numbers, expected 9"):
        ml.load(path)
    path.write_bytes(b"0 0 0 1 0 0 0 1 here\n")
    with pytest.raises(mio.FileFormatError, match=r"a\.tri: not a legal TRI file: could not conv"):
        ml.load(path)


def test_the_command_line_knows_it_too(packages, tmp_path):
    example(packages)
    (tmp_path / "a.tri").write_bytes(TRIANGLE)
    command = [sys.executable, "-m", "meshlearn", "convert", "a.tri", "b.off"]
    paths = f"{tmp_path / 'site'}:{Path(ml.__file__).parents[1]}"
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "b.off").read_text().startswith("OFF\n3 1 0\n")


def test_others_are_looked_up_for_an_unknown_suffix_only(packages, tmp_path, monkeypatch):
    looked = []
    monkeypatch.setattr(registry, "_take_all", lambda: looked.append(True))
    mio.save_document(Document([Part()]), tmp_path / "a.obj")
    mio.load_document(tmp_path / "a.obj")
    assert registry.knows(".PLY", writing=True) and not looked
    with pytest.raises(mio.FileFormatError):
        mio.load_document(tmp_path / "a.tri")
    assert looked == [True]
    mio.readable_suffixes()
    assert looked == [True]


def test_the_table_imports_no_reader():
    code = (
        "import sys; from meshlearn.io import registry; registry.knows('.ply', writing=True); "
        "folders = [m.split('.') for m in sys.modules if m.startswith('meshlearn.io.formats.')]; "
        "print(len(folders), *['.'.join(f) for f in folders if len(f) > 4], "
        "*{'importlib.metadata', 'pxr', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, *readers = done.stdout.split()
    assert int(count) >= 15 and not readers


def test_registering_by_hand():
    assert not registry.knows(".tri")
    module: dict = {}
    exec(EXAMPLE, module)
    mio.register_format(module["FORMAT"])
    part = mio.read_document(bytearray(TRIANGLE), "a.tri").parts[0]
    assert part.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    with pytest.raises(ValueError, match=r"format: expected a meshlearn.io.Format, got str"):
        mio.register_format("tri")


def test_one_that_raises_at_import_is_named_and_the_rest_works(packages, caplog):
    example(packages)
    packages(
        "bad-package", "bad_format", "raise RuntimeError('no licence\\nfound')", bad="bad_format:F"
    )
    packages("quits-package", "quits_format", "raise SystemExit(3)", quits="quits_format:F")
    packages("lacks-package", "lacks_format", "", lacks="lacks_format:F")
    with caplog.at_level(logging.WARNING):
        assert mio.read_document(bytearray(TRIANGLE), "a.tri").parts[0].num_faces == 1
    told = sorted(record.getMessage() for record in caplog.records)
    assert len(told) == 3
    assert told[0] == (
        "the format 'bad' of the package bad-package could not be loaded and is left out "
        "(RuntimeError: no licence)"
    )
    assert "'lacks' of the package lacks-package" in told[1] and "AttributeError" in told[1]
    assert "'quits' of the package quits-package" in told[2] and "SystemExit: 3" in told[2]
    with pytest.raises(mio.FileFormatError, match=r"got '\.bad'; .*bad-package could not be load"):
        mio.load_document("a.bad")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("F = 7", "expected a meshlearn.io.Format, got int"),
        ("F = ['ply']", "expected a meshlearn.io.Format, got str"),
        ("def F(): pass", "expected a meshlearn.io.Format, got function"),
        (
            "from meshlearn.io import Format\nF = Format(name='X', suffixes=('x',), read=print)",
            r"ValueError: suffixes: the format X gives \('x',\)",
        ),
    ],
)
def test_one_that_is_no_format_is_named(packages, caplog, source, said):
    packages("odd-package", "odd_format", source, odd="odd_format:F")
    with caplog.at_level(logging.WARNING):
        assert ".odd" not in mio.readable_suffixes()
    (record,) = caplog.records
    assert "the format 'odd' of the package odd-package" in record.getMessage()
    assert re.search(said, record.getMessage())


def test_a_suffix_that_is_taken_stays_with_its_format(packages, caplog, tmp_path):
    source = faulty("").replace("'.odd',", "'.odd', '.ply', '.stl',")
    packages("a-package", "a_format", source, a="a_format:FORMAT")
    packages(
        "b-package", "b_format", faulty("", ".odd").replace("'ODD'", "'OTHER'"), b="b_format:FORMAT"
    )
    with caplog.at_level(logging.WARNING):
        assert mio.read_document(bytearray(b"x"), "a.odd").parts[0].name == ""
    assert [record.getMessage() for record in caplog.records] == [
        "the format 'a' of the package a-package claims .ply, which PLY has already; "
        ".ply stays with PLY",
        "the format 'a' of the package a-package claims .stl, which STL has already; "
        ".stl stays with STL",
        "the format 'b' of the package b-package claims .odd, which ODD has already; "
        ".odd stays with ODD",
    ]
    mio.save_document(Document([Part()]), tmp_path / "a.ply")
    assert (tmp_path / "a.ply").read_bytes().startswith(b"ply\n")
    assert registry.format_of(Path("a.odd")).name == "ODD"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def read(data, path): return 7", r"ODD reader of .*odd-package gave int, expected a Doc"),
        ("def read(data, path): return None", r"gave NoneType, expected a Document"),
        ("def read(data, path): return Document(['x'])", r"expected a Document of Parts"),
        ("def read(data, path): 1 / 0", r"stumbled.*ZeroDivisionError.*the reader of the format"),
        ("def read(data): return Document()", r"stumbled.*TypeError.*odd-package has a fault"),
        ("read = 'no_such_module:read'", r"'read' of the format 'odd' .*odd-package cannot be im"),
        ("read = 'math:no_such_function'", r"the module math has no function 'no_such_function'"),
        (
            "def read(data, path):\n"
            "    part = Part()\n"
            "    part.vertices = part.vertices[:, :2]\n"
            "    return Document([part])",
            r"a\.odd: expected vertices \(V, 3\)",
        ),
    ],
)
def test_a_reader_that_fails_is_named(packages, body, said):
    packages("odd-package", "odd_format", faulty(body), odd="odd_format:FORMAT")
    with pytest.raises(mio.FileFormatError, match=said) as told:
        mio.read_document(bytearray(b"x"), "a.odd")
    assert "\n" not in str(told.value) and str(told.value).startswith("a.odd: ")
    assert mio.read_document(bytearray(b"v 0 0 0\n"), "a.obj").parts[0].vertices.shape == (1, 3)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "def write(document, path): return 'text'",
            r"'write' of .*odd-package gave str, exp",
        ),
        ("def write(document, path): return {'b': b''}", r"gave dict, expected bytes, or files by"),
        ("def write(document, path): 1 / 0", r"odd-package failed \(ZeroDivisionError: division"),
        (
            "def losses(document): return ['heat']",
            r"'losses' of .*odd-package gave list, exp",
        ),
        ("def losses(document): return 7", r"'losses' of .* failed \(TypeError"),
    ],
)
def test_a_writer_that_fails_is_named_and_leaves_no_file(packages, tmp_path, body, said):
    packages("odd-package", "odd_format", faulty(body), odd="odd_format:FORMAT")
    with pytest.raises(mio.FileFormatError, match=said):
        mio.save_document(Document([Part()]), tmp_path / "a.odd")
    assert not (tmp_path / "a.odd").exists()


def test_a_format_may_write_several_files_and_tell_losses_of_its_own(tmp_path):
    def write(document, path):
        return {path.name: b"head", "body.bin": bytes(3)}

    odd = Format(
        name="ODD",
        suffixes=(".odd",),
        read=lambda data, path: Document([Part()]),
        write=write,
        holds=Holds(),
        losses=lambda document: [Loss(LossKind.OTHER, name="knots", count=2)],
    )
    mio.register_format(odd)
    report = mio.save_document(Document([Part()]), tmp_path / "a.odd")
    assert report.to_dict() == [{"count": 2, "name": "knots", "why": "ODD has no place for it"}]
    assert (tmp_path / "body.bin").read_bytes() == bytes(3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": ""}, "name: expected the name of a format, got ''"),
        ({"suffixes": ()}, "suffixes: the format X gives"),
        ({"suffixes": ".x"}, "expected a tuple of extensions"),
        ({"suffixes": (".X",)}, "in lower case with their dot"),
        ({"read": None}, "read: the format X gives None"),
        ({"read": "somewhere"}, "expected a function or its place"),
        ({"write": 7}, "write: the format X gives 7"),
        ({"holds": {"vertex"}}, "holds: the format X gives"),
        ({"text": "x"}, "text: the format X gives"),
    ],
)
def test_a_description_that_means_nothing_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        Format(**{"name": "X", "suffixes": (".x",), "read": print, **given})


def test_every_format_of_this_package_is_whole():
    for suffix in registry._formats:
        format = registry.format_of(Path(f"a{suffix}"))
        assert format.name and set(format.text) <= set(format.suffixes)
        for key in ("read", "write", "pieces", "losses"):
            value = getattr(format, key)
            assert (value is None) == (format.function(key) is None), (suffix, key)
        if format.write is None:
            assert format.name in {"COLLADA", "CAD", "LAS", "VTK grid", "VTK of several files"}
