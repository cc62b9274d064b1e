"""Compiled pieces that decoding and fitting share."""
