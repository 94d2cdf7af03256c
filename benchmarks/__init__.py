"""This program side by side with its peers, in one run on one machine: `benchmarks/run.sh`, explained in README.md."""
