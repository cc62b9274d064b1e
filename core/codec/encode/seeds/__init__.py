"""Encoding in the profile `seeds`: from pixels to the seeds that they grow from."""
