"""COLLADA as modellers write it: effects, sets of coordinates, skins, morphs, odd primitives."""

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.io import load_document
from meshlearn.io.document import FileFormatError, placed_vertices
from meshlearn.io.left_behind import LossKind
from tests.io.samples import png

SQUARE = "0 0 0 1 0 0 1 1 0 0 1 0"


def source(key, numbers, stride=3, more=""):
    count = len(numbers.split())
    return (
        f'<source id="{key}"><float_array id="{key}f" count="{count}">{numbers}</float_array>'
        f'<technique_common><accessor source="#{key}f" count="{count // stride}" '
        f'stride="{stride}"/></technique_common>{more}</source>'
    )


def names(key, words, kind="Name_array"):
    count = len(words.split())
    return (
        f'<source id="{key}"><{kind} id="{key}f" count="{count}">{words}</{kind}>'
        f'<technique_common><accessor source="#{key}f" count="{count}"/></technique_common>'
        "</source>"
    )


TRIANGLES = (
    '<triangles count="2" material="sym"><input semantic="VERTEX" source="#v" offset="0"/>'
    "{more}<p>{p}</p></triangles>"
)


def geometry(primitives=None, points=SQUARE, more="", key="g"):
    primitives = primitives or TRIANGLES.format(more="", p="0 1 2 0 2 3")
    position, corners = f"{key}s", "v" if key == "g" else f"{key}v"
    return (
        f'<geometry id="{key}" name="{key}"><mesh>{source(position, points)}{more}'
        f'<vertices id="{corners}"><input semantic="POSITION" source="#{position}"/></vertices>'
        f"{primitives}</mesh></geometry>"
    )


def collada(body="", nodes="", geometries=None):
    nodes = nodes or f'<node id="n">{instance()}</node>'
    return (
        '<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">'
        '<asset><unit meter="1"/><up_axis>Z_UP</up_axis></asset>'
        f"<library_geometries>{geometries or geometry()}</library_geometries>{body}"
        f'<library_visual_scenes><visual_scene id="S">{nodes}</visual_scene>'
        '</library_visual_scenes><scene><instance_visual_scene url="#S"/></scene></COLLADA>'
    )


def instance(binds="", target="m"):
    return (
        '<instance_geometry url="#g"><bind_material><technique_common>'
        f'<instance_material symbol="sym" target="#{target}">{binds}</instance_material>'
        "</technique_common></bind_material></instance_geometry>"
    )


def effect(shader, params="", more="", key="e"):
    return (
        f'<library_effects><effect id="{key}"><profile_COMMON>{params}'
        f'<technique sid="t">{shader}</technique></profile_COMMON>{more}</effect></library_effects>'
        '<library_materials><material id="m" name="paint"><instance_effect url="#e"/></material>'
        "</library_materials>"
    )


SAMPLER = (
    '<newparam sid="surf"><surface type="2D"><init_from>img</init_from></surface></newparam>'
    '<newparam sid="samp"><sampler2D><source>surf</source><wrap_s>MIRROR</wrap_s>'
    "<wrap_t>CLAMP</wrap_t><magfilter>NEAREST</magfilter></sampler2D></newparam>"
)
IMAGE = (
    '<library_images><image id="img"><init_from>./tex/a%20b.png</init_from></image>'
    "</library_images>"
)


def load(folder, text):
    (folder / "tex").mkdir(exist_ok=True)
    (folder / "tex" / "a b.png").write_bytes(png())
    (folder / "a.dae").write_text(text)
    return load_document(folder / "a.dae")


def looks_of(folder, shader, params="", more=""):
    document = load(folder, collada(effect(shader, params, more) + IMAGE))
    return document.materials[0].looks, document


def color(name, text, more=""):
    return f"<{name} {more}><color>{text}</color></{name}>"


