"""The jobs dialect: configurations of ContainerPilot 3."""
