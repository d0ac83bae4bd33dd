"""The density level: the Fokker–Planck equation of the network."""