@pytest.mark.parametrize("kind", ["lambert", "phong", "blinn"])
def test_colours_of_every_shader(tmp_path, kind):
    body = color("emission", "0 0 0 1") + color("diffuse", "1 0.5 0.25 1")
    looks, document = looks_of(tmp_path, f"<{kind}>{body}</{kind}>")
    assert looks.said() == {"base_color": (1, 0.5, 0.25)}
    assert document.materials[0].values["base_color"] == [1, 0.5, 0.25, 1]
    assert document.materials[0].name == "paint"
    assert document.parts[0].face_fields["material"].tolist() == [0, 0]


def test_a_constant_surface_is_what_it_emits_unlit(tmp_path):
    looks, _ = looks_of(tmp_path, f"<constant>{color('emission', '1 0.5 0 1')}</constant>")
    assert looks.said() == {"base_color": (1, 0.5, 0), "unlit": True}


def test_emission_and_parameters(tmp_path):
    params = '<newparam sid="glow"><float4>0.5 0.25 0 1</float4></newparam>'
    shader = '<phong><emission><param ref="glow"/></emission></phong>'
    assert looks_of(tmp_path, shader, params)[0].emissive == (0.5, 0.25, 0)


TRANSPARENT = {  # opaque=, color, transparency: opacity
    ("A_ONE", "0 0 0 0.25", "0.5"): 0.125,
    ("A_ZERO", "0 0 0 0.25", "0.5"): 0.875,
    ("RGB_ZERO", "0.25 0.25 0.25 1", "0.5"): 0.875,
    ("RGB_ONE", "0.25 0.25 0.25 1", "0.5"): 0.125,
    ("RGB_ZERO", "1 0 0 1", "1"): 1 - 0.212671,
    ("", "0 0 0 0.25", ""): 0.25,
    ("", "", "0.5"): 0.5,
}


@pytest.mark.parametrize("said", TRANSPARENT)
def test_the_four_ways_to_say_an_opacity(tmp_path, said):
    mode, rgba, amount = said
    body = color("transparent", rgba, f'opaque="{mode}"' if mode else "") if rgba else ""
    body += f"<transparency><float>{amount}</float></transparency>" if amount else ""
    looks, document = looks_of(tmp_path, f"<phong>{color('diffuse', '1 1 1 1')}{body}</phong>")
    assert looks.alpha == pytest.approx(TRANSPARENT[said], abs=1e-6)
    assert looks.alpha_mode == "BLEND" and document.remarks == []
    assert document.materials[0].values["base_color"][3] == looks.alpha


@pytest.mark.parametrize(
    "body",
    [
        "<transparency><float>1</float></transparency>",
        color("transparent", "1 1 1 1", 'opaque="A_ONE"'),
        color("transparent", "0 0 0 1", 'opaque="RGB_ZERO"')
        + "<transparency><float>1</float></transparency>",
    ],
)
def test_opaque_is_no_blending(tmp_path, body):
    looks, document = looks_of(tmp_path, f"<phong>{body}</phong>")
    assert (looks.alpha, looks.alpha_mode, document.remarks) == (None, None, [])


def test_what_would_not_be_seen_at_all_is_opaque_and_said(tmp_path):
    """Then the program counts the other way, also for the materials that are half seen."""
    shader = "<phong><transparency><float>{}</float></transparency></phong>"
    first = effect(shader.format(0))
    second = effect(shader.format(0.25), key="f").replace('"m"', '"n"').replace("#e", "#f")
    document = load(tmp_path, collada(first + second))
    one, other = (m.looks for m in document.materials)
    assert (one.alpha, one.alpha_mode) == (None, None)
    assert (other.alpha, other.alpha_mode) == (0.75, "BLEND")
    assert "1 materials would not be seen" in document.remarks[0]
    alone = load(tmp_path, collada(second.replace("#f", "#e").replace('"f"', '"e"')))
    assert alone.materials[0].looks.alpha == 0.25 and alone.remarks == []


