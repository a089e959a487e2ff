# shellcheck shell=bash
# What scripts/demo and scripts/test need on the machine: Debian packages, a venv, and from npm the demo's
# chat page and the phones.
# Sourced by both. Everything here is quick when it is all there, and may be run again at any time.

cache=$PWD/.cache
venv=$PWD/.venv
PATH=$PATH:/usr/sbin:/sbin

say() { printf '\033[1m==\033[0m %s\n' "$*" >&2; }
die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Run a command quietly; show the end of its output if it fails.
quietly() { # LOGNAME command...
  local log=$cache/$1.log
  shift
  "$@" >"$log" 2>&1 && return
  tail -n 25 "$log" >&2
  return 1
}

# --- Debian packages ---

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -- "$@"; fi
}

have_package() {
  case $1 in
    python3-venv) [ -x "$venv/bin/python" ] || python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    postgresql) compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ;;
    libatomic1) compgen -G '/usr/lib/*/libatomic.so.1' >/dev/null ;; # for Playwright's own node
    ejabberd) command -v ejabberdctl >/dev/null ;;
    dovecot-imapd) [ -x /usr/lib/dovecot/imap ] ;;
    dovecot-lmtpd) [ -x /usr/lib/dovecot/lmtp ] ;;
    erlang-p1-sqlite3) compgen -G '/usr/lib/erlang/lib/p1_sqlite3-*' >/dev/null ;;
    nodejs) command -v node >/dev/null ;;
    npm) { converse_is_there && smsc_is_there; } || command -v npm >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# Install packages without letting any of them start a daemon: the servers that we run are our own,
# on ports and in folders of their own. A policy-rc.d that was there before is put back.
install_packages() (
  policy=/usr/sbin/policy-rc.d
  # shellcheck disable=SC2317 # the trap calls it
  put_back() {
    if [ -e "$policy.before-xmpp-bridge" ]; then
      as_root mv -f "$policy.before-xmpp-bridge" "$policy"
    else
      as_root rm -f "$policy"
    fi
  }
  [ ! -e "$policy" ] || as_root mv -f "$policy" "$policy.before-xmpp-bridge"
  trap put_back EXIT
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
  quietly apt-update as_root apt-get update -q || return 1
  quietly apt-install as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "$@"
)

need_packages() {
  local package missing=()
  for package in "$@"; do
    have_package "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null ||
    die "these are missing, and this is no Debian to install them on: ${missing[*]}"
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
    die "these packages are missing; install them as root: apt-get install ${missing[*]}"
  say "installing Debian packages: ${missing[*]}"
  install_packages "${missing[@]}" || die "apt-get could not install: ${missing[*]}"
}

# --- Python ---

# The lock's packages and this checkout in .venv; the stamp tells for which lock they were installed.
need_venv() { # run | test
  local kind=$1 lock=requirements.lock stamp
  [ "$kind" = run ] || lock=requirements-test.lock
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "python3 is $(python3 -V 2>&1), but 3.11 or newer is needed"
  stamp=$(cat pyproject.toml requirements.lock requirements-test.lock | sha256sum | cut -d' ' -f1)
  local file
  for file in "$venv/.installed-$kind" "$venv/.installed-test"; do
    if [ -x "$venv/bin/python" ] && [ "$(cat "$file" 2>/dev/null)" = "$stamp" ]; then return 0; fi
  done
  [ -x "$venv/bin/python" ] || {
    say "making $venv"
    quietly venv python3 -m venv "$venv" || die "python3 -m venv failed"
  }
  say "installing Python packages from $lock"
  local pip=("$venv/bin/python" -m pip --disable-pip-version-check --no-input install --quiet)
  quietly pip "${pip[@]}" --no-deps --require-hashes -r "$lock" || die "pip could not install $lock"
  quietly pip-self "${pip[@]}" --no-deps --no-build-isolation -e . || die "pip could not install this checkout"
  rm -f "$venv"/.installed-*
  printf '%s\n' "$stamp" >"$venv/.installed-$kind"
}

# --- npm ---

# Unpack a package into a folder, if it has the checksum that is pinned; arguments that follow go to tar.
npm_package() { # NAME@VERSION sha512-... FOLDER [tar argument...]
  mkdir -p "$3"
  npm pack "$1" --pack-destination "$3"
  [ "sha512-$(openssl dgst -sha512 -binary "$3"/*.tgz | base64 -w0)" = "$2" ] || {
    echo "the checksum of $1 is not $2"
    return 1
  }
  tar -xzf "$3"/*.tgz -C "$3" --strip-components=1 "${@:4}"
  rm "$3"/*.tgz
}

# `scripts/demo.d/converse.pin` names the package and its checksum, as npm writes both.
converse_is_there() { cmp -s scripts/demo.d/converse.pin "$cache/converse/.installed"; }

# The package's built files in .cache/converse/dist; its dependencies are built into them.
fetch_converse() {
  local name checksum
  read -r name checksum <scripts/demo.d/converse.pin
  rm -rf "$cache/converse"
  npm_package "$name" "$checksum" "$cache/converse" --exclude='*.map' package/dist
}

# The page's chat client from npm. Without it the demo's page takes it from its CDN; what must work
# without a look at other hosts (the checks) calls this with "must".
need_converse() { # may | must
  ! converse_is_there || return 0
  say "installing Converse.js from npm"
  if quietly npm env cache="$cache" bash -euc "$(declare -f npm_package fetch_converse); fetch_converse"; then
    cp scripts/demo.d/converse.pin "$cache/converse/.installed"
  elif [ "$1" = must ]; then
    die "npm could not install Converse.js"
  else
    say "npm failed; the page will load Converse.js from its CDN"
  fi
}

# `tests/peers/smsc.pin` names what tests/peers/smsc.js needs, in the same way.
smsc_is_there() { cmp -s tests/peers/smsc.pin "$cache/smsc/.installed"; }

fetch_smsc() {
  local name checksum
  rm -rf "$cache/smsc"
  while read -r name checksum; do
    npm_package "$name" "$checksum" "$cache/smsc/node_modules/${name%@*}"
  done <tests/peers/smsc.pin
}

# The library of the short message centre that plays the phones. The demo goes without them where npm fails.
need_smsc() { # may | must
  ! smsc_is_there || return 0
  say "installing the npm package smpp"
  if quietly npm-smsc env cache="$cache" bash -euc "$(declare -f npm_package fetch_smsc); fetch_smsc"; then
    cp tests/peers/smsc.pin "$cache/smsc/.installed"
  elif [ "$1" = must ]; then
    die "npm could not install smpp"
  else
    say "npm failed; there will be no phones"
  fi
}

# --- all of it ---

set_up() { # demo | check | test
  mkdir -p "$cache"
  exec 9>"$cache/setup.lock"
  flock 9 # two of us at once would disturb each other
  case $1 in
    demo)
      need_packages python3-venv nodejs npm prosody inspircd
      need_venv run
      need_converse may
      need_smsc may
      ;;
    check)
      need_packages python3-venv nodejs npm prosody inspircd chromium libatomic1
      need_venv test
      need_converse must
      need_smsc must
      ;;
    test)
      need_packages python3-venv nodejs npm prosody inspircd atheme-services ngircd ejabberd \
        erlang-p1-sqlite3 postgresql chromium libatomic1 faketime postfix dovecot-imapd dovecot-lmtpd nginx
      need_venv test
      need_converse must
      need_smsc must
      ;;
  esac
  exec 9>&-
}
