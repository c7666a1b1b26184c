"""Closed-form solids: values are what they say, distances or bounds, with right gradients."""

import math

import pytest
import torch

from meshlearn.fields.analytic import (
    Box,
    Capsule,
    Cone,
    Cylinder,
    Ellipsoid,
    HalfSpace,
    RoundedBox,
    Sphere,
    Torus,
    smooth_union,
)
from meshlearn.fields.profiles import Circle, Polygon, Rectangle, extruded, revolved

ARROW = [(-0.6, -0.2), (0.1, -0.2), (0.1, -0.5), (0.7, 0.0), (0.1, 0.5), (0.1, 0.2), (-0.6, 0.2)]
A = Sphere(0.6).moved((0.2, 0.0, 0.1))
B = Box((0.5, 0.3, 0.4))
SOLIDS = {
    "sphere": Sphere(0.7),
    "half space": HalfSpace((1, 2, -2), 0.3),
    "box": B,
    "rounded box": RoundedBox((0.5, 0.3, 0.4), 0.12),
    "cylinder": Cylinder(0.4, 0.6),
    "capsule": Capsule((-0.3, 0, 0.1), (0.5, 0.2, -0.3), 0.25),
    "cone": Cone(0.6, 0.0, 0.5),
    "frustum": Cone(0.2, 0.5, 0.3),
    "flat cone": Cone(0.0, 0.9, 0.1),
    "torus": Torus(0.6, 0.2),
    "ellipsoid": Ellipsoid((0.8, 0.5, 0.25)),
    "spheroid": Ellipsoid((0.5, 0.5, 0.2)),
    "arrow": extruded(Polygon(ARROW), 0.25),
    "bar": extruded(Rectangle((0.4, 0.2)), 0.3),
    "ring": revolved(Circle(0.2).moved((0.6, 0.0))),
    "union": A | B,
    "intersection": A & B,
    "difference": A - B,
    "outside": ~B,
    "turned": B.turned((1, 2, 3), 40).moved((0.1, 0.2, 0)),
    "scaled": Torus(0.6, 0.2).scaled(0.7),
    "stretched": Sphere(0.5).stretched((1.5, 1.0, 0.5)),
    "rounded": extruded(Polygon(ARROW), 0.2).rounded(0.1),
    "shell": B.shell(0.1),
    "smooth": smooth_union(A, B, 0.2),
    "mirrored": A.mirrored(0),
}
EXACT = """sphere, half space, box, rounded box, cylinder, capsule, cone, frustum, flat cone, torus,
ellipsoid, spheroid, arrow, bar, ring, outside, turned, scaled"""


def points(count=4000, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, dtype=torch.float64, generator=generator) * 2.4 - 1.2


def slope(solid, at):
    at = at.clone().requires_grad_()
    value = solid(at)
    (gradient,) = torch.autograd.grad(value.sum(), at)
    return value.detach(), gradient


@pytest.mark.parametrize("name", SOLIDS)
def test_values_are_distances_or_bounds(name):
    """The foot p - f ∇f lies on the surface (so no nearer than it says), and the values change no
    faster than points move (so no farther)."""
    solid, p = SOLIDS[name], points()
    value, gradient = slope(solid, p)
    assert (value < 0).sum() > 20 and (value > 0).sum() > 20
    assert (gradient.norm(dim=1) < 1 + 1e-6).all()
    q = p + 0.3 * points(seed=1)
    assert ((solid(q) - value).abs() <= (q - p).norm(dim=1) * (1 + 1e-9) + 1e-12).all()
    left = solid(p - value[:, None] * gradient).abs()
    for exact, side in ((solid.exact_outside, value > 0), (solid.exact_inside, value < 0)):
        if exact:
            assert left[side].max() < 1e-6
    if not solid.exact:
        assert left.max() > 1e-3  # a bound that is a distance everywhere should say so
    assert solid.exact == (name in EXACT.replace("\n", " ").split(", "))


def test_flags_of_combinations():
    def flags(solid):
        return solid.exact_outside, solid.exact_inside

    assert flags(A | B) == (True, False) and flags(A & B) == (False, True)
    assert flags(A - B) == (False, True) and flags(~(A | B)) == (False, True)
    assert flags((A | B) & A) == (False, False) and flags(smooth_union(A, B, 0.1)) == (False, False)
    assert (
        flags(B.shell(0.1)) == (True, False)
        and flags(Sphere().stretched((1, 2, 1))) == (False,) * 2
    )


def test_known_values():
    def at(*xyz):
        return torch.tensor(xyz, dtype=torch.float64)

    assert float(Box((1, 1, 1))(at(2, 2, 1))) == pytest.approx(math.sqrt(2))
    assert float(Torus(1, 0.25)(at(0, 0, 0))) == pytest.approx(0.75)
    assert float(Cone(1, 0, 1)(at(0, 0, 2))) == pytest.approx(1)
    assert float(Ellipsoid((3, 2, 1))(at(0, 0, 0))) == pytest.approx(-1, abs=1e-6)
    assert float(Ellipsoid((3, 2, 1))(at(5, 0, 0))) == pytest.approx(2, abs=1e-6)
    assert float(Polygon(ARROW)(torch.tensor([0.9, 0.0]))) == pytest.approx(0.2, abs=1e-6)
    p = points()[:, :2]
    torch.testing.assert_close(Polygon(ARROW)(p), Polygon(ARROW[::-1])(p), rtol=0, atol=1e-12)