TEXTURED = '<phong><diffuse><texture texture="samp" texcoord="UVMAP"/></diffuse>{}</phong>'


def test_a_texture_through_sampler_surface_and_image(tmp_path):
    looks, document = looks_of(tmp_path, TEXTURED.format(""), SAMPLER)
    texture = looks.base_texture
    assert (texture.image, texture.wrap) == ("tex/a b.png", ("mirror", "clamp"))
    assert texture.nearest and looks.base_color == (1, 1, 1)
    assert document.images == {"tex/a b.png": png()} and document.left_out == []


def test_sources_of_nothing(tmp_path):
    text = collada(geometries=geometry(points="", primitives=TRIANGLES.format(more="", p="")))
    part = load(tmp_path, text.replace('count="0" stride="3"', 'count="0" stride="0"')).parts[0]
    assert len(part.vertices) == 0 and part.num_faces == 0


@pytest.mark.parametrize("label", ["img", "tex/a b.png"])
def test_images_named_without_a_sampler(tmp_path, label):
    looks, _ = looks_of(tmp_path, TEXTURED.format("").replace("samp", label))
    assert looks.base_texture.image == "tex/a b.png"


def test_images_of_version_1_5(tmp_path):
    params = '<newparam sid="samp"><sampler2D><instance_image url="#i"/></sampler2D></newparam>'
    images = (
        '<library_images><image id="i"><init_from><ref>tex/a%20b.png</ref></init_from></image>'
        "</library_images>"
    )
    text = collada(effect(TEXTURED.format(""), params) + images)
    assert load(tmp_path, text).materials[0].looks.base_texture.image == "tex/a b.png"


def test_images_that_are_not_there_are_told(tmp_path):
    looks, document = looks_of(tmp_path, TEXTURED.format("").replace("samp", "none"))
    assert looks.base_texture is None
    assert [(x.kind, x.name) for x in document.left_out] == [(LossKind.NAMED_FILE, "none")]
    missing = load(
        tmp_path, collada(effect(TEXTURED.format(""), SAMPLER) + IMAGE.replace("a%", "c%"))
    )
    assert [x.name for x in missing.left_out] == ["tex/c%20b.png"]


def test_opacity_of_the_texture_s_own_alpha(tmp_path):
    more = '<transparent opaque="A_ONE"><texture texture="samp" texcoord="UVMAP"/></transparent>'
    looks, document = looks_of(tmp_path, TEXTURED.format(more), SAMPLER)
    assert (looks.alpha_texture.channel, looks.alpha_mode) == ("a", "BLEND")
    names = {x.name for x in mio.save_document(document, tmp_path / "a.glb").items}
    assert "alpha texture" not in names  # the same image: glTF has it in the colour's


def test_placing_of_textures_as_maya_writes_it(tmp_path):
    extra = (
        '<extra><technique profile="MAYA"><repeatU>2</repeatU><repeatV>3</repeatV>'
        "<offsetU>0.5</offsetU><offsetV>0</offsetV></technique></extra></texture>"
    )
    shader = TEXTURED.format("").replace('"UVMAP"/>', f'"UVMAP">{extra}')
    looks, _ = looks_of(tmp_path, shader, SAMPLER)
    assert (looks.base_texture.scale, looks.base_texture.offset) == ((2, 3), (0.5, 0))


def test_bumps_and_two_sides_of_programs(tmp_path):
    extra = (
        '<extra><technique profile="FCOLLADA"><bump bumptype="{}"><texture texture="samp" '
        'texcoord="UVMAP"/></bump></technique></extra><extra><technique profile="GOOGLEEARTH">'
        "<double_sided>1</double_sided></technique></extra>"
    )
    shader = TEXTURED.format("")
    for kind, name in (("NORMALMAP", "normal_texture"), ("HEIGHTFIELD", "bump_texture")):
        looks, _ = looks_of(tmp_path, shader, SAMPLER, extra.format(kind))
        assert getattr(looks, name).image == "tex/a b.png" and looks.double_sided


