#!/bin/bash
# The body of the user data. `userdata.py` prepends FS, MP, REGION, TARGETS, TLS and SCRIPT, and removes comments,
# blank lines and indentation: so no here-documents and no multi-line strings.
# Only tests set TIER1_ROOT and TIER1_CONSOLE.
ROOT=${TIER1_ROOT:-}
CONSOLE=${TIER1_CONSOLE:-/dev/console}
IMDS=http://169.254.169.254/latest
NFS=nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,_netdev
PAUSE=10
PACKAGE_TRIES=3
LOCK_TRIES=90
MOUNT_TRIES=30
# The DNS name of a file system resolves about 90 s after its mount targets are available.
NAME_TRIES=12
END=300
looks=0

# A login prompt may be on the current line of the console, so each mark starts a new line.
mark() { printf '\ntier1: %s\n' "$1" >>"$CONSOLE"; } 2>/dev/null
fail() {
  END=$1
  exit 1
}
ended() {
  trap - EXIT
  [ -z "$WORK" ] || rm -rf "$WORK"
  if [ "$END" = 0 ]; then
    mark ready
    exit 0
  fi
  mark "user-data-failed $END"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# apt can wait for dpkg's lock, but not for its own; at first boot both are held for minutes.
# LOCK_TRIES is the limit for the whole run.
await_apt() {
  have fuser || return 0
  for (( ; looks < LOCK_TRIES; looks++)); do
    fuser -s "$ROOT"/var/lib/dpkg/lock{,-frontend} "$ROOT/var/lib/apt/lists/lock" 2>/dev/null || return 0
    sleep "$PAUSE"
  done
}
# dnf and yum wait for each other's lock; `timeout` limits that.
install() {
  for ((p = 0; p < PACKAGE_TRIES; p++)); do
    if have dnf; then
      timeout 600 dnf -y -q install "$1" && return 0
    elif have yum; then
      timeout 600 yum -y -q install "$1" && return 0
    elif have apt-get; then
      await_apt
      timeout 300 apt-get -q update && ! apt-cache show "$1" >/dev/null 2>&1 && return 1
      DEBIAN_FRONTEND=noninteractive timeout 600 apt-get -q -y -o DPkg::Lock::Timeout=500 install "$1" && return 0
    else
      return 1
    fi
    sleep "$PAUSE"
  done
  return 1
}
need() { have "$1" || { install "$2" && have "$1"; }; }

zone() {
  token=$(curl -sf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$IMDS/api/token") &&
    curl -sf -m 5 -H "X-aws-ec2-metadata-token: $token" "$IMDS/meta-data/placement/availability-zone"
}
# The mount target in the zone of the instance; any other if there is none or the zone is unknown.
address() {
  own=$(zone)
  any=
  for target in $TARGETS; do
    if [ "${target%%=*}" = "$own" ]; then
      echo "${target#*=}"
      return
    fi
    any=${any:-${target#*=}}
  done
  echo "$any"
}
# Arguments: TYPE SOURCE OPTIONS. Checks the kernel's mount table, not only the result of mount.
attach() {
  timeout 120 mount -t "$1" -o "$3" "$2" "$MP" && mountpoint -q "$MP" || return 1
  grep -qsF " $MP " "$ROOT/etc/fstab" || echo "$2 $MP $1 $3,nofail 0 0" >>"$ROOT/etc/fstab"
}
mount_efs() {
  mkdir -p "$MP" || fail 301
  mountpoint -q "$MP" && return
  ip=$(address)
  helper=
  need mount.efs amazon-efs-utils && helper=yes
  if [ -z "$helper" ]; then
    need mount.nfs4 nfs-utils || need mount.nfs4 nfs-common || fail 302
  fi
  for ((m = 0; m < MOUNT_TRIES; m++)); do
    if [ -z "$helper" ]; then
      attach nfs4 "$ip:/" "$NFS" && return
    elif ((m >= NAME_TRIES && m % 2)) && [ -n "$ip" ]; then
      # In a VPC without DNS names, only the address works.
      attach efs "$FS:/" "$TLS,_netdev,mounttargetip=$ip" && return
    else
      attach efs "$FS:/" "$TLS,_netdev" && return
    fi
    sleep "$PAUSE"
  done
  fail 302
}
# A long script is compressed; the text of a script never begins like that.
unpack() {
  case $SCRIPT in
    H4sI*) base64 -d | gzip -d ;;
    *) base64 -d ;;
  esac
}
# A separate process isolates the script's `exit`, options and traps.
run_script() {
  [ -n "$SCRIPT" ] || return 0
  set -o pipefail
  WORK=$(mktemp -d "$ROOT/var/lib/tier1.XXXXXX") || fail 303
  printf %s "$SCRIPT" | unpack >"$WORK/script" || fail 303
  chmod 700 "$WORK/script" || fail 303
  IFS= read -r -n 2 start <"$WORK/script"
  if [ "$start" = '#!' ]; then
    "$WORK/script" </dev/null
  else
    /bin/bash "$WORK/script" </dev/null
  fi
}

WORK=
trap ended EXIT
trap 'exit 1' HUP INT TERM
export HOME="${HOME:-/root}" AWS_DEFAULT_REGION="$REGION"
cd / || fail 300
mark begin
mount_efs
mark mounted
run_script
END=$?
