"""Textures' images: types by content; what glTF does not have becomes PNG, or an extension."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from meshlearn import io as mio
from meshlearn.cli import main
from meshlearn.io.image_types import as_png, type_of
from tests.io.gltf_scene import Scene, json_of, picture

PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5
KTX2 = b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(68)


def obj(folder, image: str, data: bytes):
    (folder / image).write_bytes(data)
    (folder / "a.mtl").write_text(f"newmtl m\nmap_Kd {image}\n")
    text = "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl m\n"
    (folder / "a.obj").write_text(text + "f 1/1 2/2 3/3\n")
    return folder / "a.obj"


def image_in(path) -> tuple[dict, dict, bytes]:
    """JSON, image entry and bytes of the first image of a GLB, read by this test alone."""
    data = path.read_bytes()
    body = json_of(data)
    at = 20 + int.from_bytes(data[12:16], "little") + 8
    view = body["bufferViews"][body["images"][0]["bufferView"]]
    start = at + view["byteOffset"]
    return body, body["images"][0], data[start : start + view["byteLength"]]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("bmp", "t.bmp"), ("tga", "t.tga"), ("tiff", "t.tif"), ("gif", "t.gif"), ("bmp", "t.png"),
     ("tga", "t.jpg"), ("tiff", "t"), ("dds", "t.dds")],
)  # fmt: skip
def test_types_that_gltf_does_not_have_become_png_and_are_told(tmp_path, capsys, kind, name):
    path = obj(tmp_path, name, picture(kind, PIXELS))
    with pytest.raises(SystemExit) as ended:
        main(["convert", str(path), str(tmp_path / "a.glb"), "--strict"])
    assert ended.value.code == 0  # no loss
    said = " ".join(capsys.readouterr().err.split())
    assert f"the image '{name}'" in said and "became PNG" in said
    body, entry, data = image_in(tmp_path / "a.glb")
    assert entry["mimeType"] == "image/png" and data[:4] == b"\x89PNG"
    assert entry["name"].endswith(".png")
    found = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert found.shape == PIXELS.shape
    if kind != "gif":  # 256 colours
        assert np.array_equal(found, PIXELS)
    assert body["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]["index"] == 0


@pytest.mark.parametrize("kind", ["png", "jpeg"])
@pytest.mark.parametrize("name", ["t.png", "t.jpg", "t.tga", "t"])
def test_the_content_says_the_type_and_its_bytes_stay(tmp_path, kind, name):
    given = picture(kind, PIXELS)
    mio.convert(obj(tmp_path, name, given), tmp_path / "a.glb")
    _, entry, data = image_in(tmp_path / "a.glb")
    assert entry["mimeType"] == f"image/{kind}" and data == given


def test_webp_goes_by_its_extension_and_becomes_png_for_obj(tmp_path):
    given = picture("webp", PIXELS)
    assert not mio.convert(obj(tmp_path, "t.webp", given), tmp_path / "a.glb")
    body, entry, data = image_in(tmp_path / "a.glb")
    assert entry["mimeType"] == "image/webp" and data == given
    assert body["textures"] == [{"extensions": {"EXT_texture_webp": {"source": 0}}}]
    assert body["extensionsUsed"] == body["extensionsRequired"] == ["EXT_texture_webp"]
    assert not mio.convert(tmp_path / "a.glb", tmp_path / "b.glb")
    assert image_in(tmp_path / "b.glb")[2] == given
    (tmp_path / "out").mkdir()
    mio.convert(tmp_path / "b.glb", tmp_path / "out" / "c.obj")
    assert "map_Kd t.png" in (tmp_path / "out" / "c.mtl").read_text()
    assert type_of((tmp_path / "out" / "t.png").read_bytes()) == "png"


@pytest.mark.parametrize("name", ["EXT_texture_webp", "KHR_texture_basisu", "MSFT_texture_dds"])
def test_the_image_that_every_program_reads_is_taken_where_there_is_one(tmp_path, name):
    scene = Scene()
    scene.mesh(None, {"material": 0})
    scene.image(KTX2 if "basisu" in name else picture("webp"))
    scene.image(picture("png", PIXELS))
    scene.json["textures"] = [{"source": 1, "extensions": {name: {"source": 0}}}]
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
    document = mio.load_document(scene.write(tmp_path, materials=[material], extensionsUsed=[name]))
    assert list(document.images.values()) == [picture("png", PIXELS)]
    assert any(name in remark for remark in document.remarks)
    del scene.json["textures"][0]["source"]
    path = scene.write(tmp_path, materials=[material], extensionsRequired=[name])
    document = mio.load_document(path)
    assert len(document.images) == 1 and not document.left_out


def test_ktx2_alone_stays_between_gltf_files(tmp_path):
    scene = Scene()
    scene.mesh(None, {"material": 0})
    scene.json |= {"images": [{"bufferView": scene.view(KTX2), "mimeType": "image/ktx2"}]}
    scene.json["textures"] = [{"extensions": {"KHR_texture_basisu": {"source": 0}}}]
    material = {"emissiveTexture": {"index": 0}}
    path = scene.write(tmp_path, materials=[material], extensionsRequired=["KHR_texture_basisu"])
    assert not mio.convert(path, tmp_path / "a.glb")
    body, entry, data = image_in(tmp_path / "a.glb")
    assert (entry["mimeType"], data) == ("image/ktx2", KTX2)
    assert body["extensionsRequired"] == ["KHR_texture_basisu"]


def test_what_cannot_be_decoded_is_told_by_name_and_leaves_no_texture(tmp_path):
    path = obj(tmp_path, "t.exr", b"v/1\x01" + bytes(40))
    report = mio.convert(path, tmp_path / "a.glb")
    assert any("t.exr" in loss.what and "EXR" in loss.why for loss in report.items)
    body = json_of((tmp_path / "a.glb").read_bytes())
    assert "images" not in body and "textures" not in body
    with pytest.raises(mio.FileFormatError, match=r"t\.exr"):
        mio.save_document(mio.load_document(path), tmp_path / "b.glb", strict=True)


def test_two_images_that_become_one_name_stay_two(tmp_path):
    path = obj(tmp_path, "t.bmp", picture("bmp", PIXELS))
    (tmp_path / "t.png").write_bytes(picture("png", PIXELS[:2]))
    (tmp_path / "t.tga").write_bytes(picture("tga", PIXELS[:3]))
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd t.bmp\nmap_Ke t.png\nnorm t.tga\n")
    mio.convert(path, tmp_path / "a.glb")
    document = mio.load_document(tmp_path / "a.glb")
    looks = document.materials[0].looks
    textures = dict(looks.textures())
    heights = {
        name: Image.open(io.BytesIO(document.images[textures[name].image])).height
        for name in ("base_texture", "emissive_texture", "normal_texture")
    }
    assert heights == {"base_texture": 4, "emissive_texture": 2, "normal_texture": 3}


def test_names_of_embedded_images_end_as_their_content(tmp_path):
    scene = Scene()
    scene.mesh(None, {"material": 0})
    first = scene.image(picture("jpeg", PIXELS), name="wood.png", mimeType="image/png")
    second = scene.image(picture("png", PIXELS), name="my.wood")
    third = scene.image(picture("png", PIXELS[:2]), name="my.wood")
    material = {
        "pbrMetallicRoughness": {"baseColorTexture": {"index": first}},
        "normalTexture": {"index": second},
        "emissiveTexture": {"index": third},
    }
    document = mio.load_document(scene.write(tmp_path, materials=[material]))
    assert list(document.images) == ["wood.jpg", "my.wood.png", "my.wood_2.png"]


@pytest.mark.parametrize("uri", ["textures/t%20a.png", "textures\\t a.png", "./textures/T%20A.PNG"])
def test_uris_of_images_are_decoded(tmp_path, uri):
    (tmp_path / "textures").mkdir()
    (tmp_path / "textures" / "t a.png").write_bytes(picture())
    scene = Scene()
    scene.mesh(None, {"material": 0})
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
    more = {"images": [{"uri": uri}], "textures": [{"source": 0}], "materials": [material]}
    path = scene.write(tmp_path, **more)
    (tmp_path / "out").mkdir()
    mio.convert(path, tmp_path / "out" / "a.obj")
    assert (tmp_path / "out" / "textures" / "t a.png").read_bytes() == picture()
    assert "map_Kd textures/t a.png" in (tmp_path / "out" / "a.mtl").read_text()


def test_an_image_that_two_textures_name_is_one_and_one_of_no_texture_is_left(tmp_path):
    scene = Scene()
    scene.mesh(None, {"material": 0})
    scene.image(picture())
    scene.json["textures"] += [{"source": 0, "sampler": 0}]
    scene.json |= {"samplers": [{"wrapS": 33071}]}
    material = {"normalTexture": {"index": 0}, "emissiveTexture": {"index": 1}}
    path = scene.write(tmp_path, materials=[material])
    mio.convert(path, tmp_path / "a.glb")
    body = json_of((tmp_path / "a.glb").read_bytes())
    assert len(body["images"]) == 1 and len(body["textures"]) == 2
    material["normalTexture"]["index"] = 7
    path.write_text(json.dumps(scene.json))
    with pytest.raises(mio.FileFormatError, match=r"textures\[7\]"):
        mio.load_document(path)


def test_types_by_content():
    kinds = {"png": "png", "jpeg": "jpg", "bmp": "bmp", "tiff": "tif", "gif": "gif", "webp": "webp"}
    for kind, wanted in kinds.items():
        assert type_of(picture(kind), "x.txt") == wanted
    targa = picture("tga", PIXELS)
    assert type_of(targa) == type_of(targa[:-26]) == type_of(targa, "t.jpg") == "tga"
    assert type_of(b"nothing", "t.png") == type_of(bytes(100)) == ""
    assert as_png(b"BM nothing") is None


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F", "YCbCr"])
def test_images_of_every_mode_become_png(mode):
    shape = {"LA": (2, 3, 2), "RGBA": (2, 3, 4), "CMYK": (2, 3, 4), "YCbCr": (2, 3, 3)}
    kind = {"I;16": np.uint16, "F": np.float32}.get(mode, np.uint8)
    image = Image.fromarray(np.ones(shape.get(mode, (2, 3)), kind) * 7).convert("RGBA")
    if mode in ("I;16", "F"):
        image = Image.fromarray(np.full((2, 3), 700, kind))
    elif mode != "RGBA":
        image = (
            image.convert("L").convert(mode)
            if mode in ("1", "L", "LA")
            else image.convert("RGB").convert(mode)
        )
    out = io.BytesIO()
    image.save(out, "TIFF")
    made = as_png(out.getvalue())
    assert made is not None
    assert Image.open(io.BytesIO(made)).size == (3, 2)
    if mode in ("I;16", "F"):
        assert np.asarray(Image.open(io.BytesIO(made)))[0, 0] == 700


@pytest.mark.parametrize("change", [
    lambda t: t, lambda t: t.rstrip("="), lambda t: t.replace("+", "-").replace("/", "_"),
    lambda t: t.replace("=", "%3D").replace("+", "%2B"),
    lambda t: "\n".join(t[k : k + 9] for k in range(0, len(t), 9)),
])  # fmt: skip
def test_data_uris_in_every_spelling_of_base64(tmp_path, change):
    noise = (np.random.default_rng(k).integers(0, 256, (5, 7, 3)) for k in range(99))
    texts = (base64.b64encode(picture("png", pixels)).decode() for pixels in noise)
    text = next(t for t in texts if "+" in t and "/" in t and t.endswith("="))
    given = base64.b64decode(text)
    scene = Scene()
    scene.mesh(None, {"material": 0})
    images = [{"uri": "data:image/png;base64," + change(text)}]
    more = {"images": images, "textures": [{"source": 0}]}
    path = scene.write(tmp_path, materials=[{"normalTexture": {"index": 0}}], **more)
    assert list(mio.load_document(path).images.values()) == [given]
    images[0]["uri"] = "data:image/png;base64,a"
    document = mio.load_document(scene.write(tmp_path))
    assert [loss.what for loss in document.left_out] == ["the file 'image 0'"]


def with_image(folder, data: bytes, kind: str = "ktx2"):
    scene = Scene()
    scene.mesh(None, {"material": 0}, TEXCOORD_0=scene.add([[0, 0], [1, 0], [0, 1]]))
    texture = {"baseColorTexture": {"index": scene.image(data, mimeType=f"image/{kind}", name="t")}}
    return scene.write(folder, materials=[{"pbrMetallicRoughness": texture}])


def test_images_of_graphics_cards_go_along_with_obj_and_are_told(tmp_path):
    """And come back from there; DDS, which can be decoded, becomes PNG."""
    report = mio.convert(with_image(tmp_path, KTX2), tmp_path / "a.obj")
    assert (tmp_path / "t.ktx2").read_bytes() == KTX2
    assert "t.ktx2" in (tmp_path / "a.mtl").read_text()
    document = mio.load_document(tmp_path / "a.gltf")
    told = mio.find_losses(document, tmp_path / "b.obj")
    assert not any("image" in name for name in (*report.losses, *told.losses))
    mio.convert(tmp_path / "a.obj", tmp_path / "b.glb")
    assert image_in(tmp_path / "b.glb")[2] == KTX2
    mio.convert(with_image(tmp_path, picture("dds", PIXELS), "dds"), tmp_path / "c.obj")
    assert (tmp_path / "t.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("suffix", [".obj", ".usda"])
@pytest.mark.parametrize("name", ["ktx2", "odd"])
def test_images_that_few_programs_read_are_told(tmp_path, capsys, suffix, name):
    """Kept where the format may have any, told as lost where it may not."""
    if suffix == ".usda":
        pytest.importorskip("pxr")
    data = KTX2 if name == "ktx2" else b"no image that is known" * 9
    path = with_image(tmp_path, data, name)
    with pytest.raises(SystemExit):
        main(["convert", str(path), str(tmp_path / f"b{suffix}")])
    said = " ".join(capsys.readouterr().err.split())
    assert "the image" in said and ("KTX2" in said or name != "ktx2")
