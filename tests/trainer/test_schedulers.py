"""Slurm's and Kubernetes' words about the workers, from stand-ins for both."""

import sys
import types

import pytest

from t2t_lite.errors import UserError
from t2t_lite.trainer import schedulers
from t2t_lite.trainer.roll_call import PeerError

STEP = {
    "SLURM_JOB_ID": "4242",
    "SLURM_PROCID": "2",
    "SLURM_STEP_NUM_TASKS": "3",
    "SLURM_STEP_NODELIST": "n[9-10]",
    "SLURM_STEP_TASKS_PER_NODE": "2,1",
    "PATH": "",
}
BASE = 15000 + 242 * 16


def test_slurm_tasks_node_after_node():
    # n9 before n10: Slurm's order, not the alphabet's.
    assert schedulers.slurm(STEP) == (
        [f"n9:{BASE}", f"n9:{BASE + 1}", f"n10:{BASE}"],
        2,
    )


def test_slurm_expands_by_scontrol(tmp_path):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(
        '#!/bin/sh\n[ "$*" = "show hostnames r[1-2]n[1-2]" ] || exit 1\n'
        "printf 'r1n1\\nr1n2\\nr2n1\\nr2n2\\n'\n"
    )
    scontrol.chmod(0o755)
    step = STEP | {
        "PATH": str(tmp_path),
        "SLURM_STEP_NODELIST": "r[1-2]n[1-2]",
        "SLURM_STEP_TASKS_PER_NODE": "1(x4)",
        "SLURM_STEP_NUM_TASKS": "4",
        "T2T_LITE_PORT": "7000",
    }
    assert schedulers.slurm(step) == (
        ["r1n1:7000", "r1n2:7000", "r2n1:7000", "r2n2:7000"],
        2,
    )


def test_slurm_without_a_job():
    assert schedulers.slurm({"PATH": "/usr/bin"}) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"SLURM_STEP_NUM_TASKS": None},
            "inside Slurm job 4242, but not in a step of it "
            r"\('SLURM_STEP_NUM_TASKS' is missing\): start the workers with "
            "srun",
        ),
        (
            {"SLURMD_NODENAME": "n9"},
            "task 2 runs on n9, not on n10: start with srun "
            "--distribution=block",
        ),
        (
            {"SLURM_STEP_NUM_TASKS": "4"},
            r"Slurm names 3 places \(n\[9-10\] with 2,1 tasks\) for task 2",
        ),
        ({"SLURM_STEP_TASKS_PER_NODE": "2;1"}, "=2;1: expected e.g. 3"),
        ({"SLURM_STEP_NODELIST": "n[9-"}, "=n.9-: cannot be read; put scon"),
        ({"T2T_LITE_PORT": "x"}, "T2T_LITE_PORT=x: expected a port"),
    ],
)
def test_slurm_mistakes(change, said):
    step = {k: v for k, v in (STEP | change).items() if v is not None}
    with pytest.raises(UserError, match=said) as caught:
        schedulers.slurm(step)
    assert "\n" not in str(caught.value)


def pod(index, address, phase="Running", age=0):
    name = "batch.kubernetes.io/job-completion-index"
    return types.SimpleNamespace(
        metadata=types.SimpleNamespace(
            annotations={name: str(index)}, creation_timestamp=-age
        ),
        status=types.SimpleNamespace(pod_ip=address, phase=phase),
    )


class FakeKubernetes:
    """kubernetes.client, as far as it is used; each listing is the next."""

    def __init__(self, *listings, completions=2, parallelism=2):
        self.listings = list(listings)
        self.asked = []
        self.spec = types.SimpleNamespace(
            completions=completions, parallelism=parallelism
        )

    def BatchV1Api(self):  # noqa: N802 (the client's name)
        return self

    def CoreV1Api(self):  # noqa: N802 (the client's name)
        return self

    def read_namespaced_job(self, name, namespace):
        self.asked.append((name, namespace))
        return types.SimpleNamespace(spec=self.spec)

    def list_namespaced_pod(self, namespace, label_selector):
        self.asked.append((namespace, label_selector))
        items = self.listings[0]
        if len(self.listings) > 1:
            self.listings.pop(0)
        return types.SimpleNamespace(items=items)


POD = {
    "JOB_COMPLETION_INDEX": "1",
    "HOSTNAME": "train-ende-1",
    "POD_NAMESPACE": "mt",
}


def test_kubernetes_waits_for_all_addresses(monkeypatch):
    monkeypatch.setattr(schedulers, "_POLL_SECONDS", 0.01)
    client = FakeKubernetes(
        [pod(0, None, "Pending")],
        [pod(1, "10.0.0.7"), pod(0, None)],
        [
            pod(1, "10.0.0.7"),
            pod(0, "10.0.0.2", "Failed", age=9),
            pod(0, "10.0.0.9"),
        ],
    )
    place = schedulers.kubernetes(POD, lambda: client, seconds=5)
    assert place == (["10.0.0.9:2222", "10.0.0.7:2222"], 1)
    assert client.asked[:2] == [
        ("train-ende", "mt"),
        ("mt", "job-name=train-ende"),
    ]


def test_kubernetes_port_and_ipv6():
    client = FakeKubernetes([pod(0, "fd00::1"), pod(1, "fd00::2")])
    environment = POD | {"T2T_LITE_PORT": "7000"}
    place = schedulers.kubernetes(environment, lambda: client)
    assert place == (["[fd00::1]:7000", "[fd00::2]:7000"], 1)


def test_kubernetes_gives_up_on_a_pod_without_address(monkeypatch):
    monkeypatch.setattr(schedulers, "_POLL_SECONDS", 0.01)
    client = FakeKubernetes([pod(1, "10.0.0.7")])
    with pytest.raises(PeerError, match=r"pod train-ende-0 \(worker 0\) has"):
        schedulers.kubernetes(POD, lambda: client, seconds=0.1)


def test_kubernetes_without_a_job():
    assert schedulers.kubernetes({"HOSTNAME": "pc-1"}) is None


def refuse(status):
    client = FakeKubernetes([])

    def read(name, namespace):
        error = RuntimeError("no")
        error.status = status
        raise error

    client.read_namespaced_job = read
    return client


@pytest.mark.parametrize(
    ("client", "change", "said"),
    [
        (FakeKubernetes([]), {"HOSTNAME": "other"}, "the host name 'other'"),
        (
            FakeKubernetes([], completions=1),
            {},
            "JOB_COMPLETION_INDEX=1, but the Job train-ende has 1 compl",
        ),
        (
            FakeKubernetes([], parallelism=1),
            {},
            "completions 2 and parallelism 1; give both the number of work",
        ),
        (refuse(403), {}, r"\(status 403\); let the pod's service account"),
        (FakeKubernetes([]), {"POD_NAMESPACE": ""}, "set POD_NAMESPACE"),
    ],
)
def test_kubernetes_mistakes(client, change, said):
    with pytest.raises(UserError, match=said) as caught:
        schedulers.kubernetes(POD | change, lambda: client)
    assert "\n" not in str(caught.value)


def test_other_failures_of_kubernetes_are_kept():
    with pytest.raises(RuntimeError, match=r"^no$"):
        schedulers.kubernetes(POD, lambda: refuse(500))


def test_the_missing_client_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(UserError, match="pip install kubernetes, or set TF"):
        schedulers.kubernetes_client()
