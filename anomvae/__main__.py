"""``python -m anomvae``."""

from .cli import main

main()
