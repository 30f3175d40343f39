#!/usr/bin/env bash
# Runs all tests. Installs the programs they need first, where those are missing; when all is there, that costs nothing.
#
#   tests/run.sh            everything
#   tests/run.sh registry   the tests with `registry` in their name
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What the tests start or build with, and the Debian package that has it. The servers are run by the tests themselves, on
# free loopback ports; no service of the system is used.
needed=(
    "cc gcc"                             # libgit2 and ring are partly C
    "git git"                            # the second opinion on every repository we write; git-http-backend
    "ssh openssh-client"                 # environment repositories over ssh
    "sshd openssh-server"                # … and their server
    "docker-registry docker-registry"    # a real registry …
    "htpasswd apache2-utils"             # … with passwords
    "python3 python3"                    # another YAML reader, PyYAML (see below), which judges every edit
)

PATH=$PATH:/usr/sbin:/sbin

say() { printf 'tests/run.sh: %s\n' "$*" >&2; }

missing_packages() {
    local line
    for line in "${needed[@]}"; do
        command -v "${line% *}" >/dev/null || echo "${line#* }"
    done
    python3 -c 'import yaml' 2>/dev/null || echo python3-yaml
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Installs packages without letting them start their services: the tests want the programs only.
install_packages() {
    if ! command -v apt-get >/dev/null; then
        say "please install what has these in your system's packages: $* (this script knows Debian's only)"
        return 1
    fi
    if [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; then
        say "please run as root, or first: sudo apt-get install --no-install-recommends $*"
        return 1
    fi
    say "installing $*"
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        made=yes
    fi
    local result=0
    { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >&2 || result=$?
    if [ -n "$made" ]; then as_root rm -f "$policy"; fi
    return "$result"
}

mapfile -t packages < <(missing_packages)
if [ "${#packages[@]}" -gt 0 ]; then
    install_packages "${packages[@]}" || { say "cannot install: ${packages[*]}"; exit 1; }
    mapfile -t packages < <(missing_packages)
    if [ "${#packages[@]}" -gt 0 ]; then
        say "installed, but still not found: the programs of ${packages[*]}"
        exit 1
    fi
fi

failed=0
# The examples in the documentation first, so that the output ends with the summary of the tests proper.
if [ "$#" -eq 0 ]; then
    cargo test --locked --doc || failed=1
fi
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --no-fail-fast "$@" || failed=1
else
    say "cargo-nextest is not installed: running the tests with cargo test"
    cargo test --locked --no-fail-fast --lib --bins --tests "$@" || failed=1
fi
exit "$failed"
