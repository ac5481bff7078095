"""Sizes as small formulas of a pipeline's symbols: whole numbers, + - * / // and min and max. Nothing else is understood, so a sheet never runs code.

``/`` divides without remainder or is refused; ``//`` rounds down. Symbols may be whole numbers or arrays of them.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from thrifty.errors import BadValue

_OPERATORS: Final = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//"}
_FUNCTIONS: Final = {"min": np.minimum, "max": np.maximum}


@functools.lru_cache(maxsize=512)
def _tree(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise BadValue(f"formula '{text}' cannot be read. Write sizes with + - * / // min max and brackets, e.g. 'image / 8'.") from None


def evaluate(text: str, sizes: Mapping[str, Any]) -> Any:
    """The value of a formula: an int where all symbols are ints, else an int64 array.

    Raises BadValue for a formula that cannot be read, a symbol that is not there, or a division with a remainder.
    """
    return _value(_tree(text), sizes, text)


def symbols_in(text: str) -> frozenset[str]:
    """The symbols that a formula asks for."""
    return frozenset(node.id for node in ast.walk(_tree(text)) if isinstance(node, ast.Name)) - set(_FUNCTIONS)


def _value(node: ast.expr, sizes: Mapping[str, Any], text: str) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
        return node.value
    if isinstance(node, ast.Name):
        if node.id not in sizes:
            raise BadValue(f"formula '{text}' asks for '{node.id}', which this pipeline does not have. Choose from: {', '.join(sizes) or 'none'}.")
        return sizes[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _operation(_OPERATORS[type(node.op)], node, sizes, text)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and len(node.args) == 2 and not node.keywords:
        result = _FUNCTIONS[node.func.id](*(_value(argument, sizes, text) for argument in node.args))
        return result if isinstance(result, np.ndarray) else int(result)
    raise BadValue(f"formula '{text}' has a part that is no size. Write sizes with + - * / // min max and brackets, e.g. 'image / 8'.")


def _operation(sign: str, node: ast.BinOp, sizes: Mapping[str, Any], text: str) -> Any:
    left, right = _value(node.left, sizes, text), _value(node.right, sizes, text)
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if sign == "*":
        return left * right
    if np.any(np.asarray(right) < 1):
        raise BadValue(f"formula '{text}' divides by {right}. Divide by a whole number above zero.")
    remainder = np.asarray(left % right)
    if sign == "/" and remainder.any():
        value = np.broadcast_to(np.asarray(left), remainder.shape)[remainder > 0].flat[0]
        raise BadValue(f"{ast.unparse(node.left)}={value} is no multiple of {right}. {_choices(int(value), right)}")
    return left // right


def _choices(value: int, divisor: Any) -> str:
    if not isinstance(divisor, int):
        return "Choose one that is."
    around = [choice for choice in (value // divisor * divisor, (value // divisor + 1) * divisor) if choice > 0]
    return f"Choose {' or '.join(str(choice) for choice in around)}."
