"""How a model is trained: loop, discriminator, optimiser, sampling."""
