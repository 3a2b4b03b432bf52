"""Plan 10,000 sections over 10 years with 6 treatments: seconds and gap to the bound, on 2 cores.

Run: python tests/benchmarks/bench_planning.py [--sections 10000] [--per-road 20] [--years 10] [--budget 2e7]
Prints one line of JSON; `load` is how many processes wanted a core before and after.
"""

import argparse
import json
import os
import time

from engine.plan_inputs import PlanSettings
from engine.planning import make_plan
from engine.treatment_sets import US_CITY_AVERAGES
from tests.unit.planning.networks import road_network

LEFT_OUT = ("Cape seal", "Major rehabilitation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sections", type=int, default=10_000)
    parser.add_argument("--per-road", type=int, default=20)
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--budget", type=float, default=2e7, help="money a year")
    parser.add_argument("--draws", type=int, default=0)
    args = parser.parse_args()
    treatments = [treatment for treatment in US_CITY_AVERAGES if treatment.name not in LEFT_OUT]
    sections = road_network(max(args.sections // args.per_road, 1), args.per_road)
    settings = PlanSettings(years=args.years, yearly_budget=args.budget)
    load, wall, cpu = os.getloadavg()[0], time.monotonic(), time.process_time()
    plan = make_plan(sections, treatments, settings, draws=args.draws)
    report = {
        "sections": len(sections),
        "years": args.years,
        "treatments": len(treatments),
        "seconds": round(time.monotonic() - wall, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "gap_percent": round(100 * plan["gap"], 3),
        "objective": plan["objective"],
        "bound": plan["bound"],
        "projects": len(plan["projects"]),
        "total_cost": plan["total_cost"],
        "method": plan["method"],
        "cores": len(os.sched_getaffinity(0)),
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
