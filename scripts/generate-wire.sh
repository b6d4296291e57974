#!/usr/bin/env bash
# Writes the C of the control messages from Sources/CWire/wire.proto (needs protoc-c, Debian's protobuf-c-compiler).
set -euo pipefail
cd "$(dirname "$0")/../Sources/CWire"
command -v protoc-c >/dev/null || {
    echo "generate-wire: protoc-c is missing; install it with: apt-get install protobuf-c-compiler" >&2
    exit 69
}
protoc-c --c_out=. wire.proto
mv wire.pb-c.h include/wire.pb-c.h
