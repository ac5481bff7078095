"""Vision transformers: patches as tokens, one more for the class, norms before attention and feed-forward, a linear classifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.phases import refuse_generation
from thrifty.workload.families.primitives.tape import Parameter, Tape, Tensor
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Kind, OperatorTable


@dataclass(frozen=True, slots=True, kw_only=True)
class VitShape:
    """Sizes of a vision transformer. image: side in pixels that it was made for; its table of positions grows with the image."""

    layers: int
    hidden: int
    heads: int
    intermediate: int
    image: int
    patch: int
    classes: int
    channels: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Vit:
    """A vision transformer with a classifier."""

    shape: VitShape

    phases = ("forward", "training")

    def symbols(self, phase: WorkPhase) -> tuple[Symbol, ...]:
        """batch, and the image's side: its attention is of the fourth degree in it."""
        refuse_generation(phase, "a vision transformer")
        shape = self.shape
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(name="image", default=shape.image, modulus=shape.patch, degree=4, meaning="image side"),
        )  # fmt: skip

    def parameters(self, image: int | None = None) -> Iterator[Parameter]:
        """Name and shape of every parameter, in the order of the twin's, for images of this side."""
        shape, hidden = self.shape, self.shape.hidden
        patches = ((image or shape.image) // shape.patch) ** 2
        yield "vit.embeddings.cls_token", (1, 1, hidden)
        yield "vit.embeddings.position_embeddings", (1, patches + 1, hidden)
        yield "vit.embeddings.patch_embeddings.projection.weight", (hidden, shape.channels, shape.patch, shape.patch)
        yield "vit.embeddings.patch_embeddings.projection.bias", (hidden,)
        for layer in range(shape.layers):
            root = f"vit.layers.{layer}"
            for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
                yield f"{root}.attention.{name}.weight", (hidden, hidden)
                yield f"{root}.attention.{name}.bias", (hidden,)
            for name in ("layernorm_before", "layernorm_after"):
                yield f"{root}.{name}.weight", (hidden,)
                yield f"{root}.{name}.bias", (hidden,)
            for name, outputs, inputs in (("fc1", shape.intermediate, hidden), ("fc2", hidden, shape.intermediate)):
                yield f"{root}.mlp.{name}.weight", (outputs, inputs)
                yield f"{root}.mlp.{name}.bias", (outputs,)
        for name, rows in (("vit.layernorm", 0), ("classifier", shape.classes)):
            yield f"{name}.weight", (rows, hidden) if rows else (hidden,)
            yield f"{name}.bias", (rows or hidden,)

    def table(self, phase: WorkPhase, format_name: str, point: Mapping[str, int]) -> OperatorTable:
        """Every operator of one step at `point`. Raises BadValue for an image smaller than one patch."""
        refuse_generation(phase, "a vision transformer")
        shape, batch, image = self.shape, point["batch"], point["image"]
        if image < shape.patch:
            raise BadValue(f"image={image} is smaller than one patch of {shape.patch}. Choose a side of at least {shape.patch}.")
        t, hidden = Tape(self.parameters(image), format_name, keep=phase == "training"), shape.hidden
        patches = (image // shape.patch) ** 2
        tokens, rows = patches + 1, batch * (patches + 1)
        pixels = t.input(batch * shape.channels * image * image, t.format, "pixel_values")
        x = embedded = self._embed(t, pixels, batch, patches)
        for layer in range(shape.layers):
            x = self._layer(t, f"vit.layers.{layer}", x, batch, tokens)
        t.touch(embedded)
        t.enter("vit.layernorm")
        normed = ops.layer_norm(t, x, t.weights["vit.layernorm.weight"], t.weights["vit.layernorm.bias"], rows, hidden)
        t.enter("", calls=0)
        first = ops.select(t, normed, batch * hidden)
        t.enter("classifier")
        logits = ops.linear(t, first, t.weights["classifier.weight"], batch, shape.classes, hidden, t.weights["classifier.bias"])
        t.touch(normed)
        t.enter("", calls=0)
        if phase == "training":
            ops.cross_entropy(t, logits, batch, shape.classes)
            t.backward()
            t.optimizer_step()
        return t.build()

    def _embed(self, t: Tape, pixels: Tensor, batch: int, patches: int) -> Tensor:
        shape, hidden, root = self.shape, self.shape.hidden, "vit.embeddings"
        projection = f"{root}.patch_embeddings.projection"
        t.enter(projection, calls=5)
        made = ops.convolution(
            t, pixels, t.weights[f"{projection}.weight"], batch * patches, hidden, shape.channels, shape.patch**2, t.weights[f"{projection}.bias"]
        )  # fmt: skip
        t.enter(root, calls=0, views=3)
        token = t.weights[f"{root}.cls_token"]
        joined = t.new(made.count + batch * hidden)
        t.row(Kind.MEMORY, "aten.cat", (token, made), (joined,), (1, joined.count, 0, 0))

        def backward(grad: Tensor) -> None:
            if batch > 1:
                total = t.gradient_like(token)
                part = batch * hidden
                t.row(Kind.ELEMENTWISE, "aten.sum", (grad,), (total,), (1, hidden, 0, 0), flops_vector=part, sizes=(part * t.width,), views=3)
                t.give(token, total)
            else:
                t.give(token, Tensor(grad.storage, hidden, hidden * t.width, grad.format, False))
            t.give(made, Tensor(grad.storage, made.count, made.size, grad.format, False))

        t.later(joined, backward)
        out = ops.add(t, joined, t.weights[f"{root}.position_embeddings"])
        t.touch(pixels)
        return out

    def _layer(self, t: Tape, root: str, x: Tensor, batch: int, tokens: int) -> Tensor:
        shape, hidden, rows = self.shape, self.shape.hidden, batch * tokens
        head_dim = hidden // shape.heads

        def dense(name: str, value: Tensor, outputs: int, inputs: int, views: int = 2) -> Tensor:
            return ops.linear(t, value, t.weights[f"{root}.{name}.weight"], rows, outputs, inputs, t.weights[f"{root}.{name}.bias"], views=views)

        def norm(name: str, value: Tensor) -> Tensor:
            return ops.layer_norm(t, value, t.weights[f"{root}.{name}.weight"], t.weights[f"{root}.{name}.bias"], rows, hidden)

        t.enter(f"{root}.layernorm_before", calls=2)
        normed = norm("layernorm_before", x)
        t.calls += 1
        parts = []
        for name in ("q_proj", "k_proj", "v_proj"):
            t.enter(f"{root}.attention.{name}")
            parts.append(dense(f"attention.{name}", normed, hidden, hidden, 5))
        t.enter(f"{root}.attention", calls=0, views=3)
        q, k, v = parts
        mixed = ops.attention(
            t, q, k, v, batch=batch, seq_q=tokens, seq_k=tokens, heads=shape.heads, kv_heads=shape.heads, head_dim=head_dim, value_dim=head_dim
        )  # fmt: skip
        t.enter(f"{root}.attention.o_proj")
        mixed = dense("attention.o_proj", mixed, hidden, hidden, 6)
        t.touch(x, normed, q, k, v)
        t.enter(root, views=1)
        summed = ops.add(t, mixed, x)
        t.touch(mixed)
        t.enter(f"{root}.layernorm_after")
        normed = norm("layernorm_after", summed)
        t.enter(f"{root}.mlp.fc1", calls=2)
        inner = dense("mlp.fc1", normed, shape.intermediate, hidden)
        t.enter(f"{root}.mlp.activation_fn")
        active = ops.activation(t, inner, "gelu")
        t.enter(f"{root}.mlp.fc2")
        fed = dense("mlp.fc2", active, hidden, shape.intermediate)
        t.touch(normed)
        t.enter(root, views=1)
        out = ops.add(t, fed, summed)
        t.touch(x, fed)
        return out
