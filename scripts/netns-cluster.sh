#!/usr/bin/env bash
# A cluster of five hosts on one machine: a coordinator and four workers, each in a network namespace of its own.
set -euo pipefail

usage() {
    cat <<'END'
usage: scripts/netns-cluster.sh [options] COHORT MODEL [-- GENERATE-OPTIONS...]

Runs `COHORT generate MODEL --cluster FILE` in one network namespace and four `COHORT worker` in four others, joined by
a bridge (10.77.0.0/24), prints the completion, and removes everything again. Cluster file and secret are made anew.

  COHORT    path of the cohort binary
  MODEL     checkpoint folder
  --tensor-parallel-size N     1
  --pipeline-parallel-size N   1
  --memory SIZE                of each of the five hosts, as in a cluster file: 4GiB
  --timeout SECONDS            for the whole run: 300
  --cut N                      takes worker N's network away once all work; it answers nothing from then on. A run
                               that is over before it could be cut off fails
  --keep-logs FOLDER           copies the cluster file and each process's log there
  GENERATE-OPTIONS             as `cohort generate --help` lists them; without any: --prompt-ids 0,1,2,3 --max-tokens 8

Exit status: the coordinator's; 1 also where --cut came too late; 64 wrong usage; 66 COHORT or MODEL is missing; 77
namespaces are not allowed here.
END
}

wrong_usage() { echo "netns-cluster: $1; see --help" >&2; exit 64; }
skip() { echo "skipped: $1" >&2; exit 77; }

readonly worker_count=4 port=7077 subnet=10.77.0
readonly prefix="cohort-$$"
tensor=1 pipeline=1 memory=4GiB limit_seconds=300 cut="" logs=""
positional=()
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --) shift; break ;;
        --tensor-parallel-size | --pipeline-parallel-size | --memory | --timeout | --cut | --keep-logs)
            [ $# -ge 2 ] || wrong_usage "$1 needs a value"
            case $1 in
                --tensor-parallel-size) tensor=$2 ;;
                --pipeline-parallel-size) pipeline=$2 ;;
                --memory) memory=$2 ;;
                --timeout) limit_seconds=$2 ;;
                --cut) cut=$2 ;;
                --keep-logs) logs=$2 ;;
            esac
            shift 2 ;;
        -*) wrong_usage "unknown option $1" ;;
        *) positional+=("$1"); shift ;;
    esac
