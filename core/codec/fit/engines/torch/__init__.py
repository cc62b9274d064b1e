"""Rollouts and gradients in plain PyTorch: what the other engines are held against."""
