"""The command line: `python -m benchmarks`. Threads are counted before NumPy is loaded, so imports come late here."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

MEMORY = ("lstm_mid", "lstm3_512")


def limit_threads(count: int, core: str | None) -> None:
    """For all that is imported after this: the libraries are told, and the process has so many processors.

    OpenBLAS chooses its kernels for the processor that it finds, whatever the environment says, but for `core`.
    """
    os.environ.pop("OPENBLAS_CORETYPE", None)
    if core:
        os.environ["OPENBLAS_CORETYPE"] = core
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(count)
    if hasattr(os, "sched_setaffinity"):  # some peers can only be held in this way
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def main() -> None:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The plan beside other tools.")
    parser.add_argument("--works", default="all", help="names with commas between; `none` for the other rows alone")
    parser.add_argument("--peers", default="all", help="names with commas between, or `none`")
    parser.add_argument("--budget", type=float, default=10.0, help="seconds for each work, shared by all who run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: for a machine that others use")
    parser.add_argument("--core", metavar="NAME", help="the processor whose kernels OpenBLAS is to use")
    parser.add_argument("--only-works", action="store_true", help="leave out planning time, memory and training")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there too")
    options = parser.parse_args()
    limit_threads(options.threads, options.core)

    from .measuring import compare
    from .others import measure_others
    from .peers import PATIENT, PEERS, installed
    from .report import Report
    from .works import WORKS

    def chosen(given: str, known: list[str], others: tuple[str, ...] = ()) -> list[str]:
        names = known if given == "all" else [name for name in given.split(",") if given != "none"]
        for name in names:
            if name not in (*known, *others):
                parser.error(f"{name!r} is none of {', '.join((*known, *others))}")
        return names

    works, peers = chosen(options.works, list(WORKS)), chosen(options.peers, installed(), PATIENT)
    report = Report(options.threads, options.clock)
    for name in PEERS:
        if name not in peers:
            print(f"without {name}", file=sys.stderr)
    for work in works:
        print(f"{work} ...", file=sys.stderr, flush=True)
        report.works[work] = compare(work, peers, options.budget, options.clock)
    if not options.only_works:
        print("planning, memory, training ...", file=sys.stderr, flush=True)
        measure_others(report, MEMORY, "torch_nn" if "torch_nn" in peers else None, options.budget)
    print(report)
    if options.json:
        options.json.write_text(report.to_json() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
