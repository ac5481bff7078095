"""Puts other people's exceptions into one line."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """What an exception says first, without its last full stop; its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def one_line(error: BaseException) -> str:
    """All that an exception says, on one line."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
