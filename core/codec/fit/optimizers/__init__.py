"""Optimizers: many rules' weights stepped at once, each by its own gradients only."""
