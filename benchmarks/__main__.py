"""Every benchmark, one after the other."""

from __future__ import annotations

from benchmarks import guard, local_azure, parse_cost, roles, sign_in, submission, waiting

if __name__ == "__main__":
    parse_cost.main([])
    print()
    sign_in.main([])
    print()
    submission.main([])
    print()
    waiting.main([])
    print()
    guard.main([])
    print()
    roles.main([])
    print()
    local_azure.main([])
