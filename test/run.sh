#!/usr/bin/env bash
# Everything the tests need on a fresh Debian machine, then the tests. Ends with "N passed, N failed".
#   test/run.sh [unit|contracts|e2e ...]      default: all of them, after format, lint, types and house rules
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
passed=0
failed=0
own_dockerd=''
lint=''
histories=''

finish() {
  for one in $lint $histories; do
    kill "$one" 2>/dev/null
    wait "$one" 2>/dev/null
  done
  [ -z "$own_dockerd" ] || { kill "$own_dockerd" 2>/dev/null; wait "$own_dockerd" 2>/dev/null; }
  rm -rf "$work"
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit $?
}
trap finish EXIT

say() { printf '\n==> %s\n' "$*"; }

give_up() {
  echo "error: $1" >&2
  failed=$((failed + 1))
  exit 1
}

# One check that is not a test file: a line of its own in the count.
check() {
  local name=$1
  shift
  say "$name"
  if "$@"; then passed=$((passed + 1)); else
    failed=$((failed + 1))
    echo "FAILED: $name" >&2
  fi
}

# Begun before the build, done in the middle of the unit tests: it keeps one core busy.
end_of_lint() {
  local code=0
  wait "$lint" || code=$?
  lint=''
  cat "$work/lint.log"
  return "$code"
}

# Simulated histories, in what the tests that follow leave idle of the processor: they mostly wait. Then alone, up to this second of the run.
histories_until=1320
begin_histories() {
  setsid bash -c 'echo 19 >/proc/self/autogroup; exec "$@"' - nice -n 19 \
    node --enable-source-maps --max-semi-space-size=32 dist/test/sim/main.js --seed 70199 --histories 2000 --workers 2 \
    >"$work/histories.log" 2>"$work/histories.err" &
  histories=$!
}

end_of_histories() {
  local code=0
  while kill -0 "$histories" 2>/dev/null && [ "$SECONDS" -lt "$histories_until" ]; do sleep 1; done
  kill "$histories" 2>/dev/null
  wait "$histories" || code=$?
  histories=''
  cat "$work/histories.log"
  [ "$code" -eq 0 ] || cat "$work/histories.err" >&2
  grep -q '^[1-9][0-9]* histories, 0 invariants broken$' "$work/histories.log" && return "$code"
}

# The files of one suite, or of several at once (`contracts+e2e`), run by node's own test runner. Traces name dist/*.js: reading source maps would cost each of the
# hundreds of processes a tenth of its time; `npm run test:unit` reads them.
suite() {
  local name=$1 concurrency=$2 files
  local folders=()
  IFS=+ read -ra folders <<<"$name"
  mapfile -t files < <(find "${folders[@]/#/dist/test/}" -name '*.test.js' 2>/dev/null | sort)
  [ "${#files[@]}" -gt 0 ] || give_up "no test file in ${folders[*]/#/dist/test/}"
  say "Tests: $name (${#files[@]} files)"
  node --test --test-concurrency="$concurrency" --test-timeout=600000 \
    --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$work/$name.tap" "${files[@]}"
  local good bad skipped
  good=$(sed -n 's/^# pass //p' "$work/$name.tap" | tail -n 1)
  bad=$(($(sed -n 's/^# fail //p' "$work/$name.tap" | tail -n 1) + $(sed -n 's/^# cancelled //p' "$work/$name.tap" | tail -n 1)))
  [ -n "$good" ] || give_up "the runner of $name ended without a count"
  skipped=$(sed -n 's/^# skipped //p' "$work/$name.tap" | tail -n 1)
  [ "${skipped:-0}" = 0 ] || echo "note: $skipped tests of $name were skipped; each says why above" >&2
  passed=$((passed + good))
  failed=$((failed + bad))
}

packages() {
  local missing=()
  have() { command -v "$1" >/dev/null || missing+=("$2"); }
  have make make
  have g++ g++
  have python3 python3
  have git git
  have dockerd docker.io
  have iptables iptables
  have podman podman
  have runc runc
  [ -x /usr/lib/podman/netavark ] || missing+=(netavark)
  have docker-registry docker-registry
  have busybox busybox-static
  have openssl openssl
  have ip iproute2
  have pgrep procps
  [ -x /usr/sbin/mosquitto ] || missing+=(mosquitto)
  have mosquitto_pub mosquitto-clients
  have kubectl kubernetes-client
  have ssh-agent openssh-client
  have age age
  have faketime faketime
  have curl curl
  have strace strace
  [ "${#missing[@]}" -gt 0 ] || return 0
  say "Installing ${missing[*]}"
  local as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -q >"$work/apt.log" 2>&1
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" \
    >>"$work/apt.log" 2>&1 || { tail -n 5 "$work/apt.log" >&2; give_up "apt-get could not install ${missing[*]}"; }
}

engine() {
  docker version >/dev/null 2>&1 && return 0
  say "Starting dockerd"
  dockerd >"$work/dockerd.log" 2>&1 &
  own_dockerd=$!
  for _ in $(seq 100); do
    docker version >/dev/null 2>&1 && return 0
    sleep 0.3
  done
  tail -n 5 "$work/dockerd.log" >&2
  give_up "no Docker Engine answers"
}

# Their own scripts come later: npm needs nothing but node for the rest.
node_packages() {
  npm ci --no-audit --no-fund --ignore-scripts >"$work/npm.log" 2>&1
}

is_new=''
if [ ! -d node_modules ] || [ -n "${CI:-}" ]; then
  is_new=yes
  say "Installing Node packages"
  node_packages &
  fetched=$!
fi
packages
engine
if [ -n "$is_new" ]; then
  wait "$fetched" || { tail -n 20 "$work/npm.log" >&2; give_up "npm ci failed"; }
  # A compiler has a minute to do, on one core; nothing but the tests waits for it.
  npm rebuild >"$work/npm.log" 2>&1 &
  compiled=$!
fi
say "Building"
npm run --silent generate || give_up "the build failed"
if [ $# -eq 0 ]; then
  npm run --silent lint >"$work/lint.log" 2>&1 &
  lint=$!
fi
npm run --silent compile || give_up "the build failed"
if [ -n "$is_new" ]; then
  wait "$compiled" || { tail -n 20 "$work/npm.log" >&2; give_up "npm rebuild failed"; }
  # install.sh looks here for what is installed already.
  sha256sum package-lock.json | cut -d' ' -f1 >node_modules/.flotilla-lock
fi

is_whole=''
[ $# -gt 0 ] || { is_whole=yes; set -- unit contracts+e2e; }
for name in "$@"; do
  case "$name" in
    unit) suite unit 3 ;;
    # Mostly waiting for engines and clocks; each file has its own directories, ports and containers.
    *)
      [ -z "$is_whole" ] || begin_histories
      suite "$name" 5
      [ -z "$histories" ] || check "Simulated histories" end_of_histories
      ;;
  esac
done
[ -z "$lint" ] || check "Format and lint" end_of_lint
