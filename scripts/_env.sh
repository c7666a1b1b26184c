# Sourced by the scripts beside it: an environment in which `import meshlearn` is this tree.
# EXTRA names what is installed beyond the package's own needs (an extra of pyproject.toml, or
# nothing). Sets PY (its python) and ROOT, and changes to ROOT. Does nothing twice.
set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$ROOT"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }
# a torch that already serves is kept: 0 when 2.10 or later is installed for this python
has_torch() {
  "$1" - <<'PYTHON' 2>/dev/null
import importlib.metadata as m, re, sys
sys.exit(tuple(int(n) for n in re.findall(r"\d+", m.version("torch"))[:2]) < (2, 10))
PYTHON
}

find_python() {
  local name
  for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.10 python; do
    if command -v "$name" >/dev/null && new_enough "$name"; then command -v "$name"; return; fi
  done
  fail "Python 3.10 or later is needed, and none was found (python3 is $(python3 --version 2>&1 || echo absent)); set PYTHON=/path/to/python3"
}

if [[ -n "${VIRTUAL_ENV:-}" && -x "$VIRTUAL_ENV/bin/python" ]]; then
  PY="$VIRTUAL_ENV/bin/python"
elif [[ -n "${CONDA_PREFIX:-}" && -x "$CONDA_PREFIX/bin/python" ]]; then
  PY="$CONDA_PREFIX/bin/python"
else
  PY="$ROOT/.venv/bin/python"
  if ! { [[ -x "$PY" ]] && "$PY" -m pip --version >/dev/null 2>&1; }; then
    BASE="$(find_python)"
    OPTIONS=()
    if has_torch "$BASE"; then OPTIONS=(--system-site-packages); fi
    say "making .venv with $("$BASE" --version)"
    "$BASE" -m venv --clear ${OPTIONS[@]+"${OPTIONS[@]}"} "$ROOT/.venv" >&2 ||
      fail "$BASE cannot make a virtual environment; install its venv module (Debian, Ubuntu: apt install python3-venv) or activate an environment of yours"
  fi
fi
new_enough "$PY" || fail "$PY is $("$PY" --version 2>&1); Python 3.10 or later is needed"
PIP=("$PY" -m pip install --quiet)
"$PY" -m pip --version >/dev/null 2>&1 || "$PY" -m ensurepip --upgrade >/dev/null 2>&1 ||
  fail "$PY has no pip; install it there first"

# One stamp for what pip installs, one for what the compiler builds; each redone when its inputs change.
PREFIX="$("$PY" -c 'import sys; print(sys.prefix)')"
digest() {
  "$PY" - "$@" <<'PYTHON'
import hashlib, importlib.metadata as m, os, pathlib, sys
h = hashlib.sha256(f"{sys.version} {m.version('torch')} {os.getcwd()}".encode())
for name in ("CXX", "DEBUG", "MESHLEARN_BUILD_NATIVE", "MESHLEARN_BUILD_CUDA", "TORCH_CUDA_ARCH_LIST"):
    h.update(f"{name}={os.environ.get(name)}".encode())
for root in map(pathlib.Path, sys.argv[1:]):
    for path in sorted(p for p in ([root] if root.is_file() else root.rglob("*")) if p.is_file()):
        h.update(str(path).encode() + b"\0" + path.read_bytes())
print(h.hexdigest())
PYTHON
}
fresh() { # fresh STAMP INPUT...: 0 when the stamp was made from these inputs
  local stamp="$1"; shift
  [[ -f "$stamp" && "$(cat "$stamp")" == "$(digest "$@")" ]]
}
needs() { # what the installed package asks for, extras included
  "$PY" -c 'import importlib.metadata as m, sys; print(sys.version, *sorted(m.requires("meshlearn")), sep="\n")'
}
is_installed() { "$PY" -c 'import importlib.metadata as m; m.version("meshlearn")' 2>/dev/null; }
is_built() { compgen -G "meshlearn/_C*.so" >/dev/null || [[ -f meshlearn/_build_info.json ]]; }

if ! has_torch "$PY"; then
  say "installing ${MESHLEARN_TORCH:=torch==2.13.0}"
  "${PIP[@]}" "$MESHLEARN_TORCH" >&2 || fail "torch could not be installed; install torch 2.10 or later there yourself, or name one by MESHLEARN_TORCH"
fi
if ! is_installed || ! fresh "$PREFIX/.meshlearn-install" pyproject.toml setup.py; then
  say "installing meshlearn"
  "${PIP[@]}" "setuptools>=77" wheel >&2
  "${PIP[@]}" --no-build-isolation -e . >&2
  digest pyproject.toml setup.py >"$PREFIX/.meshlearn-install"
  digest setup.py csrc >"$PREFIX/.meshlearn-build"
elif ! is_built || ! fresh "$PREFIX/.meshlearn-build" setup.py csrc; then
  say "building the native operators"
  LOG="$("$PY" setup.py build_ext --inplace 2>&1)" || { say "$LOG"; fail "the build failed"; }
  digest setup.py csrc >"$PREFIX/.meshlearn-build"
fi
if [[ -n "${EXTRA:-}" && "$(needs)" != "$(cat "$PREFIX/.meshlearn-$EXTRA" 2>/dev/null)" ]]; then
  say "installing what the extra '$EXTRA' names (minutes, the first time)"
  # the extra of what is installed by now: nothing is built again
  VERSION="$("$PY" -c 'import importlib.metadata as m; print(m.version("meshlearn"))')"
  "${PIP[@]}" "meshlearn[$EXTRA]==$VERSION" >&2
  needs >"$PREFIX/.meshlearn-$EXTRA"
fi
"$PY" -c 'import meshlearn._native as n; s = n.status(); s["native"] or print("note: native operators are off:", s["reason"])' >&2
