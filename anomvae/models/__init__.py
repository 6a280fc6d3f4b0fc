"""The one autoencoder, and the parts a family chooses from.

A part is a `torch.nn.Module` that treats every axis but the last as batch: networks turn features
into features, bottlenecks into a `Code`, likelihoods into the mean of a band's distribution.
"""

from .bottlenecks import Deterministic, Gaussian, Ladder
from .codebook import Codebook
from .core import Autoencoder, Bottleneck, Code, Reconstruction
from .likelihoods import LIKELIHOODS, GaussianBands, StudentBands
from .networks import FEWEST_OUTPUTS, MLP, Dense

__all__ = [
    "FEWEST_OUTPUTS",
    "LIKELIHOODS",
    "MLP",
    "Autoencoder",
    "Bottleneck",
    "Code",
    "Codebook",
    "Dense",
    "Deterministic",
    "Gaussian",
    "GaussianBands",
    "Ladder",
    "Reconstruction",
    "StudentBands",
]
