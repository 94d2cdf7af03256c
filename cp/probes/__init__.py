"""Health checks without a process: HTTP, TCP and unix sockets, on the loop. Imported only where a plan has one."""
