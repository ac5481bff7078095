"""Rules of the published model that physics contradicts, told wherever they bear on an answer. Numbers 1-7 are those of the paper's brief."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from thrifty.cost.plans.compat.events import Variant
from thrifty.cost.plans.compat.rates import PublishedRates
from thrifty.cost.plans.compat.rules import Laid
from thrifty.cost.plans.compat.sublayers import Reading
from thrifty.cost.plans.models.layers import LayerClass
from thrifty.cost.plans.tasks import Task

QUIRKS: Final[Mapping[int, str]] = {
    1: "tables spread inside a node and replicated across (mp, ddp) never sum their gradients across",
    2: "prefetched gathers look two computations back, across parts of a model forward but not backward: each part begins with two gathers that wait for none",
    3: "one communication stream, first in first out: a gradient's sum that nobody waits for delays a later one that blocks",
    4: "experts under tp exchange a share of 1 / experts of their activations, whatever the number of active experts",
    5: "post-optimised backward passes gather the uppermost feed-forward network whatever its strategy",
    6: "tables' backward look-up comes last, and the bottom perceptron's gradients queue behind the tables' exchange",
    7: "arithmetic runs at one sustained rate chosen by the bytes of a number: 4 bytes at the TF32 rate",
    8: "exchanges of tables carry twice the looked-up bytes over the ranks, not what leaves the tables after pooling",
    9: "a level across nodes sums at a mix of the rates inside and outside a node, though one device of each node can use the network only",
    10: "collectives have no latency and move whole buffers, not (n - 1) / n of them",
    11: "no attention scores, LM head, norms, optimizer step or kernel launches take time",
    12: "memory is weights only, three times over in training (weights, gradients, states): no activations, caches or buffers",
    13: "under fsdp or ddp all experts of a layer are gathered and summed, not those that tokens visit",
    14: "frozen layers cost as much backward as trained ones: twice the forward pass",
    15: "with trained_layers the first layers of a language model are trained, not the last",
    16: "under tp inside a node and ddp across, each device sums the gradients of all weights of the node across, not of its own share",
}


def quirks_of(
    reading: Reading, laid: Mapping[LayerClass, Laid], rates: PublishedRates, task: Task, variant: Variant
) -> Iterator[str]:  # fmt: skip
    """Those that bear on one answer, as 'NUMBER: one line'."""
    trains, tables = task.trains, laid.get("embedding", Laid(()))
    dense = [one for name, one in laid.items() if name != "embedding"]
    words = {word for one in dense for word, _ in one.levels}
    tensor = any(one.tensor > 1 for one in dense)
    experts = any(one.experts for run in reading.runs for one in run.sublayers)
    several = rates.devices > 1
    bears = {
        1: trains and [word for word, _ in tables.levels] == ["mp", "ddp"],
        2: "fsdp" in words,
        3: several and trains and tensor and bool(words & {"ddp", "fsdp"}),
        4: experts and tensor,
        5: several and trains and variant == "post" and not reading.recommender,
        6: trains and reading.recommender,
        7: True,
        8: tables.degree("mp") > 1,
        9: rates.nodes > 1 and any(len(one.levels) == 2 for one in dense),
        10: several,
        11: True,
        12: True,
        13: experts and bool(words & {"ddp", "fsdp"}),
        14: trains and bool(task.frozen or task.trained_layers >= 0),
        15: task.trained_layers >= 0,
        16: trains and any(len(one.levels) == 2 and one.levels[0][0] in ("tp", "pp") and one.levels[1][0] == "ddp" for one in dense),
    }
    return (f"{number}: {text}" for number, text in QUIRKS.items() if bears[number])
