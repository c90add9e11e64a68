"""Name -> network: the architectures and what they take as input."""

from radiodeep.networks.architectures.registry import NetworkInput, build_network, input_specification

__all__ = ["NetworkInput", "build_network", "input_specification"]
