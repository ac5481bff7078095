"""What is done with a model: trained whole, in part or through small matrices beside it, or run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from thrifty.cost.plans.models.layers import CLASSES, Layers
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
    base_format   : of frozen weights in memory ("" : the model's own); QLoRA keeps them in 4 or 8 bits
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
            if not (self.frozen or self.lora_rank or self.trained_layers >= 0):
                raise BadValue(f"base_format={self.base_format} is of frozen weights, and none are frozen. Give lora_rank, frozen or trained_layers.")
        if self.phase not in get_args(InferencePhase):
            raise BadValue(f"phase='{self.phase}' is none of {', '.join(get_args(InferencePhase))}. Choose one of them.")
        if self.phase == "decode" and self.kind != "inference":
            raise BadValue(f"phase=decode belongs to inference, and the task is {self.kind}. Choose --task inference.")
        if self.context and self.phase != "decode":
            raise BadValue(f"context={self.context} are tokens cached before decoding, and nothing is decoded. Choose --task inference --phase decode.")

    @property
    def trains(self) -> bool:
        return self.kind != "inference"


def check_task(task: Task, layers: Layers) -> None:
    """Raises BadValue where `task` asks of `layers` what they do not have, or trains nothing."""
    roles = tuple(dict.fromkeys(segment.role for segment in layers.segments))
    parts = tuple(dict.fromkeys((*layers.classes, *roles)))
    for part in sorted(task.frozen):
        if part not in parts:
            raise BadValue(f"{part} is to be frozen, and {layers.name} has no such part. It has: {', '.join(parts)}.")
    if task.trained_layers > layers.body_layers:
        raise BadValue(f"trained_layers={task.trained_layers} is above the {layers.body_layers} layers of {layers.name}. Give {layers.body_layers} at most.")
    if task.lora_rank:
        widest = max((min(p.n, p.k) for segment in layers.segments for block in segment.blocks for p in block.products), default=0)
        if task.lora_rank > widest:
            raise BadValue(f"lora_rank={task.lora_rank} is no low rank: the widest product of {layers.name} has rank {widest}. Give less.")
    elif task.frozen or task.trained_layers == 0:
        trained = (
            segment.role not in task.frozen and block.layer_class not in task.frozen and (task.trained_layers != 0 or segment.role in ("embedding", "head"))
            for segment in layers.segments for block in segment.blocks if block.all_weights
        )  # fmt: skip
        if not any(trained):
            raise BadValue(f"every part of {layers.name} is frozen, so nothing is trained. Freeze less, or choose --task inference.")
