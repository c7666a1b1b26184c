"""The examples in docstrings give what they say."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest
import torch

import meshlearn as ml

MODULES = ["attributes", "mesh", "meshes", "polygon", "tet", "topology"]


@pytest.mark.parametrize("name", [*(f"mesh.{m}" for m in MODULES), "arrays.report", "data.shapes"])
def test_examples(name):
    module = import_module(f"meshlearn.{name}")
    result = doctest.testmod(module, extraglobs={"ml": ml, "torch": torch})
    assert result.attempted > 0 and result.failed == 0
