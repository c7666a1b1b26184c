import pytest

from meshlearn import _memory


def test_available_is_part_of_what_is_installed():
    total, available = _memory.memory_status()
    assert total is None or 0 < available <= total
    assert _memory.available_memory("cpu") > 0


def test_what_does_not_fit_is_refused_before_it_is_tried():
    _memory.check_memory(1000, "cpu", "a small thing")
    with pytest.raises(ValueError, match=r"resolution: a grid needs about 8,589,934,592.0 GiB"):
        _memory.check_memory(1 << 63, "cpu", "a grid")


@pytest.mark.parametrize(("current", "room"), [("100", 950), ("2000", 0)])
def test_a_containers_limit_counts(monkeypatch, tmp_path, current, room):
    files = {"memory.max": "1000", "memory.current": current, "memory.stat": "inactive_file 50\n"}
    real = _memory.Path

    def path(*parts):
        text = "/".join(parts)
        if not text.startswith("/sys/fs/cgroup/"):
            return real(text)
        (tmp_path / parts[-1].rsplit("/")[-1]).write_text(files.get(text.rsplit("/")[-1], "max"))
        return tmp_path / text.rsplit("/")[-1]

    monkeypatch.setattr(_memory, "Path", path)
    assert _memory._cgroup_room() == room


def test_no_limit_no_bound(monkeypatch):
    monkeypatch.setattr(_memory, "_read_int", lambda path: None)
    assert _memory._cgroup_room() is None
