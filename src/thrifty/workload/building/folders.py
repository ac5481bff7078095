"""Reads a Hugging Face model folder: its config.json says what the model is, no weights are needed, and no code of the folder is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from thrifty.errors import BadFile, ThriftyError, missing_extra
from thrifty.formats import format_of_torch
from thrifty.workload.building.blueprint import Blueprint
from thrifty.workload.building.modules import build_module, config_of, dtype_of, quiet, torch_class_of
from thrifty.workload.building.wording import first_line, one_line
from thrifty.workload.entry import ModelKind

if TYPE_CHECKING:
    import torch

PICKLES: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
"""Endings of checkpoints that are pickles: programs, run when they are read."""

_SIZES: Final = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_sizes", "depths")
"""Sizes that a configuration must state itself where its class knows them: a class's defaults are some other model."""


def refuse_pickle(path: str | Path) -> None:
    """Raise BadFile for a pickle checkpoint."""
    if Path(path).suffix.lower() in PICKLES:
        raise BadFile(f"'{path}' is a pickle checkpoint, which can run code when it is read. Convert it to safetensors.")


def folder_blueprint(path: str | Path) -> Blueprint:
    """The torch module that a folder's config.json (or a path to a config.json itself) describes.

    Raises BadFile for a folder without one, for what is no JSON or lacks fields, and for an architecture that the installed transformers
    does not have.
    """
    given = Path(path)
    file = given if given.suffix == ".json" else given / "config.json"
    if not file.is_file():
        raise _no_config(given)
    data = read_config(file)
    torch_class, kind = _class_of(data, file)
    folder = file.parent
    weights, file_bytes, notes = _weights_in(folder)
    stated = data.get("dtype") or data.get("torch_dtype")
    if "quantization_config" in data:
        notes += ("its quantization_config is left out: weights are counted in the format asked for",)
    config = {key: value for key, value in data.items() if key not in ("quantization_config", "auto_map")}
    blueprint = Blueprint(
        name=folder.resolve().name, kind=kind, torch_class=torch_class, config=config,
        format=format_of_torch(stated).name if isinstance(stated, str) else "fp32", weights=weights, file_bytes=file_bytes, notes=notes,
    )  # fmt: skip
    return _checked(blueprint, data, file)


