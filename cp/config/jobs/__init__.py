"""The jobs dialect: the configurations of ContainerPilot 3."""