def test_rotations_agree():
    angle = math.radians(30)
    c, s = math.cos(angle), math.sin(angle)
    matrix = torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)
    p = points(100)
    torch.testing.assert_close(B.placed(matrix)(p), B.turned((0, 0, 1), 30)(p))
    torch.testing.assert_close(B.turned((0, 0, 1), 30)(p @ matrix.T), B(p))


PARAMETERS = {
    "sphere": (lambda r: Sphere(r), [0.7]),
    "box": (lambda h: Box(h), [[0.5, 0.3, 0.4]]),
    "rounded box": (lambda h, r: RoundedBox(h, r), [[0.5, 0.3, 0.4], 0.1]),
    "cylinder": (lambda r, h: Cylinder(r, h), [0.4, 0.6]),
    "capsule": (lambda a, b, r: Capsule(a, b, r), [[-0.3, 0, 0.1], [0.5, 0.2, 0.3], 0.2]),
    "cone": (lambda a, b, h: Cone(a, b, h), [0.6, 0.1, 0.5]),
    "torus": (lambda a, b: Torus(a, b), [0.6, 0.2]),
    "ellipsoid": (lambda r: Ellipsoid(r), [[0.8, 0.5, 0.25]]),
    "polygon": (lambda c: extruded(Polygon(c), 0.3), [ARROW]),
    "moved": (lambda o, a: B.moved(o).turned((1, 2, 3), a), [[0.1, 0.2, 0.3], 20.0]),
    "smooth": (lambda r, k: smooth_union(Sphere(r), B, k), [0.5, 0.2]),
    "half space": (lambda n, d: HalfSpace(n, d), [[1.0, 2.0, -1.0], 0.3]),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_gradients_of_points_and_parameters(name):
    make, values = PARAMETERS[name]
    inputs = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in values]
    at = points(12, seed=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda p, *v: make(*v)(p), (at, *inputs), atol=1e-6)


def test_batches_of_solids():
    radius = torch.tensor([[0.3], [0.6]], dtype=torch.float64)
    centre = torch.tensor([[[0.1, 0, 0]], [[0, 0.2, 0]]], dtype=torch.float64)
    p = points(10).reshape(2, 5, 3)
    found = Sphere(radius).moved(centre)(p)
    for i in range(2):
        torch.testing.assert_close(found[i], Sphere(float(radius[i])).moved(centre[i, 0])(p[i]))
    halves = torch.tensor([[[0.5, 0.3, 0.2]], [[0.2, 0.4, 0.3]]], dtype=torch.float64)
    torch.testing.assert_close(Box(halves)(p)[1], Box(halves[1, 0])(p[1]))
    torch.testing.assert_close(Ellipsoid(halves)(p)[1], Ellipsoid(halves[1, 0])(p[1]))


def test_no_gradient_is_nan_at_centres_and_on_surfaces():
    for solid in SOLIDS.values():
        at = torch.tensor([[0.0, 0, 0], [0.5, 0.3, 0.4], [0, 0, 1], [0.6, 0, 0]])
        value, gradient = slope(solid, at)
        assert torch.isfinite(value).all() and torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Sphere(0), "radius: expected positive"),
        (lambda: Box((1, -1, 1)), "half: expected positive"),
        (lambda: RoundedBox((1, 0.1, 1), 0.2), "half: expected above the radius"),
        (lambda: Cone(0, 0), "bottom, top: expected"),
        (lambda: Torus(0.1, 0.2), "major: expected at least minor"),
        (lambda: HalfSpace((0, 0, 0)), "normal: expected a vector"),
        (lambda: B.turned((0, 0, 0), 5), "axis: expected a vector"),
        (lambda: B.placed(torch.ones(3, 3)), "rotation: expected orthogonal"),
        (lambda: B | 3, "other: expected a solid"),
        (lambda: B | Circle(), "other: expected a solid of as many"),
        (lambda: extruded(B, 1), "figure: expected a solid of two"),
        (lambda: Polygon([(0, 0), (1, 1)]), "corners: expected 3 or more"),
        (lambda: B(torch.zeros(4, 2)), r"points: expected shape \(..., 3\), got \(4, 2\)"),
        (lambda: B([0, 0, 0]), "points: expected a float tensor"),
    ],
)
def test_bad_input(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_fillet_of_a_smooth_union_in_closed_form():
    """Where both solids are equally far the fillet takes a quarter of the radius off; a radius away
    from that it takes nothing."""
    radius = 0.4
    solid = smooth_union(HalfSpace((1.0, 0.0, 0.0), 0.0), HalfSpace((0.0, 1.0, 0.0), 0.0), radius)
    points = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.6, 3.0], [0.5, 0.9, 0.0], [1.5, 0.2, 0.0]])
    off = torch.tensor([radius / 4, 0.3**2 / (4 * radius), 0.0, 0.0])
    expected = torch.tensor([0.5, 0.5, 0.5, 0.2]) - off
    assert torch.allclose(solid(points), expected, atol=1e-6)
