"""The load of a fleet on one Consul, simulated: this program's own code beside a model of ContainerPilot 3.8.

- `world`: simulated time.
- `agent`: the simulated Consul, which counts requests.
- `client`: this program's Consul client on it.
- `pilot`: an instance of this program, with its real desired state and watchers, without threads and sockets.
- `go`: an instance of ContainerPilot 3.8, as its specification tells it.
- `scenes`: what happens to the fleet, and what is measured.
- `__main__`: the command and the tables.
"""
