"""Connections: uvicorn's HTTP/1 protocol, and what it leaves to others."""
