"""The network as particles: every neuron has a potential, spikes kick the others."""
