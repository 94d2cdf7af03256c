"""The services dialect: the configurations of ContainerPilot 2."""
