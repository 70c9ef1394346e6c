"""Columns as text: JSON for any type, a whole column at a time."""

import base64
import json

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["flat", "json_lines", "json_text"]

_TEXT = pa.large_string()


def json_lines(batch: pa.RecordBatch) -> pa.Buffer:
    r"""The batch as JSON Lines, one object a row, in UTF-8.

    Example:
        >>> batch = pa.record_batch({"label": ["News"], "probs": pa.array([[0.75, 0.25]])})
        >>> json_lines(batch).to_pybytes()
        b'{"label":"News","probs":[0.75,0.25]}\n'
    """
    fields = zip(batch.schema.names, batch.columns, strict=True)
    lines = _objects([(name, column) for name, column in fields], batch.num_rows, "\n")
    offsets, data = lines.buffers()[1:]
    if data is None:
        return pa.py_buffer(b"")
    ends = memoryview(offsets).cast("q")
    return data.slice(ends[lines.offset], ends[lines.offset + len(lines)] - ends[lines.offset])


def json_text(array: pa.Array) -> pa.Array:
    """Each value as compact JSON in a large string; null, NaN and infinity are `null`.

    Floats have the digits that give back the same float. Bytes that are not UTF-8 are written in base 64.

    Example:
        >>> json_text(pa.array([0.1, None, float("nan")])).to_pylist()
        ['0.1', 'null', 'null']
    """
    return pc.fill_null(_json(flat(array, nested=True)), pa.scalar("null", _TEXT))


def flat(array: pa.Array, *, nested: bool = False) -> pa.Array:
    """The column in a type that a cell of CSV can hold: lists and structs as JSON text, half floats as floats.

    Args:
        array: Any column.
        nested: Keep lists and structs as they are.
    """
    kind = array.type
    if pa.types.is_dictionary(kind):
        return flat(array.dictionary_decode(), nested=nested)
    if isinstance(array, pa.ExtensionArray):
        return flat(array.storage, nested=nested)
    if pa.types.is_nested(kind):
        return array if nested else pc.if_else(array.is_null(), pa.scalar(None, _TEXT), json_text(array))
    if pa.types.is_float16(kind):
        return array.cast(pa.float32())
    if pa.types.is_string_view(kind):
        return array.cast(_TEXT)
    if kind in (pa.binary(), pa.large_binary(), pa.binary_view()) or pa.types.is_fixed_size_binary(kind):
        array = array.cast(pa.large_binary())
        try:
            return array.cast(_TEXT)
        except pa.ArrowInvalid:
            cells = array.to_pylist()
            return pa.array([None if cell is None else base64.b64encode(cell).decode() for cell in cells], _TEXT)
    if pa.types.is_primitive(kind) and not pa.types.is_interval(kind):
        return array
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_decimal(kind):
        return array
    return pa.array([None if cell is None else str(cell) for cell in array.to_pylist()], _TEXT)


def _json(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_null(kind):
        return pa.nulls(len(array), _TEXT)
    if pa.types.is_floating(kind):
        text = array.cast(_TEXT)
        pointed = pc.binary_join_element_wise(text, _scalar(".0"), _scalar(""))
        text = pc.if_else(pc.match_substring_regex(text, "^-?[0-9]+$"), pointed, text)
        return pc.if_else(pc.is_finite(array), text, pa.scalar(None, _TEXT))
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return array.cast(_TEXT)
    if pa.types.is_map(kind):
        return _json(array.cast(pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))))
    if pa.types.is_struct(kind):
        fields = list(zip([field.name for field in kind], array.flatten(), strict=True))
        return pc.if_else(array.is_null(), pa.scalar(None, _TEXT), _objects(fields, len(array), ""))
    if pa.types.is_nested(kind):
        lists = array.cast(pa.large_list(kind.value_type))
        lengths = pc.fill_null(pc.list_value_length(lists), 0)
        offsets = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(lengths).cast(pa.int64())])
        items = pa.LargeListArray.from_arrays(offsets, json_text(lists.flatten()))
        inner = pc.binary_join(items, _scalar(","))
        text = pc.binary_join_element_wise(_scalar("["), inner, _scalar("]"), _scalar(""))
        return pc.if_else(array.is_null(), pa.scalar(None, _TEXT), text)
    return pc.binary_join_element_wise(_scalar('"'), _escaped(array.cast(_TEXT)), _scalar('"'), _scalar(""))


def _objects(fields: list[tuple[str, pa.Array]], rows: int, end: str) -> pa.Array:
    parts: list[pa.Scalar | pa.Array] = []
    for name, column in fields:
        parts += [_scalar(f"{',' if parts else '{'}{json.dumps(name, ensure_ascii=False)}:"), json_text(column)]
    if not parts:
        return pa.array(["{}" + end] * rows, _TEXT)
    return pc.binary_join_element_wise(*parts, _scalar("}" + end), _scalar(""))


def _escaped(text: pa.Array) -> pa.Array:
    if not pc.any(pc.match_substring_regex(text, r'["\\\x00-\x1f]')).as_py():
        return text
    text = pc.replace_substring(pc.replace_substring(text, "\\", "\\\\"), '"', '\\"')
    text = pc.replace_substring(pc.replace_substring(text, "\n", "\\n"), "\t", "\\t")
    if not pc.any(pc.match_substring_regex(text, r"[\x00-\x1f]")).as_py():
        return text
    for code in range(32):
        text = pc.replace_substring(text, chr(code), json.dumps(chr(code))[1:-1])
    return text


def _scalar(text: str) -> pa.Scalar:
    return pa.scalar(text, _TEXT)
