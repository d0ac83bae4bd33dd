"""The density while activity is low, particles while neurons fire together."""
