"""Fit to posed images of an object: masks, depth, normals and colours, any subset."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from meshlearn._segment import stable_mean, stable_sum
from meshlearn.losses import normal_consistency_loss
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.targets.appearance import Appearance
from meshlearn.reconstruct.targets.base import Target
from meshlearn.reconstruct.targets.image_levels import (
    Level,
    checked_images,
    level_within,
    pyramid,
)
from meshlearn.reconstruct.targets.mask_agreement import check_agreement
from meshlearn.reconstruct.targets.open_surfaces import image_evidence, open_template
from meshlearn.reconstruct.targets.silhouettes import silhouettes_apart
from meshlearn.reconstruct.targets.support import Doubt, data_missed, kept_parts
from meshlearn.reconstruct.targets.visual_hull import Hull, backproject
from meshlearn.render import Camera, ImageSet
from meshlearn.render.backends import get_backend
from meshlearn.render.fragments import Fragments
from meshlearn.render.image_set import KINDS
from meshlearn.render.mask_values import look_inverted
from meshlearn.render.shading import surface_normals

_CHANNELS = {"masks": "mask", "depth": "depth", "normals": "normal", "colors": "color"}


class FromImages(Target):
    """Fit to posed images: any subset of masks, depth, normals and colours.

    Args:
        cameras: a batch of N, or an `ImageSet`, which brings the images with it.
        masks: (N, H, W) bool, or share of each pixel that is covered, 0 to 1. Without them a pixel
            with depth or a normal is covered, or alpha of the colours says so, or a colour that
            differs from a known `background`.
        depth: (N, H, W) camera z in the world's unit, 0 or NaN for none.
        normals: (N, H, W, 3) outward unit normals in the world, 0 for none.
        colors: (N, H, W, 3), or (N, H, W, 4) with alpha (not premultiplied), in 0 to 1.
        known: (N, H, W) bool, the pixels that a camera saw, be it background; None for all.
        background: what the colours show beside the object: three numbers, or None, where the
            colours beside the object are not looked at.
        views: cameras that are looked through at each step.
        light: "sh" fits colours as an albedo under one light fixed in the world (spherical
            harmonics, found anew at each step), so that shading tells of the shape; "none" fits
            them as they are.
        tolerance: how many cameras may be wrong about a point of the starting shape.
        two_sided: normals are turned towards the camera, as where one cannot tell the two sides of
            a sheet; otherwise they are the surface's own, on its back too.
        bounds: (2, 3) box that the object lies in; found from the images by default.
        backend: "native", "reference" or "nvdiffrast".

    Images are halved until a cell of the grid takes two pixels or so, in the first part of a stage
    one: coarse grids look at small images. The starting field is the hull that masks and depth
    leave, see `meshlearn.reconstruct.targets.visual_hull`.

    Loss terms: ``mask`` (mean distance of silhouettes from theirs, in cells), ``depth`` (mean
    distance across the surface, in cells), ``normal`` (1 - cosine), ``color`` (mean absolute
    difference), ``smooth`` (1 - cosine between neighbouring faces).

    Raises:
        ValueError: images of different sizes or numbers, missing masks, values out of range, or
            images in which there is nothing, or nothing else, or masks that leave nothing of each
            other; then the views are named that deny most of what the others cover.

    Warns:
        UserWarning: masks look inverted, or disagree in a part.

    Example:
        >>> images = meshlearn.render.load_images("views")
        >>> target = FromImages(images.cameras, masks=images.masks, depth=images.depth)
        >>> shape = representations.FlexiCubes(64, bounds=target.bounds)
        >>> mesh = fit(shape, target, steps=300, resolution=(32, 64)).mesh
    """

    def __init__(
        self,
        cameras: Camera | ImageSet,
        *,
        masks: Tensor | None = None,
        depth: Tensor | None = None,
        normals: Tensor | None = None,
        colors: Tensor | None = None,
        known: Tensor | None = None,
        background: Sequence[float] | None = None,
        views: int = settings.VIEWS,
        light: str = "sh",
        tolerance: int = 0,
        two_sided: bool = False,
        bounds: Sequence[Sequence[float]] | Tensor | None = None,
        backend: str = "native",
    ) -> None:
        given = {"masks": masks, "depth": depth, "normals": normals, "colors": colors}
        names: tuple[str, ...] = ()
        if isinstance(cameras, ImageSet):
            names = cameras.names
            given = {k: getattr(cameras, k) if v is None else v for k, v in given.items()}
            known = cameras.known if known is None else known
            cameras = cameras.cameras
        if not isinstance(cameras, Camera) or not cameras.batched:
            raise ValueError(
                f"cameras: expected a batch of cameras or an ImageSet, got {type(cameras).__name__}"
            )
        if not isinstance(views, int) or views < 1:
            raise ValueError(f"views: expected 1 or more, got {views!r}")
        if light not in ("sh", "none"):
            raise ValueError(f"light: expected 'sh' or 'none', got {light!r}")
        if not isinstance(tolerance, int) or not 0 <= tolerance < len(cameras):
            raise ValueError(f"tolerance: expected 0 to {len(cameras) - 1}, got {tolerance!r}")
        places = cameras.position.detach().double()
        apart = float((places.amax(0) - places.amin(0)).max())
        if float(places.abs().max()) > settings.FAR_CAMERAS * apart > 0:
            raise ValueError(
                "cameras: expected near the origin, as seen from the distances between them, since "
                "hulls and fits of images have single precision; move them by "
                "images.moved(-middle), or let meshlearn.reconstruct.reconstruct do so"
            )
        images = checked_images(
            cameras, {k: v for k, v in given.items() if v is not None}, background
        )
        self._given = (cameras.view, cameras.focal, cameras.centre, *given.values(), known)
        if known is not None:
            _check_known(known, images["masks"])
            if not bool(known.all()):
                images["known"] = known
        _check_covered(images, known)
        self.names = names
        self.kinds = tuple(k for k in KINDS if given[k] is not None)
        self.views = min(views, len(cameras))
        self.backend = get_backend(backend)
        self.two_sided, self.light = bool(two_sided), light
        self._asked = None if bounds is None else torch.as_tensor(bounds).tolist()
        self.background = None if background is None else tuple(map(float, background))
        self.levels = pyramid(cameras, images)
        small = level_within(self.levels, settings.HULL_IMAGE)
        self._small, self.tolerance = small, tolerance
        lies = None if bounds is None else torch.as_tensor(bounds).double()
        depths = small.images.get("depth")
        if lies is None and depths is not None and bool((depths > 0).any()):
            seen = backproject(small.cameras, depths)
            lies = torch.stack((seen.amin(0), seen.amax(0))).double()
        with torch.no_grad():
            said = check_agreement(
                small.cameras,
                small.images["masks"],
                small.images.get("known"),
                tolerance=tolerance,
                names=names,
                box=lies,
            )
        if said:
            warnings.warn(said, stacklevel=2)
        self.hull = self.hull_of(small.images["masks"])
        self._open_template: Callable[[Tensor], Tensor] | None = None
        box = self.hull.bounds() if bounds is None else torch.as_tensor(bounds).double().cpu()
        if box.shape != (2, 3) or not bool((box[1] > box[0]).all()):
            raise ValueError(f"bounds: expected (2, 3), lower below upper, got {box.tolist()}")
        self._bounds = box
        middle = box.mean(0).float().to(cameras.view.device)
        self.away = cameras.project(middle[None], 1)[:, 0, 2].abs()  # (N,) to the object
        self.appearance = None
        if "colors" in images:
            self.appearance = Appearance(box, light=light, device=cameras.view.device)
        told = {_CHANNELS[k] for k in images if k in _CHANNELS}
        self.default_weights = {k: v for k, v in settings.IMAGE_WEIGHTS.items() if k in told}
        self.default_weights["smooth"] = settings.IMAGE_SMOOTH

    def given(self, device: torch.device) -> Iterable[Tensor | None]:
        """See `Target.given`."""
        return self._given

    def options(self) -> dict[str, object]:
        """See `Target.options`."""
        return {
            "views": self.views,
            "tolerance": self.tolerance,
            "two_sided": self.two_sided,
            "background": self.background,
            "light": self.light,
            "bounds": self._asked,
        }

    @property
    def bounds(self) -> Tensor:
        return self._bounds

    def field(self, points: Tensor) -> Tensor:
        return self._field(self.hull.field, points)

    def _field(self, field: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
        reach = settings.HULL_REACH * float((self._bounds[1] - self._bounds[0]).norm())
        with torch.no_grad():
            return field(points.float()).clamp(-reach, reach).to(points)

    def hull_of(self, masks: Tensor) -> Hull:
        """The hull of other masks (N, H, W) at the size of the hull's images."""
        small = self._small
        depth, known = small.images.get("depth"), small.images.get("known")
        return Hull(small.cameras, masks, depth, tolerance=self.tolerance, known=known)

    def shell(self, points: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """See `Target.shell`: a template that is closed where one looks through openings."""
        if self._open_template is None:
            with torch.no_grad():
                self._open_template = open_template(self, self._small)
        return self._field(self._open_template, points), torch.full_like(points[:, 0], scale)

    def evidence(self, template: Mesh, scale: float) -> Tensor:
        """See `Target.evidence`: what all images say of a template."""
        return image_evidence(self, template, scale)

    def parameters(self) -> dict[str, Tensor]:
        return {} if self.appearance is None else self.appearance.parameters()

    def parameter_groups(self, lr: float) -> list[dict]:
        found = list(self.parameters().values())
        return [{"params": found, "lr": lr}] if found else []

    def level(self, scale: float) -> Level:
        """The smallest images in which a length `scale` still takes two pixels, in the middle."""
        for level in reversed(self.levels):
            away = 1.0 if level.cameras.orthographic else self.away
            if float((scale * level.focal / away).median()) >= settings.PIXELS_OF_CELL:
                return level
        return self.levels[0]

    def losses(
        self, mesh: Mesh, *, scale: float, generator: torch.Generator, done: float
    ) -> dict[str, Tensor]:
        level = self.level(scale * (2 if done < settings.COARSE_PART else 1))
        chosen = torch.randperm(len(self.away), generator=generator)[: self.views]
        chosen = chosen.to(self.away.device)
        cams = level.cameras[chosen]
        wanted = {k: v[chosen] for k, v in level.images.items()}
        fragments = self.backend.rasterize(mesh, cams, level.size)
        seen = fragments.mask
        layers = [seen.to(mesh.dtype)[..., None]]
        terms: dict[str, Tensor] = {}
        if self.appearance is not None:
            color, more = self.appearance.shade(
                mesh, fragments, cams, wanted["colors"], wanted["masks"]
            )
            terms.update(more)
            layers.append(self._composed(color, seen, wanted["colors"]))
        image = self.backend.antialias(torch.cat(layers, -1), fragments, mesh, cams)
        pixel = (1.0 if cams.orthographic else self.away[chosen]) / level.focal[chosen]
        wide = pixel / (level.silhouette[chosen] * scale)
        off = (image[..., 0] - wanted["masks"].to(image)).abs()
        if "known" in wanted:
            off = off * wanted["known"]
        terms["mask"] = stable_sum(off * wide.to(off)[:, None, None]) / len(chosen)
        if "depth" in wanted:
            terms["depth"] = _depth_loss(mesh, fragments, cams, wanted["depth"], scale)
        if "normals" in wanted:
            terms["normal"] = _normal_loss(
                mesh, fragments, wanted["normals"], cams if self.two_sided else None
            )
        if self.appearance is not None:
            terms["color"] = self._color_loss(image[..., 1:], wanted, seen)
        terms["smooth"] = normal_consistency_loss(mesh)
        return terms

    def _composed(self, color: Tensor, seen: Tensor, target: Tensor) -> Tensor:
        """Colours before what lies behind the object: the background, or the target itself."""
        behind = target[..., :3].to(color)
        if self.background is not None:
            behind = color.new_tensor(self.background).expand_as(color)
        return torch.where(seen[..., None], color, behind)

    def _color_loss(self, image: Tensor, wanted: dict[str, Tensor], seen: Tensor) -> Tensor:
        # where only one of the two covers a pixel, the mask term tells of it, not the colour
        both = seen & (wanted["masks"] > settings.COVERED)
        off = (image - wanted["colors"][..., :3].to(image)).abs().sum(-1) * both
        return stable_sum(off) / (3 * both.sum().clamp(min=1))

    def finish(self, mesh: Mesh) -> Mesh:
        """Without the parts that no camera sees, such as bubbles inside, and those that wholly lie
        outside the silhouettes."""
        labels, count = mesh.topology.components()
        if count < 2:
            return mesh
        level = level_within(self.levels, settings.HULL_IMAGE)
        seen = torch.zeros(count, dtype=torch.bool, device=mesh.device)
        for i in range(len(level.cameras)):
            face = self.backend.rasterize(mesh, level.cameras[i], level.size).face
            seen[labels[face[face >= 0]]] = True
        away = 1.0 if level.cameras.orthographic else self.away
        slack = settings.SLACK * float((away / level.focal).median())
        with torch.no_grad():
            beyond = self.hull.outside(mesh.vertices.detach().float(), slack).sum(1)
        within = torch.zeros_like(seen)
        within[labels[(beyond <= self.tolerance)[mesh.faces].any(1)]] = True
        return kept_parts(mesh, seen & within)

    @torch.no_grad()
    def doubts(self, mesh: Mesh, scale: float) -> list[Doubt]:
        """See `Target.doubts`: silhouettes and depth far from the fit's."""
        limit = settings.FAR_OFF * scale
        found = silhouettes_apart(
            self._small, mesh, self.backend, self.away, self.names, limit, scale
        )
        depth = self._small.images.get("depth")
        if depth is not None and bool((depth > 0).any()):
            points = backproject(self._small.cameras, depth)
            order = torch.randperm(len(points), generator=torch.Generator().manual_seed(0))
            some = points[order[: settings.SAMPLES].to(points.device)]
            found += data_missed(some, mesh, limit, scale, "places seen in depth")
        return found

    def write_sheet(self, mesh: Mesh, path: Path) -> None:
        from meshlearn.reconstruct.targets.sheets import compare_sheet

        compare_sheet(self, mesh.detach(), path)


def _check_covered(images: dict[str, Tensor], known: Tensor | None) -> None:
    """Masks that cover everything, or only what is at the border, are no masks of an object."""
    masks = images["masks"]
    covered = masks >= settings.COVERED
    if "depth" not in images and bool((covered if known is None else covered | ~known).all()):
        raise ValueError(
            "masks: every pixel of every image is covered (alpha that is opaque everywhere is no "
            "mask), so nothing tells where the object ends; give masks of it, 0 beside it"
        )
    count = look_inverted(masks, known)
    if 2 * count > len(masks):
        warnings.warn(
            f"masks: of {count:,} of {len(masks):,} the border is covered and the middle is not, "
            "as where they are inverted (then give 1 - masks); they are taken as they are",
            stacklevel=3,
        )


def _check_known(known: Tensor, masks: Tensor) -> None:
    if known.dtype != torch.bool or known.shape != masks.shape or known.device != masks.device:
        raise ValueError(
            f"known: expected a bool tensor {tuple(masks.shape)} on {masks.device}, got "
            f"{known.dtype} {tuple(known.shape)} on {known.device}"
        )


def _pixels(keep: Tensor, fragments: Fragments) -> tuple[tuple[Tensor, ...], Fragments]:
    """Where (view, row, column) `keep` holds, and the fragments there as an image of one row."""
    place = torch.nonzero(keep, as_tuple=True)
    return place, Fragments(*(t[place][None] for t in fragments))


def _depth_loss(
    mesh: Mesh, fragments: Fragments, cams: Camera, depth: Tensor, scale: float
) -> Tensor:
    """Mean distance of what is seen from what should be, across the surface, in cells."""
    place, part = _pixels(fragments.mask & (depth > 0), fragments)
    if not len(place[0]):
        return mesh.vertices.sum() * 0
    view, row, col = place
    h, w = depth.shape[1:]
    k = cams.intrinsics((h, w))[view].to(mesh.dtype)
    last = 3 if cams.orthographic else 2
    x = (col + 0.5 - k[:, 0, last]) / k[:, 0, 0]
    y = (row + 0.5 - k[:, 1, last]) / k[:, 1, 1]
    turn = cams.view[view, :3, :3].to(mesh.dtype)
    ray = turn[:, 2]
    if not cams.orthographic:
        ray = x[:, None] * turn[:, 0] + y[:, None] * turn[:, 1] + ray
    # a step along the ray is a shorter one across the surface
    slope = (mesh.face_normals().detach()[part.face[0]] * ray).sum(1).abs()
    along = part.depth[0] - depth[place].to(mesh.dtype)
    off = along * slope.clamp(min=settings.LEAST_COSINE) / scale
    return stable_mean((off * off + settings.SOFT).sqrt())


def _normal_loss(mesh: Mesh, fragments: Fragments, normals: Tensor, cams: Camera | None) -> Tensor:
    """Mean of 1 - cosine between normals seen and wanted; with `cams` both towards the camera."""
    known = (normals * normals).sum(-1) > settings.KNOWN_NORMAL
    place, part = _pixels(fragments.mask & known, fragments)
    if not len(place[0]):
        return mesh.vertices.sum() * 0
    mine = surface_normals(mesh, part, smooth=False)[0]
    wanted = normals[place].to(mine)
    if cams is not None:
        _, rays = cams.rays(tuple(normals.shape[1:3]))
        ray = rays[place].to(mine)
        mine = mine * -torch.sign((mine.detach() * ray).sum(1, keepdim=True))
        wanted = wanted * -torch.sign((wanted * ray).sum(1, keepdim=True))
    return stable_mean(1 - (mine * wanted).sum(1))
