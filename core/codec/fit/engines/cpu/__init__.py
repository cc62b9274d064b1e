"""Rollouts and gradients on CPUs, compiled by numba."""
