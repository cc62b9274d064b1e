"""Regrow: images as the weights of tiny neural cellular automata.

The folders of the repository are subpackages, by links: `core/` is `regrow.core`.
"""
