"""Light from everywhere: conventions, lobes against integrals over the panorama, gradients."""

import math

import pytest
import torch

from meshlearn.render import environment
from meshlearn.render.environment import (
    EnvironmentLight,
    direction_to_uv,
    resized,
    solid_angles,
    texel_directions,
)


def unit(count: int, seed: int = 0, dtype=torch.float64) -> torch.Tensor:
    found = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return found / found.norm(dim=1, keepdim=True)


def lamps(rows: int, dtype=torch.float64) -> torch.Tensor:
    """A sky and two lamps, smooth, of different colours."""
    at = texel_directions(rows, 2 * rows)
    out = 0.3 + 0.2 * at[..., 1:2].clamp(min=0).expand(-1, -1, 3)
    for place, color, narrow in (((1, 1, 1), (5, 4, 3), 12), ((-1, 0.2, 0), (0, 1, 4), 6)):
        toward = torch.tensor(place, dtype=torch.float64)
        toward = toward / toward.norm()
        out = out + torch.exp(narrow * (at @ toward - 1))[..., None] * torch.tensor(color)
    return out.to(dtype)


@pytest.mark.parametrize(
    ("direction", "uv"),
    [((0, 0, -1), (0.5, 0.5)), ((1, 0, 0), (0.75, 0.5)), ((-1, 0, 0), (0.25, 0.5)),
     ((0.6, 0.8, 0), (0.75, 0.5 + math.asin(0.8) / math.pi))],
)  # fmt: skip
def test_the_middle_of_a_panorama_is_minus_z_and_its_right_half_plus_x(direction, uv):
    found = direction_to_uv(torch.tensor([direction], dtype=torch.float64))[0]
    assert found.tolist() == pytest.approx(uv)


def test_texels_have_their_directions_and_cover_the_sphere():
    at = texel_directions(8, 16)
    uv = direction_to_uv(at.reshape(-1, 3)).view(8, 16, 2)
    assert torch.allclose(uv[..., 0], ((torch.arange(16) + 0.5) / 16).double().expand(8, 16))
    assert torch.allclose(1 - uv[:, 0, 1], ((torch.arange(8) + 0.5) / 8).double())
    assert float(solid_angles(8, 16).sum() * 16) == pytest.approx(4 * math.pi)
    texels = torch.rand(8, 16, 3, dtype=torch.float64)
    light = EnvironmentLight(texels)
    assert torch.allclose(light.radiance(at.reshape(-1, 3)).view(8, 16, 3), texels)


def test_constant_light_stays_what_it_is():
    light = EnvironmentLight.constant(0.7)
    rough = torch.rand(500)
    n = unit(500, dtype=torch.float32)
    assert torch.allclose(light.specular(n, rough), torch.full((500, 3), 0.7), atol=1e-5)
    assert torch.allclose(light.diffuse(n), torch.full((500, 3), 0.7), atol=1e-5)


def test_irradiance_of_light_that_grows_upward_is_known():
    """L = 1 + y gives 1 + 2/3 n_y: the cosine's share of the first order is 2/3."""
    at = texel_directions(64, 128)
    light = EnvironmentLight((1 + at[..., 1:2]).expand(-1, -1, 3).contiguous())
    n = unit(300)
    expected = (1 + 2 / 3 * n[:, 1:2]).expand(-1, 3)
    assert torch.allclose(light.diffuse(n), expected, atol=3e-3)


@pytest.mark.parametrize("roughness", [0.185, 0.29, 0.5, 1.0])
def test_lobes_are_integrals_over_the_panorama(roughness):
    """Against the sum over the texels of a fine panorama, each by GGX's density and its angle."""
    fine = 128
    texels = lamps(fine)
    light = EnvironmentLight(texels)
    n = unit(40, 3)
    cosine = (n @ texel_directions(fine, 2 * fine).reshape(-1, 3).T).clamp(-1, 1)
    a2 = roughness**4
    half = (1 + cosine) / 2
    gain = cosine.clamp(min=0) / (half * (a2 - 1) + 1) ** 2
    gain = gain * solid_angles(fine, 2 * fine).repeat_interleave(2 * fine)
    expected = (gain / gain.sum(1, keepdim=True)) @ texels.reshape(-1, 3)
    found = light.specular(n, torch.full((40,), roughness, dtype=torch.float64))
    assert float((found - expected).abs().max()) < 0.05 * float(expected.max())
    assert float((found - expected).abs().mean()) < 0.02 * float(expected.mean())


