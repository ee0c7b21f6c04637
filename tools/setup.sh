#!/usr/bin/env bash
# Makes a Debian machine ready: packages, npm dependencies, build. May be run again at any time; does only what is missing.
#
# Packages are installed without starting or enabling what they bring: no default PostgreSQL cluster, no pgbouncer or
# etcd service. Without root it prints the one line to run, and stops.
set -euo pipefail
cd "$(dirname "$(dirname "$(readlink -f "$0")")")"

has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; }

missing=()
has_postgres || missing+=(postgresql)
command -v psql >/dev/null || missing+=(postgresql-client)
[ -x /usr/sbin/pgbouncer ] || command -v pgbouncer >/dev/null || missing+=(pgbouncer)
command -v etcd >/dev/null || missing+=(etcd-server)
command -v openssl >/dev/null || missing+=(openssl)

node_version=$(node --version 2>/dev/null || echo v0.0.0)
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
  echo "understudy: Node.js 20.19 or later is needed, found $node_version" >&2
  exit 1
fi

install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # The server package makes and starts a default cluster unless postgresql-common was told not to, beforehand.
  if printf '%s\n' "${missing[@]}" | grep -qx postgresql; then
    apt-get install -y -qq --no-install-recommends postgresql-common >/dev/null
    mkdir -p /etc/postgresql-common
    if ! grep -qs '^create_main_cluster *= *false' /etc/postgresql-common/createcluster.conf; then
      sed -i '/^ *#\? *create_main_cluster/d' /etc/postgresql-common/createcluster.conf 2>/dev/null || true
      echo 'create_main_cluster = false' >>/etc/postgresql-common/createcluster.conf
    fi
  fi
  # policy-rc.d with 101 keeps package scripts from starting services; a policy that was there is put back.
  local policy=/usr/sbin/policy-rc.d saved=''
  if [ -e "$policy" ]; then saved=$(mktemp); cp -p "$policy" "$saved"; fi
  restore() { if [ -n "$saved" ]; then mv "$saved" "$policy"; else rm -f "$policy"; fi; }
  trap restore EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  restore
  trap - EXIT
  if [ -d /run/systemd/system ]; then
    for unit in pgbouncer etcd postgresql; do systemctl disable --now "$unit" >/dev/null 2>&1 || true; done
  fi
}

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ]; then
    echo "installing ${missing[*]}" >&2
    install_packages
  else
    echo "understudy: these packages are missing: ${missing[*]}. Run this once, then try again:" >&2
    echo "  sudo bash tools/setup.sh --packages" >&2
    exit 1
  fi
fi
[ "${1:-}" != --packages ] || exit 0

if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --no-audit --no-fund --loglevel=error >&2
  touch node_modules/.package-lock.json
fi

newest=$(find src packages tools/build.mjs package.json -name node_modules -prune -o -type f -newer dist/understudy.mjs -print -quit 2>/dev/null || echo missing)
if [ ! -f dist/understudy.mjs ] || [ -n "$newest" ]; then
  node tools/build.mjs
fi
