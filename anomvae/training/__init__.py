"""How a model is trained: loop, discriminator, optimiser, and the examples drawn from scenes."""