def test_what_looks_have_no_word_for_is_told(tmp_path):
    body = color("specular", "1 1 1 1") + color("ambient", "1 1 1 1")
    body += "<shininess><float>9</float></shininess>"
    _, document = looks_of(tmp_path, f"<phong>{body}</phong>")
    report = mio.save_document(document, tmp_path / "a.glb")
    found = {x.name: x.count for x in report.items if x.kind is LossKind.MATERIAL_PROPERTY}
    assert found == {"specular": 1}
    black = f"<phong>{color('specular', '0 0 0 1')}</phong>"
    assert looks_of(tmp_path, black)[0].beyond == ()


def test_effects_without_the_common_profile_are_told(tmp_path):
    text = collada(
        '<library_effects><effect id="e"><profile_CG/></effect></library_effects>'
        '<library_materials><material id="m"><instance_effect url="#e"/></material>'
        "</library_materials>"
    )
    assert load(tmp_path, text).materials[0].looks.beyond == ("effect of profile_CG",)


UVS = source("t0", "0 0 1 0 1 1 0 1", 2) + source("t1", "0 0 3 0 3 3 0 3", 2)
TWO_SETS = (
    '<input semantic="TEXCOORD" source="#t0" offset="1" set="{0}"/>'
    '<input semantic="TEXCOORD" source="#t1" offset="2" set="{1}"/>'
)
CORNERS = "0 0 0 1 1 1 2 2 2 0 0 0 2 2 2 3 3 3"


def two_sets(numbers=(0, 1)):
    primitives = TRIANGLES.format(more=TWO_SETS.format(*numbers), p=CORNERS)
    return geometry(primitives, more=UVS)


BIND = '<bind_vertex_input semantic="UVMAP" input_semantic="TEXCOORD" input_set="{}"/>'


@pytest.mark.parametrize("numbers", [(0, 1), (1, 2), (3, 0)])
@pytest.mark.parametrize("chosen", [0, 1])
def test_the_set_that_a_texture_s_word_is_bound_to(tmp_path, numbers, chosen):
    nodes = f'<node id="n">{instance(BIND.format(numbers[chosen]))}</node>'
    body = effect(TEXTURED.format(""), SAMPLER) + IMAGE
    document = load(tmp_path, collada(body, nodes, two_sets(numbers)))
    part = document.parts[0]
    assert set(part.corner_fields) == {"uv", "uv1"}
    assert part.corner_fields["uv"].values[1].tolist() == [1, 0]
    assert part.corner_fields["uv1"].values[1].tolist() == [3, 0]
    assert document.materials[0].looks.base_texture.uv == chosen


def test_one_material_bound_to_two_sets_is_two(tmp_path):
    nodes = "".join(f'<node id="n{k}">{instance(BIND.format(k))}</node>' for k in (0, 1, 0))
    body = effect(TEXTURED.format(""), SAMPLER) + IMAGE
    document = load(tmp_path, collada(body, nodes.replace('"n0"', '"n2"', 1), two_sets()))
    labels = [p.face_fields["material"][0] for p in document.parts]
    assert labels == [0, 1, 0]
    assert [m.looks.base_texture.uv for m in document.materials] == [0, 1]


def test_third_coordinates_that_are_nought_are_left_out(tmp_path):
    uvs = source("t0", "0 0 0 1 0 0 1 1 0 0 1 0", 3)
    more = '<input semantic="TEXCOORD" source="#t0" offset="0"/>'
    text = geometry(TRIANGLES.format(more=more, p="0 1 2 0 2 3"), more=uvs)
    document = load(tmp_path, collada(geometries=text))
    assert document.parts[0].corner_fields["uv"].values.shape == (4, 2)


