"""Winding numbers of oriented points, by the sum of their dipoles."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE, use_native
from meshlearn.reconstruct import settings


def dipole_sum(query: Tensor, source: Tensor, dipole: Tensor, closest: float) -> Tensor:
    """(Q,) sum over points of d . r / max(|r|, c)^3, without gradients.

    Args:
        query: (Q, 3) places, of the dtype and on the device of the others.
        source: (S, 3) points; r goes from a place to one.
        dipole: (S, 3) their normals times their areas over 4 pi, for the winding number.
        closest: c, a distance above 0 within which it is kept from growing.

    Source: Barill et al., "Fast Winding Numbers for Soups and Clouds" (2018).
    """
    query, source, dipole = query.detach(), source.detach(), dipole.detach()
    if use_native(query):
        rows = source.T.contiguous(), dipole.T.contiguous()
        return torch.ops.meshlearn.dipole_sum(query.contiguous(), *rows, float(closest))
    return dipole_sum_reference(query, source, dipole, closest)


def dipole_sum_reference(query: Tensor, source: Tensor, dipole: Tensor, closest: float) -> Tensor:
    """Torch reference of `dipole_sum`."""
    found = [query[:0, 0]]
    for part in query.split(settings.WINDING_CHUNK):
        r = source - part[:, None]
        far = r.norm(dim=2).clamp(min=closest)
        found.append(((r * dipole).sum(2) / far**3).sum(1))
    return torch.cat(found)


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::dipole_sum")
    def _(query, source, dipole, closest):
        return query.new_empty(query.shape[0])
