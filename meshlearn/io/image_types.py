"""Types of image files, by their content, and images of one type as those of another.

Names lie: a JPEG is called .png, a Targa has no mark at its beginning. What decides is the bytes;
the name only where these say nothing.
"""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np

MOST_PIXELS = 1 << 28  # of an image that is decoded: 1 GB of four bytes each

_MARKS = {
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpg",
    b"BM": "bmp",
    b"II*\0": "tif",
    b"MM\0*": "tif",
    b"II+\0": "tif",
    b"MM\0+": "tif",
    b"GIF8": "gif",
    b"DDS ": "dds",
    b"\xabKTX 20\xbb": "ktx2",
    b"\xabKTX 11\xbb": "ktx",
    b"8BPS": "psd",
    b"v/1\x01": "exr",
    b"#?RADIANCE": "hdr",
    b"#?RGBE": "hdr",
    b"\0\0\0\x0cjP  ": "jp2",
    b"\xff\x4f\xff\x51": "j2k",
    b"\x13\xab\xa1\x5c": "astc",
}
_SAME = {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tiff": "tif", "targa": "tga"}
ENDINGS = {*_MARKS.values(), *_SAME, "tga", "webp", "avif", "heic"}


def type_of(data: bytes, name: str = "") -> str:
    """The type of an image, as the ending of its name should be: "png", "jpg", "tga" …

    Args:
        name: of its file, asked where the content does not say; "" is the answer where neither
            does.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp":
        return "avif" if data[8:12] in (b"avif", b"avis") else "heic"
    for mark, kind in _MARKS.items():
        if data.startswith(mark):
            return kind
    ending = name.lower().rpartition(".")[2]
    ending = _SAME.get(ending, ending)
    if data[-18:-2] == b"TRUEVISION-XFILE" or _targa(data, strict=ending != "tga"):
        return "tga"
    return ""


def _targa(data: bytes, *, strict: bool) -> bool:
    """Whether bytes may be a Targa, by the numbers of its head."""
    if len(data) < 18:
        return False
    palette, kind, bits = data[1], data[2], data[16]
    width, height = struct.unpack_from("<HH", data, 12)
    if palette > 1 or kind not in (1, 2, 3, 9, 10, 11) or 0 in (width, height):
        return False
    if bits not in (8, 15, 16, 24, 32) or data[17] & 0xC0:
        return False
    if not strict:
        return True
    long = 18 + data[0] + width * height * bits // 8
    return kind in (2, 3) and palette == 0 and long <= len(data) <= long + 4096


def _grey(values: np.ndarray) -> np.ndarray:
    """Grey of many bits as that of 8, or of 16 where it has more than 255 steps."""
    values = np.nan_to_num(values.astype(np.float64))
    if values.size and values.max() <= 1 and (values % 1).any():
        values = values * 255
    wide = values.size and values.max() > 255
    kind = np.uint16 if wide else np.uint8
    return np.round(values).clip(0, np.iinfo(kind).max).astype(kind)


def as_png(data: bytes, *, kind: str = "") -> bytes | None:
    """An image as PNG: its first frame, 8 bits a channel (16 where it is grey of 16); None where
    it cannot be decoded."""
    from PIL import Image

    try:
        formats = ["TGA"] if kind == "tga" else None
        with Image.open(BytesIO(data), formats=formats) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            if image.mode not in ("L", "LA", "RGB", "RGBA", "I;16"):
                alpha = "A" in image.getbands() or "transparency" in image.info
                if image.mode == "F" or image.mode.startswith("I"):
                    image = Image.fromarray(_grey(np.asarray(image)))
                else:
                    plain = "L" if image.mode == "1" else "RGBA" if alpha else "RGB"
                    image = image.convert(plain)
            out = BytesIO()
            image.save(out, "PNG")
            return out.getvalue()
    except (OSError, ValueError, SyntaxError, TypeError, struct.error, NotImplementedError):
        return None
    except Image.DecompressionBombError:
        return None