def test_a_symbol_without_a_binding_is_the_material_of_that_id(tmp_path):
    body = effect(f"<phong>{color('diffuse', '1 0 0 1')}</phong>")
    text = collada(body, '<node><instance_geometry url="#g"/></node>').replace('"sym"', '"m"')
    assert load(tmp_path, text).parts[0].face_fields["material"].tolist() == [0, 0]


def test_geometry_in_other_files_is_told(tmp_path):
    nodes = '<node><instance_geometry url="other.dae#g"/><instance_geometry url="#g"/></node>'
    document = load(tmp_path, collada(nodes=nodes))
    assert len(document.parts) == 1
    assert [(x.kind, x.name) for x in document.left_out] == [(LossKind.NAMED_FILE, "other.dae#g")]


def test_surfaces_that_are_no_mesh_are_told(tmp_path):
    more = '<geometry id="h"><spline/></geometry>'
    nodes = '<node><instance_geometry url="#h"/><instance_geometry url="#g"/></node>'
    document = load(tmp_path, collada(nodes=nodes, geometries=geometry() + more))
    assert [x.what for x in document.left_out] == ["<spline> of geometries"]


HOLE = "0 0 0 4 0 0 4 4 0 0 4 0 1 1 0 1 3 0 3 3 0 3 1 0"


def polygons(body):
    return (
        '<polygons count="1" material="sym"><input semantic="VERTEX" source="#v" offset="0"/>'
        f"{body}</polygons>"
    )


def area_of(document):
    total = 0.0
    for part in document.parts:
        p = part.vertices[part.polygon_index.reshape(-1, 3)]
        total += np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1).sum() / 2
    return total


@pytest.mark.parametrize("inner", ["4 5 6 7", "7 6 5 4"])
def test_holes_of_polygons_are_holes(tmp_path, inner):
    body = polygons(f"<ph><p>0 1 2 3</p><h>{inner}</h></ph>")
    document = load(tmp_path, collada(geometries=geometry(body, HOLE)))
    assert area_of(document) == pytest.approx(16 - 4)
    p = document.parts[0].vertices[document.parts[0].polygon_index.reshape(-1, 3)]
    assert (np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])[:, 2] > 0).all()


def test_two_holes_and_a_polygon_without(tmp_path):
    points = HOLE.replace("3 3 0 3 1 0", "1.5 3 0 1.5 1 0") + " 2 1 0 3 1 0 3 2 0 9 9 9"
    body = polygons(
        "<p>0 1 2</p><ph><p>0 1 2 3</p><h>4 5 6 7</h><h>8 9 10</h></ph><ph><p>0 2 3</p></ph>"
    )
    document = load(tmp_path, collada(geometries=geometry(body, points)))
    assert area_of(document) == pytest.approx(8 + 16 - 1 - 0.5 + 8)


STRIPS = {
    "trifans": ("0 1 2 3", [[0, 1, 2], [0, 2, 3]]),
    "tristrips": ("0 1 3 2", [[0, 1, 3], [3, 1, 2]]),
}


@pytest.mark.parametrize("tag", STRIPS)
def test_strips_and_fans_of_one_orientation(tmp_path, tag):
    text, wanted = STRIPS[tag]
    body = f'<{tag} count="2"><input semantic="VERTEX" source="#v" offset="0"/><p>{text}</p>'
    body += f"<p>{text}</p></{tag}>"
    part = load(tmp_path, collada(geometries=geometry(body))).parts[0]
    found = part.polygon_index.reshape(-1, 3).tolist()
    rolled = [min(f[k:] + f[:k] for k in range(3)) for f in found]
    assert rolled == [min(f[k:] + f[:k] for k in range(3)) for f in wanted * 2]


