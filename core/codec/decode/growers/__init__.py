"""The exact integer rollout, compiled."""
