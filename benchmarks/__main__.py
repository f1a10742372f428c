"""Every benchmark, one after the other."""

from __future__ import annotations

from benchmarks import parse_cost

if __name__ == "__main__":
    parse_cost.main([])
