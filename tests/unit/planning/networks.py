"""Made-up networks for the planning tests."""

import numpy as np

from engine.distress import Quantity
from engine.plan_inputs import PlanSection
from engine.vocabulary import DistressType, Severity

CLASSES = ("arterial", "collector", "local")


def crack(kind: DistressType, length_m: float, area_m2: float = 0.0) -> Quantity:
    return Quantity(kind, Severity.LOW, None, 1, length_m, area_m2, 3.0)


def road_network(roads: int, per_road: int, seed: int = 0) -> list[PlanSection]:
    """Roads of sections of 200 to 800 m with cracks that roughly match their index."""
    rng = np.random.default_rng(seed)
    sections: list[PlanSection] = []
    for road in range(roads):
        at, level = 0.0, rng.uniform(35, 95)
        for number in range(per_road):
            length = float(rng.uniform(200, 800))
            index = float(np.clip(level + rng.normal(0, 12), 3, 99))
            area = length * 7.0
            lost = 100 - index
            sections.append(
                PlanSection(
                    id=len(sections) + 1,
                    key=f"{road}-{number}",
                    road=f"road {road}",
                    from_m=at,
                    to_m=at + length,
                    length_m=length,
                    area_m2=area,
                    functional_class=CLASSES[road % 3],
                    surface="asphalt",
                    aadt=float((9000, 2500, 400)[road % 3] * rng.uniform(0.6, 1.5)),
                    condition_index=index,
                    index_low=max(index - 8, 0),
                    index_high=min(index + 6, 100),
                    quantities=(
                        crack(DistressType.TRANSVERSE, area * lost * 0.004),
                        crack(DistressType.ALLIGATOR, 0.0, area * max(lost - 35, 0) * 0.004),
                    ),
                )
            )
            at += length
    return sections
