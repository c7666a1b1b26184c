"""What the server gives away, and where it listens."""

import importlib
import re
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("viser", reason="viser is not installed")

from meshlearn import viewer
from meshlearn.data import shapes
from meshlearn.viewer.items import item_of
from meshlearn.viewer.runs import Run


def get(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=120) as answer:
        return answer.status, answer.read()


@pytest.fixture
def app():
    with viewer.App([item_of("ball", shapes.icosphere(1))], viewer.Options(port=19700)) as opened:
        yield opened


def test_it_serves_one_page_and_no_other_file(app):
    status, body = get(app.url)
    assert status == 200 and b"ball" in body
    for path in ("/etc/passwd", "/../../etc/passwd", "/%2e%2e/setup.py", "/pyproject.toml"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(app.url + path)
        assert refused.value.code == 404


@pytest.mark.skipif(not Path("/proc/net/tcp").is_file(), reason="sockets are listed as by Linux")
def test_it_listens_on_this_machine_only(app):
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    if Path("/proc/net/tcp6").is_file():
        rows += [line.split() for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]]
    listening = [row[1].split(":") for row in rows if row[3] == "0A"]
    assert {host for host, port in listening if int(port, 16) == app.port} == {"0100007F"}


def test_a_port_in_use_gives_the_next(app):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with viewer.App([], viewer.Options(port=port)) as other:
            assert other.port > port


def test_no_tunnel_leaves_the_machine(app):
    assert app.page._server.request_share_url() is None


def test_a_viser_that_keeps_its_parts_elsewhere(monkeypatch):
    """Without a page there is no viewer, and that is said; without the rest there is one."""
    from viser import infra

    from meshlearn.viewer import viser_private

    class Server:
        pass

    class Client:
        client_id = 3

    assert viser_private.address_of(Server(), Client()) == ""
    viser_private.wait_for_end(Server(), 1.0)
    monkeypatch.delattr(infra, "WebsockServer")
    with pytest.raises(RuntimeError, match=r"viser [\d.]+ keeps the server of its files where"):
        viewer.App([], viewer.Options(port=19760))


def test_only_the_page_knows_viser():
    """Other files ask the page; what viser does not promise is asked for in one place."""
    folder = Path(viewer.__file__).parent
    source = {path.name: path.read_text("utf-8") for path in folder.glob("*.py")}
    importing = {
        name for name, text in source.items() if re.search(r"^ +(from|import) viser\b", text, re.M)
    }
    assert importing == {"page.py", "viser_private.py", "link_panel.py"}
    private = {
        name for name, text in source.items() if re.search(r"(?<!self)(?<!cls)\._[a-z]", text)
    }
    assert private <= {"viser_private.py"}, private


def test_panels_do_not_know_one_another():
    from meshlearn.viewer.app import PANELS

    homes = {kind.__module__ for kind in PANELS}
    for home in homes:
        text = Path(importlib.import_module(home).__file__).read_text("utf-8")
        others = homes - {home} | {"meshlearn.viewer.app"}
        assert not [other for other in others if re.search(rf"{re.escape(other)}\b", text)]


def test_a_link_is_followed_beside_a_run_and_nonsense_changes_nothing(tmp_path):
    (tmp_path / "history.json").write_text('{"step": [1, 2], "loss": [1.0, 0.5]}')
    ball = item_of("ball", shapes.icosphere(1))
    with viewer.App([ball], viewer.Options(port=19780), run=Run(tmp_path)) as app:
        first = app.state()
        assert first == {"field": "none", "shading": "smooth", "edges": [], "opacity": 1.0}
        app.follow({"field": "x", "shading": "flat", "edges": ["sharp"], "opacity": 0.5})
        assert app.fields.chosen == "x" and app.look.shading == "flat"
        assert app.look.edges == {"sharp"} and app.look.opacity == 0.5
        app.follow({"field": "no such", "shading": 7, "edges": None, "opacity": "much"})
        assert app.state() == {**first, "field": "x", "shading": "flat", "edges": ["sharp"],
                               "opacity": 0.5}  # fmt: skip
        app.follow(first)
        assert app.state() == first
