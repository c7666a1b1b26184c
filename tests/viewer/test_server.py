"""What the server gives away, and where it listens."""

import socket
import urllib.error
import urllib.request

import pytest

pytest.importorskip("viser", reason="viser is not installed")

from meshlearn import viewer
from meshlearn.data import shapes
from meshlearn.viewer.items import item_of


def get(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
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


def test_it_listens_on_this_machine_only(app):
    assert app.server.get_host() == "127.0.0.1"
    sockets = app.server._websock_server
    assert sockets._host == "127.0.0.1"


def test_a_port_in_use_gives_the_next(app):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with viewer.App([], viewer.Options(port=port)) as other:
            assert other.port > port


def test_no_tunnel_leaves_the_machine(app):
    assert app.server.request_share_url() is None
