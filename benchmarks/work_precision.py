"""Time against accuracy: each engine from loose to tight tolerances, on the bench model or the reference model.

    python benchmarks/work_precision.py [bench|reference] [--engines a,b] [--python PATH]

Prints microseconds of CPU per patient and the 99th percentile of the error (see ``peers.py``) for each tolerance.
"""

from peers import arguments, begin, end, scan


def main() -> None:
    chosen = arguments(__doc__)
    print("| engine | rtol | atol | us of CPU per patient | error p99 |\n| --- | --- | --- | --- | --- |", flush=True)
    for name in ["vein2vein", *chosen.engines.split(",")]:
        engine = begin(name, chosen)
        for rtol, atol, cpu, found in scan(engine):
            print(f"| {name}{engine.note} | {rtol:g} | {atol:g} | {cpu:,.0f} | {found:.1e} |", flush=True)
        end(engine)


if __name__ == "__main__":
    main()
