"""Latency and throughput of a server under load, and a soak of it.

    python benchmarks/serving.py --model_dir=RUN/export --report=serving.json
    python benchmarks/serving.py --server=localhost:8500 --model_name=ende
    python benchmarks/serving.py --model_dir=RUN/export --minutes=10 --load=0.8

Requests arrive at random moments, so many a second on average, whatever became
of the earlier ones (an open loop, Poisson). Latency is counted from the moment
a request was due. The rates are given by --rates, or by --load as shares of a
capacity, which clients that wait for each answer (closed loops) measure first.

--server is TensorFlow Serving or anything that speaks its protocols.
--model_dir starts the tests' stand-in instead, a small server in Python: its
figures say nothing of TensorFlow Serving's. Where the server runs on the same
machine, the load takes a part of its cores.

With --minutes one load is kept up so long: the exit status is 1 where a
request failed, or the server's memory grew by more than --max_growth MiB after
the first tenth of the time.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import measuring
import serving_load as loads
from serving_process import Memory, ServerError, TestServer, growth
from serving_report import Progress, plot, print_stages

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import clients, signatures
from t2t_lite.trainer.cli.command import CommandError
from t2t_lite.trainer.cli.query_lines import Item, batches, read_items
from t2t_lite.trainer.cli.quiet import import_tensorflow

_WARM_UP_SECONDS = 300.0  # of a request
_PATHS = ("model_dir", "file", "report", "plot")  # the command has their names
_KINDS = (
    (clients.LateError, "late"),
    (clients.NotReadyError, "not ready"),
    (clients.ServerError, "failed"),
    (UserError, "refused"),
)


def kind(error: Exception) -> str | None:
    """Returns what a table calls a client's error; None = it is a bug."""
    for known, name in _KINDS:
        if isinstance(error, known):
            return name
    return None


@dataclasses.dataclass
class Stage:
    """A load, and what became of it.

    Fields:
        name: str, what the table calls it.
        rate: float, requests/s that are due; None for closed loops.
        found: what `serving_load.summary` says, and `mib`.
        samples: the server's memory, (seconds, MiB) each.
    """

    name: str
    rate: float | None
    found: dict
    samples: list[tuple[float, float]]


class Bench:
    """A server, what it is asked, and the loads that it was put under.

    Args:
        args: the flags.
        server: str, "host:port".
        pid: int, the server's process, if it is known.
    """

    def __init__(self, args, server: str, pid: int | None):
        self._args = args
        self._pid = pid
        self._target = clients.Target(
            server, args.model_name, None, _signature_of(args), args.timeout
        )
        patient = dataclasses.replace(self._target, timeout=_WARM_UP_SECONDS)
        first = self._client(patient)
        self._requests = list(_requests(args, self._target, first))
        # It is there, and takes them; a graph's first runs take longest.
        for request in itertools.islice(self._requests, args.warm_up):
            first.predict(request)
        self._answers: dict[int, object] = {}
        self.changed: set[int] = set()
        self._progress = Progress(_planned_seconds(args))
        self.stages: list[Stage] = []

    def _client(self, target: clients.Target | None = None):
        rest = self._args.protocol == "rest"
        kind = clients.RestClient if rest else clients.GrpcClient
        return kind(target or self._target)

    def _call(self) -> loads.Call:
        client = self._client()

        def call(index: int) -> None:
            place = index % len(self._requests)
            answer = client.predict(self._requests[place]).get("outputs")
            # What a client gets may not depend on who else is served.
            if _best(self._answers.setdefault(place, answer)) != _best(answer):
                self.changed.add(place)

        return call

    def _run(self, name: str, rate: float | None, count: int, send) -> dict:
        """Puts the server under a load; keeps and returns what it gave."""
        args = self._args
        self._progress.begin(name)
        memory = Memory(self._pid, min(1.0, _stage_seconds(args) / 50))
        load = loads.Load(
            [self._call() for _ in range(count)],
            kind,
            args.timeout,
            self._progress.watch,
        )
        found = {**loads.summary(send(load)), "mib": memory.end()}
        self._progress.end()
        self.stages.append(Stage(name, rate, found, memory.samples))
        return found

    def capacity(self) -> float:
        """Returns the most answers/s of closed loops.

        Raises:
            CommandError: there was no answer.
        """
        best = 0.0
        for count in self._args.clients:
            found = self._run(
                f"closed, {count} clients",
                None,
                count,
                lambda load: load.closed(self._args.capacity_seconds),
            )
            best = max(best, found["per_second"])
        if not best:
            raise CommandError(
                f"no request was answered ({found['errors']}): there is no "
                "capacity to take a share of; give --rates or raise --timeout"
            )
        return best

    def offer(self, name: str, rate: float) -> None:
        """Sends so many requests/s on average."""
        args = self._args
        moments = loads.arrivals(
            rate, _stage_seconds(args), args.seed + len(self.stages)
        )
        self._run(name, rate, args.connections, lambda load: load.open(moments))


