"""Encoding: from a picture to a bundle."""
