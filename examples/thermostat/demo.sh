#!/usr/bin/env bash
# usage: demo.sh BIN_DIR
#
# Broker, device and backend as three processes: calls, an error with its
# details, a timeout, and the absence of the device told at once.
set -euo pipefail
bin=$1
logs=$(mktemp -d)
children=()
finish() {
  [[ ${#children[@]} -eq 0 ]] || kill "${children[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$logs"
}
trap finish EXIT
fail() { echo "demo: $*" >&2; cat "$logs"/* >&2; exit 1; }

# wait_for FILE PREFIX: the rest of the first line in FILE that begins with PREFIX.
wait_for() {
  local line
  for _ in $(seq 200); do
    line=$(grep -m 1 "^$2" "$1" 2>/dev/null) && { echo "${line#"$2"}"; return; }
    sleep 0.05
  done
  fail "no line '$2...' came within 10 s"
}

echo "\$ mqttrpcd --listen mqtt://127.0.0.1:0"
"$bin/mqttrpcd" --listen mqtt://127.0.0.1:0 >"$logs/broker" 2>&1 &
children+=($!)
url=$(wait_for "$logs/broker" "listening on ")
echo "  listening on $url"

echo "\$ thermostat-device --broker $url --instance kitchen"
"$bin/thermostat-device" --broker "$url" --instance kitchen >"$logs/device" 2>&1 &
device=$!
children+=("$device")
wait_for "$logs/device" "serving as " >"$logs/ready"
echo "  serving as $(cat "$logs/ready")"

echo "\$ thermostat-backend --broker $url --device kitchen"
"$bin/thermostat-backend" --broker "$url" --device kitchen || fail "the backend did not find the device"
told=$(wait_for "$logs/device" "calibration given up")
echo "  (device) calibration given up$told"

echo "\$ kill %device"
kill "$device"
wait "$device" || fail "the device did not stop in good order"

echo "\$ thermostat-backend --broker $url --device kitchen"
if "$bin/thermostat-backend" --broker "$url" --device kitchen >"$logs/absent"; then fail "the absent device was not noticed"; fi
cat "$logs/absent"
grep -q UNAVAILABLE "$logs/absent" || fail "the backend says something else"
