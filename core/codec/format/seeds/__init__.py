"""The profile `seeds`: its bytes, its model and its arithmetic, as docs/FORMAT.md specifies them in section 7."""
