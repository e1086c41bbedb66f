"""A pyarrow expression, taken apart.

pyarrow has no way to look into an expression. Its text is ambiguous and Substrait can't say all of it, but
an expression is pickled whole: as a record batch of its constants and options, with the tree as metadata.
That form is read here, and not trusted: from what was read the expression is built again, and must pickle
to the same bytes.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from respool._filters.refusal import refused

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Field:
    """A column, or a field below it."""

    path: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True)
class Literal:
    """A constant, as an array of one value."""

    value: pa.Array[Any]

    def __str__(self) -> str:
        return str(self.value[0])


@dataclass(frozen=True)
class Call:
    """A function of other nodes."""

    function: str
    arguments: tuple[Node, ...]
    options: pa.StructScalar | None
    expression: pc.Expression | None
    """The same built again; None if one of the functions in it is not known."""

    def __str__(self) -> str:
        if self.expression is not None:
            return str(self.expression)
        return f"{self.function}({', '.join(map(str, self.arguments))})"

    def option(self, name: str) -> Any:  # noqa: ANN401 - as many types as there are options
        """Return an option as a Python value."""
        return None if self.options is None else self.options[name].as_py()

    def value_set(self) -> pa.Array[Any]:
        """Return the list that `is_in` looks in."""
        assert self.options is not None  # noqa: S101 - `_built` looked
        return _values(self.options)


Node = Field | Literal | Call

COMPARISONS = {
    "equal": "=",
    "not_equal": "!=",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
}
PLAIN = {*COMPARISONS, "and_kleene", "or_kleene", "invert", "is_nan", "is_valid"}
"""Functions without options."""


def read(expression: pc.Expression) -> Node:
    """Take an expression apart.

    Raises
    ------
    ValueError
        If it has a form that this module does not know.
    """
    try:
        content = _pickled(expression)
    except NotImplementedError as error:
        raise refused(expression, f"it can't be read ({error})") from error
    unreadable = refused(expression, f"it has a form that is not known (pyarrow {pa.__version__})")
    try:
        node = _tree(pa.ipc.open_file(content).read_all())
    except (LookupError, ValueError, TypeError, StopIteration, pa.ArrowException) as error:
        raise unreadable from error
    again = _expression(node)
    if again is not None and not _pickled(again).equals(content):
        raise unreadable
    return node


def _pickled(expression: pc.Expression) -> pa.Buffer:
    form: Any = expression.__reduce__()
    _, (content,) = form
    if not isinstance(content, pa.Buffer):
        raise NotImplementedError("not pickled as a buffer")
    return content


def _tree(table: pa.Table) -> Node:
    """Read the nodes in the order they are written: a call, its arguments, its options, its end."""
    constants: list[Any] = [column.chunk(0) for column in table.columns]
    written = _metadata(table.schema)
    calls: list[str] = []
    options: list[pa.StructScalar | None] = []
    nodes: list[list[Node]] = [[]]
    for key, value in written:
        match key:
            case "literal":
                nodes[-1].append(Literal(constants[int(value)]))
            case "field_ref":
                nodes[-1].append(Field((value,)))
            case "nested_field_ref":
                steps = [next(written) for _ in range(int(value))]
                if any(step != "field_ref" for step, _ in steps):
                    raise LookupError(steps)
                nodes[-1].append(Field(tuple(name for _, name in steps)))
            case "call":
                calls.append(value)
                options.append(None)
                nodes.append([])
            case "options":
                options[-1] = constants[int(value)][0]
            case "end" if value == calls.pop():
                arguments = tuple(nodes.pop())
                given = options.pop()
                nodes[-1].append(Call(value, arguments, given, _built(value, arguments, given)))
            case _:
                raise LookupError(key)
    ((root,),) = nodes
    return root


def _metadata(schema: pa.Schema) -> Iterator[tuple[str, str]]:
    """Yield the pairs in order, keys that repeat included, of which `Schema.metadata` shows one each."""
    capsule = schema.__arrow_c_schema__()
    # A prototype of our own: those of `ctypes.pythonapi` are shared with everybody.
    kind = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    pointer = kind(("PyCapsule_GetPointer", ctypes.pythonapi))
    # The C data interface: an ArrowSchema begins with its format, its name and its metadata.
    member = pointer(capsule, b"arrow_schema") + 2 * ctypes.sizeof(ctypes.c_void_p)
    position = ctypes.c_void_p.from_address(member).value
    if position is None:
        return

    def number() -> int:
        nonlocal position
        found = ctypes.c_int32.from_address(position).value
        position += 4
        return found

    def text() -> str:
        nonlocal position
        length = number()
        found = ctypes.string_at(position, length)
        position += length
        return found.decode()

    for _ in range(number()):
        yield text(), text()


def _values(options: pa.StructScalar) -> pa.Array[Any]:
    listed: Any = options["value_set"]
    values: pa.Array[Any] = listed.values
    return values


def _expression(node: Node) -> pc.Expression | None:
    match node:
        case Field(path=(name,)):
            return pc.field(name)
        case Field(path=path):
            return pc.field(*path)
        case Literal(value=value):
            return pc.scalar(value[0])
    return node.expression


def _built(
    function: str, arguments: tuple[Node, ...], options: pa.StructScalar | None
) -> pc.Expression | None:
    """Build a call again; None if it is none that is known."""
    operands: list[Any] = [_expression(argument) for argument in arguments]
    if any(operand is None for operand in operands):
        return None
    given: Any = {} if options is None else options.as_py()
    functions: Any = pc
    built: pc.Expression | None = None
    match function:
        case plain if plain in PLAIN and not given:
            built = getattr(functions, plain)(*operands)
        case "is_null" if not given:
            # Written as a function of a field, and not as a method of it.
            built = functions.is_null(*operands)
        case "is_null":
            built = functions.is_null(*operands, nan_is_null=given["nan_is_null"])
        case "is_in" if options is not None and given["null_matching_behavior"] in (0, 1):
            skip = given["null_matching_behavior"] == 1
            values = _values(options)
            built = functions.is_in(*operands, value_set=values, skip_nulls=skip)
        case "starts_with" if given:
            built = functions.starts_with(
                *operands, pattern=given["pattern"], ignore_case=given["ignore_case"]
            )
    return built
