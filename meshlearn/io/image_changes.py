"""Images of a document as a format can have them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from meshlearn.io.document import Document
from meshlearn.io.image_names import with_images_named
from meshlearn.io.image_types import ENDINGS, as_png, type_of
from meshlearn.io.left_behind import Loss, LossKind


def with_images_as_png(
    document: Document,
    keys: Iterable[str],
    *,
    kept: Collection[str],
    format: str,
    open_to: Collection[str] = (),
) -> Document:
    """A document whose images `keys` are of types that a format has, with a remark on each change.

    What cannot be decoded is taken out and noted in `left_out`.

    Args:
        kept: types that stay, as `type_of` has them.
        format: its name, for the remarks.
        open_to: types that stay where they cannot be decoded, with a remark; "" those not known.
    """
    names: dict[str, str] = {}
    images = dict(document.images)
    remarks, left_out = list(document.remarks), list(document.left_out)
    for key in dict.fromkeys(keys):
        if key not in images:
            continue
        kind = type_of(images[key], key)
        if kind in kept:
            continue
        made = as_png(images[key], kind=kind)
        if made is None and kind in open_to:
            what = f"is {kind.upper()}" if kind else "is of no type that is known"
            remarks.append(
                f"the image {key!r} {what}, and stays as it is; few programs for {format} read it"
            )
            continue
        if made is None:
            limit = f"has images of other types, and {kind.upper() or 'it'} is not decoded"
            left_out.append(Loss(LossKind.OTHER, name=f"the image {key!r}", limit=limit))
            del images[key]
            continue
        images[key] = made
        head, dot, ending = key.rpartition(".")
        head = head if dot and ending.lower() in ENDINGS else key
        place, number = f"{head}.png", 2
        while place != key and (place in images or place in names.values()):
            place, number = f"{head}_{number}.png", number + 1
        names[key] = place
        remarks.append(f"the image {key!r} ({kind.upper() or 'unknown'}) became PNG for {format}")
    if len(remarks) == len(document.remarks) and len(left_out) == len(document.left_out):
        return document
    document = replace(document, images=images, remarks=remarks, left_out=left_out)
    return with_images_named(document, names)
