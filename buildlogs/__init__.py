"""The project package: wiring of environment, settings, addresses and servers, and nothing else."""
