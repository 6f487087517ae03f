"""Transports: each brings the host's calls to the dispatcher, and plugins' calls to the host."""
