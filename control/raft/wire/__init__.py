"""Messages between members: their bytes, and the transport that carries them over gRPC."""
