"""What makes the one file, `dist/containerpilot.pyz`: locks, the archive's entry, the steps around shiv's builder."""
