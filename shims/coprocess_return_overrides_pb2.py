from tyk_cffi.proto.coprocess_return_overrides_pb2 import *
