"""The drag example: its forces in closed form, and less drag at equal volume."""

import math
import sys
from pathlib import Path

import pytest
import torch

from meshlearn import Mesh
from meshlearn.data import shapes

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
import drag


def test_forces_on_a_ball():
    force = drag.drag(shapes.icosphere(5))
    assert float(force.pressure) == pytest.approx(drag.FRONT * math.pi / 2, rel=0.01)
    assert float(force.base) == pytest.approx(drag.BASE * math.pi / 2, rel=0.01)
    assert float(force.friction) == pytest.approx(drag.FRICTION * 8 * math.pi / 3, rel=0.01)
    assert float((force.face * shapes.icosphere(5).face_areas()).sum()) == pytest.approx(
        float(force.total), rel=1e-5
    )
    twice = shapes.icosphere(5)
    twice = drag.drag(twice.with_vertices(2 * twice.vertices))
    assert float(twice.total) == pytest.approx(4 * float(force.total), rel=1e-4)


def test_what_stands_behind_gets_no_pressure():
    front = shapes.box((1.0, 1.0, 1.0))
    behind = front.with_vertices(front.vertices * 0.5 + torch.tensor([2.0, 0, 0]))
    both = Mesh(
        torch.cat((front.vertices, behind.vertices)),
        torch.cat((front.faces, behind.faces + front.num_vertices)),
    )
    one, other = drag.drag(front), drag.drag(both)
    assert float(other.pressure) == pytest.approx(float(one.pressure), rel=1e-5)
    hidden = drag.shaded(both)
    assert int(hidden.sum()) > 0 and not hidden[: front.num_faces].any()
    aside = behind.with_vertices(behind.vertices + torch.tensor([0.0, 2.0, 0.0]))
    apart = Mesh(torch.cat((front.vertices, aside.vertices)), both.faces)
    assert float(drag.drag(apart).pressure) > 1.2 * float(one.pressure)


def test_gradient():
    mesh = shapes.icosphere(1, dtype=torch.float64)
    hidden = drag.shaded(mesh)

    def total(vertices):
        return drag.drag(mesh.with_vertices(vertices), hidden).total

    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(mesh.vertices.shape, dtype=torch.float64, generator=generator)
    at = (mesh.vertices + 0.02 * noise).requires_grad_()
    assert torch.autograd.gradcheck(total, (at,))


def ellipsoids(points, code):
    """A family of ellipsoids of half axes exp(code) / 4, as a field of slope about 1."""
    radii = code.exp() / 4
    return ((points / radii).norm(dim=1) - 1) * radii.min()


def test_ellipsoids_become_slender(tmp_path):
    generator = torch.Generator().manual_seed(0)
    codes = 0.25 * torch.randn(30, 3, generator=generator)
    family = drag.Family(ellipsoids, codes, 32)
    torch.testing.assert_close(family.code(family.known[4]), codes[4], rtol=0, atol=1e-5)
    start = torch.zeros(3)
    found = drag.optimise(family, start, steps=25, lr=0.15)
    figures = drag.report(family, found, tmp_path, "ball")
    assert figures["lower_percent"] > 15
    assert figures["volume_ratio"] == pytest.approx(1, abs=1e-3)
    size = found["after"].vertices.amax(0) - found["after"].vertices.amin(0)
    assert float(size[0]) > 1.2 * float(size[1:].max())
    assert figures["code_size"] < 4 and min(found["history"]["volume"]) > 0.9
    for name in ("drag.png", "drag_curve.png", "drag.json"):
        assert (tmp_path / name).stat().st_size > 100


def test_largest_piece():
    box = shapes.box()
    ball = shapes.icosphere(2)
    both = Mesh(
        torch.cat((box.vertices, ball.vertices + 5)),
        torch.cat((box.faces, ball.faces + box.num_vertices)),
    )
    assert drag.largest_piece(both).num_faces == max(box.num_faces, ball.num_faces)


@pytest.mark.slow
def test_whole_run(tmp_path):
    pytest.importorskip("manifold3d")
    figures = drag.main([str(tmp_path), "--small"])
    assert figures["volume_ratio"] == pytest.approx(1, abs=1e-3)
    assert figures["lower_percent"] > 0
