#!/usr/bin/env bash
# usage: scripts/verify-units.sh [FOLDER]
# Checks FOLDER/*.service (systemd/ unless given) with systemd-analyze. `verify` wants the binary of ExecStart to exist,
# so the units are put into a root of their own, with a stand-in at /usr/bin/cohort and the system's own targets.
# Exit status: 0 clean, 1 not clean (the findings are printed), 77 where systemd-analyze is missing.
set -euo pipefail

units=$(cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../systemd}" && pwd)

command -v systemd-analyze >/dev/null || { echo "skipped: systemd-analyze is not installed" >&2; exit 77; }
for folder in /usr/lib/systemd/system /lib/systemd/system; do
    [ -e "$folder/sysinit.target" ] && system=$folder && break
done
[ -n "${system:-}" ] || { echo "skipped: this system has no systemd targets" >&2; exit 77; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/etc/systemd/system" "$root/usr/bin" "$root/usr/lib/systemd"
cp -R "$system" "$root/usr/lib/systemd/system"
cp "$units"/*.service "$root/etc/systemd/system/"
cp /bin/true "$root/usr/bin/cohort"

# Unknown keys are only warned of, with exit status 0: anything printed counts.
status=0
names=(cohort-coordinator.service cohort-worker@worker-1.service)
findings=$(systemd-analyze verify --root="$root" --man=no "${names[@]}" 2>&1) || status=1
[ -z "$findings" ] || { printf '%s\n' "$findings" >&2; status=1; }
exit "$status"