done
[ ${#positional[@]} -eq 2 ] || wrong_usage "COHORT and MODEL are needed"
[[ $limit_seconds =~ ^[1-9][0-9]*$ ]] || wrong_usage "--timeout takes whole seconds"
[[ -z $cut || $cut =~ ^[1-$worker_count]$ ]] || wrong_usage "--cut takes a worker, 1 to $worker_count"
[ $# -gt 0 ] || set -- --prompt-ids 0,1,2,3 --max-tokens 8

[ -x "${positional[0]}" ] || { echo "netns-cluster: ${positional[0]} is no program: build it first" >&2; exit 66; }
[ -d "${positional[1]}" ] || { echo "netns-cluster: ${positional[1]} is no folder: name a checkpoint" >&2; exit 66; }
cohort=$(realpath "${positional[0]}")
model=$(realpath "${positional[1]}")

command -v ip >/dev/null && command -v ss >/dev/null || skip "iproute2 (ip, ss) is not installed"
[ "$(id -u)" -eq 0 ] || skip "network namespaces need root"

work=$(mktemp -d)
namespaces=()
processes=()

# Ends what this script started and removes what it made; each wait is bounded. A child that has not become its command
# yet still has this trap, and is given the time to lose it.
cleanup() {
    local status=$? pid namespace tries
    [ "$BASHPID" -eq $$ ] || exit "$status"
    trap - EXIT INT TERM
    sleep 0.2
    [ ${#processes[@]} -eq 0 ] || kill -TERM "${processes[@]}" 2>/dev/null || true
    for pid in "${processes[@]}"; do
        for ((tries = 0; tries < 50; tries++)); do kill -0 "$pid" 2>/dev/null || continue 2; sleep 0.1; done
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    for namespace in "${namespaces[@]}"; do ip netns delete "$namespace" 2>/dev/null || true; done
    if [ -n "$logs" ]; then
        mkdir -p "$logs" && cp "$work"/*.log "$work"/cluster.yaml "$logs"/ 2>/dev/null || true
    fi
    rm -rf "$work"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

add_namespace() {
    # First noted, then made: a refused one can leave its name behind.
    namespaces+=("$1")
    ip netns add "$1" 2>"$work/refusal" || skip "network namespaces are not allowed here ($(head -n 1 "$work/refusal"))"
    ip -n "$1" link set lo up 2>"$work/refusal" || skip "interfaces cannot be set here ($(head -n 1 "$work/refusal"))"
}

# The bridge stands in the coordinator's namespace, so that nothing is added to the machine's own network.
make_network() {
    local index
    add_namespace "$prefix-coordinator"
    ip -n "$prefix-coordinator" link add bridge0 type bridge 2>"$work/refusal" ||
        skip "bridges are not allowed here ($(head -n 1 "$work/refusal"))"
    ip -n "$prefix-coordinator" address add "$subnet.1/24" dev bridge0
    ip -n "$prefix-coordinator" link set bridge0 up
    for index in $(seq "$worker_count"); do
        add_namespace "$prefix-worker-$index"
        ip -n "$prefix-coordinator" link add "port$index" type veth peer name eth0 netns "$prefix-worker-$index" \
            2>"$work/refusal" || skip "veth pairs are not allowed here ($(head -n 1 "$work/refusal"))"
        ip -n "$prefix-coordinator" link set "port$index" master bridge0 up
        ip -n "$prefix-worker-$index" address add "$subnet.$((index + 1))/24" dev eth0
        ip -n "$prefix-worker-$index" link set eth0 up
    done
}

write_cluster_file() {
    (umask 077; head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$work/secret")
    cat >"$work/cluster.yaml" <<END
coordinator: {host: $subnet.1, port: $port, memory: $memory}
secret-file: "$work/secret"
model: "$model"
join-timeout: ${limit_seconds}s
parallelism: {tensor-parallel-size: $tensor, pipeline-parallel-size: $pipeline}
workers:
  - {name: "worker-[1-$worker_count]", host: "$subnet.[2-$((worker_count + 1))]", memory: $memory}
END
}

# start NAMESPACE LOG COMMAND...: in the background, its process last in `processes`. `ip netns exec` replaces itself.
start() {
    local namespace=$1 log=$2
    shift 2
    ip netns exec "$namespace" "$@" 2>"$log" &
    processes+=($!)
}

is_listening() { [ -n "$(ip netns exec "$prefix-coordinator" ss -Hltn "sport = :$port")" ]; }

show_logs() {
    local log
    for log in "$work"/*.log; do
        [ -s "$log" ] || continue
        printf -- '--- %s\n' "$(basename "$log" .log)" >&2
        tail -n 20 "$log" >&2
    done
}

make_network
write_cluster_file
start "$prefix-coordinator" "$work/coordinator.log" "$cohort" generate "$model" --cluster "$work/cluster.yaml" "$@" \
    >"$work/output"
coordinator=${processes[0]}

deadline=$((SECONDS + limit_seconds))
until is_listening; do
    kill -0 "$coordinator" 2>/dev/null || break
    [ "$SECONDS" -lt "$deadline" ] || { show_logs; echo "netns-cluster: nothing listens on port $port" >&2; exit 69; }
    sleep 0.1
done

for index in $(seq "$worker_count"); do
    start "$prefix-worker-$index" "$work/worker-$index.log" \
        "$cohort" worker --coordinator "$subnet.1:$port" --secret-file "$work/secret" --name "worker-$index" >/dev/null
done

while kill -0 "$coordinator" 2>/dev/null; do
    if [ -n "$cut" ] && [ -s "$work/output" ]; then
        ip -n "$prefix-coordinator" link set "port$cut" down
        cut=""
    fi
    [ "$SECONDS" -lt "$deadline" ] || { show_logs; echo "netns-cluster: not done after $limit_seconds s" >&2; exit 69; }
    sleep 0.1
done
status=0
wait "$coordinator" || status=$?
cat "$work/output"
[ "$status" -eq 0 ] || show_logs
if [ "$status" -eq 0 ] && [ -n "$cut" ]; then
    echo "netns-cluster: all was over before worker $cut could be cut off: ask for more tokens" >&2
    status=1
fi
exit "$status"
