"""Rollouts and gradients on NVIDIA GPUs, compiled by Triton."""
