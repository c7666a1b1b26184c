"""Single views: an image encoder regressed onto the codes of a trained auto-encoder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from meshlearn.render import render
from meshlearn.render.camera_paths import sphere_cameras
from meshlearn.representations.bspnet import BSPNet
from meshlearn.train.dataset import ShapeSet
from meshlearn.train.loop import TrainResult, train
from meshlearn.train.training_stages import Stage


@dataclass
class CodedViews:
    """Draws of a picture of a shape from one of some views, with the shape's code.

    Attributes:
        data: the shapes, prepared with the voxels that `model` encodes.
        model: a trained `BSPNet` with an encoder of voxels.
        size: of the pictures, pixels.
        views: that each shape is seen from, all around.
    """

    data: ShapeSet
    model: BSPNet
    size: int = 64
    views: int = 12
    _kept: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.data)

    @torch.no_grad()
    def of(self, index: int) -> tuple[Tensor, Tensor]:
        """Pictures (views, 1, size, size) and code (code,) of one shape."""
        if index not in self._kept:
            shape = self.data[index]
            voxels = shape.voxels(self.model.options["resolution"])[None, None]
            code = self.model.encode(voxels.to(self.model.connection))[0].cpu()
            cameras = sphere_cameras(self.views, radius=2.2, fov=32.0)
            self._kept[index] = (shaded(shape.mesh, cameras, self.size), code)
        return self._kept[index]

    def sample(self, index: int, generator: torch.Generator) -> dict[str, Tensor]:
        """``images`` (1, size, size) float32 in [0, 1] and ``code`` (code,)."""
        pictures, code = self.of(index)
        view = int(torch.randint(len(pictures), (1,), generator=generator))
        return {"images": pictures[view], "code": code}


def shaded(mesh: Any, cameras: Any, size: int) -> Tensor:
    """(views, 1, size, size): a mesh lit from the camera, 0 where nothing is."""
    seen = render(mesh, cameras, size, channels=("mask", "normal"))
    away = torch.nn.functional.normalize(cameras.position.to(seen["normal"]), dim=-1)
    facing = (seen["normal"] * away[:, None, None]).sum(-1).abs()
    return (seen["mask"] * (0.2 + 0.8 * facing))[:, None]


def code_loss(
    model: nn.Module, batch: dict[str, Tensor], generator: torch.Generator
) -> dict[str, Tensor]:
    """Mean squared error of the codes that pictures are encoded to."""
    encode: Any = model.encode
    return {"code": (encode(batch["images"]).float() - batch["code"]).square().mean()}


def train_single_view(
    data: ShapeSet,
    teacher: BSPNet,
    *,
    steps: int = 2000,
    batch: int = 24,
    lr: float = 3e-4,
    size: int = 64,
    views: int = 12,
    width: int = 32,
    folder: str | Path | None = None,
    seed: int = 0,
    **options: Any,
) -> TrainResult:
    """Trains an image encoder onto the codes that `teacher` gives the same shapes.

    Args:
        data: shapes, prepared with the voxels that the teacher encodes.
        teacher: a trained `BSPNet` with an encoder of voxels; its decoder, T and W are taken over
            and held.
        steps, batch, lr: of Adam.
        size, views: of the pictures, see `CodedViews`.
        width: of the image encoder's first layer.
        folder, seed, options: as in `train.train`; `load_bspnet` reads the folder.

    Returns:
        TrainResult whose model is a `BSPNet` with an encoder of images.

    Raises:
        ValueError: a teacher without an encoder of voxels.

    Example:
        >>> model = train_single_view(data, load_bspnet("run"), folder="run_images").model
        >>> convexes = model.convexes(model.encode(images))     # (B, 1, H, W)

    Source: Chen, Tagliasacchi, Zhang, "BSP-Net" (CVPR 2020), section 4.4.
    """
    if teacher.options["encoder"] != "voxels":
        raise ValueError(
            f"teacher: expected an encoder of voxels, got {teacher.options['encoder']!r}"
        )
    taken = {**teacher.options, "encoder": "image", "width": width}
    counts = taken.pop("planes"), taken.pop("convexes")
    model = BSPNet(*counts, **taken, generator=torch.Generator().manual_seed(seed))
    own = {k: v for k, v in teacher.state_dict().items() if not k.startswith("encoder.")}
    model.load_state_dict(own, strict=False)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("encoder."))
    views_of = CodedViews(data, teacher.cpu().eval(), size, views)
    stage = Stage(code_loss, views_of, steps=steps, batch=batch, lr=lr, name="single view")
    return train(
        model, stage, folder=folder, seed=seed, options={"bspnet": model.options}, **options
    )
