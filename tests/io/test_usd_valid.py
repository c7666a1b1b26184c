"""What is written as USD passes the library's own validators."""

import pytest

from meshlearn import io as mio
from tests.io.samples import documents
from tests.io.test_usd_looks import full

Usd = pytest.importorskip("pxr.Usd", reason="usd-core is not installed")
# what an axis or a unit that the source does not state is for the validators
UNSAID = {"MissingUpAxisMetadata", "MissingMetersPerUnitMetadata"}


@pytest.mark.parametrize("suffix", [".usda", ".usdc", ".usdz"])
def test_the_validators_of_the_library_find_nothing(tmp_path, suffix):
    library = pytest.importorskip("pxr.UsdValidation", reason="usd-core has no validators yet")
    every = library.ValidationRegistry().GetOrLoadAllValidators()
    assert len(every) > 10
    context = library.ValidationContext(every)
    textured = full()
    textured.materials[0].looks.normal_texture.strength = 1.0  # what they take for the only one
    for name, document in {**documents(), "full": textured}.items():
        path = tmp_path / f"{name}{suffix}".replace(" ", "_")
        mio.save_document(document, path)
        stage = Usd.Stage.Open(str(path))
        found = {e.GetName(): e.GetMessage() for e in context.Validate(stage)}
        assert {k: v for k, v in found.items() if k not in UNSAID} == {}, name
        document.up, document.unit = "z", "mm"
        mio.save_document(document, path)
        stage.Reload()
        assert not any(e.GetName() in UNSAID for e in context.Validate(stage)), name
