"""Run every benchmark, or those named: `python -m benchmarks [slots …]`. Exits 1 when a ratio is not reached."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks


def main(names: list[str]) -> int:
    missed = 0
    every = sorted({module.name for module in pkgutil.iter_modules(benchmarks.__path__)} - {"__main__"})
    for name in names or every:
        module = importlib.import_module(f"benchmarks.{name}")
        if not hasattr(module, "main"):  # a yardstick, not a benchmark
            continue
        print(f"\n{name}")
        try:
            module.main()
        except AssertionError as error:
            missed += 1
            print(f"MISSED: {error}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
