#!/bin/sh
# Makes the repository from the seed folder, if there is none yet, and serves it: http://ADDRESS:PORT/environments.git
set -eu

here=$(cd "$(dirname "$0")" && pwd)
export GIT_SERVER_ROOT="${GIT_SERVER_ROOT:-/srv/git}"
export GIT_SERVER_ADDRESS="${GIT_SERVER_ADDRESS:-0.0.0.0}"
export GIT_SERVER_PORT="${GIT_SERVER_PORT:-8080}"
GIT_SERVER_BACKEND="$(git --exec-path)/git-http-backend"
export GIT_SERVER_BACKEND
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null

repository=$GIT_SERVER_ROOT/environments.git
if [ ! -d "$repository" ]; then
    # Made beside its place and moved there whole: a start that is cut off leaves no half repository behind.
    new=$(mktemp -d "$GIT_SERVER_ROOT/new.XXXXXX")
    git init --quiet --bare --initial-branch=main "$new"
    # Nobody asks for a password here, so everybody may push.
    git -C "$new" config http.receivepack true
    work=$(mktemp -d)
    git init --quiet --initial-branch=main "$work"
    cp -R "$here/seed/." "$work"
    git -C "$work" add --all
    git -C "$work" -c user.name=Seed -c user.email=seed@example.com commit --quiet --message "Start with web 1.0.0"
    git -C "$work" push --quiet "$new" main
    rm -rf "$work"
    chmod 755 "$new"
    mv "$new" "$repository"
fi

exec lighttpd -D -f "$here/lighttpd.conf"
