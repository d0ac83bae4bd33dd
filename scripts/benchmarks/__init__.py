"""What is measured, one module per level of description."""
