"""Write the priority report of a made-up network of 500 sections: seconds, MB and memory, on 2 cores.

Run: python -m tests.benchmarks.bench_report [--sections 500] [--per-road 10] [--paper A4] [--keep report.pdf]
Prints one line of JSON; the plan is made before the clock starts, the photos (12 MP each) are drawn within.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

from pypdf import PdfReader

from jobs.export.pdf import write_pdf
from jobs.export.pictures import Picture
from tests.unit.export.planned_network import drawn_picture, planned_network

PHOTO_PX = (4000, 3000)


def picture(photo_id: int) -> Picture:
    return drawn_picture(photo_id, *PHOTO_PX)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sections", type=int, default=500)
    parser.add_argument("--per-road", type=int, default=10)
    parser.add_argument("--budget", type=float, default=4e6, help="money a year")
    parser.add_argument("--paper", default="A4")
    parser.add_argument("--keep", type=Path, help="where the report is left")
    args = parser.parse_args()
    data = planned_network(args.sections // args.per_road, args.per_road, budget=args.budget)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        path = args.keep or Path(folder) / "report.pdf"
        load, wall, cpu = os.getloadavg()[0], time.monotonic(), time.process_time()
        write_pdf(data, path, paper=args.paper, pictures=picture)
        report = {
            "sections": len(data.sections),
            "projects": len(data.projects),
            "seconds": round(time.monotonic() - wall, 1),
            "cpu_seconds": round(time.process_time() - cpu, 1),
            "megabytes": round(path.stat().st_size / 1e6, 2),
            "pages": len(PdfReader(path).pages),
            "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
            "peak_memory_before_mb": round(before / 1e3),
            "cores": len(os.sched_getaffinity(0)),
            "load": [round(load, 1), round(os.getloadavg()[0], 1)],
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
