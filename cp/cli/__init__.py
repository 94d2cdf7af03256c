"""The command line: flags, and the subcommands that ask a running ContainerPilot."""