def test_lines_of_both_kinds(tmp_path):
    body = (
        '<lines count="2"><input semantic="VERTEX" source="#v" offset="0"/><p>0 1 2 3</p></lines>'
    )
    body += '<linestrips count="1"><input semantic="VERTEX" source="#v" offset="0"/>'
    body += "<p>0 1 2</p></linestrips>"
    parts = load(tmp_path, collada(geometries=geometry(body))).parts
    assert [[line.tolist() for line in p.lines] for p in parts] == [[[0, 1], [2, 3]], [[0, 1, 2]]]


PLACES = {
    "<lookat>1 2 3 1 2 0 0 1 0</lookat>": [1, 2, 3, 2, 2, 3],
    "<skew>45 0 1 0 1 0 0</skew>": [0, 0, 0, 1, 0, 0],
    "<translate>1 0 0</translate><rotate>0 0 1 90</rotate>": [1, 0, 0, 1, 1, 0],
}


@pytest.mark.parametrize("step", PLACES)
def test_places_of_nodes(tmp_path, step):
    document = load(tmp_path, collada(nodes=f'<node>{step}<instance_geometry url="#g"/></node>'))
    found = placed_vertices(document.parts[0], document.parts[0].vertices)[0]
    assert np.allclose(found[:2].reshape(-1), PLACES[step], atol=1e-9)
    if "skew" in step:
        assert np.allclose(found[3], [1, 1, 0])


# skins: two joints, one at the left edge that stays and one at the right edge that moves up


def skin(joints="a b", kind="Name_array", shape="", bind=None, weights="1 0.5", v=None, of="g"):
    bind = bind or "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1 " + "1 0 0 -1 0 1 0 0 0 0 1 0 0 0 0 1"
    v = v or "0 0 1 0 1 0 0 0"  # corners 1 and 2 with the second joint
    return (
        f'<library_controllers><controller id="c"><skin source="#{of}">{shape}'
        f"{names('j', joints, kind)}{source('b', bind, 16)}{source('w', weights, 1)}"
        '<joints><input semantic="JOINT" source="#j"/>'
        '<input semantic="INV_BIND_MATRIX" source="#b"/></joints><vertex_weights count="4">'
        '<input semantic="JOINT" source="#j" offset="0"/>'
        '<input semantic="WEIGHT" source="#w" offset="1"/><vcount>1 1 1 1</vcount>'
        f"<v>{v}</v></vertex_weights></skin></controller></library_controllers>"
    )


JOINTS = (
    '<node id="root"><translate>0 0 5</translate><node id="na" sid="a" type="JOINT">'
    '<node id="nb" sid="b" type="JOINT"><translate>1 0 2</translate></node></node></node>'
)
CONTROLLED = (
    '<node id="n"><scale>100 100 100</scale><instance_controller url="#c">'
    "<skeleton>#root</skeleton></instance_controller></node>"
)


def posed(folder, controllers=None, nodes=JOINTS + CONTROLLED, geometries=None):
    document = load(folder, collada(controllers or skin(), nodes, geometries))
    part = document.parts[0]
    return placed_vertices(part, part.vertices)[0].tolist(), document


def test_vertices_go_with_their_joints_and_not_with_the_node(tmp_path):
    found, document = posed(tmp_path)
    assert found == [[0, 0, 5], [1, 0, 7], [1, 1, 7], [0, 1, 5]]
    assert document.left_out == [] and document.metadata["skins"] == 1


@pytest.mark.parametrize("tag", ["animation", "camera", "light"])
def test_what_stands_beside_the_geometry_is_told(tmp_path, tag):
    body = f'<library_{tag}s><{tag} id="x"><optics/></{tag}></library_{tag}s>'
    document = load(tmp_path, collada(body, '<node><instance_geometry url="#g"/></node>'))
    report = mio.save_document(document, tmp_path / "b.glb")
    told = [(x.name, x.count) for x in report.items if x.kind is LossKind.METADATA]
    assert told == [(f"{tag}s", 1)]


