"""The Arrow types of JSON values: found in each part of a file, then joined to one schema for all of it."""

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["coerced", "joined", "plain_type", "type_of_value"]


def joined(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """The type that holds the values of both, which is string (JSON text) when nothing else can.

    Example:
        >>> joined(pa.int64(), pa.float64()), joined(pa.int64(), pa.string()), joined(pa.null(), pa.bool_())
        (DataType(double), DataType(string), DataType(bool))
    """
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if {one, other} == {pa.int64(), pa.float64()}:
        return pa.float64()
    if pa.types.is_list(one) and pa.types.is_list(other):
        return pa.list_(joined(one.value_type, other.value_type))
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        fields = {field.name: field.type for field in one}
        for field in other:
            fields[field.name] = joined(fields[field.name], field.type) if field.name in fields else field.type
        return pa.struct(list(fields.items()))
    return pa.string()


def plain_type(column: pa.ChunkedArray) -> pa.DataType | None:
    """The type to read a column as, given how Arrow inferred it; None where Arrow's guess may lose digits."""
    if _has_big_floats(column):
        return None
    return _without_times(column.type)


def _without_times(kind: pa.DataType) -> pa.DataType:
    """A date in JSON is a string, and stays one: read as a time it would come back in another form."""
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_without_times(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _without_times(field.type)) for field in kind])
    return kind


def _has_big_floats(column: pa.ChunkedArray) -> bool:
    """Whether some floats may have been integers of more than 53 bits."""
    if pa.types.is_floating(column.type):
        return bool(pc.any(pc.greater_equal(pc.abs(column), float(2**53))).as_py())
    if pa.types.is_list(column.type):
        return _has_big_floats(pc.list_flatten(column))
    if pa.types.is_struct(column.type):
        return any(_has_big_floats(pc.struct_field(column, index)) for index in range(column.type.num_fields))
    return False


def type_of_value(value: Any) -> pa.DataType:
    """The type of one parsed JSON value; an integer beyond 64 bits is kept as text."""
    if value is None:
        return pa.null()
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int):
        return pa.int64() if -(2**63) <= value < 2**63 else pa.string()
    if isinstance(value, float):
        return pa.float64()
    if isinstance(value, list):
        item = pa.null()
        for inner in value:
            item = joined(item, type_of_value(inner))
        return pa.list_(item)
    if isinstance(value, dict):
        return pa.struct([(key, type_of_value(inner)) for key, inner in value.items()])
    return pa.string()


def coerced(value: Any, kind: pa.DataType) -> Any:
    """The value as `pa.array` takes it for the type; what is not a string becomes compact JSON text for a string."""
    if value is None:
        return None
    if pa.types.is_string(kind):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        # A lone half of a surrogate pair is not a character.
        return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if pa.types.is_floating(kind):
        return float(value)
    if pa.types.is_list(kind):
        return [coerced(inner, kind.value_type) for inner in value]
    if pa.types.is_struct(kind):
        return {field.name: coerced(value.get(field.name), field.type) for field in kind}
    return value
