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


def test_what_is_installed_is_usable_only_once_it_was_imported(monkeypatch, tmp_path):
    for name, text in {
        "sound": "",
        "broken": "raise ImportError('libGL.so.1: no such file')",
        "crashing": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "leaving": "raise SystemExit(3)",
        "endless": "import time; time.sleep(60)",
    }.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert doctor.import_fault("sound") == ""
    assert doctor.import_fault("broken") == "ImportError: libGL.so.1: no such file"
    assert doctor.import_fault("crashing") == "its import ends the process (signal 11)"
    assert doctor.import_fault("leaving") == "its import ends the process (exit 3)"
    assert doctor.import_fault("endless", seconds=0.2) == "its import did not end within 0.2 s"
    packages = {"torch": ("crashing", "one thing"), "numpy": ("sound", ""), "no-such": ("x", "")}
    monkeypatch.setattr(doctor, "OPTIONAL", packages)
    found = doctor.diagnose()["optional"]
    assert found["torch"]["version"] and found["torch"]["usable"] is False
    assert "signal 11" in found["torch"]["reason"] and found["torch"]["unlocks"] == "one thing"
    assert found["numpy"]["usable"] is True and found["numpy"]["reason"] == ""
    assert found["no-such"] == {
        "version": None,
        "usable": False,
        "reason": "not installed",
        "unlocks": "",
    }


def test_a_package_that_does_not_load_is_named(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "OPTIONAL", {"torch": ("no_such_module", "one thing")})
    doctor.doctor(as_json=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "is not usable (ModuleNotFoundError: No module named 'no_such_module')" in said


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
