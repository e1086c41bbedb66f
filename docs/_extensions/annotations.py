"""Signatures with types, each of ours a link.

A native function knows the names of its arguments, the stub beside it knows their types.
"""

import ast
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import respool
import respool.typing

OURS = {
    **{
        name: f"respool.typing.{name}"
        for name, thing in vars(respool.typing).items()
        if not name.startswith("_") and not isinstance(thing, ModuleType)
    },
    **{
        name: f"respool.{name}"
        for name in (
            "Budget",
            "Epochs",
            "NamedCache",
            "StreamCache",
            "StreamCacheReader",
            "StreamCacheView",
        )
    },
}
OTHERS = {
    "respool_typing": "respool.typing",
    "pa": "pyarrow",
    "dt": "datetime",
    "pathlib": "pathlib",
}
NOT_OURS = {"Iterable", "Literal", "Protocol", "TypedDict", "TypeAlias", "dataclass"}


@cache
def stub() -> dict[str, ast.FunctionDef]:
    """Every function of the native module by its name, methods by that of their class too."""
    tree = ast.parse((Path(respool.__file__).parent / "_native.pyi").read_text())
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    found[f"{node.name}.{member.name}"] = member
    return found


def links(annotation: str) -> str:
    """Write the names of our types in full, by which they are found."""

    def full(match: re.Match[str]) -> str:
        name = match.group()
        if name in NOT_OURS:
            return name
        return OTHERS.get(name) or OURS.get(name, name)

    return re.sub(r"(?<![\w.'\"])[A-Za-z_]\w*", full, annotation)


def argument(arg: ast.arg, default: ast.expr | None, stars: str = "") -> str:
    text = stars + arg.arg
    if arg.annotation:
        text += f": {links(ast.unparse(arg.annotation))}"
    if default is not None:
        text += f" = {ast.unparse(default)}" if arg.annotation else f"={ast.unparse(default)}"
    return text


def signature_of(function: ast.FunctionDef) -> tuple[str, str | None]:
    args = function.args
    plain = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(plain) - len(args.defaults)) + list(args.defaults)
    shown = [argument(a, d) for a, d in zip(plain, defaults, strict=True)]
    if plain and plain[0].arg in {"self", "cls"}:
        shown = shown[1:]
    if args.vararg:
        shown.append(argument(args.vararg, None, "*"))
    elif args.kwonlyargs:
        shown.append("*")
    shown += [argument(a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    if args.kwarg:
        shown.append(argument(args.kwarg, None, "**"))
    returns = links(ast.unparse(function.returns)) if function.returns else None
    return f"({', '.join(shown)})", returns


def with_types(app, what, name, thing, options, signature, returns):
    if signature is not None and "_ReaderCount" in signature:
        # Made by methods alone.
        return "", None
    short = name.removeprefix("respool.")
    native = stub().get(f"{short}.__new__" if what == "class" else short)
    if native is not None and callable(thing):
        arguments, native_returns = signature_of(native)
        return arguments, None if what == "class" else native_returns
    return (signature and links(signature)), (returns and links(returns))


def with_type(app, what, name, thing, options, lines):
    """Say the type of a native property, for which nothing in Python does."""
    native = stub().get(name.removeprefix("respool."))
    if native is not None and native.returns is not None and not callable(thing):
        lines += ["", f":type: {links(ast.unparse(native.returns))}"]


def setup(app):
    app.connect("autodoc-process-signature", with_types)
    # After napoleon, which reads the sections.
    app.connect("autodoc-process-docstring", with_type, priority=900)
    return {"parallel_read_safe": True}
