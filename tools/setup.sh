#!/usr/bin/env bash
# Makes this checkout ready to run: the programs it needs, its packages, its bundle. May be run again at any time.
#
# Installs through apt when root, and otherwise prints the one line to run. Leaves no database cluster, no running and
# no enabled service behind: whatever the packages would start belongs to the stage or to the operator, not to them.
# Uses bash and Node's own modules only, since nothing else is there yet.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

say() { printf '%s\n' "$*" >&2; }

require_node() {
  local problem
  problem=$(node -e 'const [a, b] = process.versions.node.split(".").map(Number);
    if (a < 20 || (a === 20 && b < 19)) console.log(process.versions.node)' 2>&1) || problem="none"
  if [ -n "$problem" ]; then
    say "Node.js 20.19 or later is needed; found: $problem"
    exit 1
  fi
}

has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

has_postgres() {
  local major
  for major in 18 17 16 15 14 13; do
    if [ -x "/usr/lib/postgresql/$major/bin/postgres" ] && [ -x "/usr/lib/postgresql/$major/bin/initdb" ]; then return 0; fi
  done
  return 1
}

missing_packages() {
  has_postgres || echo postgresql
  # `postgresql` brings psql along.
  if has_postgres && ! has psql; then echo postgresql-client; fi
  has pgbouncer || echo pgbouncer
  has etcd || echo etcd-server
  has openssl || echo openssl
}

# Directories and files that keep the packages' scripts from making a cluster and starting services.
policy=/usr/sbin/policy-rc.d
cluster_rule=/etc/postgresql-common/createcluster.d/understudy-setup.conf
policy_mark='set by understudy tools/setup.sh'
kept_policy=

hold_back_services() {
  # A run that was killed may have left its own behind.
  if [ -e "$policy" ] && ! grep -q "$policy_mark" "$policy"; then
    kept_policy="$policy.before-understudy-setup"
    mv "$policy" "$kept_policy"
  fi
  printf '#!/bin/sh\n# %s\nexit 101\n' "$policy_mark" >"$policy"
  chmod 755 "$policy"
  mkdir -p "$(dirname "$cluster_rule")"
  echo 'create_main_cluster = false' >"$cluster_rule"
}

release_services() {
  rm -f "$policy" "$cluster_rule"
  rmdir --ignore-fail-on-non-empty "$(dirname "$cluster_rule")" 2>/dev/null || true
  if [ -n "$kept_policy" ]; then mv "$kept_policy" "$policy"; fi
}

enabled_units() {
  command -v systemctl >/dev/null 2>&1 || return 0
  systemctl list-unit-files --type=service --state=enabled --no-legend 2>/dev/null | awk '{ print $1 }' | sort || true
}

# Only what this installation enabled is disabled again.
disable_new_units() {
  local before=$1 unit
  command -v systemctl >/dev/null 2>&1 || return 0
  comm -13 <(printf '%s\n' "$before") <(enabled_units) | while read -r unit; do
    case $unit in
      postgresql*.service | pgbouncer*.service | etcd*.service) systemctl disable "$unit" >/dev/null 2>&1 || true ;;
    esac
  done
}

apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >&2
}

install_packages() {
  local before
  before=$(enabled_units)
  trap release_services EXIT
  hold_back_services
  apt update
  # First, so that its own scripts meet the rule above, whichever server version follows.
  case " $* " in *' postgresql '*) apt install --no-install-recommends postgresql-common ;; esac
  apt install --no-install-recommends "$@"
  release_services
  trap - EXIT
  disable_new_units "$before"
}

install_programs() {
  local packages
  mapfile -t packages < <(missing_packages)
  if [ "${#packages[@]}" -eq 0 ]; then return 0; fi
  if ! command -v apt-get >/dev/null 2>&1; then
    say "These programs are missing: ${packages[*]}. Install PostgreSQL 13 to 18, psql, pgbouncer, etcd and openssl."
    exit 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    say "These packages are missing; please run:"
    say ""
    say "    sudo $PWD/tools/setup.sh --programs"
    say ""
    say "It installs ${packages[*]} with apt-get and neither starts nor enables a service."
    exit 1
  fi
  say "Installing ${packages[*]}"
  install_packages "${packages[@]}"
  mapfile -t packages < <(missing_packages)
  if [ "${#packages[@]}" -gt 0 ]; then
    say "Still missing after the installation: ${packages[*]}"
    exit 1
  fi
}

install_node_packages() {
  # npm writes this file last; older than the lock file means that the lock file has changed since.
  if [ -e node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ]; then return 0; fi
  say 'Installing Node packages'
  # No package here needs its installation script: esbuild finds the program of its platform's package by itself.
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
}

require_node
install_programs
if [ "${1:-}" = --programs ]; then exit 0; fi
install_node_packages
node tools/build.mjs
