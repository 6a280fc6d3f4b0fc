"""Measurements that anyone can rerun; `results.md` keeps their tables."""
