"""joblib's engine where a worker dies while chunks are still handed out."""

from concurrent.futures.process import BrokenProcessPool
from typing import Any

import joblib
import pytest

from thrifty.campaign.engines.chunks import Source
from thrifty.campaign.engines.local import JoblibEngine
from thrifty.campaign.tasks import Task


def test_formula_a_pool_that_breaks_while_chunks_are_handed_out_names_those_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    class Breaking:
        def __init__(self, **_: Any) -> None: ...

        def __call__(self, calls: Any) -> Any:
            next(iter(calls))  # one chunk is taken, then the pool is found broken
            raise BrokenProcessPool("a worker died")

    monkeypatch.setattr(joblib, "Parallel", Breaking)
    source = Source([Task(key=str(x), configuration=f'{{"x":{x}}}', seed=x) for x in range(4)], workers=2, size=2)
    answers = list(JoblibEngine("tests.campaign.toys:square", backend="loky", workers=2).deliver(source))
    assert [answer.outcomes for answer in answers] == [None]
    assert [answer.number for answer in answers] == list(source.flying)