def test_a_skeleton_behind_its_mesh_and_named_by_ids(tmp_path):
    found, _ = posed(tmp_path, skin("na nb", "IDREF_array"), CONTROLLED + JOINTS)
    assert found == [[0, 0, 5], [1, 0, 7], [1, 1, 7], [0, 1, 5]]


def test_the_bind_shape_comes_first(tmp_path):
    shape = "<bind_shape_matrix>0.5 0 0 0 0 0.5 0 0 0 0 0.5 0 0 0 0 1</bind_shape_matrix>"
    found, _ = posed(tmp_path, skin(shape=shape))
    assert found == [[0, 0, 5], [0.5, 0, 7], [0.5, 0.5, 7], [0, 0.5, 5]]


def test_weights_are_shared_and_have_any_sum(tmp_path):
    controllers = skin(v="0 0 0 0 1 0 1 1 0 0", weights="1 1").replace(
        "<vcount>1 1 1 1", "<vcount>1 2 1 1"
    )
    found, _ = posed(tmp_path, controllers)
    assert found[1] == [1, 0, 6]


def test_a_vertex_of_no_joint_stays(tmp_path):
    found, _ = posed(tmp_path, skin(v="-1 0 1 0 1 0 0 0"))
    assert found[0] == [0, 0, 0]


def test_two_skeletons_for_one_skin(tmp_path):
    other = JOINTS.replace('"root"', '"root2"').replace('"na"', '"ma"').replace('"nb"', '"mb"')
    other = other.replace("0 0 5", "0 0 50")
    nodes = JOINTS + other + CONTROLLED + CONTROLLED.replace("#root", "#root2")
    _, document = posed(tmp_path, nodes=nodes)
    assert [p.vertices[0].tolist() for p in document.parts] == [[0, 0, 5], [0, 0, 50]]


def test_joints_that_are_not_there_leave_the_mesh_in_its_node(tmp_path):
    found, document = posed(tmp_path, nodes=CONTROLLED.replace("<skeleton>#root</skeleton>", ""))
    assert found[2] == [100, 100, 0]
    assert [(x.what, x.count) for x in document.left_out] == [("joints that are not there", 2)]


def test_normals_turn_with_the_joints(tmp_path):
    nodes = JOINTS.replace(
        '<node id="na" sid="a" type="JOINT">',
        '<node id="na" sid="a" type="JOINT"><rotate>1 0 0 90</rotate>',
    )
    more = source("nn", "0 0 1")
    entry = TRIANGLES.format(
        more='<input semantic="NORMAL" source="#nn" offset="1"/>', p="0 0 1 0 2 0 0 0 2 0 3 0"
    )
    _, document = posed(tmp_path, nodes=nodes + CONTROLLED, geometries=geometry(entry, more=more))
    field = document.parts[0].corner_fields["normal"]
    assert np.allclose(field.values[field.index], [0, -1, 0], atol=1e-12)


SKINS_THAT_CANNOT_BE = {
    "joint": dict(v="0 0 7 0 1 0 0 0"),
    "weight": dict(v="0 0 1 0 1 9 0 0"),
    "indices": dict(v="0 0 1 0"),
    "matrices": dict(bind="1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1"),
}


@pytest.mark.parametrize("word", SKINS_THAT_CANNOT_BE)
def test_skins_that_cannot_be(tmp_path, word):
    with pytest.raises(FileFormatError, match=word):
        posed(tmp_path, skin(**SKINS_THAT_CANNOT_BE[word]))


def morph(method, weights="0.5 0", targets="g1 g2"):
    method = f'method="{method}"' if method else ""
    return (
        f'<library_controllers><controller id="c"><morph source="#g" {method}>'
        f"{names('mt', targets, 'IDREF_array')}{source('mw', weights, 1)}<targets>"
        '<input semantic="MORPH_TARGET" source="#mt"/>'
        '<input semantic="MORPH_WEIGHT" source="#mw"/></targets></morph></controller>'
        "</library_controllers>"
    )


