"""Faults that are made on purpose: kills, full disks, mutated files, hostile names and servers.

A module makes the inputs of some kinds of fault, and checks what anomvae does with them (`Kind`).
`benchmarks/soak.py` tries thousands, tests/faults a few dozen.
"""
