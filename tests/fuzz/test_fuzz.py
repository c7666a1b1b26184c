"""A short run of the fuzzer for each reader; the long one is scripts/fuzz."""

import logging
import random

import pytest

from tests.fuzz.harness import SUFFIXES, Finding, check, fuzz, inputs, seeds
from tests.io.samples import parameters


@pytest.mark.parametrize("suffix", parameters(SUFFIXES))
def test_mutated_files_give_a_document_or_a_sentence(suffix):
    logging.disable(logging.WARNING)
    try:
        done, legal = fuzz(suffix, runs=120, seconds=4)
    finally:
        logging.disable(logging.NOTSET)
    assert done >= 20 and legal >= 1


def test_it_repeats_and_can_find(monkeypatch):
    first = [data for data, _ in zip(inputs(".ply", 3), range(5), strict=False)]
    assert first == [data for data, _ in zip(inputs(".ply", 3), range(5), strict=False)]
    assert len(seeds(".obj")) > 20 and random.Random(0).random() < 1

    from meshlearn.io.formats.obj import read as obj

    def broken(data, path):
        raise RuntimeError("out of step")

    monkeypatch.setattr(obj, "read", broken)
    with pytest.raises(Finding, match="RuntimeError: out of step"):
        check(".obj", b"v 0 0 0\n")
