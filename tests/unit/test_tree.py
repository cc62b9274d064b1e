"""Files and functions are short, and what other modules may use says what it does."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("api", "benchmarks", "cli", "client", "core", "regrow", "sweeper", "worker")
MOST_LINES_OF_A_FILE = 260
MOST_LINES_OF_A_FUNCTION = 50

LONGER = {
    "core/codec/fit/engines/gpu/kernels.py: grow_kernel",
    "core/codec/fit/engines/gpu/kernels.py: backward_kernel",
}
"""Kernels of Triton: what one holds in registers cannot be handed to another function."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Described = Function | ast.ClassDef | ast.Module


def _modules() -> Iterator[tuple[str, str]]:
    """Paths and texts; not of those behind the links of regrow/, which are the same."""
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield str(file.relative_to(ROOT)), file.read_text()


def _long_functions(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, Function) and (node.end_lineno or 0) - node.lineno >= MOST_LINES_OF_A_FUNCTION:
            yield node.name


def _undescribed(tree: ast.Module) -> Iterator[str]:
    """The module, and its public classes and functions, where they have no docstring; `main` is the module's."""
    nodes: list[Described] = [tree]
    nodes += [node for node in tree.body if isinstance(node, Function | ast.ClassDef)]
    for node in nodes:
        name = "" if isinstance(node, ast.Module) else node.name
        if not name.startswith("_") and name != "main" and ast.get_docstring(node) is None:
            yield name


def test_no_file_is_long() -> None:
    lines = {path: text.count("\n") for path, text in _modules()}
    assert {path: count for path, count in lines.items() if count > MOST_LINES_OF_A_FILE} == {}


def test_no_function_is_long() -> None:
    assert {f"{path}: {name}" for path, text in _modules() for name in _long_functions(ast.parse(text))} == LONGER


def test_modules_classes_and_functions_say_what_they_are() -> None:
    found = [f"{path}: {name}" for path, text in _modules() for name in _undescribed(ast.parse(text)) if text]
    assert found == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('"""It."""', []),
        ("import os", [""]),
        ('"""It."""\ndef f(): pass\nasync def g(): pass\ndef _h(): pass\ndef main(): pass', ["f", "g"]),
        ('"""It."""\nclass A:\n    def f(self): pass\nclass _B: pass', ["A"]),
    ],
)
def test_what_is_missing_is_found(source: str, found: list[str]) -> None:
    assert list(_undescribed(ast.parse(source))) == found


@pytest.mark.parametrize("lines", [MOST_LINES_OF_A_FUNCTION, MOST_LINES_OF_A_FUNCTION + 1])
def test_a_long_function_is_found(lines: int) -> None:
    source = "\n".join(["class A:", "    async def f(self):", *["        pass"] * (lines - 1)])
    assert list(_long_functions(ast.parse(source))) == ["f"] * (lines > MOST_LINES_OF_A_FUNCTION)
