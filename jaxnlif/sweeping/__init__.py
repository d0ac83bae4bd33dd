"""Many runs of one model, with other values."""
