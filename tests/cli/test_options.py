"""Options in groups: a dataclass of them, shared by verbs."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer

from meshlearn.cli._options import grouped_options
from meshlearn.reconstruct.methods import METHODS


@dataclass
class Sampling:
    count: int
    seed: Annotated[int, typer.Option(min=0)] = 7


def verb(name: str, sampling: Sampling, loud: bool = False) -> tuple[str, Sampling, bool]:
    """What it does."""
    return name, sampling, loud


def test_a_group_becomes_its_fields():
    seen = grouped_options(verb)
    parameters = inspect.signature(seen).parameters
    assert list(parameters) == ["name", "count", "seed", "loud"]
    assert parameters["count"].default is inspect.Parameter.empty
    assert parameters["seed"].default == 7 and parameters["seed"].annotation.__metadata__
    assert seen.__doc__ == "What it does."
    assert seen(name="a", count=3, seed=1, loud=True) == ("a", Sampling(3, 1), True)


def test_a_verb_without_groups_stays_as_it_is():
    def plain(name: str) -> None:
        """Nothing."""

    assert grouped_options(plain) is plain


def test_the_command_line_has_the_methods_of_the_table(cli):
    text = " ".join(cli("reconstruct", "--help").stdout.split())
    assert "|".join(METHODS) in text.replace(" ", "")
    for method in METHODS.values():
        assert f"{method.name}: {method.help}" in text


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["--method", "bspnet", "--sparse"], "is for --method flexicubes or gshell"),
        (["--method", "bspnet", "--checkpoint", "run", "--resume"], "is for --method flexicubes"),
        (["--method", "gshell", "--parts", "a.obj"], "is for --method bspnet"),
        (["--network", "a.safetensors"], "is for --method deepmesh"),
    ],
)
def test_options_of_other_methods_are_wrong_usage(cli, tmp_path, args, text):
    source = tmp_path / "a.obj"
    source.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    done = cli("reconstruct", source, tmp_path / "b.ply", *args)
    assert done.returncode == 2 and text in " ".join(done.stderr.split())
