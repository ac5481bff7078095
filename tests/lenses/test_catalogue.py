"""The list of lenses: ours, and those of installed packages."""

from __future__ import annotations

import pytest

from thrifty.cost import Case, Job
from thrifty.errors import BadValue
from thrifty.hardware import load as load_device
from thrifty.hardware import load_site
from thrifty.lenses import LENSES, Finding, all_lenses
from thrifty.lenses import catalogue as catalogue_module
from thrifty.workload import load


def case(name: str) -> Case:
    return Case(job=Job.of(load(name)), device=load_device("a100-80gb"), site=load_site("world"))


@pytest.mark.parametrize("name", ["smollm2-135m", "vit-b", "resnet-50", "sd-1.5@tiny"])
def test_every_lens_keeps_its_promise(name: str) -> None:
    for lens in LENSES:
        if (lens.name, name) == ("numerics", "resnet-50"):
            with pytest.raises(BadValue, match=r"'resnet-50' has no attention, .* thrifty numerics audit"):
                lens.look(case(name))
            continue
        found = lens.look(case(name))
        assert isinstance(found, Finding) and lens.name and lens.question.endswith("?")
        assert found.to_dict() and found.sections()
        assert found.brief()


def test_packages_add_lenses(monkeypatch: pytest.MonkeyPatch) -> None:
    class Theirs:
        name, question = "theirs", "What else?"

        def look(self, case: Case) -> Finding:
            return LENSES[0].look(case)

    monkeypatch.setattr(catalogue_module, "load_plugins", lambda group: {"theirs": Theirs, "ready": Theirs()})
    assert [lens.name for lens in all_lenses()] == ["operators", "numerics", "carbon", "theirs", "theirs"]
