"""Three assessments, each made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.assessment.cases import calibrated, write_module
from tests.cost.tables import little
from tests.workload.building.tiny import write_gguf

from thrifty.assessment import Assessment, assess
from thrifty.report import Page


@pytest.fixture(scope="session")
def priced() -> Assessment:
    """A little transformer, by the data sheets of two devices."""
    return assess(little(seq=128), on=["h100-sxm5", "t4"], site="france")


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Assessment:
    """A language model of two layers, really run: weights and words out of a file, which are noise."""
    path = write_gguf(tmp_path_factory.mktemp("model") / "tiny.gguf", "llama", context_length=256)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("thrifty.assessment.steps.calibrate", lambda **_: calibrated())
        patch.setattr("thrifty.assessment.steps.NEW_TOKENS", 8)
        patch.setattr("thrifty.assessment.steps.SWEPT", {"batch": (1, 2), "seq": (1, 16, 64)})
        return assess(str(path))


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Assessment:
    """A user's own module, really run."""
    folder: Path = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("thrifty.assessment.steps.calibrate", lambda **_: calibrated())
        return assess(write_module(folder, "own_net"))


@pytest.fixture(scope="session")
def priced_page(priced: Assessment) -> Page:
    from thrifty.assessment.page import page_of

    return page_of(priced)


@pytest.fixture(scope="session")
def ran_page(ran: Assessment) -> Page:
    from thrifty.assessment.page import page_of

    return page_of(ran)
