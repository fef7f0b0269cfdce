# shellcheck shell=bash
# What the scripts share. Sourced, never run.

# shellcheck disable=SC2034 # used by those who source this
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# rustup puts cargo here, but only new shells have it on their PATH.
if ! command -v cargo >/dev/null && [[ -x ${HOME-}/.cargo/bin/cargo ]]; then
    PATH=$HOME/.cargo/bin:$PATH
fi
export PATH=$root/.tools/bin:$PATH

say() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# die MESSAGE [HINT]
die() {
    say "error: $1"
    [[ $# -lt 2 ]] || printf 'hint: %s\n' "$2" >&2
    exit 1
}
