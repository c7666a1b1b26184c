"""The list of faults that `scripts/mutate` plants: each still has its place in the source."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts" / "mutation"))

from faults import MUTANTS, Mutant, place_of  # noqa: E402


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_each_fault_has_its_place(mutant: Mutant):
    problem, after = place_of(mutant, (ROOT / mutant.file).read_text(encoding="utf-8"))
    assert not problem, f"{problem}; mend the list, scripts/mutation/faults"
    assert after != (ROOT / mutant.file).read_text(encoding="utf-8")
    for test in mutant.tests:
        assert (ROOT / test.split("::")[0]).exists(), f"{test}: there is no such test"


def test_the_list_is_long_enough_and_covers_the_rooms():
    names = [mutant.name for mutant in MUTANTS]
    assert len(set(names)) == len(names), "two faults of one name"
    assert len(MUTANTS) >= 80


def test_a_text_that_is_gone_or_stands_twice_is_told():
    mutant = Mutant("x", "x.py", "a = 1", "a = 2", ())
    assert "found it 0 times" in place_of(mutant, "b = 1\n")[0]
    assert "found it 2 times" in place_of(mutant, "a = 1\na = 1\n")[0]
    assert place_of(mutant, "a = 1\n") == ("", "a = 2\n")
