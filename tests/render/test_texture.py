"""Texture lookups against their reference, against torch's own, and what mipmaps must hold."""

import pytest
import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE
from meshlearn.render import mipmaps, texture
from meshlearn.render.texture import WRAPS

BACKENDS = ["reference", *(["native"] if HAS_NATIVE else [])]
native_only = pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")


def numbers(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def places(count: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return 5 * numbers(count, 2, seed=1, dtype=dtype) - 2


@native_only
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("filter", ["nearest", "bilinear", "trilinear"])
def test_native_equals_reference(wrap: str, filter: str, dtype: torch.dtype) -> None:
    results = []
    change = numbers(400, 2, 2, seed=2, dtype=dtype) ** 3 if filter == "trilinear" else None
    mask = numbers(400) > 0.2
    for backend in ("native", "reference"):
        tex = numbers(13, 6, 3, dtype=dtype).requires_grad_()
        uv = places(400, dtype)
        uv[7], uv[8, 0], uv[9, 1] = torch.nan, torch.inf, 1e30
        uv.requires_grad_()
        out = texture(tex, uv, change, wrap=wrap, filter=filter, mask=mask, backend=backend)
        grads = torch.autograd.grad(out.sin().sum(), (tex, uv), allow_unused=True)
        results.append((out, *grads))
    tolerance = 3e-4 if dtype == torch.float32 else 1e-12
    for a, b in zip(*results, strict=True):
        assert (a is None and (b is None or not b.any())) or torch.allclose(
            a, torch.zeros_like(a) if b is None else b, rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("wrap", "padding"), [("clamp", "border"), ("mirror", "reflection")])
def test_bilinear_equals_grid_sample(wrap: str, padding: str, backend: str) -> None:
    tex, uv = numbers(9, 14, 4), places(200)
    grid = torch.stack((2 * uv[:, 0] - 1, 1 - 2 * uv[:, 1]), -1)[None, None]
    image = tex.permute(2, 0, 1)[None]
    want = torch.nn.functional.grid_sample(
        image, grid, mode="bilinear", padding_mode=padding, align_corners=False
    )[0, :, 0].T
    assert torch.allclose(texture(tex, uv, wrap=wrap, backend=backend), want, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_corners_of_the_texture_and_repeats(backend: str) -> None:
    tex = torch.arange(12.0).view(3, 4, 1)
    centre = torch.tensor([[0.125, 1 - 1 / 6], [0.875, 1 - 1 / 6], [0.125, 1 / 6]])
    got = texture(tex, centre, backend=backend)[:, 0]
    assert torch.allclose(got, torch.tensor([0.0, 3.0, 8.0]), atol=1e-5)  # v = 1 is the top row
    for shift in ((1.0, 0), (0, -2.0), (-3.0, 5.0)):
        moved = texture(tex, centre + torch.tensor(shift), backend=backend)[:, 0]
        assert torch.allclose(moved, got, atol=1e-4)
    middle = texture(tex, torch.tensor([[0.0, 1 - 1 / 6]]), backend=backend)  # 3 | 0
    assert float(middle) == pytest.approx(1.5, abs=1e-5)


def test_mipmaps_keep_the_mean_and_reach_one_texel() -> None:
    tex = numbers(16, 32, 2)
    levels = mipmaps(tex)
    assert [tuple(t.shape[:2]) for t in levels] == [
        (16, 32),
        (8, 16),
        (4, 8),
        (2, 4),
        (1, 2),
        (1, 1),
    ]
    for t in levels:
        assert torch.allclose(t.mean((0, 1)), tex.mean((0, 1)))
    assert [tuple(t.shape[:2]) for t in mipmaps(numbers(5, 3, 1), 1)] == [(5, 3), (3, 2)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_level_follows_the_size_of_the_pixel(backend: str) -> None:
    tex, uv = numbers(32, 32, 1), numbers(50, 2)
    for level in (0.0, 1.0, 2.5, 9.0):
        change = torch.zeros(50, 2, 2, dtype=torch.float64)
        change[:, 0, 1] = 2**level / 32  # the longer side: so many texels
        change[:, 1, 0] = 0.3 * 2**level / 32
        got = texture(tex, uv, change, backend=backend)
        low = min(int(level), 5)
        parts = [texture(mipmaps(tex)[min(low + k, 5)], uv, backend=backend) for k in (0, 1)]
        share = min(level, 5) - low
        assert torch.allclose(got, (1 - share) * parts[0] + share * parts[1])
    flat = texture(tex, uv, torch.full((50, 2, 2), 1e9), backend=backend)
    assert torch.allclose(flat, tex.mean().expand(50, 1))
    same = texture(tex, uv, torch.full((50, 2, 2), 1e9), levels=0, backend=backend)
    assert torch.allclose(same, texture(tex, uv))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("mip", [False, True])
def test_gradcheck(wrap: str, mip: bool, backend: str) -> None:
    tex, uv = numbers(5, 6, 2).requires_grad_(), places(12).requires_grad_()
    change = 0.5 * numbers(12, 2, 2, seed=2) if mip else None

    def values(t: Tensor, p: Tensor) -> Tensor:
        return texture(t, p, change, wrap=wrap, backend=backend)

    assert torch.autograd.gradcheck(values, (tex, uv), eps=1e-7)


@native_only
def test_opcheck() -> None:
    op = torch.ops.meshlearn
    uv, level, mask = numbers(20, 2), 2 * numbers(20), numbers(20) > 0.3
    layout = torch.tensor([[4, 4, 0], [2, 2, 16], [1, 1, 20]])
    for args in ((uv, level, mask, layout, 0, False), (uv, None, None, layout, 1, True)):
        torch.library.opcheck(op.texture_taps, args)
        rows, weight = op.texture_taps(*args)
        torch.library.opcheck(op.texture_taps_backward, (weight, *args))
    values = numbers(21, 3)
    rows, weight = op.texture_taps(uv, level, mask, layout, 0, False)
    grad = op.mix_rows(values, rows, weight)
    torch.library.opcheck(op.mix_rows, (values, rows, weight))
    torch.library.opcheck(op.mix_rows_weight, (values, rows, grad))
    flat = torch.where(rows < 0, 21, rows).reshape(-1)
    start = torch.nn.functional.pad(torch.bincount(flat, minlength=22).cumsum(0), (1, 0))[:22]
    order = torch.argsort(flat, stable=True)
    torch.library.opcheck(op.mix_rows_values, (grad, weight, start.contiguous(), order))


@native_only
def test_threads_do_not_change_the_result() -> None:
    results, threads = [], torch.get_num_threads()
    tex = numbers(64, 64, 3, dtype=torch.float32).requires_grad_()
    uv = places(40_000, torch.float32).requires_grad_()
    change = numbers(40_000, 2, 2, dtype=torch.float32) / 8
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            out = texture(tex, uv, change)
            results.append((out, *torch.autograd.grad(out.sin().sum(), (tex, uv))))
    finally:
        torch.set_num_threads(threads)
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


def test_shapes_and_nothing() -> None:
    tex = numbers(4, 4, 3)
    assert texture(tex, numbers(2, 5, 7, 2)).shape == (2, 5, 7, 3)
    assert texture(tex, numbers(0, 2)).shape == (0, 3)
    assert not bool(texture(tex, numbers(3, 2), mask=torch.zeros(3, dtype=torch.bool)).any())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"wrap": "border"}, "wrap: expected one of repeat, clamp, mirror, got 'border'"),
        ({"filter": "cubic"}, "filter: expected one of auto"),
        ({"filter": "trilinear"}, "uv_derivatives: expected"),
        ({"uv_derivatives": torch.zeros(3, 2)}, "uv_derivatives: expected shape"),
        ({"uv": torch.zeros(3, 3)}, r"uv: expected \(\.\.\., 2\)"),
        ({"tex": torch.zeros(0, 3, 1)}, "tex: expected one texel"),
        ({"levels": -1}, "levels: expected an int"),
        ({"mask": torch.zeros(4, dtype=torch.bool)}, "mask: expected shape"),
        ({"backend": "gl"}, "backend: expected"),
    ],
)
def test_bad_input_is_one_sentence(change: dict, text: str) -> None:
    args = {"tex": torch.zeros(4, 4, 1), "uv": torch.zeros(3, 2), **change}
    with pytest.raises(ValueError, match=text) as caught:
        texture(args.pop("tex"), args.pop("uv"), **args)
    assert "\n" not in str(caught.value)
