"""Parameters of a model by gradients: bounds, losses, the descent, and how sure the result is."""
