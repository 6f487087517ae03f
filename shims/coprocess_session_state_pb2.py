from tyk_cffi.proto.coprocess_session_state_pb2 import *
