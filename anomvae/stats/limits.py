"""The largest sizes of a detector: what a model file or a configuration may ask for.

Memory and time follow these numbers, so both are refused beyond them before anything is allocated.
Real detectors have a tenth of each at most.
"""

MAX_BANDS = 65_535
"""Bands of a file (TIFF has 16 bits for them)."""
MAX_LATENT = 1_024
"""Latent features of a pixel."""
MAX_WIDTH = 4_096
"""Outputs of a hidden layer."""
MAX_LAYERS = 16
"""Hidden layers of the encoder; the decoder has as many."""
MAX_COMPONENTS = 1_000
"""Principal components of a context."""
MAX_SIDE = 255
"""Side of an annulus, pixels; half of it is the halo of a tile."""
MAX_PATCH = 31
PATCH = (7, 3)
"""Default sides of a patch and of its guard window, pixels."""
"""Side of a patch, pixels; each pixel is scored with all of its patch."""
MAX_CLASSES = 64
"""Classes of a categorical covariate."""
MAX_COUNT = 2**63 - 1
"""Seeds, and numbers of pixels, steps and the like."""
MAX_WEIGHT = 1e6
"""A factor of a term of the score."""
MAX_NUMBERS = 2**25
"""Weights of a network, about; training takes 16 bytes for each."""
MAX_MODEL_BYTES = 2**28
"""Length of a model file."""
MAX_CARD_BYTES = 2**24
"""Length of its header, which holds the card."""
MAX_DRAWS = 1_000
"""Draws from a posterior for a score; each takes as long as a score without them."""
MAX_DATES = 32
"""Dates before the newest that a model is given."""
MAX_THREADS = 256
"""Threads of torch that fit."""
