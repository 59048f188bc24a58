#!/bin/sh
# Prints the folder that Prometheus and its promtool are in: where they are installed, or else one that Debian's packages
# are unpacked into. Installing them would start a server on the machine of whoever runs this.
set -eu

if promtool=$(command -v promtool) && command -v prometheus >/dev/null; then
    dirname "$promtool"
    exit 0
fi
# From Debian 13 on promtool is a package of its own.
packages=prometheus
! apt-cache show promtool >/dev/null 2>&1 || packages='prometheus promtool'
# shellcheck disable=SC2086 # words are meant
folder=$("$(dirname "$0")/package-folder.sh" $packages)
echo "$folder/usr/bin"
