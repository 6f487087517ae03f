"""The gRPC peer: the same hooks, served as users would (grpcio, a pool of threads).

usage: python server.py PORT
"""

from __future__ import annotations

import sys
from concurrent import futures

import grpc

from tyk_cffi.proto.coprocess_object_pb2 import Object


def dispatch(message: Object, context: grpc.ServicerContext) -> Object:
    """Return the hook with that name."""
    if message.hook_name == "add_header":
        message.request.set_headers["X-Added"] = "yes"
    elif message.hook_name == "read_body":
        len(message.request.raw_body)
    return message


def main() -> None:
    """Serve until killed."""
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=options)
    method = grpc.unary_unary_rpc_method_handler(
        dispatch,
        request_deserializer=Object.FromString,
        response_serializer=Object.SerializeToString,
    )
    handlers = {"Dispatch": method}
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("coprocess.Dispatcher", handlers),)
    )
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    server.wait_for_termination()


main()
