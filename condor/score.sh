#!/bin/sh
# One scoring job in the sandbox that HTCondor gives it: score.sh PYTHON FIRST:LAST leaves the folder `part`.
set -eu
# HTCondor fetches `part` however the job ends. It stays empty unless all went well.
mkdir part code cache
tar -xzf code.tar.gz -C code
tar -xzf compiled.tar.gz -C cache
export HOME="$PWD" XDG_CACHE_HOME="$PWD/cache" PYTHONPATH="$PWD/code"
echo "$1 on $(uname -n), entries $2"
"$1" -m analysis.run --config run.yaml --entries "$2" --output result
mv result/* part/
