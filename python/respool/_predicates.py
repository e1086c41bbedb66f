"""What every translator of filters needs: terms that mean one column, and operators turned round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respool import StreamCacheView
    from respool._native import Term

SWAPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""What each comparison becomes when its sides are exchanged."""


def plain_term(path: Sequence[str], view: StreamCacheView) -> Term | None:
    """Find the column, or the field below it, that these names lead to.

    Returns
    -------
    Term
        None if there is no such column, more than one, or one whose values are not what its storage says:
        an extension type, or a union.
    """
    field: pa.Field[Any] | None = None
    for name in path:
        if field is None:
            found = view.schema.get_all_field_indices(name)
            fields = [view.schema.field(index) for index in found]
        elif pa.types.is_struct(field.type):
            fields = [child for child in field.type if child.name == name]
        else:
            return None
        if len(fields) != 1:
            return None
        field = fields[0]
        if _is_extension(field) or pa.types.is_union(field.type):
            return None
    return view._term(list(path))  # noqa: SLF001


def _is_extension(field: pa.Field[Any]) -> bool:
    """Whether an engine may see another type than the storage says."""
    return isinstance(field.type, pa.BaseExtensionType) or (
        field.metadata is not None and b"ARROW:extension:name" in field.metadata
    )
