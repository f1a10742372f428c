"""Every benchmark, one after the other."""

from __future__ import annotations

from benchmarks import local_azure, parse_cost, sign_in

if __name__ == "__main__":
    parse_cost.main([])
    print()
    sign_in.main([])
    print()
    local_azure.main([])
