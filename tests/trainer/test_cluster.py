"""Which cluster --strategy=multi_worker finds, and what it says of others."""

import json

import pytest

from t2t_lite.errors import UserError
from t2t_lite.trainer import cluster, strategies
from tests.trainer.test_schedulers import POD, STEP, FakeKubernetes, pod


def config(jobs=None, **task):
    jobs = jobs or {"worker": ["a:1", "b:2", "c:3"]}
    task = {"type": "worker", "index": 0} | task
    return {"TF_CONFIG": json.dumps({"cluster": jobs, "task": task})}


def test_tf_config():
    found = cluster.find_cluster(config(index=2))
    assert found == cluster.Cluster(("a:1", "b:2", "c:3"), 2, "TF_CONFIG")
    assert str(found) == "worker 2 of 3, cluster from TF_CONFIG"


def test_a_chief_is_worker_0():
    jobs = {"worker": ["b:2", "c:3"], "chief": ["a:1"]}
    chief = cluster.find_cluster(config(jobs, type="chief"))
    assert (chief.workers, chief.index) == (("a:1", "b:2", "c:3"), 0)
    assert cluster.find_cluster(config(jobs, index=1)).index == 2


def test_an_index_in_words_and_a_chiefs_missing_one():
    assert cluster.find_cluster(config(index="1")).index == 1
    jobs = {"chief": ["a:1"], "worker": ["b:2"]}
    text = json.dumps({"cluster": jobs, "task": {"type": "chief"}})
    assert cluster.find_cluster({"TF_CONFIG": text}).index == 0


def test_resolver():
    resolver = cluster.find_cluster(config(index=1)).resolver()
    assert (resolver.task_type, resolver.task_id) == ("worker", 1)
    assert resolver.cluster_spec().as_dict() == {
        "worker": ["a:1", "b:2", "c:3"]
    }


def test_the_order_of_search():
    client = FakeKubernetes([pod(0, "10.0.0.1"), pod(1, "10.0.0.2")])

    def find(environment):
        return cluster.find_cluster(environment, lambda: client).source

    assert find(config() | STEP | POD) == "TF_CONFIG"
    assert find({"TF_CONFIG": " "} | STEP | POD) == "Slurm"
    assert find(POD) == "Kubernetes"


def test_no_cluster_at_all():
    with pytest.raises(UserError, match="no cluster: TF_CONFIG is not") as no:
        cluster.find_cluster({})
    for word in ("Slurm", "Kubernetes", "t2t_lite_launch", "srun"):
        assert word in str(no.value)
    assert "\n" not in str(no.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", r"TF_CONFIG: no JSON \("),
        ("[]", "TF_CONFIG: no JSON object; expected e.g. {"),
        ("{}", "TF_CONFIG: no cluster; "),
        ('{"cluster": {}}', "no cluster; "),
        ('{"cluster": {"worker": []}}', "no cluster; "),
        ('{"cluster": {"worker": ["a:1"]}}', "no task; "),
        ('{"cluster": {"worker": "a:1"}}', "worker: no list of host:port"),
        ('{"cluster": {"worker": ["a"]}}', "worker: 'a' is not host:port"),
        ('{"cluster": {"worker": ["a:1", "a:1"]}}', "two tasks have the same"),
        ('{"cluster": {"chief": ["a:1", "b:1"]}}', "more than one chief"),
        (
            '{"cluster": {"workers": ["a:1"]}}',
            r"task type 'workers' of the cluster: .*did you mean 'worker'",
        ),
    ],
)
def test_a_malformed_tf_config(text, said):
    with pytest.raises(UserError, match=said) as caught:
        cluster.find_cluster({"TF_CONFIG": text})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"index": 3}, "task index 3: expected 0 to 2, for the cluster has 3"),
        ({"index": -1}, "task index -1: expected 0 to 2"),
        ({"index": None}, "task index None: expected 0 to 2"),
        ({"index": True}, "task index True: expected 0 to 2"),
        (
            {"type": "worked"},
            "task type 'worked' is not in the cluster of worker "
            r"\(did you mean 'worker'\?\)",
        ),
        ({"type": None}, "task type None is not in the cluster"),
    ],
)
def test_a_malformed_task(task, said):
    with pytest.raises(UserError, match=said) as caught:
        cluster.find_cluster(config(**task))
    assert "\n" not in str(caught.value)


def test_the_strategy_says_what_it_looked_for(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_JOB_ID", "JOB_COMPLETION_INDEX"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="multi_worker: no cluster: TF_CONF"):
        strategies.create_strategy("multi_worker")
