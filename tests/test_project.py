"""The project's own files agree with each other."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

import meshlearn

ROOT = Path(__file__).resolve().parents[1]
HELPERS = {"all", "test", "wheel", "bench"}  # extras that unlock no feature


def test_versions_agree():
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited and cited[1] == meshlearn.__version__ == metadata.version("meshlearn")


def test_what_is_cited_is_a_paper_each():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert len(cited["references"]) == 5
    for paper in cited["references"]:
        assert paper["title"] and paper["authors"] and paper["year"] and paper["scope"]
        assert all(author["family-names"] and author["given-names"] for author in paper["authors"])


def test_forms_and_hooks_can_be_read():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    forms = sorted(ROOT.glob(".github/ISSUE_TEMPLATE/*.yml"))
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.stem != "config":
            assert form["name"] and form["description"] and form["body"], path
            identifiers = [entry["id"] for entry in form["body"]]
            assert len(set(identifiers)) == len(identifiers), path
    assert len(forms) >= 3
    (hooks,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert {hook["id"] for hook in hooks["hooks"]} == {
        "ruff",
        "ruff-format",
        "clang-format",
        "types",
    }


def test_the_extra_all_holds_every_feature_and_test_holds_all():
    facts = metadata.metadata("meshlearn")
    extras = set(facts.get_all("Provides-Extra") or ())
    needs: dict[str, set[str]] = {extra: set() for extra in extras}
    for line in metadata.requires("meshlearn") or ():
        what, _, condition = line.partition(";")
        for extra in re.findall(r"extra == ['\"]([\w-]+)['\"]", condition):
            needs[extra].add(what.replace(" ", ""))
    features = extras - HELPERS
    assert features >= {"nifti", "viewer", "simplify", "dask", "ray", "interop", "usd"}
    (everything,) = needs["all"]
    named = re.fullmatch(r"meshlearn\[([\w,-]+)\]", everything)
    assert named and set(named[1].split(",")) == features
    assert any("all" in what for what in needs["test"] if what.startswith("meshlearn["))
