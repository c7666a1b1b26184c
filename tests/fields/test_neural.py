"""Neural fields: shapes, codes, slopes, files."""

import pytest
import torch
from safetensors.torch import save_file

from meshlearn.fields import (
    SIREN,
    DeepSDF,
    HashGrid,
    NonFiniteField,
    Occupancy,
    eikonal_loss,
    field_gradient,
    lipschitz_estimate,
    load_field,
    save_field,
)
from meshlearn.fields.neural import WeightNormLinear, check_output

BOX = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


def make(kind: str, latent: int = 0):
    torch.manual_seed(3)
    return {
        "deepsdf": lambda: DeepSDF(latent, hidden=24, layers=5, skip=3),
        "softplus": lambda: DeepSDF(
            latent, hidden=24, layers=3, skip=None, activation="softplus", weight_norm=False
        ),
        "siren": lambda: SIREN(latent, hidden=16, layers=2),
        "hash": lambda: HashGrid(latent, levels=3, coarsest=2, finest=9, table=100, hidden=8),
        "occupancy": lambda: Occupancy(SIREN(latent, hidden=16, layers=2)),
    }[kind]()


KINDS = ["deepsdf", "softplus", "siren", "hash", "occupancy"]


def points(n: int = 40, dtype=torch.float32) -> torch.Tensor:
    return torch.rand(n, 3, generator=torch.Generator().manual_seed(1), dtype=dtype) * 1.8 - 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_three_ways_to_give_codes_agree(kind):
    field, p = make(kind, 6), points(12)
    codes = torch.randn(2, 6, generator=torch.Generator().manual_seed(2))
    index = torch.tensor([0, 1] * 6)
    grads = []
    for given in ("one", "each", "index"):
        c = codes.clone().requires_grad_()
        if given == "one":
            value = torch.stack([field(p, c[0])[::2], field(p, c[1])[1::2]], 1).reshape(-1)
        elif given == "each":
            value = field(p, c[index])
        else:
            value = field(p, c, index)
        assert value.shape == (12,)
        grads.append((value, torch.autograd.grad((value * p[:, 0]).sum(), c)[0]))
    for value, grad in grads[1:]:
        torch.testing.assert_close(value, grads[0][0], rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(grad, grads[0][1], rtol=1e-4, atol=1e-6)
    assert grads[0][1].abs().max() > 0


def test_deepsdf_is_the_published_network():
    """Against the layers written out: code and point joined at the input and at layer 4."""
    torch.manual_seed(0)
    field = DeepSDF()
    shapes = [tuple(layer.weight.shape) for layer in field.hidden_layers]
    assert shapes == [(512, 259), (512, 512), (512, 512), (253, 512)] + [(512, 512)] * 4
    p, code = points(), torch.randn(256)
    entering = torch.cat([code.expand(len(p), 256), p], 1)
    x = entering
    for k, layer in enumerate(field.hidden_layers):
        if k == 4:
            x = torch.cat([x, entering], 1)
        w = layer.length[:, None] * layer.direction / layer.direction.norm(dim=1, keepdim=True)
        x = torch.relu(x @ w.T + layer.bias)
    torch.testing.assert_close(field(p, code), torch.tanh(field.last(x))[:, 0])


@pytest.mark.parametrize("given", ["one", "each"])
def test_deepsdf_in_blocks_is_the_network_in_one_piece(given, monkeypatch):
    """Values, slopes and gradients, with a last block that is not full, and without any point."""
    field, p = make("deepsdf", 6).double(), points(50, torch.float64).requires_grad_()
    codes = torch.randn(50, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    codes = (codes[0] if given == "one" else codes).requires_grad_()
    found = []
    for rows in (50, 8):
        monkeypatch.setattr("meshlearn.fields.deepsdf._BLOCK", rows * 24)
        value = field(p, codes)
        (slope,) = torch.autograd.grad(value.sum(), p, create_graph=True)
        loss = (value * p[:, 0]).sum() + slope.square().sum()
        found.append([value, slope, *torch.autograd.grad(loss, [p, codes, *field.parameters()])])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)
    none = field(p[:0], codes if given == "one" else codes[:0])
    assert none.shape == (0,) and none.requires_grad


@pytest.mark.parametrize("given", ["one", "each", "index"])
@pytest.mark.parametrize("options", [{}, {"skip": None, "tanh": False}, {"activation": "softplus"}])
def test_slopes_and_their_gradients_are_those_of_autograd(given, options, monkeypatch):
    """Also differentiated once more, and where only the code asks for a gradient."""
    monkeypatch.setattr("meshlearn.fields.deepsdf._BLOCK", 8 * 24)
    torch.manual_seed(3)
    field = DeepSDF(6, hidden=24, **{"layers": 5, "skip": 3, **options}).double()
    p = points(50, torch.float64)
    codes = torch.randn(50, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    more = {"one": (codes[0],), "each": (codes,), "index": (codes, torch.arange(50) % 7)}[given]
    more[0].requires_grad_()
    weight = (p[:, 0] + 1).requires_grad_()
    found = []
    for way in (field.values_and_slopes, super(DeepSDF, field).values_and_slopes):
        values, slopes = way(p, *more)
        asked = [more[0], *field.parameters()]
        once = torch.autograd.grad((values * weight).sum(), asked, retain_graph=True)
        graph = torch.autograd.grad((values * weight).sum(), asked, create_graph=True)
        again = sum(g.square().sum() for g in graph)
        twice = torch.autograd.grad(again, [weight, *asked], materialize_grads=True)
        assert not slopes.requires_grad
        found.append([values, slopes, *once, *graph, *twice])
        field.requires_grad_(False)
        (alone,) = torch.autograd.grad(way(p, *more)[0].sum(), more[:1])
        found[-1].append(alone)
        field.requires_grad_(True)
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)


def test_weight_norm_parts_direction_from_length():
    layer = WeightNormLinear(3, 4)
    before = layer.weight.detach().clone()
    torch.testing.assert_close(before, layer.direction.detach())
    with torch.no_grad():
        layer.direction.mul_(7)
    torch.testing.assert_close(layer.weight, before)


def test_weights_have_no_entries_whose_products_are_denormal():
    for norm in (True, False):
        layer = WeightNormLinear(3, 2, norm=norm)
        with torch.no_grad():
            layer.direction[0] = torch.tensor([1e-38, -1e-20, 0.5])
        assert layer.weight[0, :2].tolist() == [0.0, 0.0] and layer.weight[0, 2] != 0
        layer.weight.sum().backward()
        assert torch.isfinite(layer.direction.grad).all()


@pytest.mark.parametrize("activation", ["relu", "softplus"])
def test_deepsdf_can_start_as_a_sphere(activation):
    torch.manual_seed(0)
    field = DeepSDF(0, hidden=256, skip=None, activation=activation, radius=0.5)
    p = points(400)
    value = field(p).detach()
    assert torch.corrcoef(torch.stack([value, p.norm(dim=1)]))[0, 1] > 0.65  # 0.8 to 0.95
    assert field(torch.zeros(1, 3)) < -0.05 and (field(2 * p[p.norm(dim=1) > 0.8]) > 0).all()


def test_hash_grid_starts_as_its_sphere_and_interpolates():
    field = make("hash")
    p = points(300)
    torch.testing.assert_close(field(p), p.norm(dim=1) - 0.5, rtol=0, atol=0.05)
    with torch.no_grad():
        for table in field.tables:
            table.normal_(generator=torch.Generator().manual_seed(0))
    # continuous across the cells of its grids, and the same from either side
    x = torch.tensor([[0.0, 0.1, 0.2]])
    eps = torch.tensor([[1e-5, 0.0, 0.0]])
    assert (field(x - eps) - field(x + eps)).abs().item() < 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_and_bound_of_the_slope(kind):
    field = make(kind).double()
    p = points(200, torch.float64)
    _, gradient = field_gradient(field, p)
    h = 1e-6
    for axis in range(3):
        step = torch.zeros(3, dtype=torch.float64)
        step[axis] = h
        central = (field(p + step) - field(p - step)).detach() / (2 * h)
        close = (central - gradient[:, axis]).abs() < 1e-4 * (1 + gradient[:, axis].abs())
        assert close.float().mean() > 0.97  # a kink of ReLU or of a grid may lie between
    met = lipschitz_estimate(field, BOX, samples=2000, dtype=torch.float64)
    assert 0 < met <= field.lipschitz_bound()
    assert float(gradient.norm(dim=1).max()) <= field.lipschitz_bound()


def test_slopes_of_known_fields():
    def half(p):
        return 0.5 * (p.norm(dim=1) - 0.5)

    assert lipschitz_estimate(half, BOX, samples=500) == pytest.approx(0.5, abs=1e-5)
    assert lipschitz_estimate(half, BOX, near=1e-9) == 0.0
    scale = torch.tensor(0.5, requires_grad=True)
    loss = eikonal_loss(lambda p: scale * p[:, 0], points())
    assert float(loss) == pytest.approx(0.25)
    assert torch.autograd.grad(loss, scale)[0] == pytest.approx(-1.0)
    with pytest.raises(ValueError, match="depends on its points"):
        field_gradient(lambda p: torch.zeros(len(p)), points())


@pytest.mark.parametrize("kind", KINDS)
def test_an_eikonal_loss_trains(kind):
    field = make(kind)
    loss = eikonal_loss(field, points())
    loss.backward()
    assert torch.isfinite(loss)
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in field.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_gives_the_field_back(kind, tmp_path):
    field, codes = make(kind, 4), torch.randn(3, 4)
    save_field(field, tmp_path / "f.safetensors", codes=codes)
    again, extra = load_field(tmp_path / "f.safetensors")
    p = points()
    assert type(again) is type(field) and torch.equal(again(p, codes[0]), field(p, codes[0]))
    assert torch.equal(extra["codes"], codes)
    other = make(kind, 4)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    load_field(tmp_path / "f.safetensors", into=other)
    assert torch.equal(other(p, codes[0]), field(p, codes[0]))


def test_files_of_another_kind_are_told(tmp_path):
    path = tmp_path / "f.safetensors"
    save_field(make("siren"), path)
    with pytest.raises(ValueError, match="expected a checkpoint of DeepSDF, got one of SIREN"):
        load_field(path, into=make("deepsdf"))
    with pytest.raises(ValueError, match="has hidden 16, this one 32"):
        load_field(path, into=SIREN(hidden=32, layers=2))
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="expected a checkpoint of a field"):
        load_field(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        load_field(path)
    with pytest.raises(ValueError, match="no such file"):
        load_field(tmp_path / "none.safetensors")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match="expected a neural field"):
        save_field(torch.nn.Linear(3, 1), tmp_path / "g.safetensors")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: DeepSDF(64, hidden=64), "hidden"),
        (lambda: DeepSDF(4, skip=8), "skip"),
        (lambda: DeepSDF(4, activation="elu"), "activation"),
        (lambda: SIREN(omega=0), "omega"),
        (lambda: HashGrid(levels=0), "levels"),
        (lambda: HashGrid(bounds=((0, 0, 0), (0, 1, 1))), "bounds"),
        (lambda: Occupancy(torch.nn.Linear(3, 1)), "body"),
        (lambda: make("siren")(torch.zeros(3)), "points"),
        (lambda: make("siren")(torch.zeros(1, 3), torch.zeros(2)), "latent"),
        (lambda: make("siren", 4)(torch.zeros(1, 3)), "latent"),
        (lambda: make("siren", 4)(torch.zeros(1, 3), torch.zeros(5)), "latent"),
        (lambda: make("siren", 4)(torch.zeros(2, 3), torch.zeros(3, 4)), "latent"),
        (
            lambda: make("siren", 4)(torch.zeros(1, 3), torch.zeros(2, 4), torch.tensor([2])),
            "index",
        ),
    ],
)
def test_bad_input_is_one_sentence(build, word):
    with pytest.raises(ValueError, match=word) as caught:
        build()
    assert "\n" not in str(caught.value)


def test_nan_names_the_tensor():
    field = make("deepsdf", 4)
    p, code = points(), torch.zeros(4)
    with torch.no_grad():
        field.hidden_layers[2].bias[1] = torch.nan
    with pytest.raises(NonFiniteField, match=r"parameter 'hidden_layers\.2\.bias' of DeepSDF"):
        check_output(field(p, code), len(p), field, where="here", latent=code)
    code[0] = torch.inf
    with pytest.raises(NonFiniteField, match="the latent code"):
        check_output(make("deepsdf", 4)(p, code), len(p), make("siren"), where="", latent=code)
    with pytest.raises(ValueError, match="expected \\(5,\\) values"):
        check_output(torch.zeros(4), 5, field, where="here")
