"""Hearts from contours in one pass: a set encoder with the flow that it is trained with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from meshlearn.heart.data.contours import LABELS, VIEWS, Contours
from meshlearn.heart.model.constants import (
    COMPARED,
    ENCODER_STEPS,
    ENCODER_WIDTH,
    FIRST_OUTPUT,
    FLOW_UNIT,
    LATENT,
    MOVE,
    TURN,
)
from meshlearn.heart.model.flow import Flow
from meshlearn.heart.model.heart_model import rotation
from meshlearn.heart.model.parameters import SIZE
from meshlearn.heart.model.primitive import Primitive
from meshlearn.heart.model.tessellation import primitive_vertices, tessellation

INPUTS = 3 + len(LABELS) + len(VIEWS)


def inputs_of(contours: Contours, turn: Tensor, centre: Tensor) -> Tensor:
    """Points of contours as the encoder takes them, (P, `INPUTS`): in the frame of columns `turn`
    (3, 3) at `centre` (3,), over `FLOW_UNIT`; labels and views as one-hot."""
    place = ((contours.points - centre.double()) @ turn.double()).float() / FLOW_UNIT
    one = nn.functional.one_hot
    kinds = one(contours.label, len(LABELS)), one(contours.view, len(VIEWS))
    return torch.cat([place, *(k.float() for k in kinds)], 1)


class HeartEncoder(nn.Module):
    """From labelled points to pose, parameter functions and the code of the flow.

    A network shared by all points, the maximum and the mean over them, beside the moments of the
    points of each label, and a network on those: any number of points, in any order. The flow,
    conditioned on the code, is trained with it.

    Args:
        width: of the hidden layers.
        generator: of the initial weights.

    Source: Qi et al., PointNet (2017).
    """

    def __init__(self, *, width: int = 128, generator: torch.Generator | None = None) -> None:
        super().__init__()
        generator = generator or torch.Generator().manual_seed(0)
        sizes = [(INPUTS, width), (width, width), (width, 2 * width)]
        self.points = nn.ModuleList(nn.Linear(a, b) for a, b in sizes)
        sizes = [(4 * width + 10 * len(LABELS), 2 * width), (2 * width, 2 * width)]
        self.whole = nn.ModuleList(nn.Linear(a, b) for a, b in sizes)
        self.last = nn.Linear(2 * width, SIZE + 6 + LATENT)
        self.flow = Flow(
            latent=LATENT,
            width=ENCODER_WIDTH,
            features=ENCODER_WIDTH,
            steps=ENCODER_STEPS,
            generator=generator,
        )
        with torch.no_grad():
            for layer in [*self.points, *self.whole, self.last]:
                bound = layer.in_features**-0.5
                layer.weight.uniform_(-bound, bound, generator=generator)
                layer.bias.zero_()
            self.last.weight.mul_(FIRST_OUTPUT)

    def forward(self, points: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Of points (B, P, `INPUTS`) where `mask` (B, P) bool holds: "theta" (B, N), "turn" (B, 3)
        in radians, "move" (B, 3) in mm, "code" (B, `LATENT`)."""
        h = points
        for layer in self.points:
            h = torch.relu(layer(h))
        keep = mask[..., None]
        top = h.masked_fill(~keep, 0.0)
        mean = top.sum(1) / keep.sum(1).clamp(min=1)
        h = torch.cat([top.amax(1), mean, _moments(points, mask)], 1)
        for layer in self.whole:
            h = torch.relu(layer(h))
        theta, turn, move, code = self.last(h).split([SIZE, 3, 3, LATENT], 1)
        return {"theta": theta, "turn": TURN * turn, "move": MOVE * move, "code": code}

    def vertices(self, found: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Vertices (B, V, 3) on `COMPARED` of what `forward` found, in the frame of its input: with
        the flow and without."""
        plain = primitive_vertices(Primitive(found["theta"]), tessellation(*COMPARED))
        moved = self.flow(plain, found["code"])[0]
        turn, move = turned(found["turn"]).mT, found["move"][:, None]
        return moved @ turn + move, plain @ turn + move


def _moments(points: Tensor, mask: Tensor) -> Tensor:
    """Of the points (B, P, `INPUTS`) of each label where `mask` (B, P) holds: their share of all,
    the mean and the six second moments about it, (B, 10 labels)."""
    place = points[..., :3]
    kind = points[..., 3 : 3 + len(LABELS)] * mask[..., None]
    count = kind.sum(1)  # (B, L)
    share = kind / count.clamp(min=1)[:, None]
    mean = torch.einsum("bpl,bpi->bli", share, place)
    i, j = torch.triu_indices(3, 3)
    second = torch.einsum("bpl,bpk->blk", share, place[..., i] * place[..., j])
    second = second - mean[..., i] * mean[..., j]
    of_all = count / mask.sum(1, keepdim=True).clamp(min=1)
    return torch.cat([of_all[..., None], mean, second], 2).flatten(1)


def turned(turn: Tensor) -> Tensor:
    """Rotation matrices (B, 3, 3) of small rotation vectors (B, 3)."""
    half = torch.cat([torch.ones_like(turn[:, :1]), turn / 2], 1)
    return rotation(half)
