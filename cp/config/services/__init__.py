"""The services dialect: configurations of ContainerPilot 2."""
