"""The error codes of the protocol."""

from __future__ import annotations

from enum import IntEnum


class ErrorCode(IntEnum):
    """Why a request failed; the first five codes are defined by JSON-RPC."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    NOT_INITIALIZED = -32002
    REQUEST_CANCELLED = -32800
    CONTENT_MODIFIED = -32801
    VERSION_MISMATCH = -32010
    TRACE_GONE = -32011
    NO_SUCH_HEAD = -32012
    OUT_OF_MEMORY = -32013
    NOT_REPEATABLE = -32014
    TOO_LARGE = -32015
