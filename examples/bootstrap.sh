#!/bin/bash
# Runs once on the instance, as root, after the shared file system is mounted. Ends badly on the first
# command that fails, which `tier1` reports as `user-data-failed`.
set -euo pipefail

shared=/mnt/efs
mkdir -p "$shared/models" "$shared/datasets"
date --utc --iso-8601=seconds >"$shared/last-boot"
