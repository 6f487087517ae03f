from tyk_cffi.proto.coprocess_common_pb2 import *