def read_config(file: Path) -> dict[str, Any]:
    """The object in a JSON file."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise BadFile(f"'{file}' is not JSON: it is not UTF-8 text. Give the config.json of a Hugging Face model.") from error
    except json.JSONDecodeError as error:
        raise BadFile(f"'{file}' is not JSON: {error.msg.lower()} at line {error.lineno}, column {error.colno}. Mend it there.") from error
    if not isinstance(data, dict):
        raise BadFile(f"'{file}' holds a JSON {type(data).__name__} where an object is needed. Give the config.json of a Hugging Face model.")
    return data


def _no_config(given: Path) -> BadFile:
    if not given.exists():
        return BadFile(f"there is no file or folder '{given}'. Give the folder of a Hugging Face model, a .gguf file or package.module:callable.")
    found = sorted(given.glob("*.gguf")) if given.is_dir() else []
    fix = f"Name the file itself: '{found[0]}'." if found else "Give the folder of a Hugging Face model, a .gguf file or package.module:callable."
    if not given.is_dir():
        return BadFile(f"'{given}' is neither a model folder nor a .gguf file. Name the folder that holds its config.json.")
    return BadFile(f"'{given}' has no config.json. {fix}")


def _class_of(data: Mapping[str, Any], file: Path) -> tuple[str, ModelKind]:
    """The class that `architectures` names, else the one that transformers gives to `model_type`; and what kind of model it is."""
    try:
        import transformers
        from transformers.models.auto import modeling_auto as auto
    except ModuleNotFoundError as error:
        raise missing_extra(f"Building '{file}'", "transformers", "models") from error
    architectures, model_type = data.get("architectures"), data.get("model_type")
    if architectures is None and model_type is None:
        raise BadFile(f"'{file}' lacks model_type and architectures. Add one of them, e.g. \"model_type\": \"llama\".")
    if architectures is not None:
        name = architectures[0] if isinstance(architectures, list) and architectures else architectures
        if not isinstance(name, str):
            raise BadFile(f"'{file}' states architectures={architectures}, where a list with a class name is needed, e.g. [\"LlamaForCausalLM\"].")
    else:
        maps = (auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES, auto.MODEL_MAPPING_NAMES)
        name = next((each[model_type] for each in maps if model_type in each), None)
    with quiet():
        cls = getattr(transformers, name, None) if isinstance(name, str) else None
    if not isinstance(cls, type) or getattr(cls, "config_class", None) is None:
        raise BadFile(
            f"architecture '{name or model_type}' of '{file}' is not in transformers {transformers.__version__}. "
            "Install a transformers that has it, or give package.module:callable."
        )
    taken = getattr(cls, "main_input_name", "input_ids")
    if taken not in ("input_ids", "pixel_values"):
        raise BadFile(f"'{name}' of '{file}' is fed {taken}, and only tokens and pixels can be made up. Give package.module:callable with inputs.")
    generates = hasattr(cls, "prepare_inputs_for_generation") and not data.get("is_encoder_decoder") and name not in ("T5ForConditionalGeneration",)
    causal = generates and (name.endswith(("ForCausalLM", "LMHeadModel")) or isinstance(data.get("text_config"), dict))
    return f"transformers.{name}", "lm" if causal else "vision" if taken == "pixel_values" else "encoder"


def _checked(blueprint: Blueprint, data: Mapping[str, Any], file: Path) -> Blueprint:
    """`blueprint` with its context, its configuration checked: sizes stated, whole and positive, and accepted by its class."""
    from dataclasses import replace

    cls: Any = torch_class_of(blueprint)
    with quiet():
        default = cls.config_class()
    known, other = vars(default), getattr(cls.config_class, "attribute_map", {})
    for name in _SIZES:
        stored = other.get(name, name)
        if known.get(stored) is None:
            continue
        if stored not in data and name not in data:
            raise BadFile(f"'{file}' lacks {stored}, which {blueprint.torch_class.rpartition('.')[2]} needs. Add it.")
        _check_size(stored, data.get(stored, data.get(name)), file)
    try:
        config = config_of(blueprint)
    except ThriftyError:
        raise
    except Exception as error:  # transformers raises many types, some of them its own
        reason = one_line(error)
        raise BadFile(f"'{file}' is refused by {cls.config_class.__name__}: {reason}. Mend it.") from error
    context = getattr(config.get_text_config(), "max_position_embeddings", None)
    return replace(blueprint, context=context if isinstance(context, int) and blueprint.kind != "vision" else None)


def _check_size(name: str, value: Any, file: Path) -> None:
    for each in value if isinstance(value, list) and value else [value]:
        if isinstance(each, bool) or not isinstance(each, int) or each < 1:
            raise BadFile(f"'{file}' states {name}={value}, where whole numbers from 1 up are needed. Mend it.")


def _weights_in(folder: Path) -> tuple[Path | None, int | None, tuple[str, ...]]:
    files = sorted(folder.glob("*.safetensors"))
    if files:
        return folder, sum(file.stat().st_size for file in files), ()
    pickled = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in (".bin", ".pt", ".pth", ".ckpt"))
    if pickled:
        return None, None, (f"{pickled[0]} is not read: a pickle checkpoint can run code when it is read; weights are random",)
    return None, None, ()


def load_folder(blueprint: Blueprint, *, format: str = "fp32", device: str = "cpu") -> torch.nn.Module:
    """Build the module of a folder with the safetensors weights that lie in it. Raises BadFile where they are not whole."""
    cls: Any = torch_class_of(blueprint)
    assert blueprint.weights is not None
    build_module(blueprint, format=format)  # on meta: whatever is wrong with the shapes is said before bytes are read
    try:
        with quiet():
            module, report = cls.from_pretrained(
                blueprint.weights, config=config_of(blueprint), dtype=dtype_of(format), attn_implementation="sdpa" if cls._supports_sdpa else None,
                use_safetensors=True, local_files_only=True, output_loading_info=True,
            )  # fmt: skip
    except Exception as error:
        reason = one_line(error)
        raise BadFile(f"weights in '{blueprint.weights}' cannot be read: {reason}. Download them again.") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise BadFile(f"weights in '{blueprint.weights}' lack {len(missing)} tensors, among them {missing[0]}. Download them again.")
    loaded: torch.nn.Module = module.to(device).eval()
    return loaded


def folder_tokenizer(folder: Path) -> Any:
    """The tokenizer in a folder's tokenizer.json; None where there is none."""
    if not (folder / "tokenizer.json").is_file():
        return None
    from transformers import PreTrainedTokenizerFast

    try:
        with quiet():
            return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise BadFile(f"the tokenizer in '{folder}' cannot be read: {first_line(error)}. Download it again.") from error
