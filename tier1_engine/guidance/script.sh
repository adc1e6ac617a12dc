# This part is the same in every script; what is deleted, and in which order, is at the end.

umask 077
YES=
case "${1:-}" in
  --yes | -y) YES=yes ;;
  '') ;;
  *)
    echo "usage: bash $0 [--yes]" >&2
    exit 2
    ;;
esac
SETTLES=
PAUSE_SECONDS=${TIER1_POLL_SECONDS:-5}
IDS=
LEFT=
CODE=
SAID=

say() { printf '%s\n' "$*" >&2; }

# A process that runs it would recreate what is deleted here, or delete it at the same time.
refuse_while_driven() {
  command -v tier1 >/dev/null 2>&1 || return 0
  local shown status=0
  shown=$(tier1 show "$DEPLOYMENT" -o json) || status=$?
  case $status in
    0) SETTLES=yes ;;
    8)
      say "The database of this host does not know $DEPLOYMENT: make sure that it is not running elsewhere."
      return 0
      ;;
    *) exit "$status" ;;
  esac
  if ! grep -q '^  "holder": null' <<<"$shown"; then
    say "$DEPLOYMENT is locked by a running process (tier1 show $DEPLOYMENT says which): wait, or stop it first."
    exit 6
  fi
}

refuse_other_account() {
  local account
  if [ -n "$LEND" ] && ! whoami_at_aws >/dev/null 2>&1; then
    # The local AWS accepts any keys.
    export AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox
  fi
  if ! account=$(whoami_at_aws); then
    say "AWS does not accept your credentials: sign in to account $ACCOUNT, then run this again."
    exit 7
  fi
  if [ "$account" != "$ACCOUNT" ]; then
    say "These credentials belong to account $account, but the deployment is in $ACCOUNT."
    exit 7
  fi
}
whoami_at_aws() { aws sts get-caller-identity --query Account --output text; }

ask() {
  [ -z "$YES" ] || return 0
  local answer=
  say "This deletes what $DEPLOYMENT created in account $ACCOUNT, $REGION:"
  printf '  %s\n' "$@" >&2
  read -r -p 'Type "yes" to continue: ' answer || true
  if [ "$answer" != yes ]; then
    say "Nothing was changed."
    exit 2
  fi
  refuse_while_driven # since it was asked, time has passed
}

# Runs a command; what it prints is in SAID then, and AWS's error code in CODE when it failed.
attempt() {
  local errors status=0
  errors=$(mktemp)
  SAID=$("$@" 2>"$errors") || status=$?
  CODE=
  if [ "$status" -ne 0 ]; then
    CODE=$(sed -n 's/.*An error occurred (\([A-Za-z0-9._-]*\)).*/\1/p' "$errors" | head -n 1)
    CODE=${CODE:-NoAnswer}
    SAID=$(grep -v '^$' "$errors" || true)
  fi
  rm -f "$errors"
  return "$status"
}

# CODE LIST: whether the code is one of the list's words.
among() { [[ " $2 " == *" $1 "* ]]; }

# Whether the tags in SAID (a key, a tab and a value a line) hold every KEY=VALUE that is given.
holds() {
  local wanted
  for wanted in "$@"; do
    grep -qxF "${wanted%%=*}"$'\t'"${wanted#*=}" <<<"$SAID" || return 1
  done
}

# Whether the answer in SAID shows no tags at all.
untagged() { [ -z "$CODE" ] && { [ -z "$SAID" ] || [ "$SAID" = None ]; }; }

# FIND PROVED ABSENT KNOWN OTHERS: sets IDS to what stands and is proved ours. Fails when AWS would not say.
# KNOWN lists the recorded ids; creates without a reply may have made as many as OTHERS besides them. If more
# have the tags, nobody can tell which are ours: they are in COPIES, and not in IDS.
look() {
  local found others=0
  IDS=
  COPIES=
  attempt "$1" || {
    among "$CODE" "$3"
    return
  }
  found=$SAID
  for id in $found; do
    [ "$id" != None ] || continue
    among "$id" "$4" || [ "$5" -gt 0 ] || continue
    if "$2"; then
      if among "$id" "$4"; then
        IDS="$IDS $id"
      else
        COPIES="$COPIES $id" others=$((others + 1))
      fi
    elif [ -n "$CODE" ] && ! among "$CODE" "$3"; then
      return 1
    fi
  done
  if [ "$others" -le "$5" ]; then
    IDS="$IDS$COPIES"
    COPIES=
  fi
}

# LISTING COMMAND FINE: takes off what the first prints, word by word.
free() {
  local words
  attempt "$1" || {
    among "$CODE" "$3"
    return
  }
  words=$SAID
  for it in $words; do
    [ "$it" = None ] || attempt "$2" || among "$CODE" "$3" || return 1
  done
}

# COMMAND FILE: keeps what the first prints, once.
keep() {
  [ -e "$2" ] || ! attempt "$1" || printf '%s\n' "$SAID" >"$2"
}

give_up() {
  say "$1: $2"
  LEFT="$LEFT $1"
}

# NUMBER NAME RECORDED ABSENT WAITED_OUT LINGERS KNOWN OTHERS: deletes it, and looks until it is gone.
# However slow the calls are: time is up only once there was a look after the deletion, and one more.
remove() {
  local passes=0 deleted='' refused until=$((SECONDS + LIMIT_SECONDS))
  while [ "$passes" -lt 3 ] || [ "$SECONDS" -le "$until" ]; do
    [ "$passes" -lt 2 ] || sleep "$PAUSE_SECONDS"
    passes=$((passes + 1))
    if ! look "find_$1" "proved_$1" "$4" "$7" "$8"; then
      ! among "$CODE" "$BUSY" || continue
      give_up "$2" "AWS could not look it up: $SAID"
      return 0
    fi
    refused=
    for id in $IDS; do
      [ "$deleted" = "$id" ] || say "$2: deleting $id"
      deleted=$id
      "delete_$1" && continue
      refused=yes
      if ! among "$CODE" "$4 $5 $BUSY"; then
        give_up "$2" "$id could not be deleted: $SAID"
        return 0
      fi
    done
    if [ -z "$refused" ] && [ -n "$COPIES" ]; then
      give_up "$2" "not touched:$COPIES have its tags, but tier1 made at most $8 of them; delete only that"
      return 0
    fi
    if [ -z "$IDS$deleted" ]; then
      say "$2: nothing has its tags${3:+; $3 is deleted or not owned}"
      return 0
    fi
    if [ -z "$IDS" ] || [ -z "$refused$6" ]; then
      say "$2: $deleted is deleted"
      return 0
    fi
  done
  give_up "$2" "not deleted after $LIMIT_SECONDS s: $SAID"
}

settle() {
  [ -z "$LEFT" ] || say "Remaining:$LEFT"
  if [ -n "$SETTLES" ]; then
    tier1 "$SETTLE" "$DEPLOYMENT" --yes
    return
  fi
  say "To confirm this and close the deployment in the database, run where tier1 is installed:"
  say "  tier1 $SETTLE $DEPLOYMENT --yes"
  [ -z "$LEFT" ] || exit 5
}
