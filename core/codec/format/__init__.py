"""The bundle as docs/FORMAT.md specifies it."""
