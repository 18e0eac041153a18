#!/bin/sh
# Install Chromium for the browser tests where that needs no questions: as root on a Debian-like system.
set -u
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing Chromium for the browser tests (apt-get install chromium)"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } \
    >/dev/null 2>&1 || echo "Chromium could not be installed: the browser tests will be skipped"
else
  echo "no Chromium found: the browser tests will be skipped; to run them: apt-get install chromium"
fi
exit 0
