"""What is checked, one package per level of description: `REQUIRED` and `CHECKS`."""
