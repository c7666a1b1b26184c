"""Labels by shared convexes, and the space of codes."""

import pytest
import torch

from meshlearn.representations.bspnet import (
    BSPNet,
    CodeVAE,
    interpolate_codes,
    nearest_convex,
    part_iou,
    transfer_labels,
    vote_labels,
)


class Slabs(BSPNet):
    """Three slabs along x whose places are the code, and a convex without planes."""

    def __init__(self) -> None:
        super().__init__(6, 4, encoder="points", code=3, hidden=(4,))
        with torch.no_grad():
            self.connection.zero_()
            for k in range(3):
                self.connection[2 * k : 2 * k + 2, k] = 1

    def decode(self, code=None):
        rows = []
        for k in range(3):
            at = code[:, k : k + 1]
            one, none = torch.ones_like(at), torch.zeros_like(at)
            rows += [torch.cat([one, none, none, -at - 0.05], 1)]
            rows += [torch.cat([-one, none, none, at - 0.05], 1)]
        return torch.stack(rows, 1)


def points_of(code, count=300, seed=0):
    """Points in the slabs, and which slab each is of."""
    generator = torch.Generator().manual_seed(seed)
    which = torch.randint(3, (len(code), count), generator=generator)
    points = torch.rand(len(code), count, 3, generator=generator) - 0.5
    points[..., 0] = code.gather(1, which) + (points[..., 0] * 0.09)
    return points, which


CODES = torch.tensor([[-0.3, 0.0, 0.3], [-0.2, 0.1, 0.4], [-0.4, -0.1, 0.2], [0.3, 0.0, -0.3]])


def test_labels_go_with_the_convexes():
    model = Slabs()
    points, which = points_of(CODES)
    assert torch.equal(nearest_convex(model, CODES, points), which)
    names = torch.tensor([1, 0, 1])  # two slabs are one part
    of_convex = vote_labels(model, CODES[:1], points[:1], names[which[:1]], parts=2)
    assert of_convex.tolist() == [1, 0, 1, -1]
    found = transfer_labels(model, CODES[1:], points[1:], of_convex)
    assert torch.equal(found, names[which[1:]])
    # a convex that no labelled point was in takes the label of the nearest that has one
    first = which[:1] == 0
    alone = vote_labels(model, CODES[:1], points[:1][first][None], which[:1][first][None], parts=3)
    assert alone.tolist() == [0, -1, -1, -1]
    assert int(transfer_labels(model, CODES[1:], points[1:], alone).max()) == 0


def test_majority_decides():
    model = Slabs()
    points, which = points_of(CODES[:1], 600)
    noisy = which.clone()
    noisy[0, :150] = 2  # a quarter are wrong
    assert vote_labels(model, CODES[:1], points, noisy, parts=3).tolist()[:3] == [0, 1, 2]


def test_part_iou():
    found, labels = torch.tensor([0, 0, 1, 1, 1]), torch.tensor([0, 1, 1, 1, 0])
    assert part_iou(found, labels, 3) == [pytest.approx(1 / 3), pytest.approx(0.5), None]


def test_bad_labels():
    model = Slabs()
    points, which = points_of(CODES)
    with pytest.raises(ValueError, match="labels: index 2 is out of range"):
        vote_labels(model, CODES, points, which, parts=2)
    with pytest.raises(ValueError, match="labels: expected shape"):
        vote_labels(model, CODES, points, which[:, :5], parts=3)
    with pytest.raises(ValueError, match="of_convex: expected shape"):
        transfer_labels(model, CODES, points, torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="one convex or more"):
        transfer_labels(model, CODES, points, torch.full((4,), -1))


def test_interpolation_moves_the_convexes():
    model = Slabs()
    path = interpolate_codes(CODES[0], CODES[1], 5)
    assert torch.equal(path[0], CODES[0]) and torch.allclose(path[-1], CODES[1])
    centres = torch.stack([found.centres()[1, 0] for found in model.convexes(path)])
    assert centres.tolist() == pytest.approx([0.0, 0.025, 0.05, 0.075, 0.1], abs=1e-5)
    with pytest.raises(ValueError, match="count: expected 2"):
        interpolate_codes(CODES[0], CODES[1], 1)


def test_the_vae_draws_codes_like_those_it_learned():
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(200, 2, generator=generator)
    codes = torch.sigmoid(latent @ torch.randn(2, 12, generator=generator) * 0.7 + 0.3)
    torch.manual_seed(0)
    vae = CodeVAE(12, 4, hidden=32)
    curve = vae.fit(codes, steps=400, generator=generator)
    assert curve[-1] < 0.5 * curve[0]
    drawn = vae.sample(2000, generator=generator)
    assert drawn.shape == (2000, 12) and 0 < float(drawn.min()) and float(drawn.max()) < 1
    assert float((drawn.mean(0) - codes.mean(0)).abs().max()) < 0.08
    theirs, mine = torch.corrcoef(codes.T), torch.corrcoef(drawn.T)
    assert (
        float((theirs - mine).abs().mean()) < 0.2
    )  # the numbers of a code hang together as they did
    with pytest.raises(ValueError, match="2 or more to learn from"):
        vae.fit(codes[:1], generator=generator)
    with pytest.raises(ValueError, match="codes: expected shape"):
        vae.fit(codes[:, :3], generator=generator)
