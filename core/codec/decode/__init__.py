"""Decoding: from a bundle to pixels."""
