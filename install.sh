#!/usr/bin/env bash
# Sets up Flotilla on a Debian or Ubuntu machine.
#   ./install.sh demo          hub, broker and agent on this machine, and a sample bundle rolled out to it
#   ./install.sh demo --stop   removes what the demo made, and nothing else
# Running either twice is fine. Asks before it installs packages, but only on a terminal.
set -euo pipefail
# Whatever ends this script unforeseen says where.
trap 'echo "error: ${BASH_SOURCE[0]##*/} line $LINENO: $BASH_COMMAND" >&2' ERR

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
demo="${FLOTILLA_DEMO_DIR:-$HOME/.flotilla/demo}"
image=flotilla.dev/demo:1
node_name=demo

usage() {
  sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
plain() { printf '==> %s\n' "$*"; }
[ -t 1 ] || say() { plain "$@"; }
die() {
  printf 'error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

# ------------------------------------------------------------------------------------------ packages

need_packages() {
  [ $# -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "these are missing: $*" "this machine has no apt-get; install them by its own means"
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "these packages are missing: $*" "be root, or install them first"
    as_root=(sudo)
  fi
  if [ -t 0 ] && [ -t 1 ]; then
    read -r -p "Install the packages $*? [Y/n] " answer
    case "$answer" in [nN]*) die "not installed: $*" ;; esac
  fi
  say "Installing $*"
  (umask 077 && mkdir -p "$demo")
  local log="$demo/packages.log"
  {
    "${as_root[@]}" apt-get update -q || true
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
  } >"$log" 2>&1 || die "apt-get could not install $*: $(grep -m1 '^E:' "$log" || tail -n1 "$log")" "the whole story is in $log"
}

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

check_node() {
  command -v node >/dev/null && command -v npm >/dev/null || die "Node.js and npm are needed" "install Node.js 20 or newer: https://nodejs.org"
  local major
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 20 ] || die "Node.js $(node --version) is too old" "Flotilla needs Node.js 20 or newer"
}

install_missing() {
  local missing=()
  command -v make >/dev/null || missing+=(make)
  command -v g++ >/dev/null || missing+=(g++)
  command -v python3 >/dev/null || missing+=(python3)
  command -v busybox >/dev/null || missing+=(busybox-static)
  if ! engine_answers; then
    command -v dockerd >/dev/null || missing+=(docker.io)
    command -v iptables >/dev/null || missing+=(iptables)
  fi
  need_packages ${missing[@]+"${missing[@]}"}
}

# The first line of npm's that is about the cause: "code 1", the path and the command say nothing.
npm_reason() {
  { grep 'npm error' "$demo/npm.log" || true; } |
    { grep -vE '^npm error (code|errno|path|command|syscall|$)' || true; } | sed -n 's/^npm error //p;' | head -n1
}

build() {
  local want have=''
  want=$(sha256sum "$here/package-lock.json" | cut -d' ' -f1)
  [ ! -f "$here/node_modules/.flotilla-lock" ] || have=$(cat "$here/node_modules/.flotilla-lock")
  (umask 077 && mkdir -p "$demo")
  if [ "$want" != "$have" ]; then
    say "Installing Node packages (better-sqlite3 is compiled: a minute or two)"
    # Headers that Node.js brought along spare a download from nodejs.org, which a closed network refuses.
    local node_home
    node_home=$(node -p 'require("node:path").resolve(fs.realpathSync(process.execPath), "../..")')
    [ ! -f "$node_home/include/node/node.h" ] || export npm_config_nodedir="$node_home"
    (cd "$here" && npm ci --no-audit --no-fund) >"$demo/npm.log" 2>&1 || die "npm ci failed: $(npm_reason)" "the whole story is in $demo/npm.log"
    echo "$want" >"$here/node_modules/.flotilla-lock"
  fi
  say "Building"
  (cd "$here" && npm run --silent build) >"$demo/build.log" 2>&1 || {
    tail -n 20 "$demo/build.log" >&2
    die "the build failed"
  }
}

# ------------------------------------------------------------------------------------------- processes

# A pid file is believed only while the process still runs what it was written for.
alive() {
  local file="$demo/$1.pid" pid
  [ -f "$file" ] || return 1
  pid=$(cat "$file")
  [ -r "/proc/$pid/cmdline" ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF -- "$2"
}

# Its log is of this start alone; the one before lies beside it.
start() {
  local name=$1
  shift
  [ ! -s "$demo/$name.log" ] || mv "$demo/$name.log" "$demo/$name.log.before"
  setsid nohup "$@" >>"$demo/$name.log" 2>&1 </dev/null &
  echo $! >"$demo/$name.pid"
}

stop() {
  local name=$1 mark=$2 pid
  if alive "$name" "$mark"; then
    pid=$(cat "$demo/$name.pid")
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 100); do
      [ -d "/proc/$pid" ] || break
      sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
    echo "stopped $name"
  fi
  rm -f "$demo/$name.pid"
}

# As long as its process lives, and a minute and a half at most: what holds its port may be silent for ever.
wait_for() {
  local what=$1 name=$2 until=$((SECONDS + 90)) how='did not come up'
  shift 2
  while [ "$SECONDS" -lt "$until" ]; do
    if timeout 10 "$@" >/dev/null 2>&1; then return 0; fi
    alive "$name" "$demo/$name" || {
      how='ended'
      break
    }
    sleep 0.2
  done
  tail -n 5 "$demo/$name.log" >&2 || true
  if grep -q EADDRINUSE "$demo/$name.log"; then
    die "$what $how: another program has its port" "end that one; or ./install.sh demo --stop, and a new demo takes other ports"
  fi
  die "$what $how" "its log is $demo/$name.log"
}

free_port() {
  node -e '
    const net = require("node:net");
    const free = port => new Promise(done => {
      const server = net.createServer();
      server.once("error", () => done(0));
      server.listen(port, "0.0.0.0", () => { const taken = server.address().port; server.close(() => done(taken)); });
    });
    free(Number(process.argv[1])).then(async port => console.log(port || await free(0)));
  ' "$1"
}

start_engine() {
  engine_answers && return 0
  if [ -d /run/systemd/system ]; then
    say "Starting Docker"
    systemctl start docker || true
  elif [ "$(id -u)" = 0 ]; then
    say "Starting dockerd"
    start dockerd dockerd --pidfile "$demo/dockerd-own.pid"
  fi
  for _ in $(seq 150); do
    engine_answers && return 0
    sleep 0.2
  done
  docker version 2>&1 | tail -n1 >&2 || true
  die "no Docker Engine answers" "start Docker, or be a user who may use it (root or the group docker)"
}

# An image needs no registry: busybox of this machine, with the libraries that it asks for.
make_image() {
  docker image inspect "$image" >/dev/null 2>&1 && return 0
  say "Making the sample image $image from this machine's busybox"
  local root
  root=$(mktemp -d)
  mkdir -p "$root/bin" "$root/tmp" "$root/www"
  # mktemp's mode would be the mode of the image's root: nobody but root could enter it.
  chmod 755 "$root" "$root/bin" "$root/www"
  chmod 1777 "$root/tmp"
  cp "$(readlink -f "$(command -v busybox)")" "$root/bin/busybox"
  # A static one asks for none, and grep then finds nothing.
  { ldd "$root/bin/busybox" 2>/dev/null || true; } | { grep -o '/[^ ]*' || true; } | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
  chmod -R go+rX "$root"
  for applet in $("$root/bin/busybox" --list); do
    [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
  done
  tar -C "$root" -c . | docker import --change 'ENV PATH=/bin' --change 'CMD ["sh"]' - "$image" >/dev/null
  rm -rf "$root"
}

write_manifests() {
  mkdir -p "$demo/bundle"
  cat >"$demo/bundle/web.yaml" <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels:
    app: web
spec:
  terminationGracePeriodSeconds: 2
  containers:
    - name: httpd
      image: $image
      command: [sh, -c]
      args:
        - |
          echo "Hello from \$NODE. Edit this manifest and apply it again." > /www/index.html
          exec httpd -f -p 8080 -h /www
      env:
        - name: NODE
          valueFrom:
            fieldRef:
              fieldPath: spec.nodeName
      ports:
        - containerPort: 8080
          hostPort: $1
      volumeMounts:
        - name: www
          mountPath: /www
      resources:
        limits:
          memory: 32Mi
          cpu: 200m
  volumes:
    - name: www
      emptyDir: {}
YAML
  cat >"$demo/bundle/clock.yaml" <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: clock
  labels:
    app: clock
spec:
  terminationGracePeriodSeconds: 2
  containers:
    - name: clock
      image: $image
      command: [sh, -c]
      args: ['while date; do sleep 10; done']
      resources:
        limits:
          memory: 16Mi
YAML
}

# ------------------------------------------------------------------------------------------------ demo

flotilla() { node "$here/hub/bin/flotilla.js" "$@"; }
flotilla_agent() { node "$here/agent/bin/flotilla-agent.js" "$@"; }

demo_start() {
  check_node
  install_missing
  build
  umask 077
  mkdir -p "$demo"
  start_engine
  make_image

  if [ ! -f "$demo/ports" ]; then
    echo "$(free_port 8443) $(free_port 8883) $(free_port 8080)" >"$demo/ports"
  fi
  read -r api_port mqtt_port web_port <"$demo/ports"

  if [ ! -f "$demo/hub/hub.yaml" ]; then
    say "Making a hub: keys, certificates, admin.kubeconfig"
    flotilla hub init --data-dir "$demo/hub" --listen "127.0.0.1:$api_port" --mqtt-listen "127.0.0.1:$mqtt_port" >"$demo/init.log"
  fi
  cp "$demo/hub/admin.kubeconfig" "$demo/admin.kubeconfig"
  export KUBECONFIG="$demo/admin.kubeconfig"
  if ! alive hub "$demo/hub"; then
    say "Starting the hub on 127.0.0.1:$api_port, its broker on 127.0.0.1:$mqtt_port"
    start hub node "$here/hub/bin/flotilla.js" hub run --data-dir "$demo/hub"
  fi
  wait_for "the hub" hub node "$here/hub/bin/flotilla.js" get nodes

  if [ ! -f "$demo/agent/identity/join.json" ]; then
    say "Joining this machine as node \"$node_name\""
    flotilla token create --label site="$node_name" >"$demo/join.txt"
    flotilla_agent join --token-file "$demo/join.txt" --node-name "$node_name" --data-dir "$demo/agent" >>"$demo/init.log"
  fi
  if ! alive agent "$demo/agent"; then
    say "Starting the agent"
    start agent node "$here/agent/bin/flotilla-agent.js" run --data-dir "$demo/agent" --static-pod-path "$demo/manifests"
  fi
  wait_for "the agent" agent node "$here/agent/bin/flotilla-agent.js" status --data-dir "$demo/agent"

  say "Rolling out the sample bundle in $demo/bundle"
  [ -f "$demo/bundle/web.yaml" ] || write_manifests "$web_port"
  flotilla apply -f "$demo/bundle" --bundle demo --nodes site="$node_name" --wait --timeout 3m
  wait_for "the web server" agent node -e "$fetch_web" "$web_port"

  printf '\n$ flotilla get nodes\n'
  flotilla get nodes
  printf '\n$ flotilla get pods -o wide\n'
  flotilla get pods -o wide
  cat <<TEXT

The web server answers:  curl http://127.0.0.1:$web_port/
                         $(curl_web "$web_port")

What to type next, in $here:
  export KUBECONFIG=$demo/admin.kubeconfig
  npx flotilla get pods -w
Change something and roll it out:
  \$EDITOR $demo/bundle/web.yaml
  npx flotilla diff -f $demo/bundle --bundle demo
  npx flotilla apply -f $demo/bundle --bundle demo --wait
The same, seen at the device:
  npx flotilla-agent pods --data-dir $demo/agent
A Pod of this node alone, no hub needed:
  cp your-pod.yaml $demo/manifests/
Remove the demo:
  ./install.sh demo --stop
TEXT
}

fetch_web='
  fetch(`http://127.0.0.1:${process.argv[1]}/`).then(r => r.ok ? r.text() : Promise.reject(r.status))
    .then(t => process.stdout.write(t.trim()), () => process.exit(1));
'
curl_web() { node -e "$fetch_web" "$1"; }

# Somebody may have started an agent on the demo's node by hand: it would start its pods again.
nobody_listens() {
  [ -S "$1" ] || return 0
  ! node -e '
    require("node:net").connect(process.argv[1]).on("connect", () => process.exit(0)).on("error", () => process.exit(1));
  ' "$1"
}

demo_stop() {
  if [ ! -d "$demo" ]; then
    echo "there is no demo in $demo"
    return 0
  fi
  stop agent "$demo/agent"
  nobody_listens "$demo/agent/agent.sock" ||
    die "another agent runs on $demo/agent" "stop it (Ctrl-C where it was started), then: ./install.sh demo --stop"
  stop hub "$demo/hub"
  if engine_answers; then
    local owner containers images one
    owner=$(readlink -m "$demo/agent")
    owned() { docker ps -aq --filter "label=flotilla.dev/owner=$owner"; }
    containers=$(owned)
    if [ -n "$containers" ]; then
      local left=$containers logs
      # As the agent names them: <namespace>_<pod>_<uid>.
      # shellcheck disable=SC2086
      logs=$(docker inspect --format '{{with .Config.Labels}}{{index . "io.kubernetes.pod.namespace"}}_{{index . "io.kubernetes.pod.name"}}_{{index . "io.kubernetes.pod.uid"}}{{end}}' $containers | sort -u)
      # The engine may still do what the agent asked of it: one that is on its way out cannot be removed.
      for _ in $(seq 50); do
        # shellcheck disable=SC2086
        docker rm -f $left >/dev/null 2>&1 || sleep 0.2
        left=$(owned)
        [ -n "$left" ] || break
      done
      # shellcheck disable=SC2086
      [ -z "$left" ] || docker rm -f $left >/dev/null
      for one in $logs; do
        [[ $one =~ ^[a-z0-9.-]+_[a-z0-9.-]+_[A-Za-z0-9-]+$ ]] || continue
        find /var/log/containers -maxdepth 1 -lname "/var/log/pods/$one/*" -delete 2>/dev/null || true
        rm -rf "/var/log/pods/$one"
      done
      echo "removed $(echo "$containers" | wc -l) containers"
    fi
    # An image that something else still uses stays: docker refuses to remove it.
    images=$(docker image ls --format '{{.Repository}}:{{.Tag}}' | grep -E '^flotilla\.dev/(demo|pause):' || true)
    for one in $images; do
      ! docker image rm "$one" >/dev/null 2>&1 || echo "removed image $one"
    done
  fi
  stop dockerd dockerd
  rm -rf "$demo"
  rmdir "$(dirname "$demo")" 2>/dev/null || true
  echo "the demo is gone; packages and checkout stay"
}

case "${1:-}" in
  demo)
    case "${2:-}" in
      '') demo_start ;;
      --stop) demo_stop ;;
      *)
        usage >&2
        exit 2
        ;;
    esac
    ;;
  -h | --help) usage ;;
  *)
    usage >&2
    exit 2
    ;;
esac
