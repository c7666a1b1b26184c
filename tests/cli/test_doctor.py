import json

from meshlearn import _compiled, _native
from meshlearn.cli import doctor
from tests.cli.runner import meshlearn


def test_json_tells_what_runs():
    done = meshlearn("doctor", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["healthy"] is True
    assert facts["operators"]["cpu"]["compiled"] is _native.HAS_NATIVE
    if _native.HAS_NATIVE:
        assert facts["operators"]["cpu"]["self_test"]["passed"] is True
    assert facts["readers"]["compiled"] is _compiled.HAS_COMPILED
    assert facts["torch"] and facts["threads"] >= 1 and facts["optional"]["nibabel"]["unlocks"]


def test_says_why_references_serve():
    done = meshlearn("doctor", MESHLEARN_NATIVE="0")
    assert done.returncode == 0, done.stderr
    assert "torch references serve: MESHLEARN_NATIVE=0 is set" in done.stdout
    assert "plain Python serves: MESHLEARN_NATIVE=0 is set" in done.stdout


def test_wrong_operator_is_reported(monkeypatch, capsys):
    import pytest

    if not _native.HAS_NATIVE:
        pytest.skip("native operators are not built")
    from meshlearn import _segment

    reference = _segment.gather_sum_reference
    monkeypatch.setattr(_segment, "gather_sum_reference", lambda *a: reference(*a) + 1)
    test = doctor.self_test("cpu")
    assert test["passed"] is False and "off by 1" in test["reason"]
