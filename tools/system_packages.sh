#!/usr/bin/env bash
# What the tests need of the system, and pip and npm do not have: installed where that is
# allowed (Debian and Ubuntu, as root or with sudo that asks nothing), else named in one line.
# With CI set, something missing is an error; else the tests that need it are skipped.
set -euo pipefail

has() { PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1" >/dev/null; }
missing=()
[[ -n ${CHROMIUM:-} ]] || has chromium || has chromium-browser || has google-chrome ||
  [[ -d "/Applications/Google Chrome.app" || -d /Applications/Chromium.app ]] || missing+=(chromium)
[[ -n ${FLATC:-} ]] || has flatc || missing+=(flatbuffers-compiler)
has haproxy || [[ -x /opt/homebrew/bin/haproxy ]] || missing+=(haproxy)
[[ $(uname) != Linux ]] || fc-list 2>/dev/null | grep -qi dejavu || missing+=(fontconfig fonts-dejavu-core)
((${#missing[@]})) || exit 0

as_root=()
((EUID == 0)) || as_root=(sudo -n)
if has apt-get && { ((EUID == 0)) || sudo -n true 2>/dev/null; }; then
  echo "installing from the system's packages: ${missing[*]}"
  install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
  if "${install[@]}" update && "${install[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null; then
    exit 0
  fi
fi
echo "Not installed, so tests that need it are skipped: ${missing[*]} (Debian's names; install them as root)." >&2
[[ -z ${CI:-} ]]
