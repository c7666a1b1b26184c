"""Posed photographs as an `ImageSet`: pictures read, laid upright, straightened, made one size."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from meshlearn.captures.capture import KINDS, Capture
from meshlearn.captures.image_heads import ImageHead, image_head
from meshlearn.captures.lens import Lens, shown_share, straightened, text_of
from meshlearn.captures.reading import present, read_capture, scaled, wanted_kinds
from meshlearn.render import image_files
from meshlearn.render.image_set import ImageSet, halved
from meshlearn.render.mask_values import (
    MODES,
    MaskSurvey,
    are_premultiplied,
    check_upright,
    is_opaque,
)
from meshlearn.render.posed import pinholes
from meshlearn.render.straighten import Resampling, resampling, straighten

_LEAST_TOLD = 0.001  # share of an image's pixels left out that is worth a word


def load_images(
    folder: str | os.PathLike[str],
    *,
    use: Sequence[str] | None = None,
    max_size: int = 1024,
    masks: str = "auto",
    missing: str = "skip",
) -> ImageSet:
    """Reads a folder with `transforms.json` (NeRF, instant-ngp, nerfstudio) or a COLMAP model.

    Images through a lens that bends are resampled to what a pinhole sees; images of different
    sizes are laid on one size. What no camera saw of them is told by `ImageSet.known`.

    Args:
        folder: the folder, or a `transforms.json`.
        use: which of "masks", "depth", "normals", "colors"; default: all that are there for every
            view. Colours with alpha serve as masks where there are no others.
        max_size: images are halved until neither side is longer; straightened, they may be twice
            as large.
        masks: "auto" finds out what the numbers in masks mean (two values are background and
            object, whatever they are), "inverted" takes the dark for the object, "stored" what is
            bright, without a question.
        missing: "skip" leaves out views of which an image is not there, "refuse" does not.

    Raises:
        ValueError: bad camera files (see `read_transforms` and `read_colmap`), images that are
            missing for half of the views, an unreadable one, one of another shape than its camera,
            a kind that is not there, or masks that may mean several things.

    Warns:
        UserWarning: views of which an image is missing are left out; images are straightened,
            turned by their EXIF orientation, padded, or of another size than their cameras; what
            masks and alpha hold is not what it is mostly.

    Example:
        >>> images = load_images("views", use=("masks", "depth"))
        >>> images.size
        (256, 256)
    """
    path = Path(folder)
    if masks not in MODES:
        raise ValueError(f"masks: expected one of {', '.join(MODES)}, got {masks!r}")
    capture = present(wanted_kinds(scaled(read_capture(path)), use, path), missing)
    told = _Told(MaskSurvey(path))
    views = [_view(capture, i, max_size, told) for i in range(len(capture))]
    sizes = {view.lens.known_size for view in views}
    height, width = max(h for h, _ in sizes), max(w for _, w in sizes)
    for remark in (*capture.remarks, *told.sentences(capture, sizes, (height, width))):
        warnings.warn(remark, stacklevel=2)
    lenses = [replace(v.lens, centre=v.lens.middle, size=(height, width)) for v in views]
    cameras = pinholes(capture, lenses)
    found: dict[str, Tensor] = {}
    for kind in [k for k in KINDS if k in capture.paths]:
        parts = [view.images.pop(kind) for view in views]
        odd = next((i for i, p in enumerate(parts) if p.shape[2:] != parts[0].shape[2:]), None)
        if odd is not None:
            raise ValueError(
                f"{capture.paths[kind][odd]}: has alpha where others have none, or the other way "
                "round"
            )
        found[kind] = torch.stack([_laid(part, height, width) for part in parts])
    known = None
    if len(sizes) > 1 or any(view.known is not None for view in views):
        known = torch.stack([_laid(view.seen(), height, width) for view in views])
        known = None if bool(known.all()) else known
    if "normals" in found and capture.normal_space == "camera":
        flip = torch.tensor([1.0, -1.0, -1.0])
        turn = cameras.view[:, None, None, :3, :3].float()  # rows: the camera's axes in the world
        found["normals"] = ((found["normals"] * flip)[..., :, None] * turn).sum(-2)
    for remark in _understood(found, known, told.masks, capture, masks):
        warnings.warn(remark, stacklevel=2)
    return ImageSet(cameras, names=capture.names, known=known, **found)


def _understood(
    found: dict[str, Tensor],
    known: Tensor | None,
    survey: MaskSurvey,
    capture: Capture,
    mode: str,
) -> list[str]:
    """Gives masks and alpha their meaning, in place; sentences on it."""
    said, path = [], capture.path
    if "masks" in found:
        if capture.masks_are_alpha and len(survey.opaque) == survey.count:
            raise ValueError(
                f"{path}: alpha of all {survey.count:,} images is opaque everywhere (255), which "
                "is no mask; add masks (mask_path in transforms.json, masks/NAME.png for COLMAP), "
                "or choose other kinds by use"
            )
        if survey.opaque and not capture.masks_are_alpha:
            said.append(
                f"{path}: alpha of {len(survey.opaque):,} of {survey.count:,} masks is opaque "
                f"everywhere (the first: {survey.opaque[0]}); their brightness is taken"
            )
        if mode != "stored":
            low, high, more = survey.meaning()
            said += more
            found["masks"] = _turned((found["masks"] - low) / (high - low), known, path, mode)
    colors = found.get("colors")
    if colors is None or colors.shape[-1] != 4:
        if mode == "inverted" and "masks" not in found:
            raise ValueError(f"masks: {path} has none, and no alpha, that could be inverted")
        return said
    alpha = colors[..., 3]
    if is_opaque(alpha, known):
        found["colors"] = colors[..., :3].contiguous()
        value = round(float(alpha.max()) * 255)
        return [*said, f"{path}: alpha of all images is {value} everywhere, which is no mask"]
    if mode == "stored":
        return said
    most = float(alpha.max())
    if 0 < most < 0.5:
        alpha = alpha / most
        colors = torch.cat((colors[..., :3], alpha[..., None]), -1)
        said.append(
            f"{path}: alpha of the images is {round(most * 255)} of 255 at most, which is taken as "
            "opaque"
        )
    if are_premultiplied(colors):
        straight = (colors[..., :3] / alpha[..., None].clamp(min=1e-6)).clamp(max=1)
        colors = torch.cat((torch.where(alpha[..., None] > 0, straight, 0), alpha[..., None]), -1)
        said.append(
            f"{path}: colours are multiplied by their alpha (premultiplied); they are divided by it"
        )
    if "masks" not in found:
        alpha = _turned(alpha, known, path, mode)
        colors = torch.cat((colors[..., :3], alpha[..., None]), -1)
    found["colors"] = colors
    return said


def _turned(masks: Tensor, known: Tensor | None, path: Path, mode: str) -> Tensor:
    """Masks as they are wanted: those that look inverted are refused, or turned."""
    masks = masks.clamp(0, 1)
    if mode == "inverted":
        masks = 1 - masks
        return masks if known is None else masks * known
    check_upright(masks, known, path)
    return masks


@dataclass
class _View:
    """The images of one view, and the pinhole that they are of."""

    lens: Lens
    images: dict[str, Tensor]
    known: Tensor | None

    def seen(self) -> Tensor:
        """(H, W) bool, which pixels a camera saw."""
        if self.known is not None:
            return self.known
        return torch.ones(self.lens.known_size, dtype=torch.bool)


@dataclass
class _Told:
    """What was done to images, gathered over all views."""

    masks: MaskSurvey
    bent: dict[Lens, tuple[int, Lens]] = field(default_factory=dict)  # views, and the pinhole
    rescaled: list[tuple[Lens, tuple[int, int]]] = field(default_factory=list)
    turned: list[Path] = field(default_factory=list)
    lying: list[Path] = field(default_factory=list)
    enlarged: list[tuple[str, tuple[int, int], tuple[int, int]]] = field(default_factory=list)

    def sentences(
        self, capture: Capture, sizes: set[tuple[int, int]], size: tuple[int, int]
    ) -> list[str]:
        out, path, total = [], capture.path, len(capture)
        if self.bent:
            count = sum(n for n, _ in self.bent.values())
            lens, (_, flat) = max(self.bent.items(), key=lambda item: item[1][0])
            more = f" and {len(self.bent) - 1} lenses more" if len(self.bent) > 1 else ""
            left_out = 1 - shown_share(lens)
            rest = f"; {left_out:.1%} of the pixels are beyond it" if left_out > _LEAST_TOLD else ""
            out.append(
                f"{path}: {count:,} of {total:,} views through lenses that bend ({lens.model} with "
                f"{text_of(lens)}{more}) are straightened to a pinhole's {_text(flat.known_size)} "
                f"pixels{rest}"
            )
        if self.rescaled:
            lens, native = Counter(self.rescaled).most_common(1)[0][0]
            out.append(
                f"{path}: {len(self.rescaled):,} of {total:,} images are of another size than "
                f"their cameras ({_text(native)} where {_text(lens.known_size)} are told); focal "
                "lengths and centres are scaled"
            )
        if self.enlarged:
            kind, small, large = Counter(self.enlarged).most_common(1)[0][0]
            out.append(
                f"{path}: {len(self.enlarged):,} images are smaller than others of their view and "
                f"are enlarged ({kind} of {_text(small)} to {_text(large)} pixels)"
            )
        if self.turned:
            out.append(
                f"{path}: {len(self.turned):,} of {total:,} images are turned upright by their "
                f"EXIF orientation, as their cameras are (the first: {self.turned[0].name})"
            )
        if self.lying:
            out.append(
                f"{path}: {len(self.lying):,} of {total:,} images have an EXIF orientation (the "
                f"first: {self.lying[0].name}) and are taken as they are stored, which is the size "
                "of their cameras"
            )
        if len(sizes) > 1:
            listed = ", ".join(_text(s) for s in sorted(sizes)[:3])
            more = f" and {len(sizes) - 3} more" if len(sizes) > 3 else ""
            out.append(
                f"{path}: images of different sizes ({listed}{more}) are laid on {_text(size)} "
                "pixels; what is beside them counts as not seen"
            )
        return out


def _text(size: tuple[int, int]) -> str:
    return f"{size[1]}×{size[0]}"


def _view(capture: Capture, i: int, most: int, told: _Told) -> _View:
    lens, images = capture.lenses[i], {}
    kinds = [k for k in KINDS if k in capture.paths]
    found: dict[str, Lens] = {}
    # colours first: they are what cameras are found from
    for kind in sorted(kinds, key=lambda k: k != "colors"):
        file = capture.paths[kind][i]
        assert file is not None
        image = _read(kind, file, capture, told.masks)
        found[kind], images[kind] = _fitted(lens, image, file, told, again=bool(found))
    stored = max(found.values(), key=lambda fitted: fitted.known_size[0])
    for kind in kinds:
        if found[kind].known_size != stored.known_size:
            images[kind] = _enlarged(kind, images[kind], stored.known_size)
            told.enlarged.append((kind, found[kind].known_size, stored.known_size))
    try:
        small, flat, halvings = _shrunk(stored, most)
    except ValueError as error:
        raise ValueError(f"{capture.path}: view {capture.names[i]!r}: {error}") from None
    known = _known_file(capture, i, stored)
    if known is not None:
        images["known"] = known
    for kind in images:
        part = images[kind][None]
        for _ in range(halvings):
            part = halved(kind, part)
        images[kind] = part[0]
    known = images.pop("known", None)
    if stored.straight:
        return _View(flat, images, known)
    count, _ = told.bent.get(stored, (0, flat))
    told.bent[stored] = (count + 1, flat)
    how = _resampling(small)
    images = {k: straighten(k, image, how) for k, image in images.items()}
    seen = how.known if known is None else how.known & (straighten("depth", known.float(), how) > 0)
    return _View(flat, images, seen)


@lru_cache(maxsize=2)
def _resampling(lens: Lens) -> Resampling:
    return resampling(lens)


@lru_cache(maxsize=512)
def _shrunk(lens: Lens, most: int) -> tuple[Lens, Lens, int]:
    """A lens halved until its image fits, the pinhole of that, and how often it was halved.

    A straightened image may be twice as large as one that is read as it is: the border that it
    has is not to cost what is in the middle its detail.
    """
    count = 0
    while True:
        flat = lens if lens.straight else straightened(lens)
        fits = max(lens.known_size) <= most and max(flat.known_size) <= 2 * most
        if fits or min(lens.known_size) < 2:
            return lens, flat, count
        lens, count = lens.halved(), count + 1


def _enlarged(kind: str, image: Tensor, size: tuple[int, int]) -> Tensor:
    """A smaller image of the same view at a size: depth beside photographs, mostly."""
    nearest = kind in ("depth", "normals")
    flat = image[..., None] if image.dim() == 2 else image
    options = {} if nearest else {"align_corners": False}
    mode = "nearest-exact" if nearest else "bilinear"
    out = torch.nn.functional.interpolate(
        flat.permute(2, 0, 1)[None], size=size, mode=mode, **options
    )[0].permute(1, 2, 0)
    return (out[..., 0] if image.dim() == 2 else out).contiguous()


def _known_file(capture: Capture, i: int, lens: Lens) -> Tensor | None:
    """(H, W) bool of the file that tells which pixels a camera saw; None where there is none."""
    file = capture.paths.get("known", {i: None})[i]
    if file is None:
        return None
    known = image_files.read_mask(file) > 0.5
    if tuple(known.shape) != lens.known_size:
        raise ValueError(
            f"{file}: is {_text((known.shape[0], known.shape[1]))} pixels, but the images of its "
            f"view are {_text(lens.known_size)}"
        )
    return known


def _read(kind: str, file: Path, capture: Capture, survey: MaskSurvey) -> Tensor:
    if kind == "masks":
        mask = image_files.read_stored_mask(file, alpha_only=capture.masks_are_alpha)
        survey.add(mask, file)
        return mask.share
    if kind == "depth":
        return image_files.read_depth(file, scale=capture.depth_scale)
    return (image_files.read_normals if kind == "normals" else image_files.read_color)(file)


def _fitted(
    lens: Lens, image: Tensor, file: Path, told: _Told, *, again: bool
) -> tuple[Lens, Tensor]:
    """The lens for an image of that size, and the image as its camera was held."""
    native = (image.shape[0], image.shape[1])
    head = image_head(file) or ImageHead(native)
    if lens.size is None:
        return lens.of_size(native), image
    if _alike(lens.size, native):
        if head.orientation != 1 and not again:
            told.lying.append(file)
    elif head.lies and _alike(lens.size, native[::-1]):
        image = upright(image, head.orientation)
        native = native[::-1]
        if not again:
            told.turned.append(file)
    else:
        raise ValueError(
            f"{file}: is {_text(native)} pixels, but its camera is for {_text(lens.size)}; give "
            "the images that the cameras were found for, or scaled ones"
        )
    if lens.size != native and not again:
        told.rescaled.append((lens, native))
    return lens.of_size(native), image


def _alike(size: tuple[int, int], native: tuple[int, int]) -> bool:
    """Whether two sizes are of one shape, each side rounded by less than a pixel."""
    (h, w), (b, a) = size, native
    return abs(h * a - w * b) <= h + w


def upright(image: Tensor, orientation: int) -> Tensor:
    """An image (H, W, …) as EXIF's orientation (1 to 8) says that it is to be shown."""
    if orientation >= 5:
        image = image.transpose(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image.flip(1)
    if orientation in (3, 4, 7, 8):
        image = image.flip(0)
    return image.contiguous()


def _laid(image: Tensor, height: int, width: int) -> Tensor:
    """An image at the top left of a larger one of zeros."""
    if image.shape[:2] == (height, width):
        return image
    out = image.new_zeros(height, width, *image.shape[2:])
    out[: image.shape[0], : image.shape[1]] = image
    return out
