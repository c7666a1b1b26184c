import json
import sys

import pytest

from tests.cli.runner import ROOT, meshlearn

sys.path.insert(0, str(ROOT / "scripts" / "bench"))
import _common


def test_a_topic_runs_and_gives_json():
    done = meshlearn("bench", "segments", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    topic = json.loads(done.stdout)["segments"]
    assert topic["machine"]["torch"]
    (row,) = topic["rows"]
    assert row["peer"] == "torch index_add" and row["ours"]["min_ms"] > 0 and row["ratio"] > 0


def test_topics_are_listed_and_unknown_ones_refused():
    done = meshlearn("bench", "--list", "--json")
    assert "segments" in json.loads(done.stdout)
    wrong = meshlearn("bench", "nonsense")
    assert wrong.returncode == 2 and "unknown topic 'nonsense'" in wrong.stderr


def test_outside_a_checkout_it_says_so(tmp_path, monkeypatch):
    from meshlearn.cli import bench

    monkeypatch.setattr("meshlearn.__file__", str(tmp_path / "meshlearn" / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="run this in a checkout"):
        bench.folder()


def test_ratio_is_the_peers_time_over_ours_and_absent_peers_are_named():
    bench = _common.Bench(verbose=False)
    bench.compare(
        "case", lambda: sum(range(100)), {"slow": lambda: sum(range(100_000)), "absent": None}
    )
    slow, absent = bench.rows
    assert slow.ratio == pytest.approx(slow.theirs.min_ms / slow.ours.min_ms) and slow.ratio > 10
    assert absent.theirs is None and absent.note == "peer not installed"
    table = _common.report(bench.rows).splitlines()
    assert len(table) == 4 and "absent" in table[3] and table[2].startswith("| case |")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory_counts_the_statement_only():
    found = _common.peak_memory("x = bytearray(90_000_000)", "y = bytearray(b'1') * 50_000_000")
    assert 40 < found["above"] < 60
    freed = _common.peak_memory("x = bytearray(b'1') * 90_000_000; del x", "pass")
    assert freed["above"] < 5


def test_runs_alternate():
    order: list[str] = []
    _common.measure_together(
        {"a": lambda: order.append("a"), "b": lambda: order.append("b")}, repeats=3, warmup=0
    )
    assert order == ["a", "b"] * 3
