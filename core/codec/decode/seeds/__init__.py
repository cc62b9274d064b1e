"""Decoding the profile `seeds`: from coded seeds to pixels."""
