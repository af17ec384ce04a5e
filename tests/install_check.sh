#!/usr/bin/env bash
# Installs the package as users do, and checks what they then have:
#   install_check.sh ENVIRONMENT SDIST
# ENVIRONMENT is a folder that is created; SDIST a source distribution. From
# the folder (`pip install .`), from a wheel built out of SDIST, and editable.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
environment=$1
sdist=$(realpath "$2")
elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
trap 'echo "install_check.sh: line $LINENO failed: $BASH_COMMAND" >&2' ERR
set -o errtrace
export PIP_DISABLE_PIP_VERSION_CHECK=1 TF_CPP_MIN_LOG_LEVEL=3

cat >"$elsewhere/spawned.py" <<'PYTHON'
import importlib
import multiprocessing


def where(name):
    return importlib.import_module(name).__file__


if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for name in ("t2t_lite.trainer", "t2t_lite.problems"):
            assert pool.apply(where, (name,)) == where(name)
PYTHON

cat >"$elsewhere/contents.py" <<'PYTHON'
"""contents.py ROOT KIND: what is installed is what the checkout has."""

import importlib.metadata
import importlib.util
import pathlib
import sys

import t2t_lite.problems
import t2t_lite.trainer

root, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
home = pathlib.Path(t2t_lite.__file__).parent
assert (home == root / "t2t_lite") == (kind == "editable"), home


def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*.py")}


for name in ("problems", "trainer"):
    assert files(home / name) == files(root / name) != set(), name
    assert importlib.util.find_spec(name) is None, f"top-level {name}"
tops = {file.parts[0] for file in importlib.metadata.files("t2t_lite")}
strange = {top for top in tops if "t2t_lite" not in top}
strange -= {"..", "__pycache__"}
assert not strange, f"also installed: {strange}"
assert importlib.metadata.version("t2t_lite") == t2t_lite.__version__
PYTHON

scripts() {
  "$environment/bin/python" -c '
from importlib.metadata import distribution
print(*(e.name for e in distribution("t2t_lite").entry_points))'
}

check() {
  local folder script help
  (cd "$elsewhere" && "$environment/bin/python" contents.py "$root" "$1")
  for folder in "$root" "$elsewhere"; do
    cd "$folder"
    "$environment/bin/python" -c "import t2t_lite.problems, t2t_lite.trainer"
    "$environment/bin/python" -m t2t_lite.trainer.cli.train --help >/dev/null
    "$environment/bin/python" "$elsewhere/spawned.py"
    for script in $(scripts); do
      help=$("$environment/bin/$script" --help)
      [[ $help == "$script: "* ]]
    done
  done
  echo "$1: works, from its folder and from another ($(scripts))"
}

install() {
  "$environment/bin/python" -m pip install --quiet "$@"
}

"${PYTHON:-python3}" -m venv "$environment"
install "$root"
"$environment/bin/python" -m pip check
check folder

"$environment/bin/python" -m pip wheel --quiet --no-deps \
  --wheel-dir "$elsewhere/wheels" "$sdist"
install --no-deps --force-reinstall "$elsewhere"/wheels/t2t_lite-*.whl
check wheel

install --no-deps --force-reinstall --editable "$root"
check editable
