#!/bin/sh
# Prints where the server's half of ed25519 authentication is. Debian has it in mariadb-server, the package that starts a
# server; so it is taken out of the package. Fails where the package cannot be had.
set -eu

installed=/usr/lib/mysql/plugin/auth_ed25519.so
if [ -e "$installed" ]; then
    echo "$installed"
    exit 0
fi
# shellcheck disable=SC2016 # the ${...} is dpkg-query's
version=$(dpkg-query --show --showformat='${Version}' mariadb-server-core)
folder=$("$(dirname "$0")/package-folder.sh" "mariadb-server=$version")
echo "$folder$installed"
