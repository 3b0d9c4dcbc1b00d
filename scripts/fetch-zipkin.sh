#!/bin/sh
# Fetches the Zipkin server that the tests of traces run, into build/zipkin, once. Needs mvn.
set -eu
cd "$(dirname "$0")/.."
version=3.5.1
jar=build/zipkin/zipkin-server-$version-exec.jar
if [ ! -f "$jar" ]; then
  mvn --quiet --batch-mode dependency:copy \
    -Dartifact="io.zipkin:zipkin-server:$version:jar:exec" -DoutputDirectory=build/zipkin >&2
fi
echo "$PWD/$jar"
