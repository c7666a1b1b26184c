"""A fault that is not the file's is not blamed on the file."""

import numpy as np
import pytest

from meshlearn import _compiled
from meshlearn import io as mio
from meshlearn.io import FileFormatError
from meshlearn.io.formats.obj import read as obj


class _Module:
    """Compiled functions of another build."""

    @staticmethod
    def obj_read(threads, address, size):
        raise TypeError("expected more arguments")

    @staticmethod
    def text_rows(threads, address, size):
        raise MemoryError


TRIANGLE = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


def test_an_old_build_is_told_as_that(monkeypatch):
    monkeypatch.setattr(_compiled, "_io", _Module())
    monkeypatch.setattr(obj, "HAS_COMPILED", True)
    with pytest.raises(
        _compiled.NativeError, match=r"not the fault of the file.*build it again"
    ) as told:
        mio.read_document(bytearray(TRIANGLE), "a.obj")
    assert not isinstance(told.value, ValueError) and "a.obj" not in str(told.value)
    with pytest.raises(_compiled.NativeError, match="text_polygons failed"):
        _compiled.call("text_polygons", 0, kinds="i")
    with pytest.raises(MemoryError):
        _compiled.call("text_rows", 1, np.zeros(3, np.uint8), kinds="di")


@pytest.mark.skipif(not _compiled.HAS_COMPILED, reason="the compiled readers are not built")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("text_rows", (1,)),  # too few
        ("text_rows", (1, 0, 0, 0)),  # too many
        ("text_rows", (1, 0, -1)),
        ("edge_table", (1, np.array([0, 1, 5]), 3)),  # an index that is no vertex
        ("edge_unions", (np.arange(3), np.array([0, 9]), np.arange(3), True)),
        ("component_roots", (np.array([0, 7]), 2)),
        ("triangulate_float64", (1, np.zeros(9), np.array([0, 4, 3]), np.arange(3))),
        ("triangulate_float64", (1, np.zeros(9), np.array([0, 3]), np.array([0, 1, 3]))),
        ("stl_pack_float32", (1, np.zeros(9, np.float32), np.array([0, 1, 3]))),
        ("format_polygons", (1, np.array([0, 3]), np.arange(2), 1, np.zeros(0, np.uint8), 0)),
        ("ply_walk", (np.zeros(9, np.uint8), 0, 1, np.array([9, 0, 0]), False)),
    ],
)
def test_wrong_arguments_are_an_error_of_the_caller(name, arguments):
    with pytest.raises(_compiled.NativeError, match=f"{name} failed"):
        _compiled.call(name, *arguments, kinds="i")


@pytest.mark.skipif(not _compiled.HAS_COMPILED, reason="the compiled readers are not built")
def test_what_a_parser_says_is_a_sentence_with_the_line():
    with pytest.raises(FileFormatError) as told:
        mio.read_document(bytearray(b"v 0 0 zero\n"), "a.obj")
    assert (
        str(told.value)
        == "a.obj: not a legal OBJ file: line 1: expected the coordinates of a vertex"
    )


def test_a_fault_in_a_reader_is_not_called_an_illegal_file(monkeypatch):
    monkeypatch.setattr(obj, "_events", lambda *_: {}["word"])
    with pytest.raises(FileFormatError, match=r"stumbled over it.*KeyError.*has a fault") as told:
        mio.read_document(bytearray(TRIANGLE), "a.obj")
    assert "not a legal" not in str(told.value)
    assert isinstance(told.value.__cause__, KeyError)  # for --debug