def _best(outputs: object) -> object:
    """Returns the texts of a request's answer that everybody gets."""
    if isinstance(outputs, list):
        return [row[0] if isinstance(row, list) else row for row in outputs]
    return outputs


def _signature_of(args) -> str:
    wishes = args.input_format == "jsonl"
    return args.signature or ("translate" if wishes else "serving_default")


def _requests(args, target, client) -> Iterator[dict[str, list]]:
    """Yields the inputs of each request, of --sentences lines each."""
    if args.file:
        items = list(read_items([], args.file, args.input_format == "jsonl"))
    else:
        from t2t_lite.problems.phrasebook import pairs

        items = [Item("", {"inputs": text}) for text, _ in pairs("test")]
    if not items:
        raise UserError(f"--file={args.file}: there are no lines in it")
    name = target.signature
    signature = client.signature()
    rows = []
    for item in items:
        try:
            rows.append(signatures.checked(name, signature, item.inputs))
        except UserError as error:
            raise UserError(f"{item.place}: {error}") from error
    for batch in batches(rows, args.sentences):
        yield signatures.columns(signature, batch)


def _stage_seconds(args) -> float:
    return 60 * args.minutes if args.minutes else args.seconds


def _planned_seconds(args) -> float:
    stages = len(args.rates or args.load) * _stage_seconds(args)
    measured = 0 if args.rates else len(args.clients) * args.capacity_seconds
    return stages + measured


def measure(args, server: str, pid: int | None) -> int:
    """Runs all loads and prints them; returns the exit status."""
    bench = Bench(args, server, pid)
    if args.rates:
        for rate in args.rates:
            bench.offer(f"{rate:g}/s", rate)
    else:
        capacity = bench.capacity()
        print(f"capacity {capacity:.2f} requests/s of {args.sentences} lines")
        for share in args.load:
            bench.offer(f"{share:.0%} of it", share * capacity)
    print_stages(bench.stages)
    if bench.changed:
        print(
            f"{len(bench.changed)} requests got other texts at another time: "
            "sums are rounded otherwise in other batches, or answers were mixed"
        )
    offered = [stage for stage in bench.stages if stage.rate is not None]
    if args.report:
        content = {
            "flags": {
                name: value
                for name, value in vars(args).items()
                if value is not None and name not in _PATHS
            },
            "changed": len(bench.changed),
            "stages": [dataclasses.asdict(stage) for stage in bench.stages],
        }
        import_tensorflow()  # which the report does with its noise
        measuring.write_report(args.report, content)
    if args.plot:
        plot(offered, args.plot)
    if args.minutes:
        return _soaked(offered[-1], args)
    return 0 if all(stage.found["answered"] for stage in offered) else 1


def _soaked(stage: Stage, args) -> int:
    """Prints the soak's result; returns the exit status."""
    grown = growth(stage.samples)
    errors = sum(stage.found["errors"].values())
    memory = "memory is not known (give --pid)"
    if grown is not None:
        memory = f"memory changed by {grown:+.1f} MiB after the warm-up"
    failed = errors > 0 or (grown is not None and grown > args.max_growth)
    print(
        f"soak of {args.minutes:g} minutes at {stage.rate:.2f} requests/s: "
        f"{stage.found['sent']:,} sent, {errors:,} errors; {memory}, at most "
        f"{args.max_growth:g} allowed: {'FAILED' if failed else 'passed'}"
    )
    return 1 if failed else 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the arguments; exits with the status."""
    from serving_flags import parse

    args = parse(__doc__, arguments)
    server = None
    try:
        place, pid = args.server, args.pid
        if args.model_dir:
            more = [f"--model_name={args.model_name}"]
            if args.batching_parameters_file:
                path = os.path.abspath(args.batching_parameters_file)
                more.append(f"--batching_parameters_file={path}")
            server = TestServer(args.model_dir, *more)
            place, pid = server.places[args.protocol], server.pid
        sys.exit(measure(args, place, pid))
    except UserError as error:
        sys.exit(_said(error, 2))
    except (CommandError, ServerError) as error:
        sys.exit(_said(error, 1))
    except KeyboardInterrupt:
        sys.exit(_said("interrupted", 130))
    finally:
        if server:
            server.end()


def _said(error: Exception | str, status: int) -> int:
    print(f"serving.py: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
