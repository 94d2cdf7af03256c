"""The command line: flags, and the subcommands that query a running ContainerPilot."""
