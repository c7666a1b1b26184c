"""A fault that is not the file's is not blamed on the file."""

import pytest
import torch

from meshlearn import io as mio
from meshlearn._native import HAS_NATIVE
from meshlearn.io import FileFormatError, text
from meshlearn.io.formats.obj import read as obj


class _Operators:
    """Operators of another build."""

    @staticmethod
    def obj_parse(data):
        raise RuntimeError(
            "meshlearn::obj_parse() expected at most 2 argument(s) but received 1 argument(s). "
            "Declaration: meshlearn::obj_parse(Tensor data, int more) -> Tensor[]"
        )

    @staticmethod
    def text_rows(data):
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes.")


TRIANGLE = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


def test_an_old_build_is_told_as_that(monkeypatch):
    monkeypatch.setattr(torch.ops, "meshlearn", _Operators())
    monkeypatch.setattr(obj, "HAS_NATIVE", True)
    with pytest.raises(
        text.NativeError, match=r"not the fault of the file.*build it again"
    ) as told:
        mio.read_document(bytearray(TRIANGLE), "a.obj")
    assert not isinstance(told.value, ValueError) and "a.obj" not in str(told.value)
    with pytest.raises(text.NativeError, match="text_polygons failed"):
        text.call("text_polygons", 0)
    with pytest.raises(MemoryError):
        text.call("text_rows", 0)


@pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
def test_checks_of_operators_are_sentences_without_places_in_the_source():
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