UP = "0 0 4 1 0 4 1 1 4 0 1 4"
SHAPES = geometry() + geometry(points=UP, key="g1") + geometry(points=SQUARE, key="g2")
NODE = '<node><instance_controller url="#c"/></node>'


@pytest.mark.parametrize("method, z, x", [("", 2, 1), ("NORMALIZED", 2, 1), ("RELATIVE", 2, 1.5)])
def test_morphs_by_their_default_weights(tmp_path, method, z, x):
    found, _ = posed(tmp_path, morph(method), NODE, SHAPES)
    assert found[1] == [x, 0, z]


def test_morphs_without_weight_change_nothing(tmp_path):
    found, document = posed(tmp_path, morph("", "0 0"), NODE, SHAPES)
    assert found[1] == [1, 0, 0] and document.left_out == []
    assert document.metadata["morph targets"] == 1


def test_a_skin_of_a_morph(tmp_path):
    inner = morph("").replace('id="c"', 'id="d"').replace("</library_controllers>", "")
    both = inner + skin(of="d").replace("<library_controllers>", "")
    found, _ = posed(tmp_path, both, geometries=SHAPES)
    assert found == [[0, 0, 7], [1, 0, 9], [1, 1, 9], [0, 1, 7]]


def test_controllers_of_each_other(tmp_path):
    with pytest.raises(FileFormatError, match="control each other"):
        posed(tmp_path, skin(of="c"))


def told(folder, **given):
    return {loss.name: loss.count for loss in load(folder, collada(**given)).left_out}


def test_corners_that_make_no_whole_triangle_are_told(tmp_path):
    body = TRIANGLES.format(more="", p="0 1 2 0 2")
    assert told(tmp_path, geometries=geometry(body)) == {"corners behind the last whole one": 2}
    body = body.replace("triangles", "lines")
    assert told(tmp_path, geometries=geometry(body)) == {"corners behind the last whole one": 1}
    assert not told(tmp_path)


def test_inputs_that_are_not_read_are_told(tmp_path):
    position = '<input semantic="POSITION" source="#gs"/>'
    short = source("short", "0 0 1 0 0 1")
    more = '<input semantic="NORMAL" source="#short"/><input semantic="MOOD" source="#short"/>'
    text = geometry(more=short).replace(position, position + more)
    assert told(tmp_path, geometries=text) == {"vertex field 'normal'": 2, "inputs 'MOOD'": 1}
    twice = '<input semantic="COLOR" source="#four"/>' * 2
    text = geometry(more=source("four", SQUARE)).replace(position, position + twice)
    assert told(tmp_path, geometries=text) == {"vertex field 'color'": 1}
    odd = '<input semantic="MOOD" source="#short" offset="1"/>'
    body = TRIANGLES.format(more=odd, p="0 0 1 0 2 0")
    assert told(tmp_path, geometries=geometry(body, more=short)) == {"inputs 'MOOD'": 1}
    body = body.replace("triangles", "linestrips").replace("MOOD", "NORMAL")
    name = "corner field 'normal' of lines"
    assert told(tmp_path, geometries=geometry(body, more=short)) == {name: 1}


@pytest.mark.parametrize(
    ("metres", "unit"), [("0.9144", "yd"), ("1e-6", "um"), ("0.01", "cm"), ("0.3", "0.3 m")]
)
def test_units_have_the_names_that_options_have(tmp_path, metres, unit):
    text = collada().replace('meter="1"', f'meter="{metres}"')
    assert load(tmp_path, text).unit == unit


def test_geometries_outside_the_scene_are_told(tmp_path):
    both = geometry() + geometry(key="h") + geometry(key="k")
    document = load(tmp_path, collada(nodes=f"<node>{instance()}</node>", geometries=both))
    assert len(document.parts) == 1
    assert [(x.name, x.count) for x in document.left_out] == [("meshes outside the scene", 2)]
