"""Measures how well and how soon incidents are detected, on simulated account-weeks whose truth is known.

    python -m benchmarks.detection --seeds 1000-1099           # 100 clean weeks and 100 with incidents, each detector
    python -m benchmarks.detection --weeks 10 --only shift     # the first ten seeds
    python -m benchmarks.detection --only starter-pack         # the rules of rules/, with their numbers

docs/detection.md says what is measured and what came out.
"""

import argparse
import multiprocessing
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.detection.counts import Feed
from benchmarks.detection.detectors.others import BadList, Silence
from benchmarks.detection.detectors.peers import PEERS
from benchmarks.detection.detectors.shift import RULES, Counted, ShiftRule
from benchmarks.detection.detectors.starter_pack import OTHERS as SHIPPED_BESIDE
from benchmarks.detection.detectors.starter_pack import shift_rules
from benchmarks.detection.independent import ratios
from benchmarks.detection.report import Report
from benchmarks.detection.scorer import Alert, Scored, score
from benchmarks.detection.week import Week, generate

_BATCH = 25
_OTHERS = (BadList(), Silence())
SHIFT, PACK, SHIPPED = "shift", "shift, bad list, silence", "starter-pack"


def main() -> int:
    """The command."""
    asked = _arguments()
    first, _, last = asked.seeds.partition("-")
    seeds = list(range(int(first), int(last or first) + 1))[: asked.weeks]
    began = time.perf_counter()
    jobs = [
        (clean, seeds[at : at + _BATCH], asked.only) for clean in (True, False) for at in range(0, len(seeds), _BATCH)
    ]
    if asked.jobs == 1:
        results = [_batch(job) for job in jobs]
    else:
        with multiprocessing.get_context("spawn").Pool(asked.jobs) as pool:
            results = list(pool.imap(_batch, jobs))
    scores: dict[str, tuple[list[Scored], list[Scored]]] = defaultdict(lambda: ([], []))
    for (clean, _, _), by_name in zip(jobs, results, strict=True):
        for name, scored in by_name.items():
            scores[name][0 if clean else 1].extend(scored)
    if asked.save:
        Path(asked.save).write_bytes(msgspec.json.encode(scores, enc_hook=float))
    for name, (clean_weeks, weeks) in scores.items():
        print("\n".join(Report(name, clean_weeks, weeks).lines()), end="\n\n")
    if asked.only != "peers":
        for factor in (3, 5):
            of_bound = np.median(ratios(factor, seed=seeds[0]))
            print(f"independent messages, x{factor}: {of_bound:.2f} of the bound in the median")
    print(f"seeds {asked.seeds}, {time.perf_counter() - began:.0f} s")
    return 0


def _batch(job: tuple[bool, Sequence[int], str]) -> dict[str, list[Scored]]:
    """The scores of some weeks, by detector."""
    clean, seeds, only = job
    scored: dict[str, list[Scored]] = defaultdict(list)
    counted: list[list[Counted]] = []
    others: list[list[Alert]] = []
    shipped: list[list[Alert]] = []
    weeks: list[Week] = []
    for seed in seeds:
        week = generate(seed, clean=clean)
        feed = Feed(week)
        if only in ("all", "peers"):
            for peer in PEERS:
                scored[peer.name].append(score(seed, week.incidents, peer.alerts(feed), merged=peer.merged))
        if only != "peers":
            counted.append([rule.counted(feed) for rule in RULES])
            weeks.append(week)
        if only in ("all", SHIFT):
            others.append([alert for one in _OTHERS for alert in one.alerts(feed)])
        if only in ("all", SHIPPED):
            shipped.append([alert for one in SHIPPED_BESIDE for alert in one.alerts(feed)])
    for name, alerts in _of_shift(weeks, counted, others, shipped):
        scored[name] += [
            score(week.seed, week.incidents, of_week, merged=True) for week, of_week in zip(weeks, alerts, strict=True)
        ]
    return dict(scored)


def _of_shift(
    weeks: Sequence[Week], counted: list[list[Counted]], others: list[list[Alert]], shipped: list[list[Alert]]
) -> Iterator[tuple[str, list[list[Alert]]]]:
    """The alerts of each week, by detector: of the rules of kind ``shift``, and with what stands beside them."""
    if others:
        alone = _alerts(RULES, counted)
        yield SHIFT, alone
        yield PACK, [own + beside for own, beside in zip(alone, others, strict=True)]
    if shipped:
        yield SHIPPED, [own + beside for own, beside in zip(_alerts(shift_rules(), counted), shipped, strict=True)]


def _alerts(rules: Sequence[ShiftRule], counted: list[list[Counted]]) -> list[list[Alert]]:
    by_rule = [rule.alerts([each[at] for each in counted]) for at, rule in enumerate(rules)]
    return [[alert for of_rule in by_rule for alert in of_rule[at]] for at in range(len(counted))]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--seeds", default="1000-1099", metavar="A-B", help="which account-weeks (default: %(default)s)"
    )
    parser.add_argument("--weeks", type=int, metavar="N", help="only the first N of them")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes side by side")
    parser.add_argument(
        "--save", metavar="FILE", help="write what became of each incident, and each false alarm, as JSON"
    )
    parser.add_argument("--only", choices=("all", "peers", SHIFT, SHIPPED), default="all", help="which detectors")
    return parser.parse_args()
