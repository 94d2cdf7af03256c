"""How the process of a job reports that it is ready, and that it still works. Imported only where a plan has it."""