def test_a_smooth_lobe_is_nearly_a_mirror_and_roughness_goes_on_without_a_step():
    light = EnvironmentLight(lamps(128))
    n = unit(200, 1)
    zero = torch.zeros(200, dtype=torch.float64)
    assert float((light.specular(n, zero) - light.radiance(n)).abs().max()) < 0.05
    before = light.specular(n, zero + 0.08)
    for rough in torch.linspace(0.08, 1, 60).tolist()[1:]:
        now = light.specular(n, zero + rough)
        assert float((now - before).abs().max()) < 0.15
        before = now


def test_a_seam_is_nowhere():
    """Left and right of the column where u wraps, light is the same."""
    light = EnvironmentLight(lamps(64))
    left = torch.tensor([[1e-7, y, 1.0] for y in (-0.5, 0.0, 0.8)], dtype=torch.float64)
    right = left * torch.tensor([-1.0, 1, 1], dtype=torch.float64)
    left, right = (v / v.norm(dim=1, keepdim=True) for v in (left, right))
    for rough in (0.1, 0.4, 0.9):
        r = torch.full((3,), rough, dtype=torch.float64)
        assert torch.allclose(light.specular(left, r), light.specular(right, r), atol=1e-5)


def test_sizes_are_changed_by_the_mean_over_solid_angles():
    texels = torch.rand(64, 128, 3, dtype=torch.float64)
    small = resized(texels, 16)
    for image in (texels, small):
        h, w = image.shape[:2]
        mean = (image * solid_angles(h, w)[:, None, None]).sum((0, 1)) / (4 * math.pi)
        if image is texels:
            whole = mean
    assert torch.allclose(mean, whole, rtol=2e-3)
    assert resized(texels[:5, :7], 32).shape == (32, 64, 3)  # any size


def test_gradcheck():
    texels = torch.rand(4, 8, 3, dtype=torch.float64).add(0.1).requires_grad_()
    n = unit(5, 2).requires_grad_()
    rough = torch.tensor([0.11, 0.33, 0.49, 0.6, 0.93], dtype=torch.float64).requires_grad_()

    def of(texels, n, rough):
        light = EnvironmentLight(texels)
        d = n / n.norm(dim=1, keepdim=True)
        return light.specular(d, rough), light.diffuse(d), light.radiance(d)

    assert torch.autograd.gradcheck(of, (texels, n, rough), atol=1e-6, fast_mode=True)


def test_a_light_is_found_from_what_it_does():
    """Texels of a panorama come back from the irradiance and gloss that they give."""
    goal = EnvironmentLight(lamps(16, torch.float32))
    n = unit(3000, 5, torch.float32)
    rough = torch.rand(3000, generator=torch.Generator().manual_seed(0))
    wanted = goal.specular(n, rough), goal.diffuse(n)
    inner = torch.zeros(16, 32, 3, requires_grad=True)
    optimizer = torch.optim.Adam([inner], lr=0.1)
    for _ in range(120):
        light = EnvironmentLight(torch.nn.functional.softplus(inner))
        loss = (light.specular(n, rough) - wanted[0]).abs().mean()
        loss = loss + (light.diffuse(n) - wanted[1]).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = torch.nn.functional.softplus(inner).detach()
    assert float((found - goal.texels).abs().mean()) < 0.06 * float(goal.texels.mean())


def test_the_same_bits_on_any_number_of_threads():
    before, found = torch.get_num_threads(), []
    n = unit(2000, dtype=torch.float32)
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            texels = lamps(64, torch.float32).requires_grad_()
            out = EnvironmentLight(texels).specular(n, torch.linspace(0, 1, 2000))
            out.square().sum().backward()
            found.append((out.detach(), texels.grad))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for f in found[1:] for a, b in zip(found[0], f, strict=True))


@pytest.mark.parametrize(
    "texels",
    [torch.zeros(4, 8), torch.zeros(1, 8, 3), -torch.ones(4, 8, 3),
     torch.full((4, 8, 3), math.nan), torch.full((4, 8, 3), math.inf),
     torch.zeros(4, 8, 3, dtype=torch.int64)],
)  # fmt: skip
def test_bad_texels(texels):
    with pytest.raises(ValueError, match="texels: "):
        EnvironmentLight(texels)


def test_kernels_are_made_once():
    environment._kernel.cache_clear()
    for _ in range(3):
        EnvironmentLight(torch.rand(32, 64, 3)).diffuse(unit(3, dtype=torch.float32))
    assert environment._kernel.cache_info().misses == len(
        EnvironmentLight.constant()._filtered()[1]
    ) + 1  # fmt: skip
