"""Which design patterns does a piece of code use?"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final

from intelligence_service.handlers.payload import PayloadError, called, code_of, functions, parse, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Finder = Callable[[ast.Module], Iterator[tuple[int, float]]]

LIMIT: Final = 20


def handle(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Name, confidence (0 to 1) and lines of each, the surest first; `limit` of them, of `min_confidence` or more."""
    code = code_of(payload)
    limit, least = payload.get("limit", LIMIT), payload.get("min_confidence", 0.0)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise PayloadError(f"payload.limit is {limit!r}; expected a whole number from 1")
    if not isinstance(least, int | float) or isinstance(least, bool) or not 0 <= least <= 1:
        raise PayloadError(f"payload.min_confidence is {least!r}; expected a number from 0 to 1")
    try:
        tree = parse(code)
    except SyntaxError as error:
        raise PayloadError(f"payload.code_content cannot be parsed: line {error.lineno}: {error.msg}") from None
    found = []
    for name, finder in FINDERS.items():
        places = sorted(finder(tree))
        if places:
            confidence = round(max(sureness for _, sureness in places), 2)
            found.append({"pattern": name, "confidence": confidence, "lines": sorted({line for line, _ in places})})
    found = [entry for entry in found if float(entry["confidence"]) >= least]  # type: ignore[arg-type]  # a number
    found.sort(key=lambda entry: (-float(entry["confidence"]), entry["pattern"]))  # type: ignore[arg-type]
    return {"patterns": found[:limit]}


def _classes(tree: ast.Module) -> Iterator[tuple[ast.ClassDef, set[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            methods = {entry.name for entry in node.body if isinstance(entry, ast.FunctionDef | ast.AsyncFunctionDef)}
            yield node, methods


def _context_manager(tree: ast.Module) -> Iterator[tuple[int, float]]:
    for node, methods in _classes(tree):
        if {"__enter__", "__exit__"} <= methods or {"__aenter__", "__aexit__"} <= methods:
            yield node.lineno, 1.0
    for function in functions(tree):
        if any(called(decorator).endswith("contextmanager") for decorator in function.decorator_list):
            yield function.lineno, 1.0


def _retry(tree: ast.Module) -> Iterator[tuple[int, float]]:
    for function in functions(tree):
        if any("retry" in words(called(decorator)) for decorator in function.decorator_list):
            yield function.lineno, 1.0
    for loop in ast.walk(tree):
        if isinstance(loop, ast.For | ast.While | ast.AsyncFor):
            inside = list(ast.walk(loop))
            tries = any(isinstance(node, ast.Try) for node in inside)
            sleeps = any(isinstance(node, ast.Call) and called(node) == "sleep" for node in inside)
            if tries and sleeps:
                yield loop.lineno, 0.8


def _singleton(tree: ast.Module) -> Iterator[tuple[int, float]]:
    for node, methods in _classes(tree):
        names = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
        attributes = {name.attr for name in ast.walk(node) if isinstance(name, ast.Attribute)}
        if "_instance" in names | attributes and ("__new__" in methods or "instance" in methods):
            yield node.lineno, 0.9


def _factory(tree: ast.Module) -> Iterator[tuple[int, float]]:
    for node, methods in _classes(tree):
        if "factory" in words(node.name):
            yield node.lineno, 0.9 if any(name.startswith(("create", "make", "build")) for name in methods) else 0.6


def _observer(tree: ast.Module) -> Iterator[tuple[int, float]]:
    for node, methods in _classes(tree):
        joins = methods & {"subscribe", "attach", "register", "add_listener", "on"}
        tells = methods & {"notify", "publish", "emit", "dispatch"}
        if joins and tells:
            yield node.lineno, 0.9


def _repository(tree: ast.Module) -> Iterator[tuple[int, float]]:
    for node, methods in _classes(tree):
        stores = methods & {"get", "find", "get_by_id", "list"} and methods & {"save", "add", "put", "delete"}
        if stores:
            yield node.lineno, 0.9 if "repository" in words(node.name) else 0.5


def _circuit_breaker(tree: ast.Module) -> Iterator[tuple[int, float]]:
    for node, _ in _classes(tree):
        if {"circuit", "breaker"} <= words(node.name):
            yield node.lineno, 0.9


FINDERS: Final[Mapping[str, Finder]] = {
    "circuit-breaker": _circuit_breaker,
    "context-manager": _context_manager,
    "factory": _factory,
    "observer": _observer,
    "repository": _repository,
    "retry": _retry,
    "singleton": _singleton,
}
