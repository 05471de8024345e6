"""Procgen's games through envpool: their levels, and the simulators that play them."""
