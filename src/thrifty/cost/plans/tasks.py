"""What is done with a model: trained whole, in part or through small matrices beside it, or run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from thrifty.cost.plans.models.layers import CLASSES
from thrifty.errors import BadValue, unknown_name
from thrifty.formats import get_format

TaskKind = Literal["pretrain", "finetune", "inference"]
TASKS: Final[tuple[TaskKind, ...]] = get_args(TaskKind)
Optimizer = Literal["adamw", "sgd", "adagrad-rowwise", "adamw-8bit"]
InferencePhase = Literal["prefill", "decode"]

PARTS: Final = (*CLASSES, "bottom", "top", "body", "head")
"""What may be frozen: a class, or a part of the model by its role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """pretrain: every weight; finetune: all but the `frozen` parts, or low-rank matrices only; inference: forward.

    frozen        : parts whose weights stay: classes, or bottom, top, body, head
    trained_layers: of the body, the last so many are trained; -1: all
    lora_rank     : 0: the weights themselves are trained; else matrices of this rank beside every product, everything else frozen
    base_format   : of frozen weights in memory ("" : the model's own); QLoRA keeps them in nf4 or int8
    optimizer     : what each trained weight's states are
    phase         : of inference: prefill (whole prompts) or decode (one token a step, `context` tokens already cached)
    """

    kind: TaskKind = "pretrain"
    frozen: frozenset[str] = frozenset()
    trained_layers: int = -1
    lora_rank: int = 0
    base_format: str = ""
    optimizer: Optimizer = "adamw"
    phase: InferencePhase = "prefill"
    context: int = 0

    def __post_init__(self) -> None:
        if self.kind not in TASKS:
            raise unknown_name("task", self.kind, TASKS, "thrifty parallelize evaluate --help")
        for part in self.frozen:
            if part not in PARTS:
                raise unknown_name("part to freeze", part, PARTS, "thrifty parallelize evaluate --help")
        if self.kind != "finetune" and (self.frozen or self.lora_rank or self.base_format or self.trained_layers >= 0):
            raise BadValue(f"frozen parts and low-rank matrices belong to finetune, and the task is {self.kind}. Choose --task finetune.")
        if self.lora_rank < 0 or self.context < 0 or self.trained_layers < -1:
            raise BadValue(f"lora_rank={self.lora_rank}, context={self.context}, trained_layers={self.trained_layers}: give 0 or more.")
        if self.base_format:
            get_format(self.base_format)

    @property
    def trains(self) -> bool:
        return self.kind != "inference"
