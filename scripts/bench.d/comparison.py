"""Runs two commands in turn and compares what they take.

Wall time, processor time and memory include the children that a command waited for. A and B take turns, and the one that goes
first changes from round to round, so that what slowly changes on the machine (heat, neighbours) falls on both alike.
"""

import dataclasses
import datetime
import os
import platform
import statistics
import subprocess
import sys
import time


@dataclasses.dataclass(frozen=True)
class Command:
    """What to run, and the name that the report gives it."""

    name: str
    arguments: list[str]


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one run took."""

    wall_seconds: float
    processor_seconds: float
    """User and system time."""
    peak_mebibytes: float
    """Largest resident size that one process of the run reached."""


FIGURES = [
    ("wall", "s", "wall_seconds"),
    ("CPU", "s", "processor_seconds"),
    ("peak memory", "MiB", "peak_mebibytes"),
]


def run(command: Command) -> Cost:
    """Runs the command to its end; its failure ends the benchmark with what it wrote."""
    started = time.monotonic()
    process = subprocess.Popen(
        command.arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    # Not Popen.wait: only wait4 tells what the process used.
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command.name} failed with {process.returncode}: {' '.join(command.arguments)}\n{errors}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def measure(commands: list[Command], runs: int) -> dict[str, list[Cost]]:
    """One warm-up of each, which is not counted, then `runs` rounds of all, each of which begins with another one."""
    costs: dict[str, list[Cost]] = {command.name: [] for command in commands}
    for round_number in range(runs + 1):
        first = round_number % len(commands)
        for command in commands[first:] + commands[:first]:
            cost = run(command)
            what = f"round {round_number}" if round_number else "warm-up"
            print(f"{what}: {command.name}: {cost.wall_seconds:.2f} s", file=sys.stderr, flush=True)
            if round_number:
                costs[command.name].append(cost)
    return costs


def compare(a: Command, b: Command, runs: int) -> tuple[list[Cost], list[Cost]]:
    """The same of two."""
    costs = measure([a, b], runs)
    return costs[a.name], costs[b.name]


def machine() -> str:
    """Where and when this ran, and with which FFmpeg."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    version = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True).stdout.split()[2]
    return f"{len(os.sched_getaffinity(0))} cores, {model}; FFmpeg {version}; {datetime.date.today():%Y-%m-%d}"


def table(a: Command, b: Command, costs_a: list[Cost], costs_b: list[Cost]) -> str:
    """The figures as a table in Markdown: median (least to most), and the median of the rounds' ratios."""
    lines = [f"| | {a.name} | {b.name} | ratio |", "|---|---|---|---|"]
    for name, unit, field in FIGURES:
        values_a = [getattr(cost, field) for cost in costs_a]
        values_b = [getattr(cost, field) for cost in costs_b]
        ratio = statistics.median(one / other for one, other in zip(values_a, values_b, strict=True))
        lines.append(f"| {name}, {unit} | {spread(values_a)} | {spread(values_b)} | {ratio:.2f} |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """Median (least to most)."""
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"
