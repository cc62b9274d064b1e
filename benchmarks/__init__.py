"""Measurements, run by `regrow bench`. Speeds are ratios measured in one run; every result says where and when."""
