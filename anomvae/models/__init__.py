"""The autoencoder and the parts that a family chooses from.

Every part is a `torch.nn.Module` on the last axis; all leading axes are batch.  Networks map
features to features, bottlenecks map features to a `Code`, likelihoods map features to the mean of
p(x | z).  Context networks split an example into the pixel to reconstruct and features of the rest.
Names are resolved lazily: the table of families is read without torch.
"""

from typing import TYPE_CHECKING

from .. import lazily

if TYPE_CHECKING:
    from .bottlenecks import Deterministic, Gaussian, Ladder
    from .codebook import Codebook
    from .core import (
        Autoencoder,
        Bottleneck,
        Code,
        ContextNetwork,
        Draw,
        ModelInput,
        Reconstruction,
        VariationalBottleneck,
    )
    from .likelihoods import LIKELIHOODS
    from .networks import MLP, Dense

__all__ = [
    "LIKELIHOODS",
    "MLP",
    "Autoencoder",
    "Bottleneck",
    "Code",
    "Codebook",
    "ContextNetwork",
    "Dense",
    "Deterministic",
    "Draw",
    "Gaussian",
    "Ladder",
    "ModelInput",
    "Reconstruction",
    "VariationalBottleneck",
]

__getattr__ = lazily(
    __name__,
    {
        "bottlenecks": ("Deterministic", "Gaussian", "Ladder"),
        "codebook": ("Codebook",),
        "core": (
            *("Autoencoder", "Bottleneck", "Code", "ContextNetwork", "Draw", "ModelInput"),
            *("Reconstruction", "VariationalBottleneck"),
        ),
        "likelihoods": ("LIKELIHOODS",),
        "networks": ("MLP", "Dense"),
    },
)
