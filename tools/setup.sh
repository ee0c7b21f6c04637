#!/usr/bin/env bash
# Makes this checkout ready to run: the programs it needs, its packages, its bundle. May be run again at any time; does
# only what is missing. With --packages it stops after the programs.
#
# Installs through apt when root, and otherwise prints the one line to run. Leaves no database cluster, no running and
# no enabled service behind: whatever the packages would start belongs to the stage or to the operator, not to them.
# Uses bash and Node's own modules only, since nothing else is there yet.
set -euo pipefail
cd "$(dirname "$(dirname "$(readlink -f "$0")")")"

say() { printf '%s\n' "$*" >&2; }

require_node() {
  local found
  found=$(node -p process.versions.node 2>/dev/null || echo none)
  if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
    say "understudy: Node.js 20.19 or later is needed; found: $found"
    exit 1
  fi
}

# An ordinary user's PATH may lack the sbin directories.
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

has_postgres() {
  local major
  for major in 18 17 16 15 14 13; do
    if [ -x "/usr/lib/postgresql/$major/bin/postgres" ]; then return 0; fi
  done
  return 1
}

missing_packages() {
  # The package `postgresql` brings psql along.
  if ! has_postgres; then echo postgresql; elif ! has psql; then echo postgresql-client; fi
  has pgbouncer || echo pgbouncer
  has etcd || echo etcd-server
  has pgbackrest || echo pgbackrest
  has openssl || echo openssl
}

# These keep the packages' scripts from making a cluster and from starting services; both are temporary.
policy=/usr/sbin/policy-rc.d
policy_mark='set by understudy tools/setup.sh'
kept_policy=
cluster_rule=/etc/postgresql-common/createcluster.d/understudy-setup.conf

hold_services_back() {
  # A run that was killed may have left its own behind.
  if [ -e "$policy" ] && ! grep -q "$policy_mark" "$policy"; then
    kept_policy=$policy.before-understudy
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

services=(postgresql pgbouncer etcd pgbackrest)

installed_services() {
  local service
  for service in "${services[@]}"; do
    if [ -e "/lib/systemd/system/$service.service" ] || [ -e "/etc/init.d/$service" ]; then echo "$service"; fi
  done
}

# Disables what this installation brought along, and nothing that was there before.
disable_new_services() {
  local before=$1 service
  comm -13 <(sort <<<"$before") <(installed_services | sort) | while read -r service; do
    if command -v systemctl >/dev/null 2>&1; then
      systemctl disable "$service" >/dev/null 2>&1 || true
    else
      deb-systemd-helper disable "$service.service" >/dev/null 2>&1 || true
      update-rc.d "$service" disable >/dev/null 2>&1 || true
    fi
  done
}

apt() { DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 "$@" </dev/null >&2; }

install_packages() {
  local before
  before=$(installed_services)
  trap release_services EXIT
  hold_services_back
  apt update
  # First, and alone: the server's scripts ask it whether to make a cluster.
  case " $* " in *' postgresql '*) apt install --no-install-recommends postgresql-common ;; esac
  apt install --no-install-recommends "$@"
  release_services
  trap - EXIT
  disable_new_services "$before"
}

install_programs() {
  local packages
  mapfile -t packages < <(missing_packages)
  if [ "${#packages[@]}" -eq 0 ]; then return 0; fi
  if ! command -v apt-get >/dev/null 2>&1; then
    say "understudy: missing programs (${packages[*]}): install PostgreSQL 13 to 18 with psql, pgbouncer, etcd, pgbackrest and openssl"
    exit 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    say "understudy: these packages are missing: ${packages[*]}. Run this once, then try again:"
    say "  sudo bash $PWD/tools/setup.sh --packages"
    exit 1
  fi
  say "installing ${packages[*]}"
  install_packages "${packages[@]}"
  mapfile -t packages < <(missing_packages)
  if [ "${#packages[@]}" -gt 0 ]; then
    say "understudy: still missing after the installation: ${packages[*]}"
    exit 1
  fi
}

install_node_packages() {
  # npm writes this file last; when it is older than the lock file, that has changed since.
  if [ -e node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ]; then return 0; fi
  say 'installing Node packages'
  # No package here needs its installation script: esbuild finds the program of its platform's package by itself.
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  # npm may keep the time stamps of its cache.
  touch node_modules/.package-lock.json
}

build_when_changed() {
  if [ -f dist/understudy.mjs ]; then
    local newer
    newer=$(find src packages tools/build.mjs package.json node_modules/.package-lock.json tsconfig.json \
      -name node_modules -prune -o -type f -newer dist/understudy.mjs -print -quit)
    if [ -z "$newer" ]; then return 0; fi
  fi
  node tools/build.mjs
}

require_node
install_programs
if [ "${1:-}" = --packages ]; then exit 0; fi
install_node_packages
build_when_changed
