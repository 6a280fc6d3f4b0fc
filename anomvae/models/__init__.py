"""The one autoencoder, and the parts a family chooses from.

A part is a `torch.nn.Module` that treats every axis but the last as batch: networks turn features
into features, bottlenecks into a `Code`, likelihoods into the mean of a band's distribution.
Context networks part an example into a pixel and what is beside it.
"""

from .bottlenecks import Deterministic, Gaussian, Ladder
from .codebook import Codebook
from .contexts import Convolution, Recurrent
from .core import Autoencoder, Bottleneck, Code, ContextNetwork, ModelInput, Reconstruction
from .likelihoods import LIKELIHOODS, GaussianBands, StudentBands
from .networks import MLP, Dense

__all__ = [
    "LIKELIHOODS",
    "MLP",
    "Autoencoder",
    "Bottleneck",
    "Code",
    "Codebook",
    "ContextNetwork",
    "Convolution",
    "Dense",
    "Deterministic",
    "Gaussian",
    "GaussianBands",
    "Ladder",
    "ModelInput",
    "Reconstruction",
    "Recurrent",
    "StudentBands",
]
