"""Bytes to Flyte and back: TLS, proxies, gRPC or Connect."""
