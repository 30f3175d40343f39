#!/bin/sh
# Shows the commits of the try-out's environment repository, the newest first, with what they change.
set -eu
compose=$(dirname "$0")/compose.yaml
exec docker compose --file "$compose" exec --no-TTY git git -C /srv/git/environments.git log --patch --max-count="${1:-3}" main
