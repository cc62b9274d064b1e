"""The profile `seeds`: its bytes, its model and its arithmetic, not yet a promise: docs/adr/0011-seeds.md."""
