"""What a decoder's shape is, how its modules are called, and what its layers share during one step."""

from __future__ import annotations

from dataclasses import dataclass, field

from thrifty.errors import BadValue
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.table import Kind, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Module paths, as the torch twin calls them."""

    root: str
    embed: str
    layers: str
    attention: str
    final_norm: str
    positions: str = ""

    def norms(self, shape: DecoderShape) -> tuple[str, str]:
        """The norms before attention and before the feed-forward part."""
        if shape.fused_qkv:
            return "ln_1", "ln_2"
        return "input_layernorm", "pre_feedforward_layernorm" if shape.post_norms else "post_attention_layernorm"

    def norms_before(self, shape: DecoderShape) -> tuple[str, ...]:
        """Every norm of a layer over the hidden size."""
        return (*self.norms(shape), *(("post_attention_layernorm", "post_feedforward_layernorm") if shape.post_norms else ()))


LLAMA_NAMES = Names(root="model", embed="model.embed_tokens", layers="model.layers", attention="self_attn", final_norm="model.norm")
GPT2_NAMES = Names(
    root="transformer", embed="transformer.wte", layers="transformer.h", attention="attn", final_norm="transformer.ln_f", positions="transformer.wpe"
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderShape:
    """Sizes and sorts of a decoder's parts.

    norm           : "layer" (LayerNorm with bias), "rms", or "rms_offset" (Gemma: times 1 + w)
    activation     : silu, gelu, gelu_tanh or gelu_new (GPT-2's, spelled out); gated: times a second projection (SwiGLU)
    fused_qkv      : one projection for q, k and v, weights stored (in, out), biases everywhere: GPT-2's module
    bare           : of GPT-2's module, without biases and without weights of norms
    qk_norm        : RMSNorm over each head of q and k; post_norms: norms after attention and feed-forward too (Gemma 3)
    window         : of local layers, 0 for none; every `global_every`-th layer is global
    experts, top_k : of a mixture; expert_intermediate, shared_experts (their number), dense_first: leading layers without experts;
                     router: "softmax" (Mixtral) or "grouped" (DeepSeek-V3, in expert_groups of which group_top_k are open)
    q_rank … value_dim : of multi-head latent attention (DeepSeek-V3); kv_rank 0: plain attention
    """

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocab: int
    context: int
    kv_heads: int = 0
    head_dim: int = 0
    norm: str = "rms"
    activation: str = "silu"
    gated: bool = True
    positions: str = "rotary"
    attention_bias: bool = False
    tied: bool = False
    fused_qkv: bool = False
    bare: bool = False
    qk_norm: bool = False
    post_norms: bool = False
    embed_scale: bool = False
    window: int = 0
    global_every: int = 0
    experts: int = 0
    top_k: int = 0
    expert_intermediate: int = 0
    shared_experts: int = 0
    dense_first: int = 0
    router: str = "softmax"
    expert_groups: int = 0
    group_top_k: int = 0
    q_rank: int = 0
    kv_rank: int = 0
    rope_dim: int = 0
    nope_dim: int = 0
    value_dim: int = 0
    names: Names = field(init=False)

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "kv_heads", self.kv_heads or self.heads)
        set_(self, "head_dim", self.head_dim or self.hidden // self.heads)
        set_(self, "expert_intermediate", self.expert_intermediate or self.intermediate)
        set_(self, "names", GPT2_NAMES if self.fused_qkv else LLAMA_NAMES)
        choices = {"norm": ("layer", "rms", "rms_offset"), "positions": ("rotary", "learned"), "router": ("softmax", "grouped"),
                   "activation": ("silu", "gelu", "gelu_tanh", "gelu_new")}  # fmt: skip
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise BadValue(f"{name}='{getattr(self, name)}' is none of {', '.join(allowed)}. Choose one of them.")
        if self.heads % self.kv_heads:
            raise BadValue(f"kv_heads={self.kv_heads} does not divide heads={self.heads}. Choose a divisor of it.")
        if self.experts and not 0 < self.top_k <= self.experts:
            raise BadValue(f"top_k={self.top_k} is not between 1 and experts={self.experts}. Choose a number in between.")
        if self.fused_qkv and (self.norm != "layer" or self.positions != "learned" or self.gated):
            raise BadValue("fused_qkv=true is GPT-2's layer, which has norm='layer', positions='learned' and gated=false. Set those too.")
        if not self.fused_qkv and (self.norm == "layer" or self.positions == "learned" or not self.gated or self.bare):
            raise BadValue("norm='layer', positions='learned' or gated=false is known for GPT-2's layer only. Set fused_qkv=true, or leave them out.")

    def is_local(self, layer: int) -> bool:
        """Whether `layer` sees a window only."""
        return self.window > 0 and not (self.global_every and (layer + 1) % self.global_every == 0)

    def has_experts(self, layer: int) -> bool:
        """Whether the feed-forward part of `layer` is a mixture."""
        return self.experts > 0 and layer >= self.dense_first


@dataclass(slots=True, kw_only=True)
class Context:
    """One step: how many tokens are new and how many are in the cache before it, what all layers read, and what is held until the last."""

    tape: Tape
    shape: DecoderShape
    batch: int
    new: int
    past: int
    cached: bool
    cosine: Tensor | None = None
    sine: Tensor | None = None
    angles: dict[bool, tuple[Tensor, Tensor]] = field(default_factory=dict)
    mask: Tensor | None = None
    held: list[Tensor] = field(default_factory=list)

    def normalise(self, x: Tensor, name: str, rows: int = 0, size: int = 0) -> Tensor:
        """The norm called `name` over the last axis of `x`."""
        shape, t = self.shape, self.tape
        rows, size = rows or self.batch * self.new, size or shape.hidden
        if shape.bare:
            return ops.layer_norm(t, x, None, None, rows, size)
        weight = t.weights[f"{name}.weight"]
        if shape.norm == "layer":
            return ops.layer_norm(t, x, weight, t.weights[f"{name}.bias"], rows, size)
        return ops.rms_norm(t, x, weight, rows, size, offset=shape.norm == "rms_offset")

    def make_angles(self, where: Tensor) -> None:
        """Cosines and sines of the rotary embedding; twice where local and global layers turn at different speeds. And the window's mask."""
        shape = self.shape
        width = shape.rope_dim or shape.head_dim
        if shape.window and (self.past + self.new >= shape.window):
            self._make_mask()
        for local in (False, True) if shape.window else (False,):
            self.angles[local] = self._angles(where, width)

    def _angles(self, where: Tensor, width: int) -> tuple[Tensor, Tensor]:
        t, count = self.tape, self.new * width
        frequencies = t.new(width // 2, format_name="fp32", role=Role.BUFFER, needs=False, name="inv_freq")
        places = ops.move(t, "aten._to_copy", (where,), self.new, format_name="fp32")
        products = ops.move(t, "aten.mul", (places, frequencies), count // 2, format_name="fp32", kind=Kind.ELEMENTWISE, flops=count // 2)
        both = ops.move(t, "aten.cat", (products,), count, format_name="fp32")
        found = []
        for name in ("cos", "sin"):
            turned = ops.move(t, f"aten.{name}", (both,), count, format_name="fp32", kind=Kind.ELEMENTWISE, flops=count)
            found.append(ops.move(t, "aten.mul", (turned,), count, format_name="fp32", kind=Kind.ELEMENTWISE, flops=count))
        return ops.cast(t, found[0], t.format), ops.cast(t, found[1], t.format)

    def _make_mask(self) -> None:
        """Which keys a query of a local layer sees, a truth value for each pair: two comparisons and their conjunctions."""
        keys = self.local_keys()
        self.mask = ops.move(self.tape, "sliding_mask", (), self.new * keys, format_name="bool", kind=Kind.ELEMENTWISE, flops=2 * self.new * keys)

    def local_keys(self) -> int:
        """Keys that a local layer's attention is given: all of a new sequence, but of a cache the window only."""
        return min(self.past, self.shape.window - 1) + self.new if self.past else self.new
