"""What becomes of a call before the server understands it: methods that it lacks, messages
that cannot be read, compressed messages (docs/protocol.md 5.6, 5.8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import grpc

from ..wire import protobuf

UNKNOWN_ERROR = "unknown error processing request"  # also of a wrong secret and of thrown errors

# Only "identity". gRPC itself then ends a compressed call with UNIMPLEMENTED, in words of its
# own: the real server says "compression is not supported".
OPTIONS = (
    ("grpc.compression_enabled_algorithms_bitset", 1),
    ("grpc.http2.max_ping_strikes", 0),  # as many pings as a client likes, as the real one
)

_UNREADABLE = object()
_Behaviour: TypeAlias = Callable[[Any, grpc.ServicerContext], Any]


def handlers(
    unary: Iterable[tuple[Any, _Behaviour]],
    streaming: Iterable[tuple[Any, _Behaviour]],
    both_ways: Iterable[tuple[Any, _Behaviour]],
) -> tuple[grpc.GenericRpcHandler, ...]:
    """Methods with what each does; the last two give their answers one by one.

    A behaviour sees only messages that could be read, and may give bytes in place of one.
    """
    table = {
        **{m.name: _handler(grpc.unary_unary_rpc_method_handler, m, _one(b)) for m, b in unary},
        **{
            m.name: _handler(grpc.unary_stream_rpc_method_handler, m, _stream(b))
            for m, b in streaming
        },
        **{
            m.name: _handler(grpc.stream_stream_rpc_method_handler, m, _both(b))
            for m, b in both_ways
        },
    }
    return grpc.method_handlers_generic_handler(protobuf.SERVICE, table), _Missing()


def _handler(kind: Callable[..., Any], method: Any, behaviour: _Behaviour) -> Any:
    return kind(
        behaviour,
        request_deserializer=_lenient(method.parse_request),
        response_serializer=_or_bytes(method.serialize),
    )


def _one(behaviour: _Behaviour) -> _Behaviour:
    return lambda request, context: behaviour(_readable(request, context), context)


def _stream(behaviour: _Behaviour) -> _Behaviour:
    def run(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        yield from behaviour(_readable(request, context), context)

    return run


def _both(behaviour: _Behaviour) -> _Behaviour:
    def run(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        yield from behaviour((_readable(request, context) for request in requests), context)

    return run


def _readable(request: Any, context: grpc.ServicerContext) -> Any:
    if request is _UNREADABLE:
        context.abort(grpc.StatusCode.INTERNAL, UNKNOWN_ERROR)
    return request


def _lenient(parse: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """_UNREADABLE in place of an exception, so that the status is the real server's."""

    def read(data: bytes) -> Any:
        try:
            return parse(data)
        except Exception:
            return _UNREADABLE

    return read


def _or_bytes(serialize: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Bytes of a fault go out as they are."""
    return lambda message: message if isinstance(message, bytes) else serialize(message)


class _Missing(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Every other path, whatever its service and kind."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        path = handler_call_details.method

        def refuse(_: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"'{path}' is not implemented")
            yield b""  # never reached: makes this a generator

        return grpc.stream_stream_rpc_method_handler(refuse)
